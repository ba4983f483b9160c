"""UDP header: where each field is.

Models: the header.
Leaves out: payloads; those that are tunnels have `vxlan.py` and `geneve.py`.
Sources: RFC 768.
Checked by: tests/models/wire/test_headers.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.wire.octets import be16, be32, put16

SOURCE_PORT, DESTINATION_PORT, LENGTH, CHECKSUM, HEADER_BYTES = 0, 2, 4, 6, 8
PROTOCOL = 17


@njit
def ports(row, l4):
    """Source and destination port in one 32-bit word."""
    return be32(row, l4)


@njit
def destination_port(row, l4):
    return be16(row, l4 + DESTINATION_PORT)


@njit
def length(row, l4):
    return be16(row, l4 + LENGTH)


@njit
def checksum(row, l4):
    return be16(row, l4 + CHECKSUM)


@njit
def set_length(row, l4, value):
    put16(row, l4 + LENGTH, value & 0xFFFF)


@njit
def set_checksum(row, l4, value):
    put16(row, l4 + CHECKSUM, value)
