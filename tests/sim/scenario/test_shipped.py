"""The scenarios that come with the project say what they ask and what to expect, and are good."""

from pathlib import Path

import pytest

from sim.scenario import load, question, variant
from sim.scenario.schema import FREE, PROFILES

SHIPPED = sorted(Path("scenarios").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_are_good(path):
    scenario = load(path)
    for name in scenario.variants:
        assert variant(scenario, name).observe == scenario.observe
    assert question(path).endswith("?")
    paragraphs = path.read_text().strip().split("\n\n")
    assert paragraphs[-1].startswith("# Expect: ")


@pytest.mark.parametrize("name", ["host", "host-fast", "router"])
def test_the_first_finding_has_its_variants(name):
    assert list(load(f"scenarios/{name}.yaml").variants) == ["none", "lro-hardware", "lro-driver", "gro"]


def test_every_profile_is_known_to_the_cost_model():
    profiles = pytest.importorskip("models.cpu.profiles")
    known = getattr(profiles, "PROFILES", None)
    if known is None:
        pytest.skip("models/cpu/profiles.py names its profiles otherwise")
    assert set(PROFILES) - {FREE} <= set(known)
