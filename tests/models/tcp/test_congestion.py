"""Growth and fall of the window: RFC 5681, RFC 9438, and what stretch ACKs do to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tcp.config import TcpConfig
from models.tcp.congestion import ALGORITHMS
from models.tcp.congestion.algorithm import on_ack, on_loss, on_timeout
from models.tcp.congestion.cubic import begin_epoch, cube_root, target
from tests.models.tcp.endpoints import endpoint

MS = 10**9
S = 10**12


def algorithm(name, *, initial_cwnd, min_rtt_ps=MS):
    c = endpoint(TcpConfig(congestion=name, initial_cwnd=initial_cwnd))
    c.min_rtt_ps = min_rtt_ps
    return c


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
@pytest.mark.parametrize("merged", [1, 2, 5, 10])
def test_slow_start_counts_segments_not_acks(name, merged):
    c = algorithm(name, initial_cwnd=10, min_rtt_ps=100 * MS)
    for _ in range(10 // merged):
        on_ack(c, merged, 0)
    assert c.cwnd == 20


def test_slow_start_ends_at_ssthresh_and_the_rest_counts_as_avoidance():
    reno = algorithm("reno", initial_cwnd=10)
    reno.ssthresh = 15
    on_ack(reno, 20, 0)  # 5 to reach 15, 15 more are one step
    assert reno.cwnd == 16


@pytest.mark.parametrize("merged", [1, 3, 10, 100])
def test_reno_adds_one_segment_a_window_under_stretch_acks_too(merged):
    reno = algorithm("reno", initial_cwnd=100)
    reno.ssthresh = 100
    acked = 0
    while acked < 100 + 101 + 102:
        on_ack(reno, merged, 0)
        acked += merged
    assert abs(reno.cwnd - 103) <= 1


@pytest.mark.parametrize(
    ("name", "cwnd", "after_loss"), [("reno", 100, 50), ("reno", 3, 2), ("cubic", 100, 70), ("cubic", 2, 2)]
)
def test_the_fall_after_a_loss(name, cwnd, after_loss):
    c = algorithm(name, initial_cwnd=cwnd)
    on_loss(c)
    assert (c.cwnd, c.ssthresh) == (after_loss, after_loss)


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_a_repeated_timeout_does_not_lower_ssthresh_again(name):
    c = algorithm(name, initial_cwnd=100)
    on_timeout(c, True)
    once = c.ssthresh
    on_timeout(c, False)
    assert (c.cwnd, c.ssthresh) == (1, once)


@given(st.integers(0, (1 << 63) - 1))
def test_cube_root(number):
    root = int(cube_root(number))
    assert root**3 <= number < (root + 1) ** 3


@pytest.mark.parametrize("w_max", [10, 100, 1000, 100_000])
def test_cubic_is_the_formula_in_real_numbers(w_max):
    cubic = algorithm("cubic", initial_cwnd=w_max)
    on_loss(cubic)
    begin_epoch(cubic, 0)
    k = ((w_max - cubic.cwnd) / 0.4) ** (1 / 3)
    for ms in range(0, 20_000, 100):
        real = 0.4 * (ms / 1000 - k) ** 3 + w_max
        assert target(cubic, ms * 1024 // 1000) == pytest.approx(real, rel=2e-3, abs=1.5)


def test_cubic_fast_convergence():
    cubic = algorithm("cubic", initial_cwnd=1000)
    on_loss(cubic)  # W_max 1000, cwnd 700
    on_loss(cubic)  # below W_max: W_max = 700 (1 + beta) / 2
    begin_epoch(cubic, 0)
    assert target(cubic, cubic.cubic_k) == 700 * (1024 + 717) // 2048


def test_cubic_grows_along_its_curve():
    """One ACK a round trip of 100 ms; after the plateau the window is near W(t)."""
    cubic = algorithm("cubic", initial_cwnd=1000, min_rtt_ps=100 * MS)
    on_loss(cubic)
    now_ps = 0
    k_s = ((1000 - 700) / 0.4) ** (1 / 3)
    while now_ps < 15 * S:
        for _ in range(50):
            on_ack(cubic, cubic.cwnd // 50, now_ps)
            now_ps += 2 * MS
    real = 0.4 * (15 - k_s) ** 3 + 1000
    assert cubic.cwnd == pytest.approx(real, rel=0.05)
