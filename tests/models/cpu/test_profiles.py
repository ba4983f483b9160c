"""The profiles against what was published.

The cost of one wire packet is written here as the model means it, with a given mean of `n` segments per aggregate; a
simulation counts the work instead. A row is first compared with the cycles this arithmetic gave when the profiles were
made (a price that moves is noticed), then with the published figure, within what the profile promises.
"""

from fractions import Fraction

import pytest

from models.cpu.costs import COST_PER_CYCLE, KINDS, Kind, work
from models.cpu.profiles import PROFILES

LINE_RATE_PPS = Fraction(10**10, 1538 * 8)  # 10 GbE, MTU 1500
STANDARD, JUMBO = 1448, 8948  # TCP payload with IPv4 and timestamps

PACKETS_PER_IRQ = {"2008": 16, "2021": 64, "gene": 32}


def cycles(profile, counts):
    """Cycles per packet for `counts` by kind."""
    row = [Fraction(counts.get(kind, 0)) for kind in KINDS]
    return work(row, profile) / COST_PER_CYCLE


def per_packet(name, mode, *, n=1, payload=STANDARD, packets_per_wake=22):
    """Counts of work for one wire packet of `payload` bytes."""
    once, shared = Fraction(1), Fraction(1, n)
    polls = Fraction(1, PACKETS_PER_IRQ[name[:4]])
    entry = {"irq": polls, "napi_poll": polls, "drv": once, "copy": payload, "page": payload}
    above = {"stack": shared, "ack": shared, "wake": shared}
    if mode == "none":
        return entry | {"skb": once, "stack": once, "ack": Fraction(1, 2), "wake": 1 / Fraction(packets_per_wake)}
    if mode == "gro":
        return entry | above | {"gro_inspect": once, "gro_merge": once, "skb": once}
    if mode == "lro-driver":
        return entry | above | {"lro_inspect": once, "frag": once, "skb": shared}
    merged_per_irq = 4  # the interrupt counts merged packets here
    rare = shared / merged_per_irq
    return entry | above | {"irq": rare, "napi_poll": rare, "drv": shared, "frag": once, "skb": shared}


def gbps(profile, cycles_per_packet, *, payload=STANDARD):
    return float(profile.hz / cycles_per_packet * payload * 8 / 10**9)


@pytest.mark.parametrize(
    ("name", "mode", "n", "expected_cycles", "cores_at_line_rate"),
    [
        ("2008-xeon-10g", "none", 1, 9507, 2.58),
        ("2008-xeon-10g", "lro-driver", 16, 4897, 1.33),
        ("2008-xeon-10g", "gro", 16, 6191, 1.68),
        ("2008-xeon-10g", "lro-hardware", 16, 2575, 0.70),
        ("2021-xeon-100g-samecore", "none", 1, 2514, 0.60),
        ("2021-xeon-100g-samecore", "gro", 45, 1431, 0.34),
        ("2021-xeon-100g-samecore", "lro-hardware", 45, 899, 0.21),
        ("2021-xeon-100g-crosscore", "none", 1, 7876, 1.88),
        ("2021-xeon-100g-crosscore", "gro", 45, 2557, 0.61),
        ("2021-xeon-100g-crosscore", "lro-hardware", 45, 1311, 0.31),
        ("generic-samecore", "none", 1, 3571, 0.97),
        ("generic-samecore", "lro-driver", 20, 1623, 0.44),
        ("generic-samecore", "lro-hardware", 20, 1145, 0.31),
        ("generic-samecore", "gro", 20, 1865, 0.51),
        ("generic-crosscore", "none", 1, 5546, 1.50),
        ("generic-crosscore", "gro", 20, 2172, 0.59),
    ],
)
def test_cycles_per_packet(name, mode, n, expected_cycles, cores_at_line_rate):
    profile = PROFILES[name]
    found = cycles(profile, per_packet(name, mode, n=n))
    assert float(found) == pytest.approx(expected_cycles, abs=0.51)
    assert float(found * LINE_RATE_PPS / profile.hz) == pytest.approx(cores_at_line_rate, abs=0.0051)


@pytest.mark.parametrize(("n", "expected_gbps"), [(2, 3.9), (4, 5.2), (8, 6.3), (16, 7.1), (18, 7.2), (43, 7.7)])
def test_most_of_the_gain_of_lro_is_in_by_16_segments(n, expected_gbps):
    profile = PROFILES["2008-xeon-10g"]
    assert gbps(profile, cycles(profile, per_packet(profile.name, "lro-driver", n=n))) == pytest.approx(
        expected_gbps, abs=0.051
    )


