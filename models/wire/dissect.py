"""Bytes to a row of the train: where the headers are and how long everything is.

Models: Ethernet with tags in the frame, IPv4 with options, IPv6 with extension headers, TCP, UDP.
Leaves out: tunnels (`inner_l3` stays absent until the engines know them); 802.3 length framing is "not IP".
Sources: the modules of this folder.
Checked by: tests/models/wire/test_dissect.py; tshark on captures.

What cannot be dissected keeps what could be: `l3` without `l4`, or neither. Nothing here reads past `captured`.
"""

from __future__ import annotations

import numpy as np

from models.compiled import njit
from models.train import (
    ABSENT,
    FRAME_COUNT,
    GSO_SEGMENTS,
    HEAD_BYTES,
    INNER_L3,
    INNER_L4,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PIECE_COUNT,
    PROTOCOL,
    TAIL_BYTES,
)
from models.wire import ethernet, ipv4, ipv6, tcp, udp, vlan

MAX_HEAD_BYTES = 2048  # a chain of IPv6 extension headers longer than this is not followed


@njit
def dissect(row, captured, original, cells):
    """Fill the meta row `cells` from a frame whose first `captured` of `original` bytes are in `row`.

    Sets the lengths and header places; every other column is the caller's. `cells` is int64[len(COLUMNS)]."""
    cells[L3] = cells[L4] = cells[INNER_L3] = cells[INNER_L4] = cells[PROTOCOL] = ABSENT
    cells[PIECE_COUNT] = cells[GSO_SEGMENTS] = cells[FRAME_COUNT] = 1
    cells[TAIL_BYTES] = 0
    head, end = _headers(row, captured, original, cells)
    cells[HEAD_BYTES] = head
    cells[PAYLOAD_BYTES] = end - head
    cells[TAIL_BYTES] = original - end
    cells[MISSING_BYTES] = max(0, end - max(head, captured))


@njit
def _headers(row, captured, original, cells):
    """(header bytes, end of the IP packet in the frame), with `l3`, `l4` and `protocol` set on the way."""
    if captured < ethernet.HEADER_BYTES:
        return captured, original
    at = ethernet.ETHERTYPE
    kind = ethernet.ethertype(row, at)
    while vlan.is_tag(kind) and at + 2 + vlan.TAG_BYTES <= captured:
        at += vlan.TAG_BYTES
        kind = ethernet.ethertype(row, at)
    l3 = at + 2
    if kind == ethernet.IPV4:
        return _ipv4(row, captured, original, l3, cells)
    if kind == ethernet.IPV6:
        return _ipv6(row, captured, original, l3, cells)
    return l3, original


@njit
def _ipv4(row, captured, original, l3, cells):
    if captured < l3 + ipv4.MINIMUM_BYTES or np.int64(row[l3]) >> 4 != 4:
        return min(captured, l3), original
    length = ipv4.header_bytes(row, l3)
    total = ipv4.total_length(row, l3)
    l4 = l3 + length
    if length < ipv4.MINIMUM_BYTES or captured < l4:
        return l3, original
    if total == 0:
        total = original - l3  # a packet already merged beyond 65,535 bytes, or by a card before it knew its length
    cells[L3] = l3
    end = l3 + total
    if total < length or end > original:
        return l4, original
    if ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
        return l4, end
    return _transport(row, captured, l4, end, ipv4.protocol(row, l3), cells), end


@njit
def _ipv6(row, captured, original, l3, cells):
    if captured < l3 + ipv6.HEADER_BYTES or np.int64(row[l3]) >> 4 != 6:
        return min(captured, l3), original
    cells[L3] = l3
    l4 = l3 + ipv6.HEADER_BYTES
    length = ipv6.payload_length(row, l3)
    end = l4 + length if length else original
    if end > original:
        return l4, original
    kind = ipv6.next_header(row, l3)
    while ipv6.is_extension(kind):
        if captured < l4 + 8 or l4 + 8 > end:
            return l4, end
        step = (np.int64(row[l4 + 1]) + 1) * 8
        if captured < l4 + step or l4 + step > min(end, MAX_HEAD_BYTES):
            return l4, end
        kind = np.int64(row[l4])
        l4 += step
    return _transport(row, captured, l4, end, kind, cells), end


@njit
def _transport(row, captured, l4, end, protocol, cells):
    """Where the transport header ends; `l4` itself if it is not one that is whole."""
    have = min(captured, end)
    if protocol == tcp.PROTOCOL and have >= l4 + tcp.MINIMUM_BYTES:
        length = tcp.header_bytes(row, l4)
        if length >= tcp.MINIMUM_BYTES and have >= l4 + length:
            cells[L4] = l4
            cells[PROTOCOL] = protocol
            return l4 + length
    if protocol == udp.PROTOCOL and have >= l4 + udp.HEADER_BYTES:
        cells[L4] = l4
        cells[PROTOCOL] = protocol
        return l4 + udp.HEADER_BYTES
    return l4
