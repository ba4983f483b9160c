"""The receiving half: bytes into order, when to acknowledge, which window to offer.

Models: in-order delivery with an out-of-order queue; Linux's ACK rule (one decision a packet, merged or not), its
    quick ACKs at the start, its delayed ACK and its estimate of the peer's segment size; SACK blocks; a window
    rounded up to scale units whose right edge never goes back.
Leaves out: autotuning and memory overhead of the receive buffer, interactive ("ping-pong") mode, compressed ACKs,
    DSACK, the backlog's deferred ACK; a list, not a tree, of out-of-order stretches (slow beyond some hundreds).
Sources: RFC 9293 section 3.10.7.4, RFC 5681 section 4.2, RFC 2018 section 4; Linux 6.19 net/ipv4/tcp_input.c
    (__tcp_ack_snd_check, tcp_measure_rcv_mss, tcp_event_data_recv), tcp_output.c (__tcp_select_window).
Checked by: tests/models/tcp/test_receiver.py, test_channel.py.
"""

from models.tcp.config import TcpConfig

NEVER = 1 << 62

_DEFAULT_MSS = 536  # TCP_MSS_DEFAULT, Linux include/net/tcp.h
_MIN_MSS = 88  # TCP_MIN_MSS
_QUICK_ACKS = 16  # TCP_MAX_QUICKACKS
_DELAYED_ACK_CAP_PS = 200 * 10**9  # TCP_DELACK_MAX
_UNSCALED_MAX = 65535


