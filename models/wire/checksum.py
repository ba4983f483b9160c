"""The Internet checksum, exact over header and payload.

Models: IPv4 header checksum; TCP and UDP checksum with pseudo-header: `transport` is the innermost one, `outer_udp`
    that of a tunnel over UDP, `outer_gre` that of a GRE header with one.
Leaves out: CRC32C of SCTP; the Ethernet FCS.
Sources: RFC 1071; RFC 9293 section 3.1; RFC 768; RFC 8200 section 8.1; RFC 2784 section 2.3.
Checked by: tests/models/wire/test_checksum.py, and tshark on every capture the project writes.

Nothing here allocates, so references are not counted: the counting took as long as the sums.
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
    SOURCE,
    START,
)
from models.wire import gre, innermost, ipv4, ipv6, tcp, udp
from models.wire.octets import be16, be32


@njit(_nrt=False)
def fold(total):
    """A sum of 16-bit words with its carries added in: 0 only if `total` is 0."""
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@njit(_nrt=False)
def words(row, start, stop):
    """Sum of the big-endian 16-bit words in bytes [start, stop), an odd last byte padded with zero; not folded.

    For headers: taken by 32-bit words, which fold to the sum of their halves."""
    total = np.int64(0)
    at = start
    while at + 4 <= stop:
        total += be32(row, at)
        at += 4
    if at + 2 <= stop:
        total += be16(row, at)
        at += 2
    if at < stop:
        total += np.int64(row[at]) << 8
    return total


@njit(_nrt=False)
def ipv4_header_sum(row, l3):
    """Sum over the IPv4 header at `l3` as it stands; not folded."""
    return words(row, l3, l3 + ipv4.header_bytes(row, l3))


@njit(_nrt=False)
def ipv4_header(row, l3):
    """The checksum the IPv4 header at `l3` should carry, whatever it carries."""
    return 0xFFFF - fold(ipv4_header_sum(row, l3) - be16(row, l3 + ipv4.CHECKSUM))


@njit(_nrt=False)
def ipv4_header_is_right(row, l3):
    return fold(ipv4_header_sum(row, l3)) == 0xFFFF


@njit(_nrt=False)
def pseudo(row, l3, protocol, l4_bytes):
    """Sum over the pseudo-header of a transport header and payload of `l4_bytes`; not folded."""
    if ipv4.is_ipv4(row, l3):
        addresses = words(row, l3 + ipv4.SOURCE, l3 + ipv4.MINIMUM_BYTES)
    else:
        addresses = words(row, l3 + ipv6.SOURCE, l3 + ipv6.HEADER_BYTES)
    return addresses + protocol + (l4_bytes >> 16) + (l4_bytes & 0xFFFF)


@njit(_nrt=False)
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


@njit(_nrt=False)
def segment_total(payloads, pieces, row, cells, l3, l4, protocol):
    """Sum over the pseudo-header of `l3`, all headers from `l4` on as they stand, and the payload; not folded."""
    l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
    total = pseudo(row, l3, protocol, l4_bytes) + words(row, l4, cells[HEAD_BYTES])
    return total + pieces_sum(payloads, pieces, cells)


@njit(_nrt=False)
def field(cells):
    """Where the checksum field of the innermost TCP or UDP header of meta row `cells` is."""
    at = tcp.CHECKSUM if innermost.protocol(cells) == tcp.PROTOCOL else udp.CHECKSUM
    return innermost.transport(cells) + at


@njit(_nrt=False)
def transport_is_right(payloads, pieces, row, cells):
    """Whether the innermost TCP or UDP checksum of head row `row` with meta row `cells` verifies; UDP's 0 does."""
    l3, l4, protocol = innermost.network(cells), innermost.transport(cells), innermost.protocol(cells)
    if protocol == udp.PROTOCOL and udp.checksum(row, l4) == 0:
        return True
    return fold(segment_total(payloads, pieces, row, cells, l3, l4, protocol)) == 0xFFFF


@njit(_nrt=False)
def transport(payloads, pieces, row, cells):
    """The checksum that the innermost TCP or UDP header should carry, whatever it carries."""
    l3, l4, protocol = innermost.network(cells), innermost.transport(cells), innermost.protocol(cells)
    total = segment_total(payloads, pieces, row, cells, l3, l4, protocol) - be16(row, field(cells))
    value = 0xFFFF - fold(total)
    if value == 0 and protocol == udp.PROTOCOL:
        return 0xFFFF  # RFC 768: a sent 0 means "no checksum"
    return value


@njit(_nrt=False)
def outer_udp_is_right(payloads, pieces, row, cells):
    """Whether the UDP checksum of a tunnel over UDP verifies; 0 (absent) does."""
    l3, l4 = cells[L3], cells[L4]
    if udp.checksum(row, l4) == 0:
        return True
    return fold(segment_total(payloads, pieces, row, cells, l3, l4, udp.PROTOCOL)) == 0xFFFF


@njit(_nrt=False)
def outer_udp(payloads, pieces, row, cells):
    """The checksum that the outer header of a tunnel over UDP should carry; everything in it must be final."""
    l4 = cells[L4]
    total = segment_total(payloads, pieces, row, cells, cells[L3], l4, udp.PROTOCOL) - udp.checksum(row, l4)
    value = 0xFFFF - fold(total)
    return value if value else 0xFFFF


@njit(_nrt=False)
def gre_total(payloads, pieces, row, cells):
    """Sum over the GRE header at `l4` and everything behind it; not folded."""
    return words(row, cells[L4], cells[HEAD_BYTES]) + pieces_sum(payloads, pieces, cells)


@njit(_nrt=False)
def outer_gre_is_right(payloads, pieces, row, cells):
    """Whether the checksum of a GRE header that has one verifies."""
    return fold(gre_total(payloads, pieces, row, cells)) == 0xFFFF


@njit(_nrt=False)
def outer_gre(payloads, pieces, row, cells):
    """The checksum that a GRE header with one should carry; everything in the tunnel must be final."""
    return 0xFFFF - fold(gre_total(payloads, pieces, row, cells) - be16(row, cells[L4] + gre.OPTIONAL))
