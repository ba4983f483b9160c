"""Round-trip time and retransmission timeout, in whole picoseconds.

Models: smoothed mean and deviation, timeout with a floor under the deviation's part as in Linux, doubling.
Leaves out: Linux's faster rise and slower fall of the deviation; the windowed minimum (this one never forgets).
Sources: RFC 6298 section 2 and 5; the floor: Linux net/ipv4/tcp_input.c, tcp_rtt_estimator().
Checked by: tests/models/tcp/test_rtt.py (the RFC's formulas in fractions).
"""

MAX_RTO_PS = 120 * 10**12  # TCP_RTO_MAX, Linux include/net/tcp.h


class RoundTrip:
    """`srtt8_ps` and `deviation4_ps` keep 8 and 4 times the value, so that nothing is lost by rounding."""

    __slots__ = ("_min_rto_ps", "backoff", "base_rto_ps", "deviation4_ps", "min_rtt_ps", "srtt8_ps")

    def __init__(self, *, initial_rto_ps: int, min_rto_ps: int) -> None:
        self._min_rto_ps = min_rto_ps
        self.base_rto_ps = initial_rto_ps
        self.srtt8_ps = 0
        self.deviation4_ps = 0
        self.min_rtt_ps = 0
        self.backoff = 0

    @property
    def rto_ps(self) -> int:
        """The timeout with its doublings."""
        if not self.backoff:
            return self.base_rto_ps
        return min(self.base_rto_ps << self.backoff, MAX_RTO_PS)

    @property
    def srtt_ps(self) -> int:
        """0 before the first sample."""
        return self.srtt8_ps >> 3

    def sample(self, rtt_ps: int) -> None:
        """Takes a round trip of something sent once (or told by timestamps) and ends the doubling."""
        rtt_ps = max(rtt_ps, 1)
        if not self.srtt8_ps:
            self.srtt8_ps = rtt_ps << 3
            self.deviation4_ps = rtt_ps << 1
            self.min_rtt_ps = rtt_ps
        else:
            error_ps = rtt_ps - (self.srtt8_ps >> 3)
            self.deviation4_ps += abs(error_ps) - (self.deviation4_ps >> 2)
            self.srtt8_ps += error_ps
            if rtt_ps < self.min_rtt_ps:
                self.min_rtt_ps = rtt_ps
        rto_ps = (self.srtt8_ps >> 3) + max(self._min_rto_ps, self.deviation4_ps)
        self.base_rto_ps = min(rto_ps, MAX_RTO_PS)
        self.backoff = 0

    def double(self) -> None:
        """RFC 6298 section 5.5."""
        if self.base_rto_ps << self.backoff < MAX_RTO_PS:
            self.backoff += 1
