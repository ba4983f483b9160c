"""The sending half: how much may leave now, in which pieces, and what to send again.

Models: sliding window, cwnd in segments, super-segments of whole segments up to the TSO limit with Linux's deferral,
    Nagle's rule in Minshall's form, PSH as Linux sets it, NewReno fast retransmit and recovery with limited
    transmit, timeout with go-back-N, zero-window probes.
Leaves out: a SACK scoreboard, RACK, PRR, F-RTO, undo, pacing and the TSO size that follows the pacing rate (room:
    `_tso_limit`), PSH at half the largest window, giving up after many timeouts.
Sources: RFC 5681, RFC 6582, RFC 3042, RFC 6298 section 5; Linux 6.19 net/ipv4/tcp_output.c (tcp_tso_should_defer,
    tcp_mss_split_point, tcp_cwnd_validate).
Checked by: tests/models/tcp/test_sender.py, test_channel.py.
"""

from collections import deque
from collections.abc import Callable

from models.tcp.config import HEADER_BYTES, MAX_IP_BYTES, TcpConfig
from models.tcp.congestion import ALGORITHMS, CongestionControl
from models.tcp.receiver import NEVER
from models.tcp.rtt import RoundTrip
from models.tcp.segment import FIN, PSH

UNLIMITED = 1 << 60  # an application that never runs out of bytes

_DUPLICATES = 3  # RFC 5681 section 3.2
_DEFER_SHARE = 3  # sysctl tcp_tso_win_divisor
_DEFER_IDLE_PS = 10**9  # no deferral when nothing was sent for 1 ms
_TIMESTAMP_TICK_PS = 10**9

Emit = Callable[[int, int, int, bool, int], None]  # number, payload bytes, flags besides ACK, again?, now


