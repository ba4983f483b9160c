"""Half of the kernels are compiled beside the other half, and what is compiled is what a run calls."""

import subprocess

import pytest

from models.cores import schedule
from models.nic import deliver
from models.offload import flow_table
from sim import warm
from sim.execute import execute
from sim.scenario import load, variant

KERNELS = (
    flow_table.receive, flow_table.flush, flow_table.receive_seldom, flow_table.flush_seldom, deliver.hand_up,
    deliver.pass_on, schedule.advance,
)  # fmt: skip


def scenario(name):
    return variant(load("scenarios/host.yaml", ["duration=2ms", "warmup=0ms"]), name)


class Beside:
    """Stands for a process, and writes down what was asked of it."""

    def __init__(self, *_, **__):
        self.asked = []

    def wait(self):
        self.asked.append("wait")

    def kill(self):
        self.asked.append("kill")


@pytest.fixture
def done(monkeypatch):
    """What was compiled, in its order; nothing is compiled."""
    done = []

    def started(*_, **__):
        done.append(Beside())
        return done[-1]

    monkeypatch.setattr(warm.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(warm, "compile_polls", lambda: done.append("polls"))
    monkeypatch.setattr(warm, "compile_deliveries", lambda: done.append("deliveries"))
    monkeypatch.setattr(warm, "compile_engine", done.append)
    return done


def test_what_it_compiles_is_what_a_run_calls():
    warm.compile_polls()
    warm.compile_rest(second=True)
    compiled = [kernel.signatures for kernel in KERNELS]
    for name in ("gro", "lro-hardware"):
        assert execute(scenario(name)).fates["joined"]
    assert [kernel.signatures for kernel in KERNELS] == compiled


def test_the_second_flow_table_is_compiled_for_who_wants_it(done):
    warm.compile_for([scenario("gro")])
    assert done[1:] == ["deliveries"]
    warm.compile_for([scenario("gro"), scenario("lro-hardware")])
    assert done[3:] == ["deliveries", "merge-everything"]


def test_one_core_compiles_it_all_itself(done, monkeypatch):
    monkeypatch.setattr(warm.os, "cpu_count", lambda: 1)
    warm.compile_for([scenario("lro-hardware")])
    assert done == ["polls", "deliveries", "merge-everything"]


def test_who_is_interrupted_takes_the_other_along(done, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(warm, "compile_deliveries", interrupted)
    with pytest.raises(KeyboardInterrupt):
        warm.compile_for([scenario("gro")])
    assert done[0].asked == ["kill", "wait"]


def test_nothing_is_compiled_in_vain(monkeypatch, tmp_path):
    monkeypatch.setattr(warm, "CACHE_FOLDER", tmp_path)
    monkeypatch.setattr(warm, "JIT_DISABLED", False)
    assert warm.is_needed()
    (tmp_path / "cores").mkdir()
    (tmp_path / "cores" / "schedule.advance-57.py311.nbi").touch()
    assert not warm.is_needed()
    monkeypatch.setattr(warm, "CACHE_FOLDER", tmp_path / "none")
    monkeypatch.setattr(warm, "JIT_DISABLED", True)
    assert not warm.is_needed()
