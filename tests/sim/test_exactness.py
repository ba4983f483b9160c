"""Trains are exact: however they are cut, the results are the same, bit for bit (docs/architecture.md, decision 3).

Scenarios are drawn so that frames meet: rates and delays come from small sets of common multiples, queues and rings
are tiny; some scenarios are symmetric, so that frames of different cores reach a port in one picosecond. Together the
examples must have seen everything that could go wrong, each in a fair share of cases.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from sim import execute as execution
from sim.build import World, build
from sim.results import RunResult
from sim.scenario import Scenario, parse
from tests.sim.books import assert_ports_and_links_balance

FAIR_SHARE = 0.05
EVENTS = ("drop", "tie", "two-input merge", "ring overflow", "preemption", "reordering", "timer in a poll")
FINE = (1, 7)  # values of max_train_frames that are compared with unlimited

OFFLOADS: tuple[dict[str, Any], ...] = (  # one may be laid on another
    {},
    {"gro": "on"},
    {"lro": "on", "lro-engine": "lro-driver"},
    {"lro": "on", "lro-engine": "merge-everything"},
    {"gro": "on", "lro": "on", "lro-engine": "merge-everything"},
    {"gro": "on", "gro-engine": "gro", "gro-flush-timeout": "30us", "napi-defer-hard-irqs": 2},
    {"gro": "on", "gro-engine": "gro", "gro-flush-timeout": "8us", "rx-gro-list": "on"},
    {"gro": "on", "gro-engine": "gvisor", "gro-flush-timeout": "0us", "rx-gro-list": "off"},
    {"lro": "on", "lro-engine": "freebsd-lro"},
    {"lro": "on", "lro-engine": "lro-s2io"},
    {"gro": "on", "lro": "on", "lro-engine": "lro-82599"},
    {"lro": "on", "lro-engine": "gro-hw-mlx5"},
)
RATES = ("1Gbps", "2Gbps", "4Gbps")
DELAYS = ("1us", "2us", "4us", "12us")


@st.composite
def nics(draw: st.DrawFn, cores: int = 1) -> dict[str, Any]:
    return {
        "mtu": 1500,
        "rx-ring": draw(st.sampled_from((4, 8, 32, 1024))),
        "rx-usecs": draw(st.sampled_from(("0us", "2us", "12us", "40us"))),
        "rx-frames": draw(st.sampled_from((1, 2, 8, 64))),
        "tso": draw(st.sampled_from(("on", "off"))),
        "rx-checksum": draw(st.sampled_from(("on", "on", "off"))),
        "core": draw(st.integers(0, cores - 1)),
        **draw(st.sampled_from(OFFLOADS)),
    }


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """Plain data of a scenario: two or three senders, a chain of one or two routers, one or two receivers."""
    profile = st.sampled_from(("free", "2008-xeon-10g", "2008-xeon-10g"))
    senders = [f"s{k}" for k in range(draw(st.integers(2, 3)))]
    receivers = [f"r{k}" for k in range(draw(st.integers(1, 2)))]
    routers = [f"m{k}" for k in range(draw(st.integers(1, 2)))]
    nodes: dict[str, Any] = {}
    links: list[dict[str, Any]] = []

    def card(node: str, name: str) -> str:
        cores = nodes[node].get("cores", 1)
        nodes[node]["nics"][name] = draw(nics(cores))
        if nodes[node]["kind"] == "router" and cores > 1:  # every core gets a card, so that inputs meet
            nodes[node]["nics"][name]["core"] = (len(nodes[node]["nics"]) - 1) % cores
        return f"{node}.{name}"

    def link(one: str, other: str) -> None:
        rough = draw(st.sampled_from(({}, {}, {"jitter": "20us"}, {"jitter": "40us", "loss": 0.01})))
        links.append(
            {
                "ends": [one, other],
                "rate": draw(st.sampled_from(RATES)),
                "delay": draw(st.sampled_from(DELAYS)),
                "queue": draw(st.sampled_from((2, 4, 16, 100))),
                **rough,
            }
        )

    symmetric = draw(st.booleans())
    same_card, rate, delay = draw(nics()), draw(st.sampled_from(RATES)), draw(st.sampled_from(DELAYS))

    for name in (*senders, *receivers):
        nodes[name] = {"kind": "host", "profile": draw(profile), "hz": draw(st.sampled_from((250, 1000))), "nics": {}}
    for name in routers:
        cores = draw(st.sampled_from((1, 2, 2)))
        nodes[name] = {"kind": "router", "profile": draw(profile), "cores": cores, "nics": {}}
    for k, name in enumerate(senders):
        link(card(name, "eth0"), card(routers[0], f"in{k}"))
    for one, other in pairwise(routers):
        link(card(one, "on"), card(other, "back"))
    for k, name in enumerate(receivers):
        link(card(routers[-1], f"out{k}"), card(name, "eth0"))
    flows = [
        {
            "name": f"f{k}",
            "from": name,
            "to": draw(st.sampled_from(receivers)),
            "count": draw(st.integers(1, 2)),
            "congestion": draw(st.sampled_from(("reno", "cubic"))),
            "window": draw(st.sampled_from((8192, 32768, 131072))),
            "bytes": draw(st.sampled_from((None, 5000, 20000, 100000))),
            "start": draw(st.sampled_from(("0us", "0us", "4us", "100us"))),
            "ip": draw(st.sampled_from((4, 4, 6))),
            "timestamps": draw(st.sampled_from(("on", "on", "off"))),
        }
        for k, name in enumerate(senders)
    ]
    late = st.integers(6, 80).map(lambda n: f"{4 * n}us")
    for k in range(draw(st.integers(0, 8))):  # receivers send too, and open while they poll
        start, name = draw(late), draw(st.sampled_from(receivers))
        flows.append({"name": f"b{k}", "from": name, "to": senders[k % len(senders)], "bytes": 5000, "start": start})
        if draw(st.booleans()):  # the peer's core is kept busy, so that timers ring inside its polls
            nodes[name] |= {"profile": "2008-xeon-10g"}
    if symmetric:
        for name in senders:
            nodes[name] |= {"profile": "free"}
            nodes[name]["nics"]["eth0"] |= same_card | {"core": 0}
        nodes[routers[0]] |= {"profile": draw(profile), "cores": 2}
        for k in range(len(senders)):
            nodes[routers[0]]["nics"][f"in{k}"] |= same_card | {"core": k % 2, "rx-ring": 64}
            links[k] = {"ends": links[k]["ends"], "rate": rate, "delay": delay}
            flows[k] |= {"to": receivers[0], "start": "0us", "window": 32768, "count": 1}
            flows[k] |= {"ip": 4, "timestamps": "on", "bytes": None}
    duration = draw(st.sampled_from(("1ms", "2ms")))
    return {
        "name": "exact",
        "seed": draw(st.integers(1, 4)),
        "duration": duration,
        "warmup": draw(st.sampled_from(("0us", "300us"))),
        "observe": draw(st.sampled_from((routers[0], receivers[0]))),
        "nodes": nodes,
        "links": links,
        "flows": flows,
    }


def as_scenario(data: dict[str, Any], max_train_frames: int | None) -> Scenario:
    return parse(json.dumps(data | {"max_train_frames": max_train_frames}))


def run(data: dict[str, Any], max_train_frames: int | None, monkeypatch: pytest.MonkeyPatch) -> tuple[RunResult, World]:
    """The result and the world it ended in."""
    worlds: list[World] = []

    def built(scenario: Scenario) -> World:
        worlds.append(build(scenario))
        return worlds[-1]

    with monkeypatch.context() as patch:
        patch.setattr(execution, "build", built)
        result = execution.execute(as_scenario(data, max_train_frames))
    return result, worlds[0]


def fingerprint(world: World) -> dict[str, Any]:
    """Everything a node has counted, to the last picosecond of work."""
    nodes = {
        name: {
            "counts": {count: n for count, n in sorted(node.ledger.snapshot()[0].items()) if n},
            "sizes": dict(sorted(node.ledger.merge_sizes.items())),
            "cores": [(core.busy_ps, list(core.counts), core.preemptions, core.timers_in_polls) for core in node.cores],
            "engines": [(each.held_packets, each.held_frames, each.lost.tolist()) for each in node.engines],
        }
        for name, node in world.nodes.items()
    }
    links = [{count: n for count, n in sorted(link.counts.items()) if n} for link in world.links]
    sockets = [
        (socket.connection.state.name, socket.connection.readable_bytes, socket.connection.next_timer_ps)
        for socket in world.sockets
    ]
    return {"nodes": nodes, "links": links, "sockets": sockets}


def seen(world: World) -> set[str]:
    """Which of EVENTS happened in a world."""
    nodes, cores = world.nodes.values(), [core for node in world.nodes.values() for core in node.cores]
    counts: Counter[str] = Counter()
    for ledger in (*(node.ledger for node in nodes), *world.links):
        counts.update(ledger.counts)
    happened = {
        "drop": counts["drop/queue-full"],
        "tie": counts["port/ties"],
        "two-input merge": counts["port/merged-inputs"],
        "ring overflow": counts["drop/ring-full"],
        "preemption": sum(core.preemptions for core in cores),
        "reordering": counts["link/overtaken"],
        "timer in a poll": sum(core.timers_in_polls for core in cores),
    }
    assert set(happened) == set(EVENTS)
    return {event for event, n in happened.items() if n}


def compare(examples: int, start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property over `examples` scenarios, and its coverage."""
    cases = 0
    happened: Counter[str] = Counter()

    @seed(start)
    @settings(
        max_examples=examples, deadline=None, derandomize=False, database=None,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate,),
    )  # fmt: skip
    @given(scenarios())
    def trains_are_exact(data: dict[str, Any]) -> None:
        nonlocal cases
        whole, world = run(data, None, monkeypatch)
        print_of_whole = fingerprint(world)
        assert_ports_and_links_balance(world)
        for frames in FINE:
            cut, cut_world = run(data, frames, monkeypatch)
            assert fingerprint(cut_world) == print_of_whole, f"max_train_frames={frames}"
            assert cut == whole, f"max_train_frames={frames}"
        cases += 1
        happened.update(seen(world))

    trains_are_exact()
    shares = {event: round(happened[event] / cases, 3) for event in EVENTS}
    print(f"{cases} scenarios, share of each: {shares}")
    assert min(shares.values()) >= FAIR_SHARE, shares


