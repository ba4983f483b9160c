"""From a scenario and a seed to a result."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from models.cpu.costs import COST_PER_CYCLE, KINDS
from models.payload import SYNTHETIC
from models.train import FrameTrain
from sim.build import BuiltNode, World, build
from sim.capture_write import CaptureWriter
from sim.metrics import busy_fraction, cycles_per_frame, goodput_bps, segments_per_packet
from sim.nodes.napi import Napi
from sim.results import LOST, RunResult
from sim.scenario import Scenario

_SLICES = 50
_TIMELINE_FRAMES = 32  # a poll worth drawing has at least so many
_POLLS_LOOKED_AT = 200

Snapshot = dict[str, tuple[Counter[str], Counter[int], list[int]]]


def execute(
    scenario: Scenario,
    *,
    variant: str = "",
    progress: Callable[[float], None] | None = None,
    pcap_dir: Path | None = None,
) -> RunResult:
    """Runs a scenario without variants. `progress` hears the share done; captures of every card go to `pcap_dir`.

    BuildError for a scenario that cannot be wired; OSError where captures cannot be written."""
    world = build(scenario)
    writers = _tap(world, pcap_dir, scenario.duration_ps) if pcap_dir is not None else {}
    began_s = time.perf_counter()
    try:
        _run_until(world, 0, scenario.warmup_ps, scenario.duration_ps, progress)
        before = _snapshot(world)
        recorded = [_record_one_poll(napi) for napi in world.nodes[scenario.observe].napis.values()]
        _run_until(world, scenario.warmup_ps, scenario.duration_ps, scenario.duration_ps, progress)
    finally:
        for writer in writers.values():
            writer.close()
    wall_s = time.perf_counter() - began_s
    captures = {name: _written(writer) for name, writer in writers.items()}
    return _result(scenario, variant, world, before, _worth_drawing(recorded), captures, wall_s)


def _run_until(
    world: World, from_ps: int, until_ps: int, duration_ps: int, progress: Callable[[float], None] | None
) -> None:
    env = world.clock.env
    for share in range(1, _SLICES + 1) if progress else (_SLICES,):
        stop_ps = from_ps + (until_ps - from_ps) * share // _SLICES
        if stop_ps > env.now:
            env.run(until=stop_ps)
        if progress:
            progress(stop_ps / duration_ps)


def _record_one_poll(napi: Napi) -> list[dict[str, Any]]:
    """The card's first poll of a fair size will be in the list, or the largest of the first `_POLLS_LOOKED_AT`."""
    left = _POLLS_LOOKED_AT
    largest: list[dict[str, Any]] = []

    def record(poll: dict[str, Any]) -> None:
        nonlocal left
        left -= 1
        if not largest or len(poll["frames"]) > len(largest[0]["frames"]):
            largest[:] = [poll]
        if not left or len(largest[0]["frames"]) >= _TIMELINE_FRAMES:
            napi.record = None

    napi.record = record
    return largest


