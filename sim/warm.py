"""Compiles beside a run what the run will want later: after a change that takes minutes, and there is a second core."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from models.compiled import CACHE_FOLDER, JIT_DISABLED
from models.host.sockets import Tables
from models.nic.deliver import hand_up, pass_on
from models.nic.desk import FIELDS
from models.offload.engine import make
from models.payload import SYNTHETIC
from models.train import FrameTrain
from sim.build import build
from sim.scenario import Scenario

_ROOT = Path(__file__).resolve().parents[1]
_CHILD = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from sim import warm; warm.compile_beside({{}})"
_OF_FIRST, _OF_SECOND = "gro", "merge-everything"  # engines that these kernels answer for


def compile_beside(second: bool) -> None:
    """Compile the flow table's kernel into the cache, say so on standard output, and then the second one."""
    compile_engine(_OF_FIRST)
    print(flush=True)
    if second:
        compile_engine(_OF_SECOND)


def compile_engine(name: str) -> None:
    """Compile the kernels that an engine calls."""
    engine = make(name)
    engine.receive(FrameTrain.blank(1), SYNTHETIC)
    engine.flush(SYNTHETIC)


def compile_deliveries(scenario: Scenario) -> None:
    """Compile what packets go through that leave a poll; neither of these has any to deliver."""
    napi = next(napi for node in build(scenario).nodes.values() for napi in node.napis.values())
    d = dict(zip(FIELDS, napi.arrays(), strict=True))
    packets = [d[name] for name in ("out_cells", "out_head")]
    line = [d[name] for name in ("ports", "departures", "state", "meta", "head", "pieces", "row", "rank")]
    ways = [d[name] for name in ("routes", "drops", "ports", "macs", "departures")]
    host = Tables(*(d[name] for name in FIELDS[FIELDS.index("host_words") : FIELDS.index("captured")]))
    hand_up(d["work"], host, *packets, d["spent"], d["seen"], d["prices"], d["counts"], *SYNTHETIC, *line)
    pass_on(
        d["work"], *packets, d["out_pieces"], d["spent"], d["prices"], d["counts"], *ways, *SYNTHETIC, *line[2:]
    )  # fmt: skip


def _is_cached(kernel: str) -> bool:
    return any(CACHE_FOLDER.rglob(f"{kernel}-*.nbi"))


def engines_of(scenario: Scenario) -> set[str]:
    """Names of the engines that a scenario without variants runs."""
    cards = [nic for node in scenario.nodes.values() for nic in node.nics.values()]
    return {nic.gro_engine for nic in cards if nic.gro} | {nic.lro_engine for nic in cards if nic.lro}


class Kernels:
    """A process that compiles one half of the kernels while this one compiles the other; as a context, it ends with it.

    Nothing is started for what is in the cache, for a second kernel that no scenario wants, or if this machine has one
    core."""

    def __init__(self, scenarios: Iterable[Scenario]) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._first = not _is_cached("poll.poll")
        second = not _is_cached("flow_table.receive_seldom") and any(map(wants_second, scenarios))
        if JIT_DISABLED or (os.cpu_count() or 1) < 2 or not (self._first or second):
            return
        child = [sys.executable, "-c", _CHILD.format(second)]
        nothing = subprocess.DEVNULL  # if it fails, the run compiles on its own and says why
        self._process = subprocess.Popen(child, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)

    @property
    def is_compiling(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def quickest_first(self, variants: dict[str, Scenario]) -> list[tuple[str, Scenario]]:
        """In their order, but those last that have to wait for the other process."""
        return sorted(variants.items(), key=lambda each: self.is_compiling and wants_second(each[1]))

    def ready_for(self, scenario: Scenario) -> None:
        """Compile, and wait for what the scenario wants of the rest: two processes would take twice the work."""
        if self._process is None:
            return
        if self._first:
            self._first = False
            compile_deliveries(scenario)
            assert self._process.stdout is not None
            self._process.stdout.readline()
        if wants_second(scenario):
            self._process.wait()

    def __enter__(self) -> Kernels:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            if self.is_compiling:
                self._process.terminate()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()


def wants_second(scenario: Scenario) -> bool:
    """Whether one of the scenario's engines is of the second kernel."""
    return any(make(name).is_seldom for name in engines_of(scenario))
