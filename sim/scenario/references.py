"""Mistakes that take two places of a scenario to see: names that lead nowhere, values that contradict another.

Works on plain data that may be wrong elsewhere, so that one reading reports every mistake; what the schema refuses
already is passed over in silence.
"""

from collections.abc import Iterator
from typing import Any

from models.offload.names import GRO_ENGINES, LINUX_GRO
from models.units import format_time, parse_time_ps
from sim.scenario.schema import KINDS, Node, Scenario, alternatives
from sim.scenario.text import Mistake, show

NO_HOSTS = tuple(kind for kind in KINDS if kind != "host")  # a kind that is misspelt may be meant as one


def mistakes(data: dict[str, Any]) -> Iterator[Mistake]:
    """Every broken reference in a scenario's plain data."""
    nodes = {name: node for name, node in _mapping(data.get("nodes")).items() if isinstance(node, dict)}
    yield from _observed(data, nodes)
    yield from _times(data)
    yield from _nodes(nodes)
    yield from _links(data, nodes)
    yield from _flows(data, nodes)


def _observed(data: dict[str, Any], nodes: dict[str, Any]) -> Iterator[Mistake]:
    observed = data.get("observe")
    if isinstance(observed, str) and nodes and observed not in nodes:
        yield Mistake(("observe",), show(observed), f"a node: {alternatives(tuple(nodes))}", tuple(nodes))


def _times(data: dict[str, Any]) -> Iterator[Mistake]:
    duration_ps = _time_ps(data.get("duration"))
    if duration_ps is None and "duration" not in data:
        duration_ps = Scenario.model_fields["duration_ps"].default
    if not duration_ps:
        return
    before_the_end = f"a time before the end at {format_time(duration_ps)}"
    warmup_ps = _time_ps(data.get("warmup"))
    if warmup_ps is not None and warmup_ps >= duration_ps:
        yield Mistake(("warmup",), show(data["warmup"]), before_the_end)
    for i, flow in _dicts(data.get("flows")):
        start_ps = _time_ps(flow.get("start"))
        if start_ps is not None and start_ps >= duration_ps:
            yield Mistake(("flows", i, "start"), show(flow["start"]), before_the_end)


def _nodes(nodes: dict[str, Any]) -> Iterator[Mistake]:
    owner: dict[str, str] = {}
    for name, node in nodes.items():
        cores = node.get("cores", Node.model_fields["cores"].default)
        for nic_name, nic in _mapping(node.get("nics")).items():
            here = ("nodes", name, "nics", nic_name)
            nic = _mapping(nic)
            core = nic.get("core")
            if type(core) is int and type(cores) is int and core >= cores > 0:
                yield Mistake((*here, "core"), show(core), f"a core from 0 to {cores - 1}, as the node has {cores}")
            engine = nic.get("gro-engine", "gro")
            for key in ("rx-gro-list", "rx-udp-gro-forwarding"):
                if nic.get(key) in (True, "on") and engine in GRO_ENGINES and engine not in LINUX_GRO:
                    yield Mistake((*here, key), "on", f"off, or gro-engine {alternatives(LINUX_GRO)}, not {engine}")
            if _time_ps(nic.get("gro-flush-timeout")) and engine in GRO_ENGINES and engine not in LINUX_GRO:
                wanted = f"0s, or gro-engine {alternatives(LINUX_GRO)}, not {engine}"
                yield Mistake((*here, "gro-flush-timeout"), show(nic["gro-flush-timeout"]), wanted)
            address = nic.get("address")
            if isinstance(address, str):
                bare = address.partition("/")[0]
                if bare in owner:
                    wanted = f"an address of its own, not that of {owner[bare]}"
                    yield Mistake((*here, "address"), show(address), wanted)
                owner.setdefault(bare, f"{name}.{nic_name}")


def _links(data: dict[str, Any], nodes: dict[str, Any]) -> Iterator[Mistake]:
    ends = tuple(f"{name}.{nic}" for name, node in nodes.items() for nic in _mapping(node.get("nics")))
    used: dict[str, int] = {}
    for i, link in _dicts(data.get("links")):
        for j, end in enumerate(link["ends"] if isinstance(link.get("ends"), list) else []):
            if not isinstance(end, str) or end.count(".") != 1:
                continue
            if end not in ends:
                yield Mistake(("links", i, "ends", j), show(end), f"a NIC: {_any_of(ends)}", ends)
            elif end in used:
                yield Mistake(("links", i, "ends", j), show(end), f"a NIC that is not in links[{used[end]}] already")
            used.setdefault(end, i)


def _flows(data: dict[str, Any], nodes: dict[str, Any]) -> Iterator[Mistake]:
    hosts = tuple(name for name, node in nodes.items() if node.get("kind") not in NO_HOSTS)
    names: dict[str, int] = {}
    for i, flow in _dicts(data.get("flows")):
        name = flow.get("name")
        if isinstance(name, str):
            if name in names:
                yield Mistake(("flows", i, "name"), show(name), f"a name other than that of flows[{names[name]}]")
            names.setdefault(name, i)
        for key in ("from", "to"):
            if isinstance(flow.get(key), str) and flow[key] not in hosts:
                yield Mistake(("flows", i, key), show(flow[key]), f"a host: {_any_of(hosts)}", hosts)
        sender, receiver = flow.get("from"), flow.get("to")
        if sender not in hosts or receiver not in hosts:
            continue
        if sender == receiver:
            yield Mistake(("flows", i, "to"), show(receiver), "another host than the one it comes from")
        elif _links_are_whole(data, nodes) and receiver not in _reachable(data, str(sender)):
            yield Mistake(("flows", i, "to"), show(receiver), f"a host that links lead to from {sender}")


def _links_are_whole(data: dict[str, Any], nodes: dict[str, Any]) -> bool:
    """Whether a missing path is a mistake of its own, not the echo of a link that was reported."""
    links = data.get("links", [])
    return (
        isinstance(links, list)
        and all(
            isinstance(link, dict) and isinstance(link.get("ends"), list) and len(link["ends"]) == 2 for link in links
        )
        and not any(_links(data, nodes))
    )


def _reachable(data: dict[str, Any], start: str) -> set[str]:
    pairs = [[str(end).partition(".")[0] for end in link["ends"]] for _, link in _dicts(data.get("links"))]
    found, new = {start}, {start}
    while new:
        new = {node for pair in pairs if new & set(pair) for node in pair} - found
        found |= new
    return found


def _any_of(names: tuple[str, ...]) -> str:
    return alternatives(names) if names else "there is none"


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> Iterator[tuple[int, dict[str, Any]]]:
    for i, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, dict):
            yield i, item


def _time_ps(value: object) -> int | None:
    try:
        return parse_time_ps(str(value)) if isinstance(value, (str, int)) else None
    except ValueError:
        return None
