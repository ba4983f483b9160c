"""A connection in the states of transfer: what a packet, a timer and the application do to its record.

Models: order of checks on arrival, PAWS, RST, FIN and the states they lead to, timers; one call per packet, however
    many segments were merged into it. From ESTABLISHED to LAST_ACK all of it is compiled.
Leaves out: challenge-ACK and out-of-window ACK rate limits, cwnd reset after idling; the handshake and TIME_WAIT
    (connection.py).
Sources: RFC 9293 section 3.10.7.4, RFC 7323 sections 4 and 5; Linux 6.19 net/ipv4/tcp_input.c (tcp_sequence,
    tcp_replace_ts_recent).
Checked by: tests/models/tcp/test_connection.py, test_channel.py, test_endpoint.py (has_room).

`c` is a record of an Endpoints table; `sent`, `held` are its slices of the table's, `out` is the table's. Nothing is
written past them if `has_room` was true before the call.
"""

import numpy as np

from models.offload.kernel import njit
from models.tcp.output import TICK_PS, send_ack
from models.tcp.receiver import accept, consume
from models.tcp.segment import (
    ACK,
    ACK_SEQ,
    FIN,
    FLAGS,
    GSO_BYTES,
    GSO_SEGMENTS,
    PAYLOAD_BYTES,
    PAYLOAD_START,
    PSH,
    RST,
    SEQ,
    STAMPED,
    SYN,
    TSECR,
    TSVAL,
    WINDOW,
)
from models.tcp.sender import acknowledge, on_persist, on_rto, pump
from models.tcp.sequence import WIRE_MASK, unwrapped
from models.tcp.states import TRANSITIONS, Event, State
from models.units import NEVER

_HALF = 1 << 31
_ESTABLISHED, _LAST_ACK, _TIME_WAIT = int(State.ESTABLISHED), int(State.LAST_ACK), int(State.TIME_WAIT)
_FIN_WAIT_1, _CLOSING = int(State.FIN_WAIT_1), int(State.CLOSING)
# an argument that is a Python int would have the callee compiled for itself
_CLOSE, _RCV_FIN, _RCV_ACK_OF_FIN = np.int64(Event.CLOSE), np.int64(Event.RCV_FIN), np.int64(Event.RCV_ACK_OF_FIN)
_RCV_RST, _TIME_WAIT_OVER = np.int64(Event.RCV_RST), np.int64(Event.TIME_WAIT_OVER)
# what leaves besides whole packets of `tso_bytes`: a part of one, a short tail, FIN, a repeat, an ACK, a probe
_OTHER_PACKETS = 8


@njit
def in_transfer(c):
    """Whether the state is one that this file is for."""
    return _ESTABLISHED <= c.state <= _LAST_ACK


@njit
def most_packets(c):
    """No call makes more packets leave: cwnd grows by what is acknowledged, and that is in flight before."""
    acked = c.snd_max - c.una
    usable = (c.cwnd + c.duplicates + 4) * c.mss - (c.nxt - c.una) + 2 * acked
    return max(min(c.data_end - c.nxt, usable), 0) // c.tso_bytes + _OTHER_PACKETS


@njit
def has_room(c, sent, held, out):
    """Whether whatever one call does fits into the arrays; if not, Endpoints.grow() helps."""
    packets = most_packets(c)
    return c.sent_count + packets <= len(sent) and c.held_count < len(held) and c.out_rows + packets <= len(out)


# The network


