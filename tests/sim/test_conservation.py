"""Nothing appears and nothing vanishes: at every place, frames in = out + held + dropped."""

import json

import pytest

from models.train import FRAME_COUNT
from sim.build import build
from sim.scenario import parse

OFFLOADS = {
    "none": {},
    "gro": {"gro": "on"},
    "lro-driver": {"lro": "on", "lro-engine": "lro-driver"},
    "lro-hardware": {"lro": "on"},
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
    seen = dict.fromkeys(world.nodes, (0, 0))
    for name, node in world.nodes.items():
        for napi in node.napis.values():

            def tap(train, name=name):
                frames, payload = seen[name]
                seen[name] = frames + int(train.meta[:, FRAME_COUNT].sum()), payload + int(train.payload_bytes.sum())

            napi.tap = tap
    arrived = dict.fromkeys(world.nodes, (0, 0))
    for name, node in world.nodes.items():
        for nic in node.nics.values():

            def door(train, name=name):
                frames, payload = arrived[name]
                arrived[name] = frames + len(train), payload + int(train.payload_bytes.sum())

            nic.tap = door
    world.clock.env.run(until=scenario.duration_ps)
    return world, seen, arrived


@pytest.mark.parametrize("offload", OFFLOADS)
@pytest.mark.parametrize(
    ("rough", "ring", "queue"), [({}, 1024, 1000), ({}, 8, 4), ({"jitter": "20us", "loss": 0.02}, 64, 64)]
)
def test_frames_and_bytes(offload, rough, ring, queue):
    world, seen, arrived = ended_world(offload, rough, ring, queue)
    for name, node in world.nodes.items():
        counts = node.ledger.counts
        in_rings = sum(int(t.meta[:, FRAME_COUNT].sum()) for nic in node.nics.values() for t in nic._ring)
        held = in_rings + sum(engine.held_frames for engine in node.engines)
        assert arrived[name][0] == counts["nic/in"]
        assert arrived[name][0] == seen[name][0] + held + counts["drop/ring-full"], name
        ring_bytes = sum(int(t.payload_bytes.sum()) for nic in node.nics.values() for t in nic._ring)
        held_bytes = ring_bytes + sum(engine.held_payload_bytes for engine in node.engines)
        if not counts["drop/ring-full"]:  # the ledger counts dropped frames, not their bytes
            assert arrived[name][1] == seen[name][1] + held_bytes, name
        assert counts["port/in"] == counts["port/out"] + counts["drop/queue-full"], name
    sent = sum(node.ledger.counts["port/out"] for node in world.nodes.values())
    on_the_way = sum(len(t) for node in world.nodes.values() for nic in node.nics.values() for t in nic._arriving)
    on_the_way += sum(len(getattr(line, "_held", ())) for line in world.lines)
    lost = sum(link.counts["drop/link-loss"] for link in world.links)
    assert sent == sum(frames for frames, _ in arrived.values()) + on_the_way + lost
    router = world.nodes["m"].ledger.counts
    refused = router["drop/lro-guard"] + router["drop/no-route"] + router["drop/too-big"]
    ports = {id(end.port): end.port for end in world.nodes["m"].model.routes.values()}.values()
    pending = sum(len(train) for port in ports for trains in port._pending for train in trains)
    assert seen["m"][0] == router["port/in"] + refused + pending
