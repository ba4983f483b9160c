"""Linux generic receive offload as it was released in 2009, edition 2.6.29: a rule book of its own.

Models: TCP over IPv4 and IPv6 (with extension headers), on one list of eight held packets; its defect, that a merged
    packet forgets its segment size. `max_frags` is how many frames a packet may hold: 18 where each is a page fragment
    and the card's driver has no other place for them, as on the machines of the 2008 profile; without it, no limit.
Leaves out: fragments complete nothing here (in the kernel they complete the held packet of the ports they seem to
    have); the kernel's switch from page fragments to a list, which no rule looks at.
Sources: rules of net/core/dev.c, net/core/skbuff.c, net/8021q/vlan_core.c, net/ipv4/af_inet.c, net/ipv4/tcp.c and
    net/ipv6/af_inet6.c of 2.6.29.4, as collected in the project's fact sheet, section 1.10; own words.
Checked by: tests/models/offload/test_gro_first.py.

Rules that have not changed since are those of `gro.py`. Nothing here is inlined: no long simulation uses it.
"""

from __future__ import annotations

import numpy as np

from models.offload import gro
from models.offload.gro_network import WHOLE_FIRST_BYTE
from models.offload.held import IP_BYTES, MAX_SEGMENTS, MSS, NEXT_SEQ, SEGMENTS
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_STATE,
    GSO_BYTES,
    HEAD_BYTES,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
    TAIL_BYTES,
    VLAN_STRIPPED,
)
from models.wire import checksum, ethernet, ipv4, ipv6, tcp
from models.wire.ipv4 import is_ipv4
from models.wire.octets import be32, same

HELD = 8  # MAX_GRO_SKBS
MAX_FRAME_BYTES = 65536  # a merged frame, MAC header and all, stays below it
NO_EDITION = np.int64(0)
VLAN_NUMBER = 0x0FFF


@njit
def overlooks(payloads, pieces, row, cells):
    """dev_gro_receive(), inet_gro_receive(), ipv6_gro_receive(), tcp4_gro_receive(): what passes untouched."""
    l3 = cells[L3]
    if l3 < 0:
        return Why.NOT_IP
    if cells[GSO_BYTES]:
        return Why.ALREADY_MERGED
    if l3 != ethernet.HEADER_BYTES:
        return Why.VLAN  # a tag in the frame is an EtherType without a handler
    if is_ipv4(row, l3):
        if ipv4.protocol(row, l3) != tcp.PROTOCOL:
            return Why.NOT_TCP
        if np.int64(row[l3]) != WHOLE_FIRST_BYTE:
            return Why.IP_OPTIONS
        if not checksum.ipv4_header_is_right(row, l3):
            return Why.CHECKSUM
        if ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
            return Why.FRAGMENT
    elif cells[PROTOCOL] != tcp.PROTOCOL:
        return Why.FRAGMENT if ipv6.next_header(row, l3) == ipv6.FRAGMENT else Why.NOT_TCP
    elif has_hop_by_hop(row, l3, cells[L4]):
        return Why.IP_OPTIONS
    if cells[L4] < 0:
        return Why.MALFORMED
    if cells[CSUM_STATE] == CSUM_NONE or cells[CSUM_STATE] == CSUM_BAD:
        return Why.CHECKSUM  # it sums nothing itself
    return Why.NONE


@njit
def has_hop_by_hop(row, l3, l4):
    """ipv6_gso_pull_exthdrs() knows no such header; whether one is between `l3` and `l4`."""
    kind, at = ipv6.next_header(row, l3), l3 + ipv6.HEADER_BYTES
    while at < l4:
        if kind == ipv6.HOP_BY_HOP:
            return True
        kind = np.int64(row[at])
        at += (np.int64(row[at + 1]) + 1) * 8
    return False


@njit
def bars(row, cells):
    """The flush flag: the frame goes up, and the held packet of its flow before it."""
    l3 = cells[L3]
    ip_bytes = cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES]
    if is_ipv4(row, l3):
        if ipv4.total_length(row, l3) != ip_bytes:
            return Why.PADDING
        return Why.NONE if ipv4.fragment(row, l3) == ipv4.DF else Why.DF
    return Why.PADDING if ipv6.payload_length(row, l3) + ipv6.HEADER_BYTES != ip_bytes else Why.NONE


@njit
def same_flow(old, was, row, cells):
    """__napi_gro_receive(), vlan_gro_common() and the address tests: what the kernel takes for one flow.

    A stripped tag stands for its device, so priority is not compared; an untagged frame asks for no device at all."""
    l3, l4 = cells[L3], cells[L4]
    if was[L4] != l4 or tcp.ports(old, l4) != tcp.ports(row, l4):
        return False
    tag = cells[VLAN_STRIPPED]
    if tag:
        if not was[VLAN_STRIPPED] or (was[VLAN_STRIPPED] ^ tag) & VLAN_NUMBER:
            return False
        if is_ipv4(old, l3) != is_ipv4(row, l3):
            return False
    elif not same(old, row, 0, l3):
        return False
    if is_ipv4(row, l3):
        if ipv4.tos(old, l3) != ipv4.tos(row, l3):
            return False
        return ipv4.source(old, l3) == ipv4.source(row, l3) and ipv4.destination(old, l3) == ipv4.destination(row, l3)
    if ipv6.flow_word(old, l3) != ipv6.flow_word(row, l3):
        return False
    return same(old, row, l3 + ipv6.NEXT_HEADER, l4)  # and hop limit, addresses, extension headers


@njit
def refuses(setup, old, state, row, cells):
    """tcp_gro_receive(), with what inet_gro_receive() found."""
    l3, l4 = cells[L3], cells[L4]
    if is_ipv4(row, l3):
        if ipv4.ttl(old, l3) != ipv4.ttl(row, l3):
            return Why.TTL
        if (ipv4.ident(row, l3) - ipv4.ident(old, l3)) & 0xFFFF != state[SEGMENTS] & 0xFFFF:
            return Why.IP_ID
    why = gro.flags_refuse(NO_EDITION, be32(old, l4 + tcp.OFFSET), be32(row, l4 + tcp.OFFSET))
    if why != Why.NONE:
        return why
    if tcp.ack(old, l4) != tcp.ack(row, l4):
        return Why.ACK
    if not same(old, row, l4 + tcp.MINIMUM_BYTES, cells[HEAD_BYTES]):
        return Why.OPTIONS
    if cells[PAYLOAD_BYTES] == 0:
        return Why.NO_PAYLOAD
    if cells[PAYLOAD_BYTES] > state[MSS]:
        return Why.SIZE
    if tcp.seq(row, l4) != state[NEXT_SEQ]:
        return Why.GAP
    if cells[L3] + state[IP_BYTES] + cells[PAYLOAD_BYTES] >= MAX_FRAME_BYTES or state[SEGMENTS] >= setup[MAX_SEGMENTS]:
        return Why.LIMIT  # skb_gro_receive()
    return Why.NONE


@njit
def completes(setup, state, row, cells):
    """napi_gro_complete(): merged as today, but for the segment size, which is set to 0 whatever was merged."""
    gro.completes(setup, state, row, cells)
    cells[GSO_BYTES] = 0
