"""One TCP endpoint: the handshake, the close, and the two halves in between.

Models: the states of RFC 9293 with simultaneous open and close, window scale, timestamps with PAWS, order of checks
    on arrival, pure and piggybacked ACKs, timers; one call per packet, however many segments were merged into it.
Leaves out: giving up, challenge-ACK and out-of-window ACK rate limits, SYN cookies, Fast Open, ECN, urgent data, RST
    sent by us, SACK blocks on data segments, cwnd reset after idling.
Sources: RFC 9293 section 3.10, RFC 7323 sections 2, 4 and 5; Linux 6.19 net/ipv4/tcp_input.c (tcp_sequence,
    tcp_replace_ts_recent).
Checked by: tests/models/tcp/test_connection.py, test_channel.py.
"""

from models.tcp.config import TcpConfig
from models.tcp.receiver import NEVER, Receiver
from models.tcp.segment import ACK, FIN, RST, SYN, SackBlocks, Segment
from models.tcp.sender import UNLIMITED, Sender
from models.tcp.sequence import WIRE_MASK, unwrapped
from models.tcp.states import Event, State, after

__all__ = ["UNLIMITED", "Connection"]

_TICK_PS = 10**9  # TCP_TS_HZ 1000, since Linux 4.13
_HALF = 1 << 31
_TIMESTAMPS_BYTES = 12
_SACK_BLOCKS, _SACK_BLOCKS_WITH_TIMESTAMPS = 4, 3  # RFC 2018 section 3

_TRANSFER = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT, State.CLOSING,
                       State.LAST_ACK})  # fmt: skip
_FIN_OUT = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})


