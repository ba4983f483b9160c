"""The sending half: how much may leave now, in which pieces, and what to send again.

Models: sliding window, cwnd in segments, super-segments of whole segments up to the TSO limit with Linux's deferral,
    Nagle's rule in Minshall's form, PSH as Linux sets it, NewReno fast retransmit and recovery with limited
    transmit, timeout with go-back-N, zero-window probes.
Leaves out: a SACK scoreboard, RACK, PRR, F-RTO, undo, pacing and the TSO size that follows the pacing rate, PSH at
    half the largest window, giving up after many timeouts.
Sources: RFC 5681, RFC 6582, RFC 3042, RFC 6298 section 5; Linux 6.19 net/ipv4/tcp_output.c (tcp_tso_should_defer,
    tcp_mss_split_point, tcp_cwnd_validate).
Checked by: tests/models/tcp/test_sender.py, test_channel.py.

`sent` int64[capacity, 3] is a ring of (start, end, when) of what record `c` sent once, outside of recovery; `out` takes
what leaves.
"""

import numpy as np

from models.offload.kernel import njit
from models.tcp import rtt
from models.tcp.config import HEADER_BYTES, MAX_IP_BYTES
from models.tcp.congestion import algorithm
from models.tcp.output import TICK_PS, emit
from models.tcp.segment import FIN, PSH
from models.units import NEVER

UNLIMITED = 1 << 60  # an application that never runs out of bytes

_DUPLICATES = 3  # RFC 5681 section 3.2
_DEFER_SHARE = 3  # sysctl tcp_tso_win_divisor
_DEFER_IDLE_PS = 10**9  # no deferral when nothing was sent for 1 ms
_MAX_PERSIST_PS = 120 * 10**12
# a Python int as argument would have the callee compiled for itself
_NONE, _AGAIN, _FIN, _PSH = np.int64(0), np.int64(1), np.int64(FIN), np.int64(PSH)