def _worth_drawing(recorded: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The first poll of a fair size, or the largest one, of all cards."""
    polls = [poll for polls in recorded for poll in polls]
    return max(polls, key=lambda poll: (min(len(poll["frames"]), _TIMELINE_FRAMES), -poll["start_ps"]), default={})


def _tap(world: World, folder: Path, duration_ps: int) -> dict[str, CaptureWriter]:
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, CaptureWriter] = {}
    for name, node in world.nodes.items():
        for nic_name, nic in node.nics.items():
            at = [f"{name}-{nic_name}-{place}.pcap" for place in ("nic", "stack")]
            at_nic, at_stack = (CaptureWriter(folder / file) for file in at)
            nic.tap = partial(_write_arrived, at_nic, duration_ps)
            node.napis[nic_name].tap = partial(at_stack.write, payloads=SYNTHETIC)
            writers |= {at[0]: at_nic, at[1]: at_stack}
    return writers


def _write_arrived(writer: CaptureWriter, before_ps: int, train: FrameTrain) -> None:
    """A card hears of frames before they arrive; those that have not when the run ends are not in its capture."""
    writer.write(train[train.time_ps < before_ps], payloads=SYNTHETIC)


def _written(writer: CaptureWriter) -> dict[str, int]:
    return {"frames": writer.frames, "wrong_ipv4": writer.wrong_ipv4, "wrong_transport": writer.wrong_transport}


def _snapshot(world: World) -> Snapshot:
    return {
        name: (
            *node.ledger.snapshot(),
            _losses(node),
        )
        for name, node in world.nodes.items()
    }


def _losses(node: BuiltNode) -> list[int]:
    """Frames checked, frames altered, and each field of LOST, over the engines of a node."""
    rows = [[engine.frames_checked, engine.frames_altered, *engine.lost.tolist()] for engine in node.engines]
    return [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * (2 + len(LOST))


def _result(
    scenario: Scenario,
    variant: str,
    world: World,
    before: Snapshot,
    timeline: dict[str, Any],
    captures: dict[str, dict[str, int]],
    wall_s: float,
) -> RunResult:
    after = _snapshot(world)
    span_ps = scenario.duration_ps - scenario.warmup_ps
    counts = {name: after[name][0] - before[name][0] for name in world.nodes}
    seen = counts[scenario.observe]
    sizes = after[scenario.observe][1] - before[scenario.observe][1]
    losses = [late - early for late, early in zip(after[scenario.observe][2], before[scenario.observe][2], strict=True)]
    retransmitted: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for counter in counts.values():
        retransmitted.update(_under(counter, "retransmitted/"))
        read.update(_under(counter, "read/"))
    flows = [
        {
            "name": socket.flow,
            "goodput_bps": goodput_bps(read_bytes=read[socket.flow], span_ps=span_ps),
            "retransmitted_segments": retransmitted[socket.flow],
        }
        for socket in world.sockets
    ]
    drops: Counter[str] = Counter()
    for counter in counts.values():
        drops.update(_under(counter, "drop/"))
    for link in world.links:
        drops.update(_under(link.counts, "drop/"))
    return RunResult(
        scenario=scenario.name,
        variant=variant,
        seed=scenario.seed,
        goodput_bps=goodput_bps(read_bytes=sum(read.values()), span_ps=span_ps),
        wire_frames=seen["wire-frames"],
        stack_packets=sum(sizes.values()),
        segments_per_packet=segments_per_packet(sizes),
        acks_sent=seen["acks-sent"],
        cpu={name: _cpu(node, counts[name]["wire-frames"], span_ps) for name, node in world.nodes.items()},
        drops=drops,
        fates=_under(seen, "fate/"),
        reasons=_under(seen, "reason/"),
        closes=_under(seen, "close/"),
        flows=flows,
        correctness={
            "payload_errors": sum(socket.connection.payload_errors for socket in world.sockets),
            "frames_checked": losses[0],
            "frames_altered": losses[1],
            "lost": dict(zip(LOST, losses[2:], strict=True)),
        },
        merge_sizes=dict(sizes),
        poll_timeline=timeline,
        captures=captures,
        events=next(world.clock.env._eid),
        wall_s=wall_s,
    )


def _under(counts: Counter[str], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): n for name, n in counts.items() if name.startswith(prefix) and n}


def _cpu(node: BuiltNode, wire_frames: int, span_ps: int) -> dict[str, Any]:
    cycles = {
        kind: sum(core.counts[k] * core.profile.cost[k] for core in node.cores) / COST_PER_CYCLE
        for k, kind in enumerate(KINDS)
    }
    return {
        "busy_fraction": busy_fraction(busy_ps=[core.busy_ps for core in node.cores], span_ps=span_ps),
        "cycles_per_frame": cycles_per_frame(cycles, frames=wire_frames),
        "breakdown": {kind: spent for kind, spent in cycles.items() if spent},
    }
