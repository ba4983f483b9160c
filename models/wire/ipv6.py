"""IPv6 header and the extension headers before the transport header.

Models: the fixed header; hop-by-hop, routing and destination options as lengths to skip.
Leaves out: the meaning of options; fragments have no transport header here.
Sources: RFC 8200 sections 3 and 4.
Checked by: tests/models/wire/test_headers.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.wire.octets import be16, be32, octet, put16

PAYLOAD_LENGTH, NEXT_HEADER, HOP_LIMIT, SOURCE, DESTINATION, HEADER_BYTES = 4, 6, 7, 8, 24, 40
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS = 0, 43, 44, 60
JUMBO_BYTES, JUMBO_OPTION = 8, 0xC204  # a hop-by-hop header of one option, its type and length; RFC 2675 section 2
ENCAPSULATED = 41  # protocol number of IPv6 in IP, RFC 4213


@njit
def flow_word(row, l3):
    """Version, traffic class and flow label, the first 32 bits."""
    return be32(row, l3)


@njit
def traffic_class(row, l3):
    return (be32(row, l3) >> 20) & 0xFF


@njit
def payload_length(row, l3):
    return be16(row, l3 + PAYLOAD_LENGTH)


@njit
def next_header(row, l3):
    return octet(row, l3 + NEXT_HEADER)


@njit
def hop_limit(row, l3):
    return octet(row, l3 + HOP_LIMIT)


@njit
def set_payload_length(row, l3, value):
    put16(row, l3 + PAYLOAD_LENGTH, value)


@njit
def is_extension(next_header):
    return next_header == HOP_BY_HOP or next_header == ROUTING or next_header == DESTINATION_OPTIONS
