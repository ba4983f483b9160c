"""Scenarios: YAML files checked whole before anything runs.

`load` and `parse` read, `variant` resolves one variant; the fields are in `schema`.
"""

from sim.scenario.loader import ScenarioErrors, load, parse, question, variant
from sim.scenario.schema import Flow, Link, LinkEnd, Nic, Node, Scenario

__all__ = [
    "Flow",
    "Link",
    "LinkEnd",
    "Nic",
    "Node",
    "Scenario",
    "ScenarioErrors",
    "load",
    "parse",
    "question",
    "variant",
]
