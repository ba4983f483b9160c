"""YAML 1.2 text to plain data that remembers where each key and value stood.

The node tree is read directly, not the finished dict: only there are the positions, and the keys given twice.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]


class Mistake(NamedTuple):
    """What stands at `path` and what would do; `choices` are the words the writer may have meant."""

    path: Path
    found: str
    wanted: str
    choices: tuple[str, ...] = ()
    at_key: bool = False  # the key is wrong, not its value
    place: str = ""  # overrides what the path says about the place


class Located(NamedTuple):
    """Plain data, the place (line, column; both from 1) of each value and key, and what was wrong already."""

    data: Any
    values: dict[Path, tuple[int, int]]
    keys: dict[Path, tuple[int, int]]
    mistakes: list[Mistake]


def read(text: str) -> Located:
    """The one document in `text`. Mistakes hold a `place` of `line:col`; on broken YAML the data is None."""
    located = Located({}, {}, {}, [])
    yaml = YAML(typ="rt", pure=True)
    try:
        root = yaml.compose(text)
        data = None if root is None else _plain(root, (), located, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        problem = (error.problem or error.context or "broken YAML").splitlines()[0]
        return located._replace(data=None, mistakes=[Mistake((), problem, "YAML 1.2", place=place)])
    except (YAMLError, ValueError, RecursionError) as error:  # ReaderError: a control character
        problem = (str(error) or type(error).__name__).splitlines()[0]
        return located._replace(data=None, mistakes=[Mistake((), problem, "YAML 1.2", place="1:1")])
    return located._replace(data=data)


def read_value(text: str) -> Any:
    """The value on the right of an override: `20us`, `[a.eth0, b.eth0]`. ValueError when it is no YAML."""
    located = read(text)
    if located.mistakes:
        raise ValueError(text)
    return located.data


def show(value: object) -> str:
    """A found value, short, as the writer would recognise it."""
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}...'"


def dotted(path: Path) -> str:
    """`flows[0].count`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _plain(node: Node, path: Path, located: Located, above: tuple[int, ...]) -> Any:
    """`above` are the nodes this one lies in: an alias to one of them would never end."""
    located.values[path] = _place(node)
    if id(node) in above:
        located.mistakes.append(Mistake(path, "an alias to what it stands in", "a value"))
        return None
    within = (*above, id(node))
    if isinstance(node, MappingNode):
        mapping: dict[str, Any] = {}
        for key, key_node, value_node in _entries(node):
            here = (*path, key)
            if key in mapping:
                line, _ = located.keys[here]
                located.mistakes.append(
                    Mistake(here, f"{key!r} again (first in line {line})", "each key once", place=_text(key_node))
                )
                continue
            located.keys[here] = _place(key_node)
            mapping[key] = _plain(value_node, here, located, within)
        return mapping
    if isinstance(node, SequenceNode):
        return [_plain(item, (*path, i), located, within) for i, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return _scalar(node)


def _entries(node: MappingNode) -> Iterator[tuple[str, Node, Node]]:
    for key_node, value_node in node.value:
        yield (key_node.value if isinstance(key_node, ScalarNode) else "?"), key_node, value_node


def _scalar(node: ScalarNode) -> Any:
    kind = str(node.tag).rpartition(":")[2]
    if node.style in ("'", '"', "|", ">"):
        return node.value
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return node.value.lower() == "true"
            case "int":
                return int(node.value.replace("_", ""), 0 if node.value[:2] in ("0x", "0o") else 10)
            case "float":
                return float(node.value.replace("_", ""))
    except ValueError:
        pass
    return node.value


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _text(node: Node) -> str:
    line, column = _place(node)
    return f"{line}:{column}"
