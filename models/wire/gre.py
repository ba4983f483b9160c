"""GRE header: where each field is.

Models: version 0 with checksum, key and sequence number.
Leaves out: source routing (RFC 1701) and version 1 (PPTP); a header with either is not taken apart.
Sources: RFC 2784 section 2.1; RFC 2890 section 2.
Checked by: tests/models/wire/test_tunnels.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.wire.octets import be16, be32

FLAGS, PROTOCOL_TYPE, OPTIONAL = 0, 2, 4  # behind OPTIONAL: checksum with reserved word, key, sequence; as flagged
MINIMUM_BYTES, WORD_BYTES = 4, 4
CHECKSUM_FLAG, ROUTING_FLAG, KEY_FLAG, SEQUENCE_FLAG, VERSION_MASK = 0x8000, 0x4000, 0x2000, 0x1000, 0x0007
PROTOCOL = 47
TRANSPARENT_ETHERNET = 0x6558  # protocol type of an Ethernet frame, here and in Geneve


@njit
def flags(row, at):
    """Flags and version, the first 16 bits."""
    return be16(row, at)


@njit
def protocol_type(row, at):
    return be16(row, at + PROTOCOL_TYPE)


@njit
def header_bytes(row, at):
    """Length with what the flags say is there."""
    length = MINIMUM_BYTES
    for flag in (CHECKSUM_FLAG, KEY_FLAG, SEQUENCE_FLAG):
        if flags(row, at) & flag:
            length += WORD_BYTES
    return length


@njit
def is_known(row, at):
    """Version 0 without source routing."""
    return flags(row, at) & (ROUTING_FLAG | VERSION_MASK) == 0


@njit
def key(row, at):
    """The key of a header that has one."""
    return be32(row, at + OPTIONAL + (WORD_BYTES if flags(row, at) & CHECKSUM_FLAG else 0))
