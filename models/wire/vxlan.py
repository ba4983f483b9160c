"""VXLAN header, behind UDP: where each field is.

Models: the eight bytes in front of the inner Ethernet frame.
Leaves out: VXLAN-GPE (another port, other payloads than Ethernet); the group policy's meaning.
Sources: RFC 7348 section 5.
Checked by: tests/models/wire/test_tunnels.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.wire.octets import be32

FLAGS, VNI, HEADER_BYTES = 0, 4, 8
PORT = 4789


@njit
def flags(row, at):
    """Flags and reserved bits, the first word."""
    return be32(row, at + FLAGS)


@njit
def vni(row, at):
    """The word of the network identifier, with the reserved byte behind it."""
    return be32(row, at + VNI)