def set_mss(c, mss_bytes, tso_bytes):
    """The handshake tells the size of segments, and so how many whole ones a packet holds."""
    c.mss = mss_bytes
    c.tso_bytes = max(min(tso_bytes, MAX_IP_BYTES - HEADER_BYTES) // mss_bytes, 1) * mss_bytes


@njit
def bytes_acked(c):
    """Payload the peer has acknowledged."""
    return min(c.una, c.data_end) - c.snd_first


# Acknowledgements


@njit
def acknowledge(c, seq, ack, window, carries_data, echo_ticks, now_ps, sent, out):
    """`ack` is at most `snd_max`; `echo_ticks`: age of the echoed timestamp in ms, -1 if none."""
    una = c.una
    updates = ack > una or seq > c.window_seq or (seq == c.window_seq and ack + window > c.window_end)
    if ack < una:
        return
    if updates:
        c.window_seq = seq
        c.window_end = ack + window
        c.max_window = max(c.max_window, window)
        c.probes = 0
        c.persist_at = NEVER
    if ack > una:
        advance(c, ack, echo_ticks, now_ps, sent, out)
    elif not updates and not carries_data and c.snd_max > una:
        duplicate(c, now_ps, out)


@njit
def advance(c, ack, echo_ticks, now_ps, sent, out):
    """Bytes up to `ack` are acknowledged for the first time."""
    acked = ack - c.una
    c.una = ack
    c.nxt = max(c.nxt, ack)  # after a timeout: the receiver held what we were about to repeat
    oldest = c.sent_first
    if c.sent_count and sent[oldest, 0] < ack:
        rtt.sample(c, now_ps - sent[oldest, 2])
        while c.sent_count and sent[c.sent_first, 1] <= ack:
            c.sent_first = (c.sent_first + 1) % len(sent)
            c.sent_count -= 1
    elif echo_ticks >= 0:
        rtt.sample(c, max(echo_ticks, 1) * TICK_PS)
    segments = (acked + c.remainder) // c.mss
    c.remainder = (acked + c.remainder) % c.mss
    if c.in_recovery:
        if ack >= c.recover:
            c.in_recovery = 0
            c.duplicates = 0
        else:  # a partial acknowledgement shows the next hole
            c.duplicates = max(c.duplicates - segments + 1, 0)
            repeat_first(c, now_ps, out)
    else:
        c.duplicates = 0
        if c.in_loss and ack >= c.recover:
            c.in_loss = 0
        if segments > 0 and may_grow(c):
            algorithm.on_ack(c, segments, now_ps)
    c.rto_at = now_ps + rtt.rto_ps(c) if c.snd_max > ack else NEVER


@njit
def may_grow(c):
    """Whether cwnd was used; in slow start half of it will do."""
    if c.cwnd < c.ssthresh:
        return c.cwnd * c.mss < 2 * c.peak
    return c.cwnd_limited != 0


@njit
def duplicate(c, now_ps, out):
    """An ACK that acknowledges nothing, while something is in flight."""
    if c.in_loss or (c.una < c.fast_from and not c.in_recovery):
        return
    c.duplicates += 1
    if c.duplicates == _DUPLICATES and not c.in_recovery:
        c.in_recovery = 1
        c.recover = c.fast_from = c.snd_max
        c.fast_retransmits += 1
        algorithm.on_loss(c)
        repeat_first(c, now_ps, out)
        c.rto_at = now_ps + rtt.rto_ps(c)


@njit
def repeat_first(c, now_ps, out):
    """The first segment not acknowledged leaves again."""
    c.sent_count = 0  # Karn: what is acknowledged from here on tells no round trip
    n_bytes = min(c.mss, c.data_end - c.una, c.snd_max - c.una)
    end = c.una + n_bytes
    flags = FIN if c.fin_queued and end == c.data_end and c.snd_max > c.data_end else 0
    if end == c.data_end and n_bytes != 0:
        flags |= PSH
    emit(c, c.una, n_bytes, flags, _AGAIN, now_ps, out)


# Timers


@njit
def on_rto(c, now_ps, sent, out):
    """The oldest byte in flight is overdue: back to it, with a window of one."""
    c.timeouts += 1
    algorithm.on_timeout(c, c.in_loss == 0)
    c.in_loss = 1
    c.in_recovery = 0
    c.duplicates = 0
    c.recover = c.snd_max
    c.fast_from = c.snd_max + 1
    c.sent_count = 0
    c.small_end = c.una  # Nagle does not hold back a repeat
    c.peak = c.snd_max - c.una
    c.peak_until = c.snd_max
    c.nxt = c.una
    rtt.double(c)
    c.rto_at = now_ps + rtt.rto_ps(c)
    pump(c, now_ps, sent, out)
    if c.nxt == c.una:
        repeat_first(c, now_ps, out)  # what was once allowed may be repeated, whatever the window is now


@njit
def on_persist(c, now_ps, sent, out):
    """Nothing in flight, nothing allowed: a piece that fits the window, or a number already acknowledged."""
    c.probes += 1
    wait_ps = c.base_rto_ps << min(c.probes, 10)
    c.persist_at = now_ps + min(wait_ps, _MAX_PERSIST_PS)
    room = min(c.window_end - c.nxt, c.mss, c.data_end - c.nxt)
    if room > 0:
        c.persist_at = NEVER
        send(c, room, _PSH, now_ps, sent, out)
    else:
        emit(c, c.una - 1, _NONE, _NONE, _NONE, now_ps, out)


# New data


@njit
def pump(c, now_ps, sent, out):
    """Sends what cwnd, window and data permit."""
    mss = c.mss
    cwnd_bytes = c.cwnd * mss
    while c.nxt < c.data_end:
        remaining = c.data_end - c.nxt
        usable = cwnd_bytes - (c.nxt - c.una) + c.duplicates * mss
        room = c.window_end - c.nxt
        permitted = min(usable, room)
        n_bytes = whole_segments(c, permitted, remaining)
        if n_bytes <= 0 or (c.tso_defer and remaining > mss and waits_for_more(c, permitted, cwnd_bytes, now_ps, sent)):
            if usable <= room:
                c.cwnd_limited = 1
            break
        last = n_bytes == remaining
        flags = PSH if n_bytes > mss or last else 0
        if last and c.fin_queued:
            flags |= FIN
        send(c, n_bytes, flags, now_ps, sent, out)
    if c.nxt == c.data_end and c.fin_queued and c.nxt >= c.snd_first:
        send(c, _NONE, _FIN, now_ps, sent, out)
    note_flight(c)
    if c.snd_max == c.una and c.nxt < c.data_end and c.persist_at == NEVER:
        c.persist_at = now_ps + rtt.rto_ps(c)


@njit
def whole_segments(c, permitted, remaining):
    """Payload of the next packet: whole segments, a short tail only at the end of the data."""
    n_bytes = min(c.tso_bytes, permitted, remaining)
    short = n_bytes % c.mss
    if short == 0 or n_bytes <= 0:
        return n_bytes
    if n_bytes == remaining:
        held_back = c.nagle and not c.fin_queued and c.small_end > c.una
        return n_bytes - short if held_back else n_bytes
    if n_bytes < c.mss and c.nxt == c.una and 2 * n_bytes >= c.max_window:
        return n_bytes  # RFC 9293 section 3.8.6.2.1: the peer's whole buffer is smaller than two segments
    return n_bytes - short


@njit
def waits_for_more(c, permitted, cwnd_bytes, now_ps, sent):
    """A packet of several segments that is not full may wait for the next ACK."""
    if permitted >= min(c.tso_bytes, c.data_end - c.nxt):
        return False
    if c.in_recovery or c.sent_count == 0 or now_ps - c.last_sent_ps > _DEFER_IDLE_PS:
        return False
    if permitted >= min(c.window_end - c.una, cwnd_bytes) // _DEFER_SHARE:
        return False
    return now_ps - sent[c.sent_first, 2] >= c.srtt8_ps >> 4  # else the next ACK is too far away


@njit
def send(c, n_bytes, flags, now_ps, sent, out):
    """Sends from `nxt` on; what was sent before is a retransmission."""
    start = c.nxt
    end = start + n_bytes + (flags & FIN)
    again = 1 if start < c.snd_max else 0
    c.nxt = end
    c.snd_max = max(c.snd_max, end)
    if n_bytes % c.mss != 0:
        c.small_end = end
    if not (again or c.in_recovery):
        k = (c.sent_first + c.sent_count) % len(sent)
        sent[k, 0], sent[k, 1], sent[k, 2] = start, end, now_ps
        c.sent_count += 1
    c.last_sent_ps = now_ps
    if c.rto_at == NEVER:
        c.rto_at = now_ps + rtt.rto_ps(c)
    emit(c, start, n_bytes, flags, again, now_ps, out)


@njit
def note_flight(c):
    """How much of cwnd was used in this round trip."""
    flight = c.nxt - c.una
    if c.una >= c.peak_until:
        c.peak, c.peak_until = flight, c.nxt
        c.cwnd_limited = 1 if flight + c.mss > c.cwnd * c.mss else 0
    else:
        c.peak = max(c.peak, flight)
