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
    at: Any = data
    *way, last = path
    for depth, step in enumerate(way):
        if mistake := _no_way(at, path[: depth + 1], may_be_new=False):
            return mistake
        at = at[step]
    if mistake := _no_way(at, path, may_be_new=True):
        return mistake
    old = None if isinstance(at, dict) and last not in at else at[last]
    at[last] = _laid_over(old, value)
    return None


def _no_way(at: Any, path: Path, *, may_be_new: bool) -> Mistake | None:
    """Why the last step of `path` does not lead on from `at`."""
    step = path[-1]
    if isinstance(at, list) and isinstance(step, int):
        return None if step < len(at) else Mistake(path, f"[{step}]", f"a number below {len(at)}")
    if isinstance(at, dict) and isinstance(step, str):
        if step in at or may_be_new:
            return None
        known = tuple(map(str, at))
        return Mistake(path, repr(step), alternatives(known) if known else "no key here", known, at_key=True)
    wanted = "a key" if isinstance(at, dict) else "a number such as [0]" if isinstance(at, list) else "nothing more"
    return Mistake(path, show(step), f"{wanted} below {dotted(path[:-1]) or 'the scenario'}")


def _laid_over(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {key: _laid_over(old.get(key), value) for key, value in new.items()}
