"""Counts to cost to time: exact, rounded up once, and the same compiled."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cpu.costs import KINDS, Kind, work, work_ps, work_ps_compiled
from models.cpu.profiles import PROFILES

HZ = st.integers(min_value=1_000_000, max_value=10_000_000_000)


@given(cost=st.integers(min_value=0, max_value=10**18), hz=HZ)
def test_time_is_the_exact_quotient_rounded_up(cost, hz):
    assert work_ps(cost, hz) == ceil(Fraction(cost * 10**12, 10_000 * hz))


@given(cost=st.integers(min_value=0, max_value=10**16), hz=st.integers(min_value=10**9, max_value=10**10))
def test_compiled_time_is_the_same(cost, hz):
    assert work_ps_compiled(cost, hz) == work_ps(cost, hz)


def test_a_cycle_at_3_ghz_takes_333_and_a_third_ps():
    assert work_ps(10_000, 3_000_000_000) == 334
    assert work_ps(30_000, 3_000_000_000) == 1000
    assert work_ps(0, 3_000_000_000) == 0


def test_work_is_count_times_price():
    profile = PROFILES["2021-xeon-100g"]
    counts = [0] * len(KINDS)
    counts[Kind.STACK] = 2
    counts[Kind.COPY] = 1448
    assert work(counts, profile) == 2 * profile.stack + 1448 * 3_500


def test_a_count_too_few_is_an_error():
    with pytest.raises(ValueError):
        work([0] * (len(KINDS) - 1), PROFILES["free"])


def test_the_names_in_results_stay():
    assert " ".join(KINDS) == (
        "irq napi_poll drv gro_inspect gro_merge lro_inspect frag skb stack ack wake copy page csum "
        "fwd bridge conntrack gso_seg fraglist_seg vhop vfrag tx"
    )
