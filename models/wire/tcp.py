"""TCP header: where each field is.

Models: the header; the option kinds receive offload meets.
Leaves out: option semantics (`models/tcp/`).
Sources: RFC 9293 section 3.1; RFC 7323 section 3.2 (timestamps); RFC 3168 section 6.1 (ECE, CWR).
Checked by: tests/models/wire/test_headers.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.wire.octets import be16, be32, octet, put16, put32

SOURCE_PORT, DESTINATION_PORT, SEQ, ACK, OFFSET, FLAGS, WINDOW, CHECKSUM, URGENT = 0, 2, 4, 8, 12, 13, 14, 16, 18
MINIMUM_BYTES = 20
PROTOCOL = 6
FIN, SYN, RST, PSH, ACK_FLAG, URG, ECE, CWR = (1 << bit for bit in range(8))
OPTION_END, OPTION_NOP, OPTION_MSS, OPTION_WINDOW_SCALE, OPTION_SACK_PERMITTED, OPTION_SACK, OPTION_TIMESTAMPS = (
    0,
    1,
    2,
    3,
    4,
    5,
    8,
)
ALIGNED_TIMESTAMPS = 0x0101080A  # NOP NOP timestamps(10), RFC 7323 appendix A
TIMESTAMP_OPTION_BYTES = 12  # with its two NOPs


@njit
def ports(row, l4):
    """Source and destination port in one 32-bit word."""
    return be32(row, l4)


@njit
def seq(row, l4):
    return be32(row, l4 + SEQ)


@njit
def ack(row, l4):
    return be32(row, l4 + ACK)


@njit
def header_bytes(row, l4):
    return (octet(row, l4 + OFFSET) >> 4) * 4


@njit
def flags(row, l4):
    return octet(row, l4 + FLAGS)


@njit
def window(row, l4):
    return be16(row, l4 + WINDOW)


@njit
def checksum(row, l4):
    return be16(row, l4 + CHECKSUM)


@njit
def urgent(row, l4):
    return be16(row, l4 + URGENT)


@njit
def set_seq(row, l4, value):
    put32(row, l4 + SEQ, value & 0xFFFFFFFF)


@njit
def set_checksum(row, l4, value):
    put16(row, l4 + CHECKSUM, value)


@njit
def has_aligned_timestamps(row, l4):
    """Whether the options are exactly NOP NOP timestamps: the 12 bytes Linux, BSD and Windows send."""
    return (
        header_bytes(row, l4) == MINIMUM_BYTES + TIMESTAMP_OPTION_BYTES
        and be32(row, l4 + MINIMUM_BYTES) == ALIGNED_TIMESTAMPS
    )


@njit
def tsval(row, l4):
    """TSval of aligned timestamps."""
    return be32(row, l4 + MINIMUM_BYTES + 4)


@njit
def tsecr(row, l4):
    """TSecr of aligned timestamps."""
    return be32(row, l4 + MINIMUM_BYTES + 8)
