"""What every window-based congestion control has in common.

Models: cwnd in segments, slow start that counts acknowledged segments (one ACK of 40 segments adds 40), additive steps.
Leaves out: HyStart, appropriate byte counting's limit per ACK (Linux has none either), cwnd validation after idling.
Sources: RFC 5681 section 3.1; Linux net/ipv4/tcp_cong.c since 3.18.
Checked by: tests/models/tcp/test_congestion.py.

`c.congestion` chooses the algorithm's own rules; all sizes are in segments.
"""

from models.offload.kernel import njit
from models.tcp.congestion import ALGORITHMS, cubic, reno

INFINITE_SSTHRESH = 0x7FFFFFFF  # TCP_INFINITE_SSTHRESH, Linux include/net/tcp.h
_CUBIC = ALGORITHMS["cubic"]


@njit
def on_ack(c, segments, now_ps):
    """`segments` were acknowledged, outside of recovery, while cwnd was what limited the sender."""
    if c.cwnd < c.ssthresh:
        grown = min(c.cwnd + segments, c.ssthresh)
        segments -= grown - c.cwnd
        c.cwnd = grown
        if segments == 0:
            return
    if c.congestion == _CUBIC:
        cubic.avoid(c, segments, now_ps)
    else:
        reno.avoid(c, segments)


@njit
def on_loss(c):
    """A loss told by duplicates: the window falls once."""
    c.ssthresh = c.cwnd = reduced(c)
    c.credit = 0


@njit
def on_timeout(c, first):
    """`first`: not a repeated timeout of the same data, so ssthresh follows too."""
    if first:
        c.ssthresh = reduced(c)
    c.cwnd = 1
    c.credit = 0


@njit
def reduced(c):
    """The slow-start threshold after a loss, by the algorithm's rule."""
    return cubic.reduced(c) if c.congestion == _CUBIC else reno.reduced(c)
