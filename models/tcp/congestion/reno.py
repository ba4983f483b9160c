"""Reno: one segment more per round trip, half after a loss.

Models: congestion avoidance and the reduction of RFC 5681, in segments.
Leaves out: nothing of the window rules; recovery itself is the sender's.
Sources: RFC 5681 section 3.1 and 3.2; Linux net/ipv4/tcp_cong.c.
Checked by: tests/models/tcp/test_congestion.py.
"""

from models.offload.kernel import njit
from models.tcp.congestion.additive import add_one_per


@njit
def avoid(c, segments):
    """Grow the window in congestion avoidance by `segments` newly acknowledged."""
    add_one_per(c, c.cwnd, segments)


@njit
def reduced(c):
    """The slow-start threshold [segments] after a loss."""
    return max(c.cwnd >> 1, 2)
