"""Scenario files to checked scenarios: every mistake at once, each with file, line and column.

A mistake reads `file:line:col: key.path: found 'x', wanted y (did you mean z?)`; one from the command line begins with
`override` instead of a place.
"""

import copy
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from sim.scenario import references
from sim.scenario.overrides import parse_path, put
from sim.scenario.schema import Scenario, alternatives
from sim.scenario.text import Located, Mistake, Path, dotted, read, read_value, show


class ScenarioErrors(Exception):
    """Everything wrong with one scenario; `lines` has one line a mistake, in the order of the file."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = list(lines)


def load(path: str | FilePath, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in the file `path`, named after it, with `overrides` (`path=value`) applied and variants checked.

    Raises ScenarioErrors, also for a file that cannot be read.
    """
    path = FilePath(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise ScenarioErrors([f"{path}: found {reason}, wanted a scenario file"]) from None
    except UnicodeDecodeError as error:
        found = f"a byte that is not UTF-8 at {error.start}"
        raise ScenarioErrors([f"{path}: found {found}, wanted a scenario file"]) from None
    return parse(text, file=str(path), name=path.stem, overrides=overrides)


def parse(text: str, *, file: str = "<text>", name: str = "text", overrides: Sequence[str] = ()) -> Scenario:
    """As `load`, from text; `name` is the scenario's unless the text gives another. Raises ScenarioErrors."""
    located = read(text)
    if not isinstance(located.data, dict):
        found = located.mistakes or [Mistake((), show(located.data), "a scenario: nodes, links, flows", place="1:1")]
        raise ScenarioErrors([_line(mistake, file, located, {}) for mistake in found])
    located.data.setdefault("name", name)
    origins: dict[Path, str] = {}
    mistakes = [*located.mistakes, *_override(located.data, overrides, origins)]
    scenario, wrong = _checked(located.data)
    mistakes += wrong
    mistakes += _variant_mistakes(located.data, wrong)
    if mistakes or scenario is None:
        mistakes.sort(key=lambda mistake: _order(mistake, located, origins))
        raise ScenarioErrors(list(dict.fromkeys(_line(mistake, file, located, origins) for mistake in mistakes)))
    return scenario


def variant(scenario: Scenario, name: str) -> Scenario:
    """The scenario with the overrides of variant `name` applied and no variants left.

    Raises ScenarioErrors when there is no such variant; without any variants, the name `base` gives the scenario.
    """
    names = tuple(scenario.variants) or ("base",)
    if name not in names:
        raise ScenarioErrors([f"variant {name}: found {name!r}, wanted {alternatives(names)}{_near(name, names)}"])
    data = scenario.as_yaml_data()
    resolved, wrong = _resolved(data, data["variants"].get(name) or {})
    if resolved is None:
        raise ScenarioErrors([f"variant {name}: {_complaint(mistake)}" for mistake in wrong])
    return resolved


def question(path: str | FilePath) -> str:
    """The first comment of a scenario file: the question it asks; empty when there is none. Raises OSError."""
    words: list[str] = []
    for line in FilePath(path).read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            break
        words.append(line.lstrip("#").strip())
    return " ".join(words)


def _checked(data: dict[str, Any]) -> tuple[Scenario | None, list[Mistake]]:
    wrong: list[Mistake] = []
    scenario = None
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        wrong = [_mistake(dict(detail)) for detail in error.errors(include_url=False)]
    reported = {mistake.path for mistake in wrong}
    wrong += [mistake for mistake in references.mistakes(data) if mistake.path not in reported]
    return (None if wrong else scenario), wrong


def _resolved(data: dict[str, Any], changes: dict[str, Any]) -> tuple[Scenario | None, list[Mistake]]:
    data = copy.deepcopy(data)
    data["variants"] = {}
    wrong = []
    for text, value in changes.items():
        path = parse_path(text)
        if path is None:
            wrong.append(Mistake((text,), show(text), "a path such as flows[0].count"))
        elif mistake := put(data, path, copy.deepcopy(value)):
            wrong.append(mistake)
    scenario, more = _checked(data)
    return (None if wrong else scenario), wrong + more


def _variant_mistakes(data: dict[str, Any], base: Sequence[Mistake]) -> Iterator[Mistake]:
    """What the variants break, told at the variant's key; `base` is wrong without them and not told again."""
    variants = data.get("variants")
    for name, changes in variants.items() if isinstance(variants, dict) else ():
        if not isinstance(changes, dict):
            continue
        for text, value in changes.items():  # one at a time, to know whose mistake it is
            for mistake in _new(_resolved(data, {text: value})[1], base):
                if mistake.path == (text,) or _meet(text, mistake.path):
                    yield mistake._replace(path=("variants", name, text))
        if base:
            continue
        for mistake in _resolved(data, changes)[1]:
            if not any(mistake.path == (text,) or _meet(text, mistake.path) for text in changes):
                wanted = f"{mistake.wanted}, at {dotted(mistake.path)}"
                yield mistake._replace(path=("variants", name), wanted=wanted)


def _new(wrong: Sequence[Mistake], base: Sequence[Mistake]) -> list[Mistake]:
    return [mistake for mistake in wrong if mistake not in base]


def _meet(text: str, path: Path) -> bool:
    """Whether one of the two paths leads through the other."""
    own = parse_path(text) or ("",)
    shorter = min(len(own), len(path))
    return own[:shorter] == path[:shorter]


def _override(data: dict[str, Any], overrides: Sequence[str], origins: dict[Path, str]) -> Iterator[Mistake]:
    for text in overrides:
        key, equals, right = text.partition("=")
        path = parse_path(key)
        try:
            value = read_value(right)
        except ValueError:
            path = None
        if path is None or not equals:
            yield Mistake((key,) if key else (), show(text), "path=value such as flows[0].count=8", place="override")
            continue
        mistake = put(data, path, value)
        if mistake:
            yield mistake._replace(place="override")
        origins[path] = "override"


def _mistake(detail: dict[str, Any]) -> Mistake:
    """A pydantic error in the words of this project."""
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    context = detail.get("ctx") or {}
    match detail["type"]:
        case "refused":
            at_key = detail["loc"][-1] == "[key]"
            return Mistake(path, show(detail["input"]), context["wanted"], tuple(context["choices"]), at_key)
        case "extra_forbidden":
            keys = _keys_at(path[:-1])
            return Mistake(path, repr(path[-1]), f"one of {alternatives(keys)}", keys, at_key=True)
        case "missing":
            return Mistake(path, "nothing", _wanted_at(path))
        case "dict_type" | "model_type" | "model_attributes_type":
            return Mistake(path, show(detail["input"]), "a mapping")
        case "tuple_type" | "list_type":
            return Mistake(path, show(detail["input"]), "a list")
    return Mistake(path, show(detail["input"]), str(detail["msg"]))


_WANTED = {
    "observe": "the name of the node to count at",
    "nodes": "a mapping of names to nodes",
    "nics": "a mapping of names to NICs",
    "ends": "two ends such as [sender.eth0, receiver.eth0]",
    "rate": "a rate such as 10Gbps",
    "from": "the name of the sending host",
    "to": "the name of the receiving host",
    "name": "a name of letters, digits, - and _",
}


def _wanted_at(path: Path) -> str:
    return _WANTED.get(str(path[-1]), "a value")


def _keys_at(path: Path) -> tuple[str, ...]:
    """The keys that may stand at `path`, found by walking the schema."""
    kind: Any = Scenario
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            kind = fields.get(str(step))
        else:
            kind = kind.__args__[1 if isinstance(step, str) else 0]
    return tuple(field.alias or name for name, field in kind.model_fields.items())


def _order(mistake: Mistake, located: Located, origins: dict[Path, str]) -> tuple[int, int]:
    place = mistake.place or _place(mistake, located, origins)
    line, _, column = place.partition(":")
    return (int(line), int(column)) if column else (0, 0)


def _place(mistake: Mistake, located: Located, origins: dict[Path, str]) -> str:
    """`line:col` of what the mistake is about; of the nearest thing around it when it is missing."""
    within = [mistake.path[:end] for end in range(len(mistake.path), -1, -1)]
    for part in within:
        if part in origins:
            return origins[part]
    for part in within:
        at = (located.keys.get(part) if mistake.at_key else None) or located.values.get(part)
        if at:
            return f"{at[0]}:{at[1]}"
    return "1:1"


def _line(mistake: Mistake, file: str, located: Located, origins: dict[Path, str]) -> str:
    place = mistake.place or _place(mistake, located, origins)
    head = "override " if place == "override" else f"{file}:{place}: "
    return head + _complaint(mistake)


def _complaint(mistake: Mistake) -> str:
    where = f"{dotted(mistake.path)}: " if mistake.path else ""
    return f"{where}found {mistake.found}, wanted {mistake.wanted}{_near(mistake.found, mistake.choices)}"


def _near(found: str, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(found.strip("'\""), choices, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
