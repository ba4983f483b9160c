"""One TCP endpoint: the handshake and the door to the rest.

Models: open and close with simultaneous open, options of SYN, its repetition, TIME_WAIT.
Leaves out: giving up, SYN cookies, Fast Open, RST sent by us.
Sources: RFC 9293 section 3.10, RFC 7323 sections 2 and 3; Linux 6.19 net/ipv4/tcp_input.c.
Checked by: tests/models/tcp/test_connection.py, test_channel.py.

What happens between handshake and TIME_WAIT is in transfer.py, compiled, over the record this class writes.
"""

from typing import Any

import numpy as np

from models.tcp import doors, receiver, rtt, transfer
from models.tcp.config import TcpConfig
from models.tcp.endpoint import FIELDS, Endpoints
from models.tcp.output import tsval
from models.tcp.segment import ACK, FIN, PAYLOAD_BYTES, RST, SEGMENT_WORDS, SYN, Segment, segment_of, write_words
from models.tcp.sender import UNLIMITED, acknowledge, bytes_acked, set_mss
from models.tcp.sequence import WIRE_MASK, unwrapped
from models.tcp.states import Event, State, after
from models.units import NEVER

__all__ = ["UNLIMITED", "Connection"]

_TIMESTAMPS_BYTES = 12
_STATES = tuple(State)
_STATE = FIELDS.index("state")


class _Field:
    """One field of the record, to be read."""

    def __init__(self, name: str) -> None:
        self._at = FIELDS.index(name)

    def __get__(self, connection: "Connection", owner: type) -> int:
        return connection._cells[self._at]


