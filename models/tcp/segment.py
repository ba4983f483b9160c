"""What TCP asks of, or sees of, one packet: before TSO cuts it, after GRO has merged it.

Models: the TCP header's fields and options as values; what a merged packet remembers of its parts.
Leaves out: urgent pointer, ECN flags (room: bits of `flags`), the payload's bytes (an offset stands for them).
Sources: RFC 9293 section 3.1; RFC 7323; RFC 2018.
Checked by: tests/models/tcp/test_channel.py, through the connections that exchange them.
"""

from dataclasses import dataclass

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
