"""The receiving half: bytes into order, when to acknowledge, which window to offer.

Models: in-order delivery with an out-of-order queue; Linux's ACK rule (one decision a packet, merged or not), its
    quick ACKs at the start, its delayed ACK, the ACK that a reader gives who has emptied the socket after a push, its
    estimate of the peer's segment size; a window rounded up to scale units whose right edge never goes back.
Leaves out: autotuning and memory overhead of the receive buffer, interactive ("ping-pong") mode, compressed ACKs,
    DSACK, the backlog's deferred ACK; a list, not a tree, of out-of-order stretches (slow beyond some hundreds).
Sources: RFC 9293 section 3.10.7.4, RFC 5681 section 4.2, RFC 2018 section 4; Linux 6.19 net/ipv4/tcp_input.c
    (__tcp_ack_snd_check, tcp_measure_rcv_mss, tcp_event_data_recv), tcp.c (tcp_cleanup_rbuf), tcp_output.c
    (__tcp_select_window). A push counts with a whole segment, too, since Linux 6.7.
Checked by: tests/models/tcp/test_receiver.py, test_channel.py.

`held` int64[..., 2] is the out-of-order queue of record `c`: (start, end), newest first, as SACK wants them. Only the
functions at the end, for the handshake, are plain Python.
"""

from models.offload.kernel import njit
from models.units import NEVER

_DEFAULT_MSS = 536  # TCP_MSS_DEFAULT, Linux include/net/tcp.h
_MIN_MSS = 88  # TCP_MIN_MSS
_QUICK_ACKS = 16  # TCP_MAX_QUICKACKS
_DELAYED_ACK_CAP_PS = 200 * 10**9  # TCP_DELACK_MAX
_UNSCALED_MAX = 65535


@njit
def in_order_bytes(c):
    """Payload received in order so far."""
    return c.rcv_next - c.rcv_first - c.fin_received


@njit
def readable_bytes(c):
    """What the application has not yet read of it."""
    return c.rcv_next - c.rcv_first - c.fin_received - c.read_bytes


# What arrives


@njit
def accept(c, seq, n_bytes, fin, push, stream_start, segment_bytes, now_ps, rto_ps, held):
    """A packet with payload or FIN (`fin` 0 or 1), pushed or not (`push` 0 or not), some of it perhaps old or beyond
    the window; then decides about an ACK. `segment_bytes` is what one segment of it carried, `rto_ps` the timeout
    without doublings."""
    if stream_start != seq - c.rcv_first and n_bytes > 0:
        c.payload_errors += 1
    end = seq + n_bytes
    expected = c.rcv_next
    if end + fin <= expected:  # all old: the peer missed an ACK
        go_quick(c)
        c.ack_due = 1
        return
    if fin and end <= c.right_edge:
        c.fin_at = end
    end = min(end, c.right_edge)
    if seq > expected:
        if seq < end:
            keep(c, seq, end, held)
        c.ack_due = 1
        return
    if n_bytes > 0:
        note_arrival(c, segment_bytes, push, now_ps, rto_ps)
    if end > expected:
        c.rcv_next = end
    had_hole = c.held_count > 0
    if had_hole:
        take_in_order(c, held)
    if c.rcv_next == c.fin_at and not c.fin_received:
        c.rcv_next += 1
        c.fin_received = 1
        c.ack_due = 1
    c.scheduled = 1
    if had_hole or ack_now(c):
        c.ack_due = 1
    elif not c.ack_due:
        at = now_ps + min(c.ato_ps, max(_DELAYED_ACK_CAP_PS, c.min_ato_ps))
        c.delayed_at = min(c.delayed_at, at)


@njit
def ack_now(c):
    """Whether the packet just taken is answered at once."""
    if c.quick_acks:
        return True
    if c.rcv_next - c.acknowledged <= c.peer_mss:
        return False
    return readable_bytes(c) == 0 or window(c) >= c.offered


@njit
def note_arrival(c, segment_bytes, push, now_ps, rto_ps):
    """Payload came in order: what it tells of the peer's segments and of the time between them."""
    if segment_bytes >= c.peer_mss:
        c.peer_mss = min(segment_bytes, c.max_mss)
        if push:
            c.pushed = 1
    else:
        c.pushed = 1
    floor = c.min_ato_ps
    if c.ato_ps == 0:
        go_quick(c)
        c.ato_ps = floor
    else:
        gap_ps = now_ps - c.last_data_ps
        if gap_ps <= floor >> 1:
            c.ato_ps = (c.ato_ps + floor) >> 1
        elif gap_ps < c.ato_ps:
            c.ato_ps = min((c.ato_ps >> 1) + gap_ps, rto_ps)
        elif gap_ps > rto_ps:
            go_quick(c)
    c.last_data_ps = now_ps


