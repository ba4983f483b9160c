"""The second kernel is compiled beside a run that wants it, and what is compiled is what the run calls."""

import subprocess

import pytest

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
        self.asked, self.code = [], None

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
    return tmp_path


def test_what_it_compiles_is_what_a_run_calls():
    warm.compile_second()
    compiled = flow_table.receive_seldom.signatures, flow_table.flush_seldom.signatures
    result = execute(scenario("lro-hardware"))
    assert result.fates["joined"]
    assert (flow_table.receive_seldom.signatures, flow_table.flush_seldom.signatures) == compiled


def test_only_who_wants_the_kernel_waits_for_it(cold):
    with warm.SecondKernel([scenario("gro"), scenario("lro-hardware")]) as kernel:
        assert kernel.is_compiling
        kernel.ready_for(scenario("gro"))
        assert kernel._process.asked == []
        kernel.ready_for(scenario("lro-hardware"))
        assert kernel._process.asked == ["wait"] and not kernel.is_compiling
    assert kernel._process.asked == ["wait"]


def test_a_run_that_ends_early_takes_it_along(cold):
    with warm.SecondKernel([scenario("lro-hardware")]) as kernel:
        pass
    assert kernel._process.asked == ["terminate", "wait"]


def test_nothing_is_started_in_vain(cold, monkeypatch):
    assert not warm.SecondKernel([scenario("gro")]).is_compiling
    (cold / "offload").mkdir()
    (cold / "offload" / "flow_table.receive_seldom-57.py311.nbi").touch()
    assert not warm.SecondKernel([scenario("lro-hardware")]).is_compiling
    monkeypatch.setattr(warm, "CACHE_FOLDER", cold / "none")
    assert warm.SecondKernel([scenario("lro-hardware")]).is_compiling
    monkeypatch.setattr(warm.os, "cpu_count", lambda: 1)
    assert not warm.SecondKernel([scenario("lro-hardware")]).is_compiling
