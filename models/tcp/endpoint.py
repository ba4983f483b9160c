"""The state of TCP endpoints as records: a table with a row for each connection.

Models: what a connection remembers from one packet to the next.
Leaves out: what happens to it, which is in the file named at each group.
Sources: RFC 9293 section 3.3.1 for the first names; those of the files.
Checked by: tests/models/tcp/test_endpoint.py, test_channel.py.

`c = table.records[number]` refers to the row, in compiled code and in Python. Every field is an int64, a truth 0 or 1.
Numbers of bytes in the two streams are unwrapped (sequence.py). Invariants: una <= nxt <= snd_max <= data_end + 1;
`rcv_next` and `right_edge` never go back; unread bytes and offered window fit into the memory, but for rounding by one
scale unit; stretches in `held` are disjoint and lie beyond `rcv_next`.
"""

from typing import Any

import numpy as np

from models.tcp.config import TcpConfig
from models.tcp.congestion import ALGORITHMS
from models.tcp.congestion.algorithm import INFINITE_SSTHRESH
from models.tcp.receiver import first_peer_mss, scale_by
from models.tcp.segment import SEGMENT_WORDS
from models.tcp.sender import set_mss
from models.tcp.sequence import WIRE_MASK
from models.tcp.states import State
from models.tcp.transfer import most_packets
from models.units import NEVER

_CONNECTION = (  # transfer.py, output.py, connection.py
    "state",
    "iss",
    "close_wanted",
    "timestamps",  # as agreed, and before that, as wanted
    "sack",
    "window_shift",  # of the windows the peer tells
    "tsval_offset",
    "ts_recent",
    "ts_valid",
    "time_wait_ps",
    "time_wait_at",
    "out_rows",  # segments that wait in `out`
    "acks_sent",
    "retransmitted_segments",
    "segments_sent",
    "segments_received",
    "paws_dropped",
    "unacceptable",
)
_SENDER = (  # sender.py
    "mss",
    "tso_bytes",
    "nagle",
    "tso_defer",
    "snd_first",  # number of the stream's first byte
    "data_end",  # behind the last byte written
    "una",
    "nxt",
    "snd_max",
    "fin_queued",
    "window_end",
    "max_window",
    "window_seq",
    "sent_first",  # rows of the ring `sent`: (start, end, when), sent once, outside of recovery
    "sent_count",
    "small_end",
    "last_sent_ps",
    "remainder",
    "peak",  # most bytes in flight in this round trip
    "peak_until",
    "cwnd_limited",
    "duplicates",
    "in_recovery",
    "in_loss",
    "recover",
    "fast_from",  # duplicates below this number may be echoes of our own repeats
    "rto_at",
    "persist_at",
    "probes",
    "timeouts",
    "fast_retransmits",
)
_ROUND_TRIP = ("min_rto_ps", "base_rto_ps", "srtt8_ps", "deviation4_ps", "min_rtt_ps", "backoff")  # rtt.py
_CONGESTION = (  # congestion/
    "congestion",  # number of the algorithm
    "cwnd",
    "ssthresh",
    "credit",
    "cubic_w_max",  # before the last reduction
    "cubic_epoch",  # -1: none has begun
    "cubic_at",
    "cubic_at_cwnd",
    "cubic_step_after",
    "cubic_k",
    "cubic_origin",
    "cubic_reno_cwnd",
    "cubic_acked",
)
_RECEIVER = (  # receiver.py
    "buffer_bytes",
    "memory_bytes",
    "max_mss",
    "min_ato_ps",
    "peer_mss",
    "scale",
    "full_window",
    "rcv_first",  # number of the stream's first byte
    "rcv_next",
    "acknowledged",  # `rcv_next` as last told to the peer
    "right_edge",
    "offered",  # window as last told
    "read_bytes",
    "fin_at",
    "fin_received",
    "held_count",  # rows of `held`: (start, end) out of order, newest first, as SACK wants them
    "ack_due",
    "scheduled",
    "pushed",  # a short segment, or one with PSH, waits for its acknowledgement
    "delayed_at",
    "ato_ps",
    "quick_acks",
    "last_data_ps",
    "payload_errors",
)
FIELDS = _CONNECTION + _SENDER + _ROUND_TRIP + _CONGESTION + _RECEIVER
ENDPOINT = np.dtype((np.record, np.dtype([(name, np.int64) for name in FIELDS], align=True)))


