"""Overrides: a YAML path and what shall stand there, `nodes.receiver.nics.eth0.rx-usecs=20us`.

A path leads through what the file says; only its last step may be new. A mapping is laid over the mapping it meets,
so a variant may name several switches of one NIC at once.
"""

import re
from typing import Any

from sim.scenario.schema import alternatives
from sim.scenario.text import Mistake, Path, dotted, show

_STEP = re.compile(r"(?:^|\.)([A-Za-z0-9_-]+)|\[([0-9]+)\]")


def parse_path(text: str) -> Path | None:
    """`flows[0].count` as ("flows", 0, "count"); None when it is no path."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            return None
        steps.append(match[1] if match[1] is not None else int(match[2]))
        at = match.end()
    return tuple(steps) or None


def put(data: Any, path: Path, value: Any) -> Mistake | None:
    """Puts `value` at `path` into `data`; a mistake, and nothing changed, when the path leads nowhere."""
    at = data
    for depth, step in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(at, list) and isinstance(step, int):
            if step >= len(at):
                return Mistake(path[: depth + 1], f"[{step}]", f"a number below {len(at)}")
        elif isinstance(at, dict) and isinstance(step, str):
            if step not in at and not last:
                known = tuple(map(str, at))
                wanted = f"one of {alternatives(known)}" if known else f"nothing below {dotted(path[:depth])}"
                return Mistake(path[: depth + 1], repr(step), wanted, known, at_key=True)
        else:
            wanted = "a key" if isinstance(at, dict) else "a number such as [0]" if isinstance(at, list) else "no more"
            return Mistake(path[: depth + 1], show(step), f"{wanted} below {dotted(path[:depth]) or 'the scenario'}")
        if last:
            at[step] = _laid_over(at[step] if isinstance(at, list) or step in at else None, value)
        else:
            at = at[step]
    return None


def _laid_over(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {key: _laid_over(old.get(key), value) for key, value in new.items()}
