"""Frames that travel together: n frames in arrival order, as columns.

Models: what a stretch of wire or a queue holds, frame by frame, and what a merged packet (skb) remembers.
Leaves out: when anything happens (`sim/`), what bytes mean (`models/wire/`).
Sources: the columns follow struct sk_buff, Linux include/linux/skbuff.h, as far as receive offload looks at it.
Checked by: tests/models/test_train.py.

A train is one integer matrix and one byte matrix, so that slicing and joining are two NumPy operations whatever the
number of columns, and a compiled kernel takes two arguments. `meta[i, PAYLOAD_BYTES]` is a cell; `train.payload_bytes`
the column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

COLUMNS = (
    "time_ps",  # when the frame's last bit arrives at the place the train is at; non-decreasing
    "head_bytes",  # length of the headers in `head`, Ethernet through the innermost TCP/UDP with options
    "l3",  # where the outermost network header starts in `head`; ABSENT if there is none
    "l4",  # what is behind it: TCP, UDP, GRE or, without a header between, the inner IP; ABSENT: fragment, unknown
    "inner_l3",  # the network header inside a tunnel (VXLAN, Geneve, GRE, IP in IP); ABSENT outside one
    "inner_l4",  # TCP or UDP behind it; ABSENT: fragment, unknown, a second tunnel
    "protocol",  # IP protocol number of the header at `l4`: 6, 17, 47, or 4 and 41 with `l4` = `inner_l3`; ABSENT
    "inner_protocol",  # of the header at `inner_l4`: 6 or 17; ABSENT without one
    "payload_bytes",  # behind the headers, up to the end of the outermost IP packet
    "missing_bytes",  # of these, how many at the end a capture's snap length cut off
    "tail_bytes",  # Ethernet padding or trailer behind the payload
    "source",  # payload: CAPTURED, or the number (>= 1) of a synthetic stream
    "start",  # payload: first byte's offset in that source
    "first_piece",  # payload of several pieces: row of the first one in `pieces`
    "piece_count",  # 1: `source`, `start` and `frame_id` say it all
    "csum_state",  # what the card said of the TCP and UDP checksums, of all there are: CSUM_*
    "vlan_stripped",  # 0, or 1 << 16 | TCI of a tag the card has taken out
    "rx_hash",  # 0: the card computed none
    "gso_bytes",  # 0 for a frame as on the wire; else the segment size a merged packet remembers
    "gso_segments",  # how many frames are in it, as far as the packet itself knows; 1 for a frame
    "gso_type",  # GSO_* bits, see below; 0 with gso_bytes is an old LRO packet
    "frame_id",  # provenance, for the audit only: the first frame held, as sent
    "frame_count",  # provenance, for the audit only: how many frames are in it
)
(
    TIME_PS,
    HEAD_BYTES,
    L3,
    L4,
    INNER_L3,
    INNER_L4,
    PROTOCOL,
    INNER_PROTOCOL,
    PAYLOAD_BYTES,
    MISSING_BYTES,
    TAIL_BYTES,
    SOURCE,
    START,
    FIRST_PIECE,
    PIECE_COUNT,
    CSUM_STATE,
    VLAN_STRIPPED,
    RX_HASH,
    GSO_BYTES,
    GSO_SEGMENTS,
    GSO_TYPE,
    FRAME_ID,
    FRAME_COUNT,
) = range(len(COLUMNS))

PIECE_COLUMNS = ("source", "start", "bytes", "frame_id", "frames")
PIECE_SOURCE, PIECE_START, PIECE_BYTES, PIECE_FRAME_ID, PIECE_FRAMES = range(len(PIECE_COLUMNS))

ABSENT = -1
CAPTURED = 0

CSUM_NONE, CSUM_VERIFIED, CSUM_BAD, CSUM_PARTIAL = range(4)

# What the packet is, so that a cut knows how (SKB_GSO_*, include/linux/skbuff.h), as the kernel that merged reads its
# own bits: they are translated where they are set, and the cut has no edition. TCP4, TCP6: innermost IP version of a
# TCP packet. UDP: a datagram per segment (UDP_L4). FIXED_ID: every segment has the ID of the outermost IPv4 header,
# FIXED_ID_INNER: of the inner one; without it IDs count up. ECN: CWR stays on the first segment only; without it, on
# all. TUNNEL: `inner_l3` is there; which tunnel `protocol` says, and a UDP tunnel's checksum field whether segments
# need one. FRAGLIST: the frames are chained as they came, a cut gives them back untouched.
GSO_TCP4, GSO_TCP6, GSO_UDP, GSO_FIXED_ID, GSO_FIXED_ID_INNER, GSO_ECN, GSO_TUNNEL, GSO_FRAGLIST = (
    1 << bit for bit in range(8)
)

HEAD_WIDTH = 128  # enough for Ethernet, two tags, IPv6 and TCP with all its options; a tunnel's widens the train
_NO_PIECES: Ints = np.zeros((0, len(PIECE_COLUMNS)), np.int64)


@dataclass(slots=True)
class FrameTrain:
    """`meta` int64[n, len(COLUMNS)], `head` uint8[n, width], `pieces` int64[m, len(PIECE_COLUMNS)].

    Whoever is handed a train may keep slices of it, so nobody writes into one it did not make; but for what shares the
    block of a `Memory`, or of what an engine delivers to a poll, which is the receiver's own until it returns.
    Invariant: times do not decrease; the pieces of a row sum to its `payload_bytes`."""

    meta: Ints
    head: Bytes
    pieces: Ints = field(default_factory=lambda: _NO_PIECES)

    @staticmethod
    def blank(frames: int, width: int = HEAD_WIDTH) -> FrameTrain:
        """`frames` rows of zeros, each a single frame with nothing known about it."""
        meta = np.zeros((frames, len(COLUMNS)), np.int64)
        meta[:, [L3, L4, INNER_L3, INNER_L4, PROTOCOL, INNER_PROTOCOL]] = ABSENT
        meta[:, [PIECE_COUNT, GSO_SEGMENTS, FRAME_COUNT]] = 1
        return FrameTrain(meta, np.zeros((frames, width), np.uint8))

    def __len__(self) -> int:
        return len(self.meta)

    def __getitem__(self, rows: slice | Ints | NDArray[np.bool_]) -> FrameTrain:
        return FrameTrain(self.meta[rows], self.head[rows], self.pieces)

    def column(self, name: str) -> Ints:
        """The column called `name`, a view of `meta`; ValueError for a name not in COLUMNS."""
        return self.meta[:, COLUMNS.index(name)]

    @property
    def time_ps(self) -> Ints:
        return self.meta[:, TIME_PS]

    @property
    def payload_bytes(self) -> Ints:
        return self.meta[:, PAYLOAD_BYTES]

    @property
    def frame_bytes(self) -> Ints:
        """Length of each frame from the first MAC byte to the last of the tail [bytes], FCS not counted."""
        return self.meta[:, HEAD_BYTES] + self.meta[:, PAYLOAD_BYTES] + self.meta[:, TAIL_BYTES]

    def at(self, time_ps: Ints | int) -> FrameTrain:
        """The same frames somewhere else: a copy of `meta` with new times [ps]."""
        meta = self.meta.copy()
        meta[:, TIME_PS] = time_ps
        return FrameTrain(meta, self.head, self.pieces)

    def cut(self, max_frames: int | None) -> Iterable[FrameTrain]:
        """The train in hand-overs of at most `max_frames`; None leaves it whole."""
        if max_frames is None or len(self) <= max_frames:
            return (self,) if len(self) else ()
        return (self[k : k + max_frames] for k in range(0, len(self), max_frames))

    def packed(self) -> FrameTrain:
        """A copy that shares nothing, whose `pieces` are those of its rows, in their order."""
        meta, used, packed = self.meta.copy(), 0, [_NO_PIECES]
        for i in np.flatnonzero(meta[:, PIECE_COUNT] > 1).tolist():
            packed.append(self.payload_of(i))
            meta[i, FIRST_PIECE] = used
            used += len(packed[-1])
        return FrameTrain(meta, self.head.copy(), np.concatenate(packed) if used else _NO_PIECES)

    def payload_of(self, row: int) -> Ints:
        """The pieces of one row's payload, int64[k, len(PIECE_COLUMNS)], in order."""
        cells = self.meta[row]
        if cells[PIECE_COUNT] == 1:
            return np.array(
                [[cells[SOURCE], cells[START], cells[PAYLOAD_BYTES], cells[FRAME_ID], cells[FRAME_COUNT]]], np.int64
            )
        first = int(cells[FIRST_PIECE])
        return self.pieces[first : first + int(cells[PIECE_COUNT])]


def join(trains: Sequence[FrameTrain]) -> FrameTrain:
    """One train of all rows, in the order given; heads grow to the widest. ValueError if there is none."""
    if not trains:
        raise ValueError("join() needs at least one train")
    if len(trains) == 1:
        return trains[0]
    width = max(train.head.shape[1] for train in trains)
    meta = np.concatenate([train.meta for train in trains])
    head = np.concatenate([widened(train.head, width) for train in trains])
    if not any(len(train.pieces) for train in trains):
        return FrameTrain(meta, head)
    row = shift = 0
    for train in trains:
        meta[row : row + len(train), FIRST_PIECE] += shift
        row, shift = row + len(train), shift + len(train.pieces)
    return FrameTrain(meta, head, np.concatenate([train.pieces for train in trains]))


def widened(head: Bytes, width: int) -> Bytes:
    """`head` with rows of `width` bytes, zero-padded; itself if it has them."""
    if head.shape[1] == width:
        return head
    wide = np.zeros((len(head), width), np.uint8)
    wide[:, : head.shape[1]] = head
    return wide
