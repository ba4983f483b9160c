"""A simulator that only remembers what it was asked: the commands are tested, not the runs behind them."""

import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "plots"))

from made_up import SIZES, result


@pytest.fixture
def execute(monkeypatch) -> types.SimpleNamespace:
    """Stands in for sim.execute; `calls` has (scenario, variant, pcap_dir) of each run, `fails_at` breaks one."""
    spy = types.SimpleNamespace(calls=[], fails_at=None, error=RuntimeError("broken"))

    def run(scenario, *, variant: str, progress: Callable[[float], None] | None, pcap_dir: Path | None):
        if variant == spy.fails_at:
            raise spy.error
        spy.calls.append((scenario, variant, pcap_dir))
        if progress:
            progress(0.5)
        if pcap_dir:
            (pcap_dir / "receiver.eth0.pcap").write_bytes(b"packets")
        shape = variant if variant in SIZES else "none"
        wall_s = float(len(spy.calls))  # differs from run to run, as wall time does
        return result(shape, scenario.name, variant=variant, seed=scenario.seed, wall_s=wall_s, events=len(spy.calls))

    module = types.ModuleType("sim.execute")
    module.execute = run
    monkeypatch.setitem(sys.modules, "sim.execute", module)
    monkeypatch.setattr("sim.warm.JIT_DISABLED", True)  # nothing is simulated, so nothing needs to be compiled
    return spy
