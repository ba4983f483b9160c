"""What every window-based congestion control has in common.

Models: cwnd in segments, slow start that counts acknowledged segments (one ACK of 40 segments adds 40), additive steps.
Leaves out: HyStart, appropriate byte counting's limit per ACK (Linux has none either), cwnd validation after idling.
Sources: RFC 5681 section 3.1; Linux net/ipv4/tcp_cong.c since 3.18.
Checked by: tests/models/tcp/test_congestion.py.
"""

from abc import ABC, abstractmethod

INFINITE_SSTHRESH = 0x7FFFFFFF  # TCP_INFINITE_SSTHRESH, Linux include/net/tcp.h


class CongestionControl(ABC):
    """The window rules of one connection; all sizes in segments."""

    __slots__ = ("_credit", "cwnd", "ssthresh")
    name = ""

    def __init__(self, *, initial_cwnd: int) -> None:
        self.cwnd = initial_cwnd
        self.ssthresh = INFINITE_SSTHRESH
        self._credit = 0

    def on_ack(self, segments: int, *, now_ps: int, min_rtt_ps: int) -> None:
        """`segments` were acknowledged, outside of recovery, while cwnd was what limited the sender."""
        if self.cwnd < self.ssthresh:
            grown = min(self.cwnd + segments, self.ssthresh)
            segments -= grown - self.cwnd
            self.cwnd = grown
            if not segments:
                return
        self._avoid(segments, now_ps=now_ps, min_rtt_ps=min_rtt_ps)

    def on_loss(self) -> None:
        """A loss told by duplicates: the window falls once."""
        self.ssthresh = self._reduced()
        self.cwnd = self.ssthresh
        self._credit = 0

    def on_timeout(self, *, first: bool) -> None:
        """`first`: not a repeated timeout of the same data, so ssthresh follows too."""
        if first:
            self.ssthresh = self._reduced()
        self.cwnd = 1
        self._credit = 0

    def _add_one_per(self, acknowledged: int, segments: int) -> None:
        """cwnd grows by 1 for every `acknowledged` segments; what is left over counts next time."""
        if self._credit >= acknowledged:  # the step became smaller meanwhile
            self._credit = 0
            self.cwnd += 1
        self._credit += segments
        if self._credit >= acknowledged:
            steps, self._credit = divmod(self._credit, acknowledged)
            self.cwnd += steps

    @abstractmethod
    def _avoid(self, segments: int, *, now_ps: int, min_rtt_ps: int) -> None:
        """Grow the window in congestion avoidance by `segments` newly acknowledged."""

    @abstractmethod
    def _reduced(self) -> int:
        """The slow-start threshold [segments] after a loss."""