class Connection:
    """The caller hands in packets and the time, and after each call takes what waits in `out` of the table, which other
    connections use as well: `take_outgoing`, or compiled code.

    Every call to `receive`, `read`, `write`, `close` or `timer` may change `next_timer_ps`. `record` is row `number` of
    `table`, by default one of its own."""

    __slots__ = (
        "_active", "_cells", "_config", "_number", "_segment", "_syn_at_ps", "_table", "record",
    )  # fmt: skip

    def __init__(self, config: TcpConfig, *, active: bool, table: Endpoints | None = None, number: int = 0) -> None:
        self._config = config
        self._active = active
        self._table = table or Endpoints(1)
        self._number = number
        self._table.begin(number, config)
        self.record: Any = self._table.records[number]
        self._cells = self._table.records[number : number + 1].view(np.int64).data  # quicker for single fields
        self._segment = np.zeros(SEGMENT_WORDS, np.int64)
        self._syn_at_ps = -1

    # The application

    def open(self, now_ps: int) -> None:
        if not self._active:
            self._move(Event.PASSIVE_OPEN)
            return
        self._move(Event.ACTIVE_OPEN)
        self._send_syn(now_ps)

    def write(self, n_bytes: int) -> None:
        """Offers `n_bytes` more (UNLIMITED: never ends); `pump` sends them. Raises ValueError after `close`."""
        c = self.record
        if c.close_wanted:
            raise ValueError("write after close")
        c.data_end = min(int(c.data_end) + n_bytes, int(c.snd_first) + UNLIMITED)

    def close(self, now_ps: int) -> None:
        """FIN after everything written; while the handshake runs it waits, as a blocking connect() would."""
        if self.record.close_wanted or self.state is State.CLOSED:
            return
        if self.established:
            self._call(doors.CLOSE, now_ps)
            return
        self.record.close_wanted = 1
        if self.state is State.LISTEN:
            self._move(Event.CLOSE)

    def read(self, n_bytes: int, now_ps: int) -> None:
        """The application consumed `n_bytes` of `readable_bytes`; ValueError if there are not so many."""
        if not 0 <= n_bytes <= self.readable_bytes:
            raise ValueError(f"read of {n_bytes} bytes, {self.readable_bytes} are there")
        self._call(doors.READ, now_ps, n_bytes)

    @property
    def readable_bytes(self) -> int:
        return int(doors.readable_bytes(self._table.records, self._number))

    # The network

    def receive(self, segment: Segment, now_ps: int) -> None:
        if self.established:
            write_words(segment, self._segment)
            self._call(doors.RECEIVE, now_ps)
        else:
            self.record.segments_received += segment.gso_segments
            self._receive_outside_transfer(segment, now_ps)

    def pump(self, now_ps: int) -> None:
        """Sends what cwnd, the peer's window and the data permit."""
        if self.established:
            self._call(doors.PUMP, now_ps)

    def take_outgoing(self) -> list[Segment]:
        """What waits to leave, and waits no longer."""
        rows = self._table.out[: self.record.out_rows].tolist()
        self.record.out_rows = 0
        return [segment_of(row) for row in rows]

    # Timers

    @property
    def next_timer_ps(self) -> int | None:
        at_ps = int(doors.next_timer_ps(self._table.records, self._number))
        return at_ps if at_ps < NEVER else None

    def timer(self, now_ps: int) -> None:
        """Does everything that is due; harmless when nothing is."""
        if self.state not in (State.SYN_SENT, State.SYN_RECEIVED):
            self._call(doors.TIMER, now_ps)
        elif self.record.rto_at <= now_ps:
            self.record.timeouts += 1
            rtt.double(self.record)
            self._syn_at_ps = -1
            self._send_syn(now_ps, again=True)

    # Statistics

    acks_sent = _Field("acks_sent")
    cwnd_segments = _Field("cwnd")
    fast_retransmits = _Field("fast_retransmits")
    paws_dropped = _Field("paws_dropped")
    payload_errors = _Field("payload_errors")
    retransmitted_segments = _Field("retransmitted_segments")
    segments_received = _Field("segments_received")
    segments_sent = _Field("segments_sent")
    timeouts = _Field("timeouts")
    unacceptable = _Field("unacceptable")

    @property
    def state(self) -> State:
        return _STATES[self._cells[_STATE]]

    @property
    def established(self) -> bool:
        """The handshake is over and neither side was reset or finished."""
        return State.ESTABLISHED <= self._cells[_STATE] <= State.LAST_ACK

    @property
    def finished(self) -> bool:
        """Both directions are closed and acknowledged."""
        return self.state is State.TIME_WAIT or (self.state is State.CLOSED and bool(self.record.fin_received))

    @property
    def bytes_acked(self) -> int:
        return int(bytes_acked(self.record))

    @property
    def bytes_received_in_order(self) -> int:
        return int(receiver.in_order_bytes(self.record))

    @property
    def srtt_ps(self) -> int:
        """0 before the first sample."""
        return int(self.record.srtt8_ps) >> 3

    # Inside: the compiled part

    def _call(self, what: int, now_ps: int, n_bytes: int = 0) -> None:
        """What leaves is in `out` afterwards."""
        table, number = self._table, self._number
        had_room = doors.call(
            table.records, number, what, n_bytes, self._segment, now_ps, table.sent, table.held, table.out
        )
        if not had_room:
            table.grow(number)
            self._call(what, now_ps, n_bytes)

    def _move(self, event: Event) -> None:
        self.record.state = after(self.state, event)

    # Inside: handshake

    def _receive_outside_transfer(self, segment: Segment, now_ps: int) -> None:
        flags, state = segment.flags, self.state
        if state is State.CLOSED:
            return
        if state is State.TIME_WAIT:
            if not flags & (RST | SYN) and (flags & FIN or segment.payload_bytes):
                self.record.time_wait_at = now_ps + self._config.time_wait_ps
                self._call(doors.ACKNOWLEDGE, now_ps)
            return
        acks_syn = bool(flags & ACK) and segment.ack == (int(self.record.iss) + 1) & WIRE_MASK
        if flags & RST:
            if state is State.SYN_RECEIVED or (acks_syn and state is State.SYN_SENT):
                transfer.reset(self.record)
            return
        if state is State.LISTEN:
            if flags & SYN and not flags & ACK:
                self._take_syn(segment)
                self._move(Event.RCV_SYN)
                self._send_syn(now_ps)
        elif state is State.SYN_SENT:
            if flags & SYN and (acks_syn or not flags & ACK):
                self._take_syn(segment)
                if acks_syn:
                    self._establish(segment, Event.RCV_SYN_ACK, now_ps)
                else:
                    self._move(Event.RCV_SYN)
                    self._send_syn(now_ps, again=True)
        elif acks_syn:
            self._establish(segment, Event.RCV_ACK_OF_SYN, now_ps)
        elif flags & SYN:
            self._send_syn(now_ps, again=True)

    def _take_syn(self, segment: Segment) -> None:
        """Learns the peer's first number and what both sides have in common."""
        config, c = self._config, self.record
        c.timestamps = config.timestamps and segment.timestamps
        c.sack = config.sack and segment.sack_permitted
        if config.window_scale >= 0 and segment.window_scale >= 0:
            c.window_shift = min(segment.window_scale, 14)
            receiver.scale_by(c, config.window_scale)
        if c.timestamps:
            c.ts_recent, c.ts_valid = segment.tsval, 1
        peer_mss = (segment.mss or 536) - (_TIMESTAMPS_BYTES if c.timestamps else 0)
        set_mss(c, max(min(config.mss_bytes, peer_mss), 1), config.tso_bytes)
        receiver.synchronise(c, segment.seq)

    def _establish(self, segment: Segment, event: Event, now_ps: int) -> None:
        """The peer acknowledged our SYN; the packet may carry data as well."""
        c, table = self.record, self._table
        self._move(event)
        if self._syn_at_ps >= 0:
            rtt.sample(c, now_ps - self._syn_at_ps)
        c.rto_at = NEVER
        window = segment.window << (0 if segment.flags & SYN else int(c.window_shift))
        seq = unwrapped(segment.seq, c.rcv_next)
        acknowledge(c, seq, c.una, window, True, -1, now_ps, table.sent[self._number], table.out)  # tells the window
        self._call(doors.CLOSE if c.close_wanted else doors.PUMP, now_ps)
        if segment.flags & SYN:
            if not table.out[: c.out_rows, PAYLOAD_BYTES].any():
                self._call(doors.ACKNOWLEDGE, now_ps)
        elif segment.payload_bytes or segment.flags & FIN:
            c.segments_received -= segment.gso_segments  # it comes in a second time
            self.receive(segment, now_ps)

    def _send_syn(self, now_ps: int, *, again: bool = False) -> None:
        config, c = self._config, self.record
        answers = self.state is State.SYN_RECEIVED
        if self._syn_at_ps < 0 and not again:
            self._syn_at_ps = now_ps
        c.rto_at = now_ps + rtt.rto_ps(c)
        scaled = config.window_scale >= 0 and (not answers or c.scale > 0 or c.window_shift > 0)
        stamped = bool(c.timestamps)
        c.segments_sent += 1
        segment = Segment(
            int(c.iss), int(c.rcv_next) & WIRE_MASK if answers else 0, SYN | ACK if answers else SYN,
            int(receiver.initial_window_field(c)),
            timestamps=stamped, tsval=int(tsval(c, now_ps)) if stamped else 0,
            tsecr=int(c.ts_recent) if stamped else 0, mss=config.advertised_mss,
            window_scale=config.window_scale if scaled else -1, sack_permitted=bool(c.sack), retransmission=again,
        )  # fmt: skip
        write_words(segment, self._table.out[c.out_rows])
        c.out_rows += 1
