"""Every reason an engine gives can be looked up: where it comes from, and what it means."""

import pytest

from models.offload.why import Why
from sim.coalesce.citations import DOCUMENTS, FUNCTIONS, function, rule
from sim.coalesce.tally import known_engines


def test_each_reason_has_its_rule_in_words():
    assert [why for why in Why if not rule(why)] == [Why.NONE]
    assert rule(Why.ACK) == "the acknowledgement number differs"


@pytest.mark.parametrize("engine", known_engines())
def test_each_reason_of_an_engine_says_where_it_comes_from(engine):
    assert [why for why in Why if not function(engine, why)] == [Why.NONE]
    assert "the rule book of" not in function(engine, Why.GAP)


@pytest.mark.parametrize("engine", ["gro", "gro-6.1", "lro-driver"])
def test_a_rule_of_the_kernel_has_its_function(engine):
    assert function(engine, Why.GAP).endswith(("tcp_offload.c", "inet_lro.c"))


def test_an_engine_without_functions_names_its_document():
    assert not set(FUNCTIONS) & set(DOCUMENTS)
    assert function("lro-82599", Why.GAP).startswith("Intel")
    assert function("brand-new", Why.GAP) == "the rule book of brand-new"
