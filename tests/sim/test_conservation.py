"""Nothing appears and nothing vanishes: at every place, frames and bytes in = out + held + dropped."""

import json

import numpy as np
import pytest

from models.forwarding.router import Verdict
from sim.build import build
from sim.scenario import parse
from tests.sim.books import assert_ports_and_links_balance, counted, frames_and_bytes

OFFLOADS = {
    "none": {},
    "gro": {"gro": "on"},
    "lro-driver": {"lro": "on", "lro-engine": "lro-driver"},
    "lro-hardware": {"lro": "on"},
    "freebsd-lro": {"lro": "on", "lro-engine": "freebsd-lro"},
}


def ended_world(offload, rough, ring, queue):
    card = {"rx-usecs": "10us", "rx-ring": ring, **OFFLOADS[offload]}
    data = {
        "name": "books",
        "duration": "3ms",
        "observe": "c",
        "nodes": {
            "a": {"nics": {"eth0": card}},
            "b": {"nics": {"eth0": card}},
            "m": {"kind": "router", "profile": "2008-xeon-10g", "cores": 2,
                  "nics": {"x": card, "y": card | {"core": 1}, "z": card}},
            "c": {"profile": "2008-xeon-10g", "nics": {"eth0": card}},
        },
        "links": [
            {"ends": ["a.eth0", "m.x"], "rate": "4Gbps", "delay": "2us", **rough},
            {"ends": ["b.eth0", "m.y"], "rate": "4Gbps", "delay": "2us"},
            {"ends": ["m.z", "c.eth0"], "rate": "2Gbps", "delay": "2us", "queue": queue},
        ],
        "flows": [{"name": name, "from": name, "to": "c", "bytes": 300000} for name in ("a", "b")],
    }  # fmt: skip
    scenario = parse(json.dumps(data))
    world = build(scenario)
    seen = {name: np.zeros(2, np.int64) for name in world.nodes}
    for name, node in world.nodes.items():
        for napi in node.napis.values():

            def tap(train, name=name):
                seen[name] += frames_and_bytes(train)

            napi.tap = tap
    announced = {name: np.zeros(2, np.int64) for name in world.nodes}
    for name, node in world.nodes.items():
        for nic in node.nics.values():

            def door(train, name=name):
                announced[name] += frames_and_bytes(train)

            nic.tap = door
    world.clock.env.run(until=scenario.duration_ps)
    return world, seen, announced


@pytest.mark.parametrize("offload", OFFLOADS)
@pytest.mark.parametrize(
    ("rough", "ring", "queue"), [({}, 1024, 1000), ({}, 8, 4), ({"jitter": "20us", "loss": 0.02}, 64, 64)]
)
def test_frames_and_bytes(offload, rough, ring, queue):
    """Each sum is one of frames and one of bytes."""
    world, seen, announced = ended_world(offload, rough, ring, queue)
    for name, node in world.nodes.items():
        counts, nics = node.ledger.counts, node.nics.values()
        arrived = counted(counts, "nic/in", "nic/in-bytes")
        coming = sum(frames_and_bytes(nic.on_the_way) for nic in nics)
        assert (announced[name] == arrived + coming).all(), name
        held = sum(frames_and_bytes(nic.in_ring) for nic in nics)
        held += sum(np.array([engine.held_frames, engine.held_payload_bytes]) for engine in node.engines)
        missed = counted(counts, "drop/ring-full", "nic/missed-bytes")
        assert (arrived == seen[name] + held + missed).all(), name
    lost = assert_ports_and_links_balance(world)
    router = world.nodes["m"].ledger.counts
    refused = sum(router[f"drop/{verdict.label}"] for verdict in Verdict)
    not_passed_on = seen["m"] - counted(router, "port/in", "port/in-bytes")
    assert not_passed_on.tolist() == [refused, router["router/refused-bytes"]]
    assert rough or not lost.any()
