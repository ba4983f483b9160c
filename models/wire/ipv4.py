"""IPv4 header: where each field is.

Models: the header with options.
Leaves out: the meaning of options.
Sources: RFC 791 section 3.1; RFC 3168 section 5 (ECN); RFC 1624 (incremental checksum).
Checked by: tests/models/wire/test_headers.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.wire.octets import be16, be32, octet, put16

TOS, TOTAL_LENGTH, ID, FRAGMENT, TTL, PROTOCOL, CHECKSUM, SOURCE, DESTINATION = 1, 2, 4, 6, 8, 9, 10, 12, 16
MINIMUM_BYTES = 20
RESERVED, DF, MF, OFFSET_MASK = 0x8000, 0x4000, 0x2000, 0x1FFF
ENCAPSULATED = 4  # protocol number of IPv4 in IP, RFC 2003


@njit
def is_ipv4(row, l3):
    """Whether the network header at `l3` says version 4."""
    return octet(row, l3) >> 4 == 4


@njit
def header_bytes(row, l3):
    return (octet(row, l3) & 0x0F) * 4


@njit
def tos(row, l3):
    return octet(row, l3 + TOS)


@njit
def total_length(row, l3):
    return be16(row, l3 + TOTAL_LENGTH)


@njit
def ident(row, l3):
    return be16(row, l3 + ID)


@njit
def fragment(row, l3):
    """The flags/offset word: RESERVED, DF, MF and the offset in units of 8 bytes."""
    return be16(row, l3 + FRAGMENT)


@njit
def ttl(row, l3):
    return octet(row, l3 + TTL)


@njit
def protocol(row, l3):
    return octet(row, l3 + PROTOCOL)


@njit
def source(row, l3):
    return be32(row, l3 + SOURCE)


@njit
def destination(row, l3):
    return be32(row, l3 + DESTINATION)


@njit
def set_total_length(row, l3, value):
    put16(row, l3 + TOTAL_LENGTH, value)


@njit
def set_ident(row, l3, value):
    put16(row, l3 + ID, value & 0xFFFF)
