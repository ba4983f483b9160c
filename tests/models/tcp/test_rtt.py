"""RFC 6298: its formulas in exact fractions beside the integers."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from models.tcp.config import TcpConfig
from models.tcp.rtt import MAX_RTO_PS, double, rto_ps, sample
from tests.models.tcp.endpoints import endpoint

MS = 10**9


def round_trip(min_rto_ps=1):
    return endpoint(TcpConfig(initial_rto_ps=1000 * MS, min_rto_ps=min_rto_ps))


def test_before_the_first_sample():
    assert rto_ps(round_trip()) == 1000 * MS  # section 2.1


def test_the_first_sample():
    rtt = round_trip()
    sample(rtt, 100 * MS)
    assert rtt.srtt8_ps >> 3 == 100 * MS
    assert rto_ps(rtt) == 300 * MS  # section 2.2: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR


def test_the_second_sample():
    rtt = round_trip()
    sample(rtt, 100 * MS)
    sample(rtt, 180 * MS)
    # RTTVAR = 3/4 50 + 1/4 80 = 57.5, SRTT = 7/8 100 + 1/8 180 = 110
    assert rtt.srtt8_ps >> 3 == 110 * MS
    assert rto_ps(rtt) == 340 * MS


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=200))
def test_the_integers_follow_the_formulas(samples):
    rtt = round_trip()
    srtt = rttvar = Fraction(0)
    for n, measured in enumerate(samples):
        sample(rtt, measured)
        if n == 0:
            srtt, rttvar = Fraction(measured), Fraction(measured, 2)
        else:
            rttvar = Fraction(3, 4) * rttvar + Fraction(1, 4) * abs(srtt - measured)
            srtt = Fraction(7, 8) * srtt + Fraction(1, 8) * measured
    assert abs((int(rtt.srtt8_ps) >> 3) - srtt) <= 16  # rounding, in ps
    assert abs(int(rtt.base_rto_ps) - min(srtt + 4 * rttvar, MAX_RTO_PS)) <= 64


def test_linux_keeps_200_ms_above_the_mean():
    rtt = round_trip(min_rto_ps=200 * MS)
    sample(rtt, 50 * MS)
    assert rto_ps(rtt) == 250 * MS


def test_doubling_and_its_end():
    rtt = round_trip()
    sample(rtt, 100 * MS)
    waits = []
    for _ in range(12):
        waits.append(rto_ps(rtt) // MS)
        double(rtt)
    assert waits == [300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 76800, 120000, 120000, 120000]
    sample(rtt, 100 * MS)
    assert rtt.backoff == 0
