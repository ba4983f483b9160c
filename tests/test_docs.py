"""What the documentation lists is what the code has."""

import re
from pathlib import Path

from models.cpu.costs import KINDS
from models.forwarding.router import Verdict
from models.offload import lro_table
from models.offload.names import ENGINES
from models.offload.why import Fate, Why

REASONS = (Path(__file__).parent.parent / "docs" / "reasons.md").read_text(encoding="utf-8")


def listed(section: str) -> list[str]:
    """The names in the first column of the tables below the heading `section`."""
    text = REASONS.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    first_cells = re.findall(r"^\| (`[^|]*) \|", text, flags=re.MULTILINE)
    return [name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_fate_is_listed():
    assert listed("Fates") == [fate.name.lower() for fate in Fate]


def test_every_reason_is_listed_in_order():
    assert listed("Why a frame did not join, why a packet was complete") == [w.label for w in Why if w is not Why.NONE]


def test_every_kind_of_work_is_listed():
    assert sorted(listed("Kinds of work")) == sorted(KINDS)


def test_every_drop_is_listed():
    """Those of the nodes are plain strings, at the call or where a kernel's counter gets its name: read from there."""
    nodes = Path(__file__).parent.parent / "sim" / "nodes"
    used = {
        name
        for file in nodes.rglob("*.py")
        for name in re.findall(r"(?:\.drop\(\s*[\"']|[\"']drop/)([a-z-]+)[\"']", file.read_text(encoding="utf-8"))
    }
    verdicts = {verdict.label for verdict in Verdict if verdict is not Verdict.FORWARDED}
    assert listed_once("Drops") == used | verdicts


def listed_once(section: str) -> set[str]:
    names = listed(section)
    assert len(names) == len(set(names))
    return set(names)


def test_every_loss_is_listed():
    from sim.results import LOST

    assert sorted(listed("What a packet can lose")) == sorted(LOST)


ENGINES_TEXT = (Path(__file__).parent.parent / "docs" / "engines.md").read_text(encoding="utf-8")


def test_the_table_of_cards_is_the_one_engines_follow():
    lines = ["| | " + " | ".join(f"`{name}`" for name in lro_table.ROWS) + " |", "|" + 7 * "---|"]
    lines += [f"| `{column}` | " + " | ".join(words) + " |" for column, *words in lro_table.overview()]
    assert "\n".join(lines) in ENGINES_TEXT, "docs/engines.md should have:\n" + "\n".join(lines)


def test_the_sources_of_cards_are_listed():
    for name, row in lro_table.ROWS.items():
        if name != "merge-everything":
            lines = [f"- {source}: {', '.join(columns)}" for source, columns in lro_table.sources(row).items()]
            text = f"#### {name}\n\n" + "\n".join(lines)
            assert text in ENGINES_TEXT, "docs/engines.md should have:\n" + text


def test_every_engine_is_described():
    assert [name for name in ENGINES if f"`{name}`" not in ENGINES_TEXT] == []


def test_every_file_that_a_text_names_is_there():
    """A module says by which test it is checked, a document by which test a figure was found."""
    root = Path(__file__).parent.parent
    texts = [file for kind in ("*.md", "docs/*.md", "models/**/*.py", "sim/**/*.py") for file in root.glob(kind)]
    named = {name for text in texts for name in re.findall(r"tests/[a-z0-9_/]+\.py", text.read_text(encoding="utf-8"))}
    assert named
    assert not {name for name in named if not (root / name).exists()}