@njit
def go_quick(c):
    """The next packets are answered one by one."""
    quick = c.offered // (2 * c.peer_mss)
    if quick == 0:
        quick = 2
    c.quick_acks = max(c.quick_acks, min(quick, _QUICK_ACKS))


@njit
def keep(c, start, end, held):
    """Into the out-of-order queue, joined with what it touches."""
    others = 0
    for k in range(c.held_count):
        if held[k, 0] <= end and start <= held[k, 1]:
            start, end = min(start, held[k, 0]), max(end, held[k, 1])
        else:
            held[others, 0], held[others, 1] = held[k, 0], held[k, 1]
            others += 1
    for k in range(others, 0, -1):
        held[k, 0], held[k, 1] = held[k - 1, 0], held[k - 1, 1]
    held[0, 0], held[0, 1] = start, end
    c.held_count = others + 1


@njit
def take_in_order(c, held):
    """Move `rcv_next` over all that now follows without a hole, and forget that."""
    moved = True
    while moved:
        moved = False
        for k in range(c.held_count):
            if held[k, 0] <= c.rcv_next < held[k, 1]:
                c.rcv_next = held[k, 1]
                moved = True
    later = 0
    for k in range(c.held_count):
        if held[k, 0] > c.rcv_next:
            held[later, 0], held[later, 1] = held[k, 0], held[k, 1]
            later += 1
    c.held_count = later


# What goes out


@njit
def window(c):
    """Bytes that may be offered now, in whole scale units; the right edge is not looked at."""
    free = c.memory_bytes - readable_bytes(c)
    if free >= c.buffer_bytes and c.scale:
        return c.full_window
    if free < c.memory_bytes >> 1 and (free < c.memory_bytes >> 4 or free < c.peer_mss):
        return 0
    wanted = min(free, c.buffer_bytes)
    if c.scale:
        return min(-(-wanted >> c.scale) << c.scale, c.full_window)
    if c.offered > wanted or c.offered <= wanted - c.peer_mss:
        whole = wanted // c.peer_mss * c.peer_mss
        return min(whole if whole else wanted, _UNSCALED_MAX)
    return c.offered


@njit
def advertise(c):
    """The window field of a segment that leaves now and carries the acknowledgement."""
    offered = window(c)
    current = c.right_edge - c.rcv_next
    if current > offered:
        offered = -(-current >> c.scale) << c.scale
        unit = 1 << c.scale
        if c.rcv_next + offered - c.rcv_first - c.read_bytes >= c.memory_bytes + unit:
            offered -= unit  # told less than accepted, or repeated rounding would creep past the memory
    field = min(offered >> c.scale, _UNSCALED_MAX)
    c.offered = field << c.scale
    c.acknowledged = c.rcv_next
    c.right_edge = max(c.right_edge, c.rcv_next + c.offered)
    if c.scheduled and c.quick_acks:
        c.quick_acks -= 1
    c.ack_due = c.scheduled = c.pushed = 0
    c.delayed_at = NEVER
    return field


# What the application takes


@njit
def consume(c, n_bytes):
    """The application took `n_bytes`, no more than are readable; `ack_due` says whether the peer should hear of it
    (tcp_cleanup_rbuf)."""
    c.read_bytes += n_bytes
    if c.scheduled and c.rcv_next - c.acknowledged > c.peer_mss:
        c.ack_due = 1
        return
    if c.scheduled and c.pushed and n_bytes > 0 and readable_bytes(c) == 0 and c.held_count == 0:
        c.ack_due = 1
        return
    current = c.right_edge - c.rcv_next
    if n_bytes > 0 and 2 * current <= c.buffer_bytes:
        possible = window(c)
        if possible > 0 and possible >= 2 * current:
            c.ack_due = 1


# The handshake


def first_peer_mss(c):
    """The estimate of the peer's segments before there is one."""
    return max(min(c.max_mss, _DEFAULT_MSS, c.buffer_bytes // 2), _MIN_MSS)


def synchronise(c, irs):
    """The peer's SYN had number `irs`."""
    c.rcv_first = c.rcv_next = c.acknowledged = irs + 1
    c.right_edge = c.rcv_first + c.offered


def scale_by(c, shift):
    """Both sides have agreed on window scaling."""
    c.scale = shift
    c.full_window = min(-(-c.buffer_bytes >> shift) << shift, _UNSCALED_MAX << shift)


def initial_window_field(c):
    """For a SYN, which is never scaled."""
    c.offered = min(c.buffer_bytes, _UNSCALED_MAX)
    c.right_edge = max(c.right_edge, c.rcv_next + c.offered)
    return c.offered
