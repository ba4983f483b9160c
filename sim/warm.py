"""Compiles beside a run what the run will want later: after a change that takes minutes, and there is a second core."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from models.compiled import CACHE_FOLDER, JIT_DISABLED
from models.offload.engine import make
from models.payload import SYNTHETIC
from models.train import FrameTrain
from sim.scenario import Scenario

_ROOT = Path(__file__).resolve().parents[1]
_CHILD = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from sim.warm import compile_second; compile_second()"
_OF_SECOND = "merge-everything"  # an engine that the second kernel answers for


def compile_second() -> None:
    """Compile the second kernel of the flow table into the cache."""
    engine = make(_OF_SECOND)
    engine.receive(FrameTrain.blank(1), SYNTHETIC)
    engine.flush(SYNTHETIC)


def engines_of(scenario: Scenario) -> set[str]:
    """Names of the engines that a scenario without variants runs."""
    cards = [nic for node in scenario.nodes.values() for nic in node.nics.values()]
    return {nic.gro_engine for nic in cards if nic.gro} | {nic.lro_engine for nic in cards if nic.lro}


class SecondKernel:
    """A process that compiles the second kernel while this one compiles the first; as a context, it ends with it.

    Nothing is started if no scenario wants that kernel, if it is in the cache, or if this machine has one core."""

    def __init__(self, scenarios: Iterable[Scenario]) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        cached = any(CACHE_FOLDER.rglob("flow_table.receive_seldom-*.nbi"))
        if cached or JIT_DISABLED or (os.cpu_count() or 1) < 2 or not any(map(wants_second, scenarios)):
            return
        nothing = subprocess.DEVNULL  # if it fails, the run compiles on its own and says why
        self._process = subprocess.Popen([sys.executable, "-c", _CHILD], stdin=nothing, stderr=nothing)

    @property
    def is_compiling(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ready_for(self, scenario: Scenario) -> None:
        """Wait until it is compiled, if the scenario wants it: two processes would take twice the work."""
        if self._process is not None and wants_second(scenario):
            self._process.wait()

    def __enter__(self) -> SecondKernel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_compiling:
            assert self._process is not None
            self._process.terminate()
            self._process.wait()


def wants_second(scenario: Scenario) -> bool:
    """Whether one of the scenario's engines is of the second kernel."""
    return any(make(name).is_seldom for name in engines_of(scenario))
