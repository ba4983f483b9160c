"""Segments that leave: every one carries the acknowledgement, the window and, if agreed, timestamps.

Models: pure ACKs with SACK blocks, and what the sending half asks for, as rows of words.
Leaves out: SACK blocks on data segments, urgent data, RST, ECN.
Sources: RFC 9293 section 3.10, RFC 7323 section 3, RFC 2018 section 3.
Checked by: tests/models/tcp/test_connection.py, test_channel.py.
"""

import numpy as np

from models.offload.kernel import njit
from models.tcp.receiver import advertise
from models.tcp.segment import (
    ACK,
    ACK_SEQ,
    FLAGS,
    GSO_BYTES,
    GSO_SEGMENTS,
    MOST_SACKS,
    MSS,
    PAYLOAD_BYTES,
    PAYLOAD_START,
    RETRANSMISSION,
    SACK_EDGES,
    SACK_PERMITTED,
    SACKS,
    SEQ,
    STAMPED,
    TSECR,
    TSVAL,
    WINDOW,
    WINDOW_SCALE,
)
from models.tcp.sequence import WIRE_MASK

_NONE, _PURE_ACK = np.int64(0), np.int64(ACK)  # a Python int would have `append` compiled for itself
TICK_PS = 10**9  # TCP_TS_HZ 1000, since Linux 4.13


@njit
def tsval(c, now_ps):
    """The clock of the timestamps."""
    return (now_ps // TICK_PS + c.tsval_offset) & WIRE_MASK


@njit
def append(c, number, n_bytes, flags, again, now_ps, out):
    """One more row in `out`, without SACK blocks; returns which."""
    k = c.out_rows
    c.out_rows += 1
    segments = -(-n_bytes // c.mss) if n_bytes > c.mss else 1
    c.segments_sent += segments
    out[k, SEQ], out[k, ACK_SEQ] = number & WIRE_MASK, c.rcv_next & WIRE_MASK
    out[k, FLAGS], out[k, WINDOW] = flags, advertise(c)
    out[k, PAYLOAD_BYTES], out[k, PAYLOAD_START] = n_bytes, number - c.snd_first if n_bytes else 0
    out[k, GSO_BYTES], out[k, GSO_SEGMENTS] = c.mss if n_bytes > c.mss else 0, segments
    out[k, TSVAL], out[k, TSECR] = (tsval(c, now_ps), c.ts_recent) if c.timestamps else (0, 0)
    out[k, STAMPED], out[k, RETRANSMISSION], out[k, SACKS] = c.timestamps, again, 0
    out[k, MSS], out[k, WINDOW_SCALE], out[k, SACK_PERMITTED] = 0, -1, 0
    return k


@njit
def emit(c, number, n_bytes, flags, again, now_ps, out):
    """A segment of the sending half: data, FIN or probe; `again`: 1 if it was sent before."""
    if again:
        c.retransmitted_segments += max(-(-n_bytes // c.mss), 1)
    append(c, number, n_bytes, flags | ACK, again, now_ps, out)


@njit
def send_ack(c, now_ps, held, out):
    """A pure ACK, with what is held out of order."""
    c.acks_sent += 1
    k = append(c, c.snd_max, _NONE, _PURE_ACK, _NONE, now_ps, out)
    if c.sack:
        blocks = min(c.held_count, MOST_SACKS - c.timestamps)  # timestamps take the room of one
        out[k, SACKS] = blocks
        for block in range(blocks):
            out[k, SACK_EDGES + 2 * block] = held[block, 0] & WIRE_MASK
            out[k, SACK_EDGES + 2 * block + 1] = held[block, 1] & WIRE_MASK
