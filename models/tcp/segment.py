"""What TCP asks of, or sees of, one packet: before TSO cuts it, after GRO has merged it.

Models: the TCP header's fields and options as values; what a merged packet remembers of its parts. Compiled code has
    them as a row of int64 words, Python also as a `Segment`.
Leaves out: urgent pointer, ECN flags (room: bits of `flags`), the payload's bytes (an offset stands for them); in
    words, more than four SACK blocks (RFC 2018 section 3 has room for no more).
Sources: RFC 9293 section 3.1; RFC 7323; RFC 2018.
Checked by: tests/models/tcp/test_segment.py; test_channel.py, through the connections that exchange them.
"""

import struct
from dataclasses import dataclass
from typing import Any

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

SackBlocks = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Segment:
    """`seq`, `ack` and the edges in `sack` are 32-bit wire values, `window` the raw 16-bit field."""

    seq: int
    ack: int
    flags: int
    window: int
    payload_bytes: int = 0
    payload_start: int = 0  # offset of the first payload byte in the sender's stream
    gso_bytes: int = 0  # out: cut at this size; in: the segment size the merge remembered; 0: one segment
    gso_segments: int = 1  # wire segments in this packet
    tsval: int = 0
    tsecr: int = 0
    timestamps: bool = False
    mss: int = 0  # SYN only; 0: absent
    window_scale: int = -1  # SYN only; -1: absent
    sack_permitted: bool = False
    sack: SackBlocks = ()
    retransmission: bool = False  # out only, for statistics


# the same as words; flags are 0 or 1
(
    SEQ, ACK_SEQ, FLAGS, WINDOW, PAYLOAD_BYTES, PAYLOAD_START, GSO_BYTES, GSO_SEGMENTS, TSVAL, TSECR, STAMPED, MSS,
    WINDOW_SCALE, SACK_PERMITTED, RETRANSMISSION,
    SACKS,  # blocks,
    SACK_EDGES,  # each of two words
) = range(17)  # fmt: skip
MOST_SACKS = 4
SEGMENT_WORDS = SACK_EDGES + 2 * MOST_SACKS
_WORDS = struct.Struct(f"={SEGMENT_WORDS}q")
_NO_EDGES = (0,) * (2 * MOST_SACKS)


def segment_of(words: list[int]) -> Segment:
    """The segment in a row int64[SEGMENT_WORDS, or more] made a list."""
    sack: SackBlocks = ()
    if words[SACKS]:
        edges = words[SACK_EDGES : SACK_EDGES + 2 * words[SACKS]]
        sack = tuple(zip(edges[0::2], edges[1::2], strict=True))
    return Segment(
        words[SEQ], words[ACK_SEQ], words[FLAGS], words[WINDOW], words[PAYLOAD_BYTES], words[PAYLOAD_START],
        words[GSO_BYTES], words[GSO_SEGMENTS], words[TSVAL], words[TSECR], words[STAMPED] == 1, words[MSS],
        words[WINDOW_SCALE], words[SACK_PERMITTED] == 1, sack, words[RETRANSMISSION] == 1,
    )  # fmt: skip


def write_words(segment: Segment, row: Any) -> None:
    """Write `segment` to the row int64[SEGMENT_WORDS]."""
    edges = _NO_EDGES
    sacks = min(len(segment.sack), MOST_SACKS)
    if sacks:
        edges = tuple(edge for block in segment.sack[:sacks] for edge in block) + _NO_EDGES[2 * sacks :]
    _WORDS.pack_into(
        row, 0, segment.seq, segment.ack, segment.flags, segment.window, segment.payload_bytes, segment.payload_start,
        segment.gso_bytes, segment.gso_segments, segment.tsval, segment.tsecr, segment.timestamps, segment.mss,
        segment.window_scale, segment.sack_permitted, segment.retransmission, sacks, *edges,
    )  # fmt: skip