class Sender:
    """Numbers here are unwrapped. Invariant: una <= nxt <= max <= data_end + 1."""

    __slots__ = (
        "_cwnd_limited", "_defer", "_emit", "_fast_from", "_last_sent_ps", "_max_window", "_nagle", "_peak",
        "_peak_until", "_remainder", "_sent", "_small_end", "_window_seq",
        "congestion", "data_end", "duplicates", "fast_retransmits", "fin_queued", "first", "in_loss", "in_recovery",
        "max", "mss", "nxt", "persist_at", "probes", "recover", "rto_at", "rtt", "timeouts", "tso_bytes", "una",
        "window_end",
    )  # fmt: skip

    def __init__(self, config: TcpConfig, emit: Emit) -> None:
        self._emit = emit
        self._nagle = config.nagle
        self._defer = config.tso_defer
        self.congestion: CongestionControl = ALGORITHMS[config.congestion](initial_cwnd=config.initial_cwnd)
        self.rtt = RoundTrip(initial_rto_ps=config.initial_rto_ps, min_rto_ps=config.min_rto_ps)
        self.set_mss(config.mss_bytes, config.tso_bytes)
        self.first = self.data_end = self.una = self.nxt = self.max = config.initial_sequence + 1
        self.fin_queued = False
        self.window_end = self.una
        self._max_window = 0
        self._window_seq = -(1 << 62)
        self._sent: deque[tuple[int, int, int]] = deque()  # (start, end, when), sent once, outside of recovery
        self._small_end = 0
        self._last_sent_ps = 0
        self._remainder = 0
        self._peak = 0  # most bytes in flight in this round trip
        self._peak_until = 0
        self._cwnd_limited = False
        self.duplicates = 0
        self.in_recovery = False
        self.in_loss = False
        self.recover = 0
        self._fast_from = 0  # duplicates below this number may be echoes of our own repeats
        self.rto_at = NEVER
        self.persist_at = NEVER
        self.probes = 0
        self.timeouts = 0
        self.fast_retransmits = 0

    def set_mss(self, mss_bytes: int, tso_bytes: int) -> None:
        self.mss = mss_bytes
        self.tso_bytes = max(min(tso_bytes, MAX_IP_BYTES - HEADER_BYTES) // mss_bytes, 1) * mss_bytes

    @property
    def bytes_acked(self) -> int:
        return min(self.una, self.data_end) - self.first

    @property
    def fin_acked(self) -> bool:
        return self.fin_queued and self.una > self.data_end

    # Acknowledgements

    def acknowledge(self, seq: int, ack: int, window: int, *, carries_data: bool, echo_ticks: int, now_ps: int) -> None:
        """`ack` is at most `max`; `echo_ticks`: age of the echoed timestamp in ms, -1 if none."""
        una = self.una
        updates = ack > una or seq > self._window_seq or (seq == self._window_seq and ack + window > self.window_end)
        if ack < una:
            return
        if updates:
            self._window_seq = seq
            self.window_end = ack + window
            if window > self._max_window:
                self._max_window = window
            self.probes = 0
            self.persist_at = NEVER
        if ack > una:
            self._advance(ack, echo_ticks, now_ps)
        elif not updates and not carries_data and self.max > una:
            self._duplicate(now_ps)

    def _advance(self, ack: int, echo_ticks: int, now_ps: int) -> None:
        acked = ack - self.una
        self.una = ack
        if self.nxt < ack:
            self.nxt = ack  # after a timeout: the receiver held what we were about to repeat
        sent = self._sent
        if sent and sent[0][0] < ack:
            self.rtt.sample(now_ps - sent[0][2])
            while sent and sent[0][1] <= ack:
                sent.popleft()
        elif echo_ticks >= 0:
            self.rtt.sample((echo_ticks or 1) * _TIMESTAMP_TICK_PS)
        segments, self._remainder = divmod(acked + self._remainder, self.mss)
        if self.in_recovery:
            if ack >= self.recover:
                self.in_recovery = False
                self.duplicates = 0
            else:  # a partial acknowledgement shows the next hole
                self.duplicates = max(self.duplicates - segments + 1, 0)
                self._repeat_first(now_ps)
        else:
            self.duplicates = 0
            if self.in_loss and ack >= self.recover:
                self.in_loss = False
            if segments and self._may_grow():
                self.congestion.on_ack(segments, now_ps=now_ps, min_rtt_ps=self.rtt.min_rtt_ps)
        self.rto_at = now_ps + self.rtt.rto_ps if self.max > ack else NEVER

    def _may_grow(self) -> bool:
        """Whether cwnd was used; in slow start half of it will do."""
        congestion = self.congestion
        if congestion.cwnd < congestion.ssthresh:
            return congestion.cwnd * self.mss < 2 * self._peak
        return self._cwnd_limited

    def _duplicate(self, now_ps: int) -> None:
        if self.in_loss or (self.una < self._fast_from and not self.in_recovery):
            return
        self.duplicates += 1
        if self.duplicates == _DUPLICATES and not self.in_recovery:
            self.in_recovery = True
            self.recover = self._fast_from = self.max
            self.fast_retransmits += 1
            self.congestion.on_loss()
            self._repeat_first(now_ps)
            self.rto_at = now_ps + self.rtt.rto_ps

    def _repeat_first(self, now_ps: int) -> None:
        self._sent.clear()  # Karn: what is acknowledged from here on tells no round trip
        n_bytes = min(self.mss, self.data_end - self.una, self.max - self.una)
        end = self.una + n_bytes
        flags = FIN if self.fin_queued and end == self.data_end and self.max > self.data_end else 0
        if end == self.data_end:
            flags |= PSH if n_bytes else 0
        self._emit(self.una, n_bytes, flags, True, now_ps)

    # Timers

    def on_rto(self, now_ps: int) -> None:
        """The oldest byte in flight is overdue: back to it, with a window of one."""
        self.timeouts += 1
        self.congestion.on_timeout(first=not self.in_loss)
        self.in_loss = True
        self.in_recovery = False
        self.duplicates = 0
        self.recover = self.max
        self._fast_from = self.max + 1
        self._sent.clear()
        self._small_end = self.una  # Nagle does not hold back a repeat
        self._peak = self.max - self.una
        self._peak_until = self.max
        self.nxt = self.una
        self.rtt.double()
        self.rto_at = now_ps + self.rtt.rto_ps
        self.pump(now_ps)
        if self.nxt == self.una:
            self._repeat_first(now_ps)  # what was once allowed may be repeated, whatever the window is now

    def on_persist(self, now_ps: int) -> None:
        """Nothing in flight, nothing allowed: a piece that fits the window, or a number already acknowledged."""
        self.probes += 1
        wait_ps = self.rtt.base_rto_ps << min(self.probes, 10)
        self.persist_at = now_ps + min(wait_ps, 120 * 10**12)
        room = min(self.window_end - self.nxt, self.mss, self.data_end - self.nxt)
        if room > 0:
            self.persist_at = NEVER
            self._send(room, PSH, now_ps)
        else:
            self._emit(self.una - 1, 0, 0, False, now_ps)

    # New data

    def pump(self, now_ps: int) -> None:
        """Sends what cwnd, window and data permit."""
        mss, defer = self.mss, self._defer
        cwnd_bytes = self.congestion.cwnd * mss
        while (remaining := self.data_end - self.nxt) > 0:
            usable = cwnd_bytes - (self.nxt - self.una) + self.duplicates * mss
            room = self.window_end - self.nxt
            permitted = usable if usable < room else room
            n_bytes = self._whole_segments(permitted, remaining)
            if n_bytes <= 0 or (defer and remaining > mss and self._waits_for_more(permitted, cwnd_bytes, now_ps)):
                if usable <= room:
                    self._cwnd_limited = True
                break
            last = n_bytes == remaining
            flags = PSH if n_bytes > mss or last else 0
            if last and self.fin_queued:
                flags |= FIN
            self._send(n_bytes, flags, now_ps)
        if self.nxt == self.data_end and self.fin_queued and self.nxt >= self.first:
            self._send(0, FIN, now_ps)
        self._note_flight()
        if self.max == self.una and self.nxt < self.data_end and self.persist_at == NEVER:
            self.persist_at = now_ps + self.rtt.rto_ps

    def _tso_limit(self) -> int:
        return self.tso_bytes

    def _whole_segments(self, permitted: int, remaining: int) -> int:
        """Payload of the next packet: whole segments, a short tail only at the end of the data."""
        mss = self.mss
        n_bytes = self._tso_limit()
        if permitted < n_bytes:
            n_bytes = permitted
        if remaining < n_bytes:
            n_bytes = remaining
        short = n_bytes % mss
        if not short or n_bytes <= 0:
            return n_bytes
        if n_bytes == remaining:
            held_back = self._nagle and not self.fin_queued and self._small_end > self.una
            return n_bytes - short if held_back else n_bytes
        if n_bytes < mss and self.nxt == self.una and 2 * n_bytes >= self._max_window:
            return n_bytes  # RFC 9293 section 3.8.6.2.1: the peer's whole buffer is smaller than two segments
        return n_bytes - short

    def _waits_for_more(self, permitted: int, cwnd_bytes: int, now_ps: int) -> bool:
        """A packet of several segments that is not full may wait for the next ACK."""
        if permitted >= min(self._tso_limit(), self.data_end - self.nxt):
            return False
        if self.in_recovery or not self._sent or now_ps - self._last_sent_ps > _DEFER_IDLE_PS:
            return False
        if permitted >= min(self.window_end - self.una, cwnd_bytes) // _DEFER_SHARE:
            return False
        return now_ps - self._sent[0][2] >= self.rtt.srtt8_ps >> 4  # else the next ACK is too far away

    def _send(self, n_bytes: int, flags: int, now_ps: int) -> None:
        """Sends from `nxt` on; what was sent before is a retransmission."""
        start = self.nxt
        end = start + n_bytes + (flags & FIN)
        again = start < self.max
        self.nxt = end
        if end > self.max:
            self.max = end
        if n_bytes % self.mss:
            self._small_end = end
        if not (again or self.in_recovery):
            self._sent.append((start, end, now_ps))
        self._last_sent_ps = now_ps
        if self.rto_at == NEVER:
            self.rto_at = now_ps + self.rtt.rto_ps
        self._emit(start, n_bytes, flags, again, now_ps)

    def _note_flight(self) -> None:
        flight = self.nxt - self.una
        if self.una >= self._peak_until:
            self._peak, self._peak_until = flight, self.nxt
            self._cwnd_limited = flight + self.mss > self.congestion.cwnd * self.mss
        elif flight > self._peak:
            self._peak = flight