def test_trains_are_exact(monkeypatch):
    compare(40, 1, monkeypatch)


@pytest.mark.long
def test_trains_are_exact_long(monkeypatch):
    compare(400, 2, monkeypatch)


def test_books_do_not_depend_on_the_cut_when_measuring_ends_within_a_poll(monkeypatch):
    """A slow core polls most of the time, so that many of these ends fall into a poll, its engine empty or not."""
    nodes = {
        "a": {"profile": "free", "nics": {"eth0": {}}},
        "b": {"profile": "2008-xeon-10g", "nics": {"eth0": {"gro": "on", "rx-usecs": "20us"}}},
    }
    links = [{"ends": ["a.eth0", "b.eth0"], "rate": "10Gbps", "delay": "20us"}]
    for end_us in range(900, 1300, 20):
        data = {"name": "ends", "duration": f"{end_us}us", "observe": "b", "nodes": nodes, "links": links,
                "flows": [{"name": "f", "from": "a", "to": "b"}]}  # fmt: skip
        results = [fingerprint(run(data, frames, monkeypatch)[1]) for frames in (None, *FINE)]
        assert results[0] == results[1] == results[2], end_us


SAME_EVERYWHERE = """
import json, sys
from sim.execute import execute
from sim.results import dump, saved, Finished
from sim.scenario import parse
scenario = parse(sys.stdin.read())
print(dump(saved(Finished(scenario, execute(scenario)))))
"""


