"""Bytes to a row of the train: where the headers are and how long everything is.

Models: Ethernet with tags in the frame, IPv4 with options, IPv6 with extension headers, TCP, UDP; one tunnel, which is
    VXLAN, Geneve, GRE or IP in IP of any two versions, with Ethernet or IP in it.
Leaves out: a tunnel within a tunnel, tags in the inner frame, VXLAN-GPE, other ports than the assigned ones; 802.3
    length framing is "not IP".
Sources: the modules of this folder.
Checked by: tests/models/wire/test_dissect.py, test_tunnels.py; tshark on captures.

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
    INNER_PROTOCOL,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PIECE_COUNT,
    PROTOCOL,
    TAIL_BYTES,
)
from models.wire import ethernet, geneve, gre, ipv4, ipv6, link, tcp, udp, vlan, vxlan

MAX_HEAD_BYTES = 2048  # a chain of IPv6 extension headers longer than this is not followed
NOTHING = -2  # in the place of a protocol number: not even a network header


@njit(_nrt=False)
def dissect(row, captured, original, cells):
    """Fill the meta row `cells` from an Ethernet frame whose first `captured` of `original` bytes are in `row`.

    Sets the lengths and header places; every other column is the caller's. `cells` is int64[len(COLUMNS)]."""
    dissect_link(link.ETHERNET, row, captured, original, cells)


@njit(_nrt=False)
def dissect_link(link_type, row, captured, original, cells):
    """The same for a frame of any link type in `link.KNOWN`."""
    cells[L3] = cells[L4] = cells[INNER_L3] = cells[INNER_L4] = cells[PROTOCOL] = cells[INNER_PROTOCOL] = ABSENT
    cells[PIECE_COUNT] = cells[GSO_SEGMENTS] = cells[FRAME_COUNT] = 1
    cells[TAIL_BYTES] = 0
    at, kind = link.behind(link_type, row, captured)
    head, end = _headers(row, captured, original, at, kind, cells)
    cells[HEAD_BYTES] = head
    cells[PAYLOAD_BYTES] = end - head
    cells[TAIL_BYTES] = original - end
    cells[MISSING_BYTES] = max(0, end - max(head, captured))


@njit(_nrt=False)
def _headers(row, captured, original, l3, kind, cells):
    """(header bytes, end of the IP packet in the frame), with the places of the headers set on the way.

    `kind` is the EtherType of what starts at `l3`, which may be a tag."""
    while vlan.is_tag(kind) and l3 + vlan.TAG_BYTES <= captured:
        l3 += vlan.TAG_BYTES
        kind = ethernet.ethertype(row, l3 - 2)
    l4, end, protocol = _network(row, captured, original, l3, kind)
    if protocol == NOTHING:
        return l4, original
    cells[L3] = l3
    have = min(captured, end)
    stop = _transport(row, have, l4, protocol)
    if stop > l4:
        cells[L4], cells[PROTOCOL] = l4, protocol
    inner, kind = _inside(row, have, l4, stop, protocol)
    if kind == 0:
        return stop, end
    inner_l4, _, inner_protocol = _network(row, have, end, inner, kind)
    if inner_protocol == NOTHING:
        return stop, end
    cells[L4], cells[PROTOCOL], cells[INNER_L3] = l4, protocol, inner
    stop = _transport(row, have, inner_l4, inner_protocol)
    if stop > inner_l4 and inner_protocol != gre.PROTOCOL:
        cells[INNER_L4], cells[INNER_PROTOCOL] = inner_l4, inner_protocol
        return stop, end
    return inner_l4, end


@njit(_nrt=False)
def _network(row, captured, original, l3, kind):
    """(what is behind the network header of EtherType `kind` at `l3`, end of its packet, IP protocol number of that).

    The protocol is ABSENT for a fragment or a header that contradicts itself, NOTHING if there is no such header."""
    if kind == ethernet.IPV4:
        return _ipv4(row, captured, original, l3)
    if kind == ethernet.IPV6:
        return _ipv6(row, captured, original, l3)
    return l3, original, NOTHING


