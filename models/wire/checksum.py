"""The Internet checksum, exact over header and payload.

Models: IPv4 header checksum, TCP and UDP checksum with pseudo-header.
Leaves out: CRC32C of SCTP; the Ethernet FCS.
Sources: RFC 1071; RFC 9293 section 3.1; RFC 768; RFC 8200 section 8.1.
Checked by: tests/models/wire/test_checksum.py, and tshark on every capture the project writes.
"""

from __future__ import annotations

import numpy as np

from models.compiled import njit
from models.payload import payload_sum
from models.train import (
    FIRST_PIECE,
    HEAD_BYTES,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PIECE_BYTES,
    PIECE_COUNT,
    PIECE_SOURCE,
    PIECE_START,
    PROTOCOL,
    SOURCE,
    START,
)
from models.wire import ipv4, ipv6, tcp, udp
from models.wire.octets import be16


@njit(inline="always")
def fold(total):
    """A sum of 16-bit words with its carries added in: 0 only if `total` is 0."""
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@njit
def words(row, start, stop):
    """Sum of the big-endian 16-bit words in bytes [start, stop), an odd last byte padded with zero; not folded."""
    pairs = max(0, (stop - start) // 2)
    part = row[start : start + 2 * pairs]  # from 0, so that the compiler can do many at once
    total = np.int64(0)
    for k in range(pairs):
        total += (np.int64(part[2 * k]) << 8) | np.int64(part[2 * k + 1])
    if start + 2 * pairs < stop:
        total += np.int64(row[stop - 1]) << 8
    return total


@njit
def ipv4_header(row, l3):
    """The checksum the IPv4 header at `l3` should carry, whatever it carries."""
    total = words(row, l3, l3 + ipv4.header_bytes(row, l3)) - be16(row, l3 + ipv4.CHECKSUM)
    return 0xFFFF - fold(total)


@njit
def ipv4_header_is_right(row, l3):
    return fold(words(row, l3, l3 + ipv4.header_bytes(row, l3))) == 0xFFFF


@njit
def pseudo(row, l3, protocol, l4_bytes):
    """Sum over the pseudo-header of a transport header and payload of `l4_bytes`; not folded."""
    if np.int64(row[l3]) >> 4 == 4:
        addresses = words(row, l3 + ipv4.SOURCE, l3 + ipv4.MINIMUM_BYTES)
    else:
        addresses = words(row, l3 + ipv6.SOURCE, l3 + ipv6.HEADER_BYTES)
    return addresses + protocol + (l4_bytes >> 16) + (l4_bytes & 0xFFFF)


@njit
def pieces_sum(payloads, pieces, cells):
    """Sum over the payload of the packet described by the meta row `cells`; not folded."""
    if cells[PIECE_COUNT] == 1:
        return payload_sum(payloads, cells[SOURCE], cells[START], cells[PAYLOAD_BYTES] - cells[MISSING_BYTES])
    total = np.int64(0)
    odd = False
    first = cells[FIRST_PIECE]
    for k in range(first, first + cells[PIECE_COUNT]):
        part = fold(payload_sum(payloads, pieces[k, PIECE_SOURCE], pieces[k, PIECE_START], pieces[k, PIECE_BYTES]))
        total += ((part & 0xFF) << 8 | part >> 8) if odd else part
        odd ^= pieces[k, PIECE_BYTES] & 1 == 1
    return total


@njit
def transport_total(payloads, pieces, row, cells):
    """Sum over pseudo-header, TCP or UDP header as it stands, and payload; not folded."""
    l4 = cells[L4]
    l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
    total = pseudo(row, cells[L3], cells[PROTOCOL], l4_bytes) + words(row, l4, cells[HEAD_BYTES])
    return total + pieces_sum(payloads, pieces, cells)


@njit(inline="always")
def field(cells):
    """Where the checksum field of the transport header of meta row `cells` is."""
    return cells[L4] + (tcp.CHECKSUM if cells[PROTOCOL] == tcp.PROTOCOL else udp.CHECKSUM)


@njit
def transport_is_right(payloads, pieces, row, cells):
    """Whether the TCP or UDP checksum of head row `row` with meta row `cells` verifies; UDP's 0 (absent) does."""
    if cells[PROTOCOL] == udp.PROTOCOL and be16(row, field(cells)) == 0:
        return True
    return fold(transport_total(payloads, pieces, row, cells)) == 0xFFFF


@njit
def transport(payloads, pieces, row, cells):
    """The TCP or UDP checksum that head row `row` with meta row `cells` should carry, whatever it carries."""
    total = transport_total(payloads, pieces, row, cells) - be16(row, field(cells))
    value = 0xFFFF - fold(total)
    if value == 0 and cells[PROTOCOL] == udp.PROTOCOL:
        return 0xFFFF  # RFC 768: a sent 0 means "no checksum"
    return value
