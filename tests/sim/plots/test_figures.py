"""Figures are drawn from saved results alone, and are the same bytes for the same results."""

import ast
from collections import Counter
from pathlib import Path

import pytest
from made_up import result

from sim.plots import draw_all
from sim.plots.poll import STEP, _heights
from sim.results import Finished, write
from sim.scenario import load, variant

VARIANTS = ("none", "lro-hardware", "lro-driver", "gro")


def saved(out, *results):
    scenario = load("scenarios/host.yaml")
    return write(out, [Finished(variant(scenario, each.variant), each) for each in results])


def test_every_figure_is_drawn_twice_over_the_same(tmp_path):
    results = [result(name) for name in VARIANTS]
    first = draw_all(saved(tmp_path / "a", *results))
    second = draw_all(saved(tmp_path / "b", *results))
    names = [path.name for path in first]
    assert names[:4] == ["gain.png", "gain.svg", "merges.png", "merges.svg"]
    assert {f"poll-{name}.png" for name in VARIANTS} <= set(names)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu": {}},
        {"cpu": {"receiver": {"busy_fraction": 0.0, "cycles_per_frame": 0.0, "breakdown": {}}}},
        {"cpu": {"receiver": {"busy_fraction": 1.0, "cycles_per_frame": 9.0, "breakdown": {"new kind": 9}}}},
        {"goodput_bps": 0.0},
        {"merge_sizes": {}},
        {"merge_sizes": {1: 1}},
        {"poll_timeline": {}},
        {"poll_timeline": {"start_ps": 5, "end_ps": 5, "frames": [], "packets": []}},
        {
            "poll_timeline": {
                "start_ps": 5,
                "end_ps": 9,
                "frames": [{"time_ps": 1, "frame": 0, "fate": "started", "reason": "first"}],
                "packets": [],
            }
        },
    ],
)
def test_poor_results_are_drawn_too(tmp_path, changes):
    for path in draw_all(saved(tmp_path, result("none", **changes))):
        assert path.stat().st_size > 1000


def test_packets_of_one_moment_stand_above_each_other():
    alike = Counter({(10, 2, "gap"): 1, (10, 3, "gap"): 1, (11, 4, "push"): 1, (90, 5, "gap"): 1})
    assert _heights(alike, apart=5) == [0, STEP, 2 * STEP, 0]


def test_only_the_plots_import_matplotlib():
    for path in [*Path("models").rglob("*.py"), *Path("sim").rglob("*.py")]:
        if "plots" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "matplotlib" for name in names), path
