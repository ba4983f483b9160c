"""Half of the kernels are compiled beside a run that wants them, and what is compiled is what the run calls."""

import subprocess

import pytest

from models.nic import deliver
from models.offload import flow_table
from sim import warm
from sim.execute import execute
from sim.scenario import parse, variant

TEXT = """
duration: 1ms
observe: b
nodes: {a: {nics: {eth0: {}}}, b: {nics: {eth0: {gro: on}}}}
links: [{ends: [a.eth0, b.eth0], rate: 10Gbps, delay: 5us}]
flows: [{name: f, from: a, to: b}]
variants: {gro: {}, lro-hardware: {nodes.b.nics.eth0.lro: on}}
"""


def scenario(name):
    return variant(parse(TEXT), name)


class Started:
    """Stands for a process, and writes down what was asked of it."""

    def __init__(self, *_, **__):
        self.asked, self.code, self.stdout = [], None, self

    def readline(self):
        self.asked.append("readline")

    def close(self):
        self.asked.append("close")

    def poll(self):
        return self.code

    def wait(self):
        self.asked.append("wait")
        self.code = 0

    def terminate(self):
        self.asked.append("terminate")


@pytest.fixture
def cold(monkeypatch, tmp_path):
    monkeypatch.setattr(warm, "CACHE_FOLDER", tmp_path)
    monkeypatch.setattr(warm, "JIT_DISABLED", False)
    monkeypatch.setattr(warm.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", Started)
    monkeypatch.setattr(warm, "compile_deliveries", lambda scenario: None)
    return tmp_path


KERNELS = (
    flow_table.receive, flow_table.flush, flow_table.receive_seldom, flow_table.flush_seldom, deliver.hand_up,
    deliver.pass_on,
)  # fmt: skip


def test_what_it_compiles_is_what_a_run_calls():
    warm.compile_beside(second=True)
    warm.compile_deliveries(scenario("gro"))
    compiled = [kernel.signatures for kernel in KERNELS]
    for name in ("gro", "lro-hardware"):
        assert execute(scenario(name)).fates["joined"]
    assert [kernel.signatures for kernel in KERNELS] == compiled


def test_only_who_wants_the_second_kernel_waits_for_it(cold):
    with warm.Kernels([scenario("gro"), scenario("lro-hardware")]) as kernels:
        assert kernels.is_compiling
        kernels.ready_for(scenario("gro"))
        assert kernels._process.asked == ["readline"]
        kernels.ready_for(scenario("lro-hardware"))
        assert kernels._process.asked == ["readline", "wait"] and not kernels.is_compiling


def test_who_has_to_wait_comes_last_as_long_as_it_must(cold):
    variants = {"lro-hardware": scenario("lro-hardware"), "gro": scenario("gro")}
    with warm.Kernels(variants.values()) as kernels:
        assert [name for name, _ in kernels.quickest_first(variants)] == ["gro", "lro-hardware"]
        kernels.ready_for(variants["lro-hardware"])
        assert [name for name, _ in kernels.quickest_first(variants)] == ["lro-hardware", "gro"]


def test_a_run_that_ends_early_takes_it_along(cold):
    with warm.Kernels([scenario("lro-hardware")]) as kernels:
        pass
    assert kernels._process.asked == ["terminate", "wait", "close"]


def test_nothing_is_started_in_vain(cold, monkeypatch):
    def cached(name):
        (cold / name).mkdir(exist_ok=True)
        (cold / name / f"{name}-57.py311.nbi").touch()

    cached("poll.poll")
    assert not warm.Kernels([scenario("gro")]).is_compiling
    assert warm.Kernels([scenario("lro-hardware")]).is_compiling
    cached("flow_table.receive_seldom")
    assert not warm.Kernels([scenario("lro-hardware")]).is_compiling
    monkeypatch.setattr(warm, "CACHE_FOLDER", cold / "none")
    assert warm.Kernels([scenario("gro")]).is_compiling
    monkeypatch.setattr(warm.os, "cpu_count", lambda: 1)
    assert not warm.Kernels([scenario("lro-hardware")]).is_compiling
