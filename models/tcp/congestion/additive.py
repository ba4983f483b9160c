"""Additive increase: one segment more for so many acknowledged.

Models: the count of what is acknowledged, with what is left over.
Leaves out: nothing known.
Sources: Linux net/ipv4/tcp_cong.c, tcp_cong_avoid_ai().
Checked by: tests/models/tcp/test_congestion.py.
"""

from models.offload.kernel import njit


@njit
def add_one_per(c, acknowledged, segments):
    """cwnd grows by 1 for every `acknowledged` segments; what is left over counts next time."""
    if c.credit >= acknowledged:  # the step became smaller meanwhile
        c.credit = 0
        c.cwnd += 1
    c.credit += segments
    if c.credit >= acknowledged:
        c.cwnd += c.credit // acknowledged
        c.credit %= acknowledged
