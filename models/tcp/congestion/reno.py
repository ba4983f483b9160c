"""Reno: one segment more per round trip, half after a loss.

Models: congestion avoidance and the reduction of RFC 5681, in segments.
Leaves out: nothing of the window rules; recovery itself is the sender's.
Sources: RFC 5681 section 3.1 and 3.2; Linux net/ipv4/tcp_cong.c.
Checked by: tests/models/tcp/test_congestion.py.
"""

from models.tcp.congestion.algorithm import CongestionControl


class Reno(CongestionControl):
    __slots__ = ()
    name = "reno"

    def _avoid(self, segments: int, *, now_ps: int, min_rtt_ps: int) -> None:
        self._add_one_per(self.cwnd, segments)

    def _reduced(self) -> int:
        return max(self.cwnd >> 1, 2)