@njit
def receive(c, seg, now_ps, sent, held, out):
    """A packet arrived: `seg` int64[SEGMENT_WORDS, or more]."""
    c.segments_received += seg[GSO_SEGMENTS]
    flags, n_bytes, stamped = seg[FLAGS], seg[PAYLOAD_BYTES], seg[STAMPED]
    expected = c.rcv_next
    seq = unwrapped(seg[SEQ], expected)
    echo_ticks = -1
    if stamped and c.timestamps:
        if c.ts_valid and (seg[TSVAL] - c.ts_recent) & WIRE_MASK >= _HALF and not flags & RST:
            c.paws_dropped += 1
            send_ack(c, now_ps, held, out)
            return
        if seg[TSECR] != 0:
            echo_ticks = (now_ps // TICK_PS + c.tsval_offset - seg[TSECR]) & WIRE_MASK
    if seq + n_bytes + (flags & FIN) < c.acknowledged or seq > c.right_edge or flags & SYN:
        c.unacceptable += 1
        if not flags & RST:
            send_ack(c, now_ps, held, out)
        return
    if flags & RST:
        if seq == expected:
            reset(c)
        return
    if not flags & ACK:
        return
    ack = unwrapped(seg[ACK_SEQ], c.una)
    if ack > c.snd_max:
        c.unacceptable += 1
        send_ack(c, now_ps, held, out)
        return
    if stamped and seq <= c.acknowledged:  # RFC 7323 section 4.3
        c.ts_recent = seg[TSVAL]
        c.ts_valid = 1
    acknowledge(c, seq, ack, seg[WINDOW] << c.window_shift, n_bytes > 0, echo_ticks, now_ps, sent, out)
    if c.fin_queued and c.una > c.data_end and (c.state == _FIN_WAIT_1 or c.state == _CLOSING or c.state == _LAST_ACK):
        move(c, _RCV_ACK_OF_FIN)
    if n_bytes > 0 or flags & FIN:
        had_fin = c.fin_received
        segment_bytes = seg[GSO_BYTES] if seg[GSO_BYTES] else n_bytes
        accept(
            c, seq, n_bytes, flags & FIN, flags & PSH, seg[PAYLOAD_START], segment_bytes, now_ps, c.base_rto_ps, held
        )
        if c.fin_received and not had_fin:
            move(c, _RCV_FIN)
    if c.state == _TIME_WAIT:
        c.time_wait_at = now_ps + c.time_wait_ps
    elif in_transfer(c) and c.nxt < c.data_end + c.fin_queued:
        pump(c, now_ps, sent, out)
    if c.ack_due:
        send_ack(c, now_ps, held, out)


# Timers


@njit
def next_timer_ps(c):
    """When `timer` is to be called [ps]; NEVER: no timer runs."""
    return min(c.rto_at, c.persist_at, c.delayed_at, c.time_wait_at)


@njit
def timer(c, now_ps, sent, held, out):
    """Does everything that is due; harmless when nothing is. Not for a SYN that is to be repeated."""
    if c.delayed_at <= now_ps:
        c.ato_ps = min(c.ato_ps << 1, c.base_rto_ps)
        send_ack(c, now_ps, held, out)
    if c.rto_at <= now_ps:
        on_rto(c, now_ps, sent, out)
    if c.persist_at <= now_ps:
        on_persist(c, now_ps, sent, out)
    if c.time_wait_at <= now_ps:
        c.time_wait_at = NEVER
        move(c, _TIME_WAIT_OVER)


# The application


@njit
def read(c, n_bytes, now_ps, held, out):
    """The application took `n_bytes`, no more than readable_bytes(); the peer may hear of the larger window."""
    consume(c, n_bytes)
    if c.ack_due and in_transfer(c):
        send_ack(c, now_ps, held, out)


@njit
def close(c, now_ps, sent, out):
    """FIN after everything written."""
    c.close_wanted = 1
    move(c, _CLOSE)
    c.fin_queued = 1
    pump(c, now_ps, sent, out)


# States


@njit
def move(c, event):
    """Along an arrow of the figure that the callers here know to exist."""
    c.state = TRANSITIONS[c.state, event]


@njit
def reset(c):
    """The peer dropped the connection."""
    move(c, _RCV_RST)
    c.rto_at = c.persist_at = c.delayed_at = NEVER