class Connection:
    """The caller hands in packets and the time, and after each call takes and clears `outgoing`.

    Every call to `receive`, `read`, `write`, `close` or `timer` may change `next_timer_ps`."""

    __slots__ = (
        "_active", "_close_wanted", "_config", "_gso_mss", "_in_transfer", "_iss", "_sack", "_syn_at_ps",
        "_time_wait_at", "_timestamps", "_ts_recent", "_ts_valid", "_tsval_offset", "_window_shift",
        "acks_sent", "outgoing", "paws_dropped", "receiver", "retransmitted_segments", "segments_received",
        "segments_sent", "sender", "state", "unacceptable",
    )  # fmt: skip

    def __init__(self, config: TcpConfig, *, active: bool) -> None:
        self._config = config
        self._active = active
        self._iss = config.initial_sequence & WIRE_MASK
        self.state = State.CLOSED
        self._in_transfer = False
        self.sender = Sender(config, self._emit)
        self.receiver = Receiver(config)
        self.outgoing: list[Segment] = []
        self._gso_mss = config.mss_bytes
        self._timestamps = config.timestamps
        self._sack = config.sack
        self._tsval_offset = config.tsval_offset
        self._ts_recent = 0
        self._ts_valid = False
        self._window_shift = 0
        self._syn_at_ps = -1
        self._time_wait_at = NEVER
        self._close_wanted = False
        self.acks_sent = 0
        self.retransmitted_segments = 0
        self.segments_sent = 0
        self.segments_received = 0
        self.paws_dropped = 0
        self.unacceptable = 0

    # The application

    def open(self, now_ps: int) -> None:
        if not self._active:
            self._move(Event.PASSIVE_OPEN)
            return
        self._move(Event.ACTIVE_OPEN)
        self._send_syn(now_ps)

    def write(self, n_bytes: int) -> None:
        """Offers `n_bytes` more (UNLIMITED: never ends); `pump` sends them. Raises ValueError after `close`."""
        if self._close_wanted:
            raise ValueError("write after close")
        self.sender.data_end = min(self.sender.data_end + n_bytes, self.sender.first + UNLIMITED)

    def close(self, now_ps: int) -> None:
        """FIN after everything written; while the handshake runs it waits, as a blocking connect() would."""
        if self._close_wanted or self.state is State.CLOSED:
            return
        self._close_wanted = True
        if self.state is State.LISTEN:
            self._move(Event.CLOSE)
        elif self._in_transfer:
            self._queue_fin(now_ps)

    def read(self, n_bytes: int, now_ps: int) -> None:
        """The application consumed `n_bytes` of `readable_bytes`."""
        receiver = self.receiver
        receiver.read(n_bytes)
        if receiver.ack_due and self._in_transfer:
            self._send_ack(now_ps)

    @property
    def readable_bytes(self) -> int:
        return self.receiver.readable_bytes

    # The network

    def receive(self, segment: Segment, now_ps: int) -> None:
        self.segments_received += segment.gso_segments
        if not self._in_transfer:
            self._receive_outside_transfer(segment, now_ps)
            return
        receiver, sender = self.receiver, self.sender
        flags = segment.flags
        n_bytes = segment.payload_bytes
        expected = receiver.next
        seq = expected + ((segment.seq - expected + _HALF) & WIRE_MASK) - _HALF
        echo_ticks = -1
        if segment.timestamps and self._timestamps:
            if self._ts_valid and (segment.tsval - self._ts_recent) & WIRE_MASK >= _HALF and not flags & RST:
                self.paws_dropped += 1
                self._send_ack(now_ps)
                return
            if segment.tsecr:
                echo_ticks = (now_ps // _TICK_PS + self._tsval_offset - segment.tsecr) & WIRE_MASK
        if seq + n_bytes + (flags & FIN) < receiver.acknowledged or seq > receiver.right_edge or flags & SYN:
            self.unacceptable += 1
            if not flags & RST:
                self._send_ack(now_ps)
            return
        if flags & RST:
            if seq == expected:
                self._reset()
            return
        if not flags & ACK:
            return
        una = sender.una
        ack = una + ((segment.ack - una + _HALF) & WIRE_MASK) - _HALF
        if ack > sender.max:
            self.unacceptable += 1
            self._send_ack(now_ps)
            return
        if segment.timestamps and seq <= receiver.acknowledged:  # RFC 7323 section 4.3
            self._ts_recent = segment.tsval
            self._ts_valid = True
        sender.acknowledge(seq, ack, segment.window << self._window_shift, carries_data=n_bytes > 0,
                           echo_ticks=echo_ticks, now_ps=now_ps)  # fmt: skip
        if sender.fin_queued and sender.fin_acked:
            self._fin_acknowledged()
        if n_bytes or flags & FIN:
            had_fin = receiver.fin_received
            receiver.accept(seq, n_bytes, fin=flags & FIN != 0, stream_start=segment.payload_start,
                            segment_bytes=segment.gso_bytes or n_bytes, now_ps=now_ps,
                            rto_ps=sender.rtt.base_rto_ps)  # fmt: skip
            if receiver.fin_received and not had_fin:
                self._move(Event.RCV_FIN)
        if self.state is State.TIME_WAIT:
            self._time_wait_at = now_ps + self._config.time_wait_ps
        elif self._in_transfer and sender.nxt < sender.data_end + sender.fin_queued:
            sender.pump(now_ps)
        if receiver.ack_due:
            self._send_ack(now_ps)

    def pump(self, now_ps: int) -> None:
        """Sends what cwnd, the peer's window and the data permit."""
        if self._in_transfer:
            self.sender.pump(now_ps)

    # Timers

    @property
    def next_timer_ps(self) -> int | None:
        sender = self.sender
        at = sender.rto_at
        if sender.persist_at < at:
            at = sender.persist_at
        if self.receiver.delayed_at < at:
            at = self.receiver.delayed_at
        if self._time_wait_at < at:
            at = self._time_wait_at
        return at if at < NEVER else None

    def timer(self, now_ps: int) -> None:
        """Does everything that is due; harmless when nothing is."""
        sender, receiver = self.sender, self.receiver
        if receiver.delayed_at <= now_ps:
            receiver.ato_ps = min(receiver.ato_ps << 1, sender.rtt.base_rto_ps)
            self._send_ack(now_ps)
        if sender.rto_at <= now_ps:
            if self.state in (State.SYN_SENT, State.SYN_RECEIVED):
                sender.timeouts += 1
                sender.rtt.double()
                self._syn_at_ps = -1
                self._send_syn(now_ps, again=True)
            else:
                sender.on_rto(now_ps)
        if sender.persist_at <= now_ps:
            sender.on_persist(now_ps)
        if self._time_wait_at <= now_ps:
            self._time_wait_at = NEVER
            self._move(Event.TIME_WAIT_OVER)

    # Statistics

    @property
    def established(self) -> bool:
        """The handshake is over and neither side was reset or finished."""
        return self._in_transfer

    @property
    def finished(self) -> bool:
        """Both directions are closed and acknowledged."""
        return self.state is State.TIME_WAIT or (self.state is State.CLOSED and self.receiver.fin_received)

    @property
    def timeouts(self) -> int:
        return self.sender.timeouts

    @property
    def fast_retransmits(self) -> int:
        return self.sender.fast_retransmits

    @property
    def bytes_acked(self) -> int:
        return self.sender.bytes_acked

    @property
    def bytes_received_in_order(self) -> int:
        return self.receiver.in_order_bytes

    @property
    def payload_errors(self) -> int:
        return self.receiver.payload_errors

    @property
    def cwnd_segments(self) -> int:
        return self.sender.congestion.cwnd

    @property
    def srtt_ps(self) -> int:
        return self.sender.rtt.srtt_ps

    # Inside: states

    def _move(self, event: Event) -> None:
        self.state = after(self.state, event)
        self._in_transfer = self.state in _TRANSFER

    def _reset(self) -> None:
        self._move(Event.RCV_RST)
        self.sender.rto_at = self.sender.persist_at = self.receiver.delayed_at = NEVER

    def _queue_fin(self, now_ps: int) -> None:
        self._move(Event.CLOSE)
        self.sender.fin_queued = True
        self.sender.pump(now_ps)

    def _fin_acknowledged(self) -> None:
        if self.state in _FIN_OUT:
            self._move(Event.RCV_ACK_OF_FIN)

    # Inside: handshake

    def _receive_outside_transfer(self, segment: Segment, now_ps: int) -> None:
        flags = segment.flags
        if self.state is State.CLOSED:
            return
        if self.state is State.TIME_WAIT:
            if not flags & (RST | SYN) and (flags & FIN or segment.payload_bytes):
                self._time_wait_at = now_ps + self._config.time_wait_ps
                self._send_ack(now_ps)
            return
        acks_syn = bool(flags & ACK) and segment.ack == (self._iss + 1) & WIRE_MASK
        if flags & RST:
            if self.state is State.SYN_RECEIVED or acks_syn:
                self._reset()
            return
        if self.state is State.LISTEN:
            if flags & SYN and not flags & ACK:
                self._take_syn(segment)
                self._move(Event.RCV_SYN)
                self._send_syn(now_ps)
        elif self.state is State.SYN_SENT:
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
        config = self._config
        self._timestamps = config.timestamps and segment.timestamps
        self._sack = config.sack and segment.sack_permitted
        if config.window_scale >= 0 and segment.window_scale >= 0:
            self._window_shift = min(segment.window_scale, 14)
            self.receiver.scale_by(config.window_scale)
        if self._timestamps:
            self._ts_recent, self._ts_valid = segment.tsval, True
        peer_mss = (segment.mss or 536) - (_TIMESTAMPS_BYTES if self._timestamps else 0)
        self._gso_mss = max(min(config.mss_bytes, peer_mss), 1)
        self.sender.set_mss(self._gso_mss, config.tso_bytes)
        self.receiver.synchronise(segment.seq)

    def _establish(self, segment: Segment, event: Event, now_ps: int) -> None:
        """The peer acknowledged our SYN; the packet may carry data as well."""
        sender = self.sender
        self._move(event)
        if self._syn_at_ps >= 0:
            sender.rtt.sample(now_ps - self._syn_at_ps)
        sender.rto_at = NEVER
        shift = 0 if segment.flags & SYN else self._window_shift
        seq = unwrapped(segment.seq, self.receiver.next)
        sender.acknowledge(seq, sender.una, segment.window << shift, carries_data=True, echo_ticks=-1, now_ps=now_ps)
        if self._close_wanted:
            self._queue_fin(now_ps)
        else:
            sender.pump(now_ps)
        if segment.flags & SYN:
            if not any(sent.payload_bytes for sent in self.outgoing):
                self._send_ack(now_ps)
        elif segment.payload_bytes or segment.flags & FIN:
            self.segments_received -= segment.gso_segments  # it comes in a second time
            self.receive(segment, now_ps)

    def _send_syn(self, now_ps: int, *, again: bool = False) -> None:
        config, sender = self._config, self.sender
        answers = self.state is State.SYN_RECEIVED
        if self._syn_at_ps < 0 and not again:
            self._syn_at_ps = now_ps
        sender.rto_at = now_ps + sender.rtt.rto_ps
        scaled = config.window_scale >= 0 and (not answers or self.receiver.scale > 0 or self._window_shift > 0)
        self.segments_sent += 1
        self.outgoing.append(Segment(
            self._iss, self.receiver.next & WIRE_MASK if answers else 0, SYN | ACK if answers else SYN,
            self.receiver.initial_window_field(),
            timestamps=self._timestamps, tsval=self._tsval(now_ps) if self._timestamps else 0,
            tsecr=self._ts_recent if self._timestamps else 0, mss=config.advertised_mss,
            window_scale=config.window_scale if scaled else -1, sack_permitted=self._sack,
            retransmission=again,
        ))  # fmt: skip

    # Inside: segments

    def _tsval(self, now_ps: int) -> int:
        return (now_ps // _TICK_PS + self._tsval_offset) & WIRE_MASK

    def _send_ack(self, now_ps: int) -> None:
        self.acks_sent += 1
        sack: SackBlocks = ()
        if self._sack and self.receiver.out_of_order:
            room = _SACK_BLOCKS_WITH_TIMESTAMPS if self._timestamps else _SACK_BLOCKS
            blocks = self.receiver.sack_blocks(room)
            sack = tuple((start & WIRE_MASK, end & WIRE_MASK) for start, end in blocks)
        self._append(self.sender.max, 0, ACK, False, now_ps, sack)

    def _emit(self, number: int, n_bytes: int, flags: int, again: bool, now_ps: int) -> None:
        """A segment of the sender's: data, FIN or probe."""
        if again:
            self.retransmitted_segments += -(-n_bytes // self._gso_mss) or 1
        self._append(number, n_bytes, flags | ACK, again, now_ps, ())

    def _append(self, number: int, n_bytes: int, flags: int, again: bool, now_ps: int, sack: SackBlocks) -> None:
        receiver = self.receiver
        mss = self._gso_mss
        window = receiver.advertise()
        if n_bytes > mss:
            gso_bytes, segments = mss, -(-n_bytes // mss)
        else:
            gso_bytes, segments = 0, 1
        self.segments_sent += segments
        stamped = self._timestamps
        self.outgoing.append(Segment(
            number & WIRE_MASK, receiver.next & WIRE_MASK, flags, window,
            n_bytes, number - self.sender.first if n_bytes else 0, gso_bytes, segments,
            (now_ps // _TICK_PS + self._tsval_offset) & WIRE_MASK if stamped else 0,
            self._ts_recent if stamped else 0, stamped, 0, -1, False, sack, again,
        ))  # fmt: skip