@pytest.mark.parametrize("frames", [None, *FINE])
def test_hash_seed_does_not_matter(frames):
    card = {"rx-ring": 16, "rx-usecs": "12us", "gro": "on"}
    data = {
        "name": "hashes",
        "max_train_frames": frames,
        "duration": "3ms",
        "observe": "m",
        "nodes": {
            "a": {"nics": {"eth0": card}},
            "b": {"nics": {"eth0": card}},
            "m": {"kind": "router", "profile": "2008-xeon-10g", "cores": 2,
                  "nics": {"x": card, "y": card | {"core": 1}, "z": card}},
            "c": {"profile": "2008-xeon-10g", "nics": {"eth0": card}},
        },
        "links": [
            {"ends": ["a.eth0", "m.x"], "rate": "4Gbps", "delay": "2us", "jitter": "20us"},
            {"ends": ["b.eth0", "m.y"], "rate": "4Gbps", "delay": "2us"},
            {"ends": ["m.z", "c.eth0"], "rate": "2Gbps", "delay": "2us", "queue": 8},
        ],
        "flows": [{"name": name, "from": name, "to": "c", "count": 2} for name in ("a", "b")],
    }  # fmt: skip
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SAME_EVERYWHERE],
            input=json.dumps(data),
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    ]
    assert json.loads(outputs[0])["drops"]
    assert outputs[0] == outputs[1]
