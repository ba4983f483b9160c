"""Golden tables of the shipped scenarios, shortened, and what they must show whatever the digits.

After a change that is meant to change behaviour: python tests/sim/test_golden.py"""

import json
from functools import cache
from pathlib import Path

import pytest

from sim.execute import execute
from sim.scenario import load, variant

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHIPPED = ("host", "host-fast", "router")
VARIANTS = ("none", "gro", "lro-driver", "lro-hardware")
OVERRIDES = ["duration=20ms", "warmup=0ms"]  # an LRO router drops its only packets early, then waits 200 ms


@cache
def table(name):
    """Metrics of every variant as `--json` has them."""
    scenario = load(ROOT / "scenarios" / f"{name}.yaml", OVERRIDES)
    return {v: execute(variant(scenario, v), variant=v).as_json() for v in VARIANTS}


def busy(name, v):
    node = "router" if name == "router" else "receiver"
    return table(name)[v]["cpu"][node]["busy_fraction"]


def goodput(name, v):
    return table(name)[v]["goodput_bps"]


@pytest.mark.parametrize("name", SHIPPED)
def test_golden(name):
    golden = json.loads((HERE / "golden" / f"{name}.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(table(name))) == golden


def test_on_a_slow_host_each_place_of_merging_gains_more_than_the_next():
    assert goodput("host", "none") < goodput("host", "gro")
    assert goodput("host", "none") < goodput("host", "lro-driver") < goodput("host", "lro-hardware")


def test_on_a_fast_host_all_reach_the_line_and_the_cpu_falls():
    rates = [goodput("host-fast", v) for v in VARIANTS]
    assert max(rates) < 1.02 * min(rates)
    assert min(rates) > 0.98 * 9.4148e9  # of the line; the rest is the flow's start, as these runs have no warm-up
    assert busy("host-fast", "none") > busy("host-fast", "gro") > busy("host-fast", "lro-hardware")
    assert busy("host-fast", "none") > busy("host-fast", "lro-driver")


def test_a_router_gains_from_gro_and_collapses_with_lro():
    assert goodput("router", "gro") > 0.99 * goodput("router", "none")
    assert busy("router", "gro") < busy("router", "none")
    for v in ("lro-driver", "lro-hardware"):
        assert goodput("router", v) < 0.01 * goodput("router", "none")
        assert table("router")[v]["drops"]["lro-guard"] > 0


if __name__ == "__main__":
    for shipped in SHIPPED:
        path = HERE / "golden" / f"{shipped}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(table(shipped), indent=1) + "\n", encoding="utf-8")
