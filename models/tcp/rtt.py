"""Round-trip time and retransmission timeout, in whole picoseconds.

Models: smoothed mean and deviation, timeout with a floor under the deviation's part as in Linux, doubling.
Leaves out: Linux's faster rise and slower fall of the deviation; the windowed minimum (this one never forgets).
Sources: RFC 6298 section 2 and 5; the floor: Linux net/ipv4/tcp_input.c, tcp_rtt_estimator().
Checked by: tests/models/tcp/test_rtt.py (the RFC's formulas in fractions).

`srtt8_ps` and `deviation4_ps` keep 8 and 4 times the value, so that nothing is lost by rounding.
"""

from models.offload.kernel import njit

MAX_RTO_PS = 120 * 10**12  # TCP_RTO_MAX, Linux include/net/tcp.h
_LONGEST_PS = 1 << 59  # 6 days; a peer may echo what was never sent, and eight times this still fits a word


@njit
def rto_ps(c):
    """The timeout with its doublings."""
    return min(c.base_rto_ps << c.backoff, MAX_RTO_PS) if c.backoff else c.base_rto_ps


@njit
def sample(c, rtt_ps):
    """Takes a round trip of something sent once (or told by timestamps) and ends the doubling."""
    rtt_ps = min(max(rtt_ps, 1), _LONGEST_PS)
    if c.srtt8_ps == 0:
        c.srtt8_ps = rtt_ps << 3
        c.deviation4_ps = rtt_ps << 1
        c.min_rtt_ps = rtt_ps
    else:
        error_ps = rtt_ps - (c.srtt8_ps >> 3)
        c.deviation4_ps += abs(error_ps) - (c.deviation4_ps >> 2)
        c.srtt8_ps += error_ps
        c.min_rtt_ps = min(c.min_rtt_ps, rtt_ps)
    c.base_rto_ps = min((c.srtt8_ps >> 3) + max(c.min_rto_ps, c.deviation4_ps), MAX_RTO_PS)
    c.backoff = 0


@njit
def double(c):
    """RFC 6298 section 5.5."""
    if c.base_rto_ps << c.backoff < MAX_RTO_PS:
        c.backoff += 1
