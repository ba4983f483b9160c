"""UDP header: where each field is.

Models: the header.
Leaves out: payloads that are tunnels (`models/wire/vxlan.py`, `geneve.py`, to come with the engines).
Sources: RFC 768.
Checked by: tests/models/wire/test_headers.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.wire.octets import be16

SOURCE_PORT, DESTINATION_PORT, LENGTH, CHECKSUM, HEADER_BYTES = 0, 2, 4, 6, 8
PROTOCOL = 17


@njit(inline="always")
def length(row, l4):
    return be16(row, l4 + LENGTH)


@njit(inline="always")
def checksum(row, l4):
    return be16(row, l4 + CHECKSUM)
