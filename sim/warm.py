"""Compiles before a run what it will call, on two cores: after a change that takes a minute."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from models.compiled import CACHE_FOLDER, JIT_DISABLED
from models.host.sockets import Tables
from models.nic.deliver import hand_up, pass_on
from models.nic.desk import FIELDS
from models.offload.engine import make
from models.payload import SYNTHETIC
from models.train import FrameTrain
from sim.build import build
from sim.execute import execute
from sim.scenario import Scenario, parse

_ROOT = Path(__file__).resolve().parents[1]
_BESIDE = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from sim import warm; warm.compile_polls()"
_OF_FIRST, _OF_SECOND = "gro", "merge-everything"  # engines that these kernels answer for
_SMALL = """
duration: 1ms
observe: b
nodes: {a: {nics: {eth0: {}}}, b: {nics: {eth0: {gro: on}}}}
links: [{ends: [a.eth0, b.eth0], rate: 10Gbps, delay: 5us}]
flows: [{name: f, from: a, to: b}]
"""


def compile_polls() -> None:
    """Compile the flow table, and the polls that call it."""
    compile_engine(_OF_FIRST)
    execute(parse(_SMALL))


def compile_rest(*, second: bool) -> None:
    """Compile what no poll waits for: what becomes of its packets, and, if wanted, the second flow table."""
    compile_deliveries()
    if second:
        compile_engine(_OF_SECOND)


def compile_engine(name: str) -> None:
    """Compile the kernels that an engine calls."""
    engine = make(name)
    engine.receive(FrameTrain.blank(1), SYNTHETIC)
    engine.flush(SYNTHETIC)


def compile_deliveries() -> None:
    """Compile what packets go through that leave a poll; neither of these has any to deliver."""
    napi = next(napi for node in build(parse(_SMALL)).nodes.values() for napi in node.napis.values())
    d = dict(zip(FIELDS, napi.arrays(), strict=True))
    packets = [d[name] for name in ("out_cells", "out_head")]
    line = [d[name] for name in ("ports", "departures", "state", "meta", "head", "pieces", "row", "rank")]
    ways = [d[name] for name in ("routes", "drops", "ports", "macs", "departures")]
    host = Tables(*(d[name] for name in FIELDS[FIELDS.index("host_words") : FIELDS.index("captured")]))
    hand_up(d["work"], host, *packets, d["spent"], d["seen"], d["prices"], d["counts"], *SYNTHETIC, *line)
    pass_on(
        d["work"], *packets, d["out_pieces"], d["spent"], d["prices"], d["counts"], *ways, *SYNTHETIC, *line[2:]
    )  # fmt: skip


def engines_of(scenario: Scenario) -> set[str]:
    """Names of the engines that a scenario without variants runs."""
    cards = [nic for node in scenario.nodes.values() for nic in node.nics.values()]
    return {nic.gro_engine for nic in cards if nic.gro} | {nic.lro_engine for nic in cards if nic.lro}


def wants_second(scenario: Scenario) -> bool:
    """Whether one of the scenario's engines is of the second kernel."""
    return any(make(name).is_seldom for name in engines_of(scenario))


def is_needed() -> bool:
    """Whether a run would have to compile most of what it calls."""
    return not JIT_DISABLED and not any(CACHE_FOLDER.rglob("schedule.advance-*.nbi"))


def compile_for(scenarios: Iterable[Scenario]) -> None:
    """Compile what runs of these scenarios call: half of it in a process beside this one, if there is a second core.

    If that one fails, the run compiles its half, and says why it cannot."""
    second = any(map(wants_second, scenarios))
    if (os.cpu_count() or 1) < 2:
        compile_polls()
        compile_rest(second=second)
        return
    nothing = subprocess.DEVNULL
    beside = subprocess.Popen([sys.executable, "-c", _BESIDE], stdin=nothing, stdout=nothing, stderr=nothing)
    try:
        compile_rest(second=second)
        beside.wait()
    finally:
        beside.kill()
        beside.wait()