class Receiver:
    """Numbers here are unwrapped (models/tcp/sequence.py).

    Invariants: `next` and `right_edge` never go back; unread bytes and offered window fit into the memory, but for
    rounding by one scale unit; stretches in `out_of_order` are disjoint and lie beyond `next`."""

    __slots__ = (
        "_buffer", "_full_window", "_last_data_ps", "_max_mss", "_memory", "_min_ato_ps", "_unit",
        "ack_due", "acknowledged", "ato_ps", "delayed_at", "fin_at", "fin_received", "first", "next", "offered",
        "out_of_order", "payload_errors", "peer_mss", "quick_acks", "read_bytes", "right_edge", "scale", "scheduled",
    )  # fmt: skip

    def __init__(self, config: TcpConfig) -> None:
        self._buffer = config.receive_buffer_bytes
        self._memory = config.memory_bytes
        self._max_mss = max(config.advertised_mss, config.mss_bytes)
        self._min_ato_ps = config.delayed_ack_ps
        self.peer_mss = max(min(self._max_mss, _DEFAULT_MSS, self._buffer // 2), _MIN_MSS)
        self.scale_by(0)
        self.first = 0  # number of the stream's first byte
        self.next = 0
        self.acknowledged = 0  # `next` as last told to the peer
        self.right_edge = 0
        self.offered = 0  # window as last told
        self.read_bytes = 0
        self.fin_at = -1
        self.fin_received = False
        self.out_of_order: list[tuple[int, int]] = []  # newest first, as SACK wants them
        self.ack_due = False
        self.scheduled = False
        self.delayed_at = NEVER
        self.ato_ps = 0
        self.quick_acks = 0
        self._last_data_ps = 0
        self.payload_errors = 0

    def synchronise(self, irs: int) -> None:
        """The peer's SYN had number `irs`."""
        self.first = self.next = self.acknowledged = irs + 1
        self.right_edge = self.first + self.offered

    def scale_by(self, shift: int) -> None:
        self.scale = shift
        self._unit = 1 << shift
        self._full_window = min(-(-self._buffer >> shift) << shift, _UNSCALED_MAX << shift)

    @property
    def in_order_bytes(self) -> int:
        return self.next - self.first - self.fin_received

    @property
    def readable_bytes(self) -> int:
        return self.next - self.first - self.fin_received - self.read_bytes

    # What arrives

    def accept(self, seq: int, n_bytes: int, *, fin: bool, stream_start: int, segment_bytes: int, now_ps: int,
               rto_ps: int) -> None:  # fmt: skip
        """A packet with payload or FIN, some of it perhaps old or beyond the window; then decides about an ACK.

        `segment_bytes` is what one segment of it carried."""
        if stream_start != seq - self.first and n_bytes:
            self.payload_errors += 1
        end = seq + n_bytes
        expected = self.next
        if end + fin <= expected:  # all old: the peer missed an ACK
            self._go_quick()
            self.ack_due = True
            return
        if fin and end <= self.right_edge:
            self.fin_at = end
        end = min(end, self.right_edge)
        if seq > expected:
            if seq < end:
                self._keep(seq, end)
            self.ack_due = True
            return
        if n_bytes:
            self._note_arrival(segment_bytes, now_ps, rto_ps)
        if end > expected:
            self.next = end
        had_hole = bool(self.out_of_order)
        if had_hole:
            self._take_in_order()
        if self.next == self.fin_at and not self.fin_received:
            self.next += 1
            self.fin_received = True
            self.ack_due = True
        self.scheduled = True
        if had_hole or self._ack_now():
            self.ack_due = True
        elif not self.ack_due:
            self._delay_ack(now_ps)

    def _ack_now(self) -> bool:
        if self.quick_acks:
            return True
        if self.next - self.acknowledged <= self.peer_mss:
            return False
        return not self.readable_bytes or self.window() >= self.offered

    def _delay_ack(self, now_ps: int) -> None:
        at = now_ps + min(self.ato_ps, max(_DELAYED_ACK_CAP_PS, self._min_ato_ps))
        if at < self.delayed_at:
            self.delayed_at = at

    def _note_arrival(self, segment_bytes: int, now_ps: int, rto_ps: int) -> None:
        if segment_bytes >= self.peer_mss:
            self.peer_mss = min(segment_bytes, self._max_mss)
        floor = self._min_ato_ps
        if not self.ato_ps:
            self._go_quick()
            self.ato_ps = floor
        else:
            gap_ps = now_ps - self._last_data_ps
            if gap_ps <= floor >> 1:
                self.ato_ps = (self.ato_ps + floor) >> 1
            elif gap_ps < self.ato_ps:
                self.ato_ps = min((self.ato_ps >> 1) + gap_ps, rto_ps)
            elif gap_ps > rto_ps:
                self._go_quick()
        self._last_data_ps = now_ps

    def _go_quick(self) -> None:
        quick = self.offered // (2 * self.peer_mss) or 2
        self.quick_acks = max(self.quick_acks, min(quick, _QUICK_ACKS))

    def _keep(self, start: int, end: int) -> None:
        """Into the out-of-order queue, joined with what it touches."""
        others = []
        for held in self.out_of_order:
            if held[0] <= end and start <= held[1]:
                start, end = min(start, held[0]), max(end, held[1])
            else:
                others.append(held)
        self.out_of_order = [(start, end), *others]

    def _take_in_order(self) -> None:
        later = []
        for start, end in sorted(self.out_of_order):
            if start > self.next:
                later.append((start, end))
            elif end > self.next:
                self.next = end
        if len(later) != len(self.out_of_order):
            self.out_of_order = [held for held in self.out_of_order if held in later]

    # What goes out

    def window(self) -> int:
        """Bytes that may be offered now, in whole scale units; the right edge is not looked at."""
        free = self._memory - (self.next - self.first - self.fin_received - self.read_bytes)
        if free >= self._buffer and self.scale:
            return self._full_window
        if free < self._memory >> 1 and (free < self._memory >> 4 or free < self.peer_mss):
            return 0
        window = min(free, self._buffer)
        if self.scale:
            return min(-(-window >> self.scale) << self.scale, self._full_window)
        if self.offered > window or self.offered <= window - self.peer_mss:
            return min(window // self.peer_mss * self.peer_mss or window, _UNSCALED_MAX)
        return self.offered

    def initial_window_field(self) -> int:
        """For a SYN, which is never scaled."""
        self.offered = min(self._buffer, _UNSCALED_MAX)
        self.right_edge = max(self.right_edge, self.next + self.offered)
        return self.offered

    def advertise(self) -> int:
        """The window field of a segment that leaves now and carries the acknowledgement."""
        window = self.window()
        current = self.right_edge - self.next
        if current > window:
            window = -(-current >> self.scale) << self.scale
            if self.next + window - self.first - self.read_bytes >= self._memory + self._unit:
                window -= self._unit  # told less than accepted, or repeated rounding would creep past the memory
        field = window >> self.scale
        if field > _UNSCALED_MAX:
            field = _UNSCALED_MAX
        self.offered = window = field << self.scale
        self.acknowledged = self.next
        if self.next + window > self.right_edge:
            self.right_edge = self.next + window
        if self.scheduled and self.quick_acks:
            self.quick_acks -= 1
        self.ack_due = self.scheduled = False
        self.delayed_at = NEVER
        return field

    def sack_blocks(self, room: int) -> tuple[tuple[int, int], ...]:
        return tuple(self.out_of_order[:room])

    # What the application takes

    def read(self, n_bytes: int) -> None:
        """The application took `n_bytes`; `ack_due` says whether the peer should hear of it (tcp_cleanup_rbuf).

        Raises ValueError if there is not so much to read."""
        if not 0 <= n_bytes <= self.readable_bytes:
            raise ValueError(f"read of {n_bytes} bytes, {self.readable_bytes} are there")
        self.read_bytes += n_bytes
        if self.scheduled and self.next - self.acknowledged > self.peer_mss:
            self.ack_due = True
            return
        current = self.right_edge - self.next
        if n_bytes and 2 * current <= self._buffer:
            window = self.window()
            if window and window >= 2 * current:
                self.ack_due = True