class Endpoints:
    """`records` ENDPOINT[n]; `sent` int64[n, capacity, 3], `held` int64[n, capacity, 2]: the slice of a connection is
    `sent[number]`; `out` int64[capacity, SEGMENT_WORDS], which all share: what a call puts out is taken before the
    next. When `generation` has moved, these arrays are others."""

    def __init__(self, n: int, *, capacity: int = 64) -> None:
        self.records: Any = np.zeros(n, ENDPOINT)
        self.sent = np.zeros((n, capacity, 3), np.int64)
        self.held = np.zeros((n, capacity, 2), np.int64)
        self.out = np.zeros((capacity, SEGMENT_WORDS), np.int64)
        self.generation = 0

    def begin(self, number: int, config: TcpConfig) -> None:
        """Row `number` becomes a closed connection."""
        self.records[number : number + 1].view(np.int64)[:] = 0
        c = self.records[number]
        c.state = State.CLOSED
        c.iss = config.initial_sequence & WIRE_MASK
        c.timestamps, c.sack, c.tsval_offset = config.timestamps, config.sack, config.tsval_offset
        c.time_wait_ps, c.time_wait_at = config.time_wait_ps, NEVER
        c.nagle, c.tso_defer = config.nagle, config.tso_defer
        set_mss(c, config.mss_bytes, config.tso_bytes)
        c.snd_first = c.data_end = c.una = c.nxt = c.snd_max = c.window_end = config.initial_sequence + 1
        c.window_seq = -(1 << 62)
        c.rto_at = c.persist_at = c.delayed_at = NEVER
        c.min_rto_ps, c.base_rto_ps = config.min_rto_ps, config.initial_rto_ps
        c.congestion = ALGORITHMS[config.congestion]
        c.cwnd, c.ssthresh = config.initial_cwnd, INFINITE_SSTHRESH
        c.cubic_epoch, c.cubic_step_after = -1, 1
        c.buffer_bytes, c.memory_bytes = config.receive_buffer_bytes, config.memory_bytes
        c.max_mss = max(config.advertised_mss, config.mss_bytes)
        c.min_ato_ps = config.delayed_ack_ps
        c.peer_mss = first_peer_mss(c)
        c.fin_at = -1
        scale_by(c, 0)

    def grow(self, number: int) -> None:
        """Make room for whatever one call may bring to connection `number`: afterwards has_room() holds for it."""
        c = self.records[number]
        packets = int(most_packets(c))
        n, capacity, width = self.sent.shape
        if c.sent_count + packets > capacity:
            sent = np.zeros((n, _doubled(capacity, c.sent_count + packets), width), np.int64)
            for k, record in enumerate(self.records):  # a ring is laid out anew, from the front
                sent[k, :capacity] = np.roll(self.sent[k], -record.sent_first, axis=0)
                record.sent_first = 0
            self.sent = sent
        n, capacity, width = self.held.shape
        if c.held_count + 1 > capacity:
            held = np.zeros((n, _doubled(capacity, c.held_count + 1), width), np.int64)
            held[:, :capacity] = self.held
            self.held = held
        capacity, width = self.out.shape
        if c.out_rows + packets > capacity:
            out = np.zeros((_doubled(capacity, c.out_rows + packets), width), np.int64)
            out[:capacity] = self.out
            self.out = out
        self.generation += 1


def _doubled(rows: int, wanted: int) -> int:
    while rows < wanted:
        rows *= 2
    return rows