@pytest.mark.parametrize(
    ("source", "name", "mode", "more", "published_gbps", "tolerance"),
    [
        ("s2io, 2-way Xeon, LRO off", "2008-xeon-10g", "none", {}, 3.5, 0.05),
        ("s2io, 2-way Xeon, LRO on", "2008-xeon-10g", "lro-driver", {"n": 16}, 7.1, 0.05),
        ("Cai, no optimisation", "2021-xeon-100g-crosscore", "none", {}, 4.783, 0.05),
        ("Cai, TSO and GRO", "2021-xeon-100g-crosscore", "gro", {"n": 45}, 14.976, 0.05),
        ("Cai, jumbo", "2021-xeon-100g-crosscore", "none", {"payload": JUMBO, "packets_per_wake": 3.6}, 25.876, 0.35),
        ("Cai, TSO, GRO, jumbo", "2021-xeon-100g-crosscore", "gro", {"payload": JUMBO, "n": 7}, 27.642, 0.05),
        ("Cai, TSO, GRO, aRFS", "2021-xeon-100g-samecore", "gro", {"n": 45}, 28.254, 0.05),
        ("Cai, jumbo, aRFS", "2021-xeon-100g", "none", {"payload": JUMBO, "packets_per_wake": 7}, 40.801, 0.11),
        ("Cai, all", "2021-xeon-100g-samecore", "gro", {"payload": JUMBO, "n": 7}, 41.210, 0.05),
    ],
)
def test_published_throughput_per_core(source, name, mode, more, published_gbps, tolerance):
    profile = PROFILES[name]
    found = gbps(profile, cycles(profile, per_packet(name, mode, **more)), payload=more.get("payload", STANDARD))
    assert found == pytest.approx(published_gbps, rel=tolerance), source


def test_cree_one_flow_without_gro_on_the_softirq_core():
    """6.553 Gb/s; the application's copy and wake-up run on another core."""
    profile = PROFILES["generic-crosscore"]
    counts = per_packet(profile.name, "none") | {"copy": 0, "wake": 0}
    found = cycles(profile, counts)
    assert round(found) == 4685
    assert gbps(profile, found) == pytest.approx(6.553, rel=0.15)


def test_xdp_paper_one_core_forwards_1_74_million_packets():
    profile = PROFILES["generic-samecore"]
    counts = {"irq": Fraction(1, 32), "napi_poll": Fraction(1, 32), "drv": 1, "skb": 1, "fwd": 1}
    found = cycles(profile, counts)
    assert round(found) == 2093
    assert 3.6e9 / float(found) == pytest.approx(1.740e6, rel=0.02)  # their clock was 3.6 GHz


def test_menon_copy_share_and_gain():
    """Copying takes 14 % of receive cycles; aggregation gains 45 to 67 % natively and 86 % for a Xen guest."""
    profile = PROFILES["2008-xeon-10g"]
    none = cycles(profile, per_packet(profile.name, "none"))
    gro = cycles(profile, per_packet(profile.name, "gro", n=16))
    assert float(cycles(profile, {"copy": STANDARD}) / none) == pytest.approx(0.14, abs=0.005)
    assert 1.45 < none / gro < 1.67
    guest = cycles(profile, {"vhop": 1, "vfrag": 1})
    guest_merged = cycles(profile, {"vhop": Fraction(1, 16), "vfrag": 1})
    assert float((none + guest) / (gro + guest_merged)) == pytest.approx(1.86, rel=0.05)


def test_brouer_looking_at_what_does_not_merge():
    """26.1 ns at 3.6 GHz."""
    assert PROFILES["2021-xeon-100g"].gro_inspect / COST_PER_CYCLE / 3.6 == pytest.approx(26.1, rel=0.01)


def test_free_costs_nothing():
    assert set(PROFILES["free"].cost) == {0}


@pytest.mark.parametrize("name", PROFILES)
def test_prices_are_whole_numbers_in_the_order_of_kinds(name):
    profile = PROFILES[name]
    assert all(type(price) is int and price >= 0 for price in profile.cost)
    assert profile.cost[Kind.COPY] == profile.copy
    assert profile.cost[Kind.TX] == profile.tx
    assert profile.name == name or (name, profile.name) == ("2021-xeon-100g", "2021-xeon-100g-samecore")