@njit(_nrt=False)
def _ipv4(row, captured, original, l3):
    if captured < l3 + ipv4.MINIMUM_BYTES or not ipv4.is_ipv4(row, l3):
        return min(captured, l3), original, NOTHING
    length = ipv4.header_bytes(row, l3)
    total = ipv4.total_length(row, l3)
    l4 = l3 + length
    if length < ipv4.MINIMUM_BYTES or captured < l4:
        return l3, original, NOTHING
    if total == 0:
        total = original - l3  # a packet already merged beyond 65,535 bytes, or by a card before it knew its length
    if total < length:
        return l4, original, ABSENT
    end = min(l3 + total, original)  # a frame cut short, or a length that lies: the headers are where they are
    if ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
        return l4, end, ABSENT
    return l4, end, ipv4.protocol(row, l3)


@njit(_nrt=False)
def _ipv6(row, captured, original, l3):
    if captured < l3 + ipv6.HEADER_BYTES or np.int64(row[l3]) >> 4 != 6:
        return min(captured, l3), original, NOTHING
    l4 = l3 + ipv6.HEADER_BYTES
    length = ipv6.payload_length(row, l3)
    end = min(l4 + length, original) if length else original
    kind = ipv6.next_header(row, l3)
    while ipv6.is_extension(kind):
        if captured < l4 + 8 or l4 + 8 > end:
            return l4, end, ABSENT
        step = (np.int64(row[l4 + 1]) + 1) * 8
        if captured < l4 + step or l4 + step > min(end, MAX_HEAD_BYTES):
            return l4, end, ABSENT
        kind = np.int64(row[l4])
        l4 += step
    return l4, end, kind


@njit(_nrt=False)
def _transport(row, have, l4, protocol):
    """Where the TCP, UDP or GRE header at `l4` ends; `l4` itself if it is not one that is whole within `have` bytes."""
    if protocol == tcp.PROTOCOL and have >= l4 + tcp.MINIMUM_BYTES:
        length = tcp.header_bytes(row, l4)
        if length >= tcp.MINIMUM_BYTES and have >= l4 + length:
            return l4 + length
    if protocol == udp.PROTOCOL and have >= l4 + udp.HEADER_BYTES:
        return l4 + udp.HEADER_BYTES
    if protocol == gre.PROTOCOL and have >= l4 + gre.MINIMUM_BYTES and gre.is_known(row, l4):
        if have >= l4 + gre.header_bytes(row, l4):
            return l4 + gre.header_bytes(row, l4)
    return l4


@njit(_nrt=False)
def _inside(row, have, l4, stop, protocol):
    """(where a network header starts in the tunnel of the header at `l4`, its EtherType); EtherType 0: no tunnel."""
    if protocol == ipv4.ENCAPSULATED:
        return l4, ethernet.IPV4
    if protocol == ipv6.ENCAPSULATED:
        return l4, ethernet.IPV6
    if stop == l4:
        return l4, 0
    at, kind = stop, 0
    if protocol == gre.PROTOCOL:
        kind = gre.protocol_type(row, l4)
    elif protocol == udp.PROTOCOL and udp.destination_port(row, l4) == vxlan.PORT:
        at, kind = stop + vxlan.HEADER_BYTES, gre.TRANSPARENT_ETHERNET
    elif protocol == udp.PROTOCOL and udp.destination_port(row, l4) == geneve.PORT:
        if have >= stop + geneve.MINIMUM_BYTES and geneve.version(row, stop) == 0:
            at, kind = stop + geneve.header_bytes(row, stop), geneve.protocol_type(row, stop)
    if kind == gre.TRANSPARENT_ETHERNET:
        if have < at + ethernet.HEADER_BYTES:
            return at, 0
        kind = ethernet.ethertype(row, at + ethernet.ETHERTYPE)
        at += ethernet.HEADER_BYTES
    return at, kind if kind == ethernet.IPV4 or kind == ethernet.IPV6 else 0
