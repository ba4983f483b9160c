"""Receive merging of gVisor's network stack: the rule book.

Models: TCP over IPv4 and IPv6, eight buckets of eight packets, one packet a flow.
Leaves out: Ethernet padding, which the sandbox counts as payload unless its checksum shows it; here such a frame
    passes. Packets that are merged already.
Sources: rules of pkg/tcpip/stack/gro/gro.go (findGROPacket4, findGROPacket6, found, shouldFlushTCP), gVisor; the
    project's fact sheet, section 5.3; own words.
Checked by: tests/models/offload/test_gvisor.py, with what gro_test.go checks of its buckets.
"""

from __future__ import annotations

import numpy as np

from models.offload.gro import closing_flags
from models.offload.held import IP_BYTES, MAX_BYTES, MSS, NEXT_SEQ, SEGMENTS
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_STATE,
    CSUM_VERIFIED,
    GSO_BYTES,
    HEAD_BYTES,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
    TAIL_BYTES,
)
from models.wire import checksum, ipv4, ipv6, tcp
from models.wire.ipv4 import is_ipv4
from models.wire.octets import same

BUCKETS = 8  # groNBuckets
HELD_PER_BUCKET = 8  # groBucketSize
MAX_PACKET_BYTES = 1 << 16  # groMaxPacketSize; a packet stays below it
CLOSING = tcp.URG | tcp.PSH | tcp.RST | tcp.SYN | tcp.FIN
FLOW_LABEL = 0xFFFFF


@njit
def overlooks(payloads, pieces, row, cells):
    """dispatch4(), dispatch6(): what is delivered at once and touches nothing."""
    l3 = cells[L3]
    if l3 < 0:
        return Why.NOT_IP
    if is_ipv4(row, l3):
        if ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
            return Why.FRAGMENT
        if ipv4.header_bytes(row, l3) != ipv4.MINIMUM_BYTES:
            return Why.IP_OPTIONS
    if cells[L4] < 0 or cells[PROTOCOL] != tcp.PROTOCOL:
        return Why.NOT_TCP
    if cells[GSO_BYTES]:
        return Why.ALREADY_MERGED
    if cells[TAIL_BYTES]:
        return Why.PADDING
    if cells[CSUM_STATE] == CSUM_BAD:
        return Why.CHECKSUM
    if cells[CSUM_STATE] == CSUM_NONE:
        if is_ipv4(row, l3) and not checksum.ipv4_header_is_right(row, l3):
            return Why.CHECKSUM
        if not checksum.transport_is_right(payloads, pieces, row, cells):
            return Why.CHECKSUM
    return Why.NONE


@njit
def bucket(row, cells):
    """bucketForPacket4(), bucketForPacket6(): the sum of the addresses' bytes and of the ports."""
    l3 = cells[L3]
    start, stop = (ipv4.SOURCE, ipv4.MINIMUM_BYTES) if is_ipv4(row, l3) else (ipv6.SOURCE, ipv6.HEADER_BYTES)
    ports = tcp.ports(row, cells[L4])
    total = (ports >> 16) + (ports & 0xFFFF)
    for at in range(l3 + start, l3 + stop):
        total += np.int64(row[at])
    return total & (BUCKETS - 1)


@njit
def same_flow(old, was, row, cells):
    """findGROPacket4(), findGROPacket6(): addresses and ports; of IPv6 the flow label and extension headers, too."""
    l3, l4, old_l3 = cells[L3], cells[L4], was[L3]
    if is_ipv4(old, old_l3) != is_ipv4(row, l3) or tcp.ports(old, was[L4]) != tcp.ports(row, l4):
        return False
    if is_ipv4(row, l3):
        return same(old[old_l3:], row[l3:], ipv4.SOURCE, ipv4.MINIMUM_BYTES)
    if (ipv6.flow_word(old, old_l3) ^ ipv6.flow_word(row, l3)) & FLOW_LABEL or was[L4] - old_l3 != l4 - l3:
        return False
    if ipv6.next_header(old, old_l3) != ipv6.next_header(row, l3):
        return False
    return same(old[old_l3:], row[l3:], ipv6.SOURCE, l4 - l3)


@njit
def refuses(setup, old, was, state, row, cells):
    """Neither IP ID, DF nor the window is asked."""
    l3 = cells[L3]
    if is_ipv4(row, l3):
        why = network_refuses(ipv4.ttl(old, was[L3]), ipv4.tos(old, was[L3]), ipv4.ttl(row, l3), ipv4.tos(row, l3))
        if why == Why.NONE:
            why = transport_refuses(old, was, state, row, cells)
    else:
        why = transport_refuses(old, was, state, row, cells)
        if why == Why.NONE:
            why = network_refuses(
                ipv6.hop_limit(old, was[L3]),
                ipv6.traffic_class(old, was[L3]),
                ipv6.hop_limit(row, l3),
                ipv6.traffic_class(row, l3),
            )
    if why == Why.NONE and state[IP_BYTES] + cells[PAYLOAD_BYTES] >= setup[MAX_BYTES]:
        return Why.LIMIT
    return why


@njit(inline="always")
def network_refuses(ttl, tos, new_ttl, new_tos):
    if ttl != new_ttl:
        return Why.TTL
    if tos != new_tos:
        return Why.TOS if (tos ^ new_tos) & 0xFC else Why.ECN
    return Why.NONE


@njit
def transport_refuses(old, was, state, row, cells):
    """shouldFlushTCP()."""
    at, l4 = was[L4], cells[L4]
    flags = tcp.flags(row, l4)
    if flags & tcp.CWR:
        return Why.CWR
    if (flags ^ tcp.flags(old, at)) & ~(tcp.CWR | tcp.FIN | tcp.PSH):
        return Why.FLAGS
    if tcp.ack(old, at) != tcp.ack(row, l4):
        return Why.ACK
    if tcp.header_bytes(old, at) != tcp.header_bytes(row, l4):
        return Why.OPTIONS
    if tcp.seq(row, l4) != state[NEXT_SEQ]:
        return Why.GAP
    if not same(old[at:], row[l4:], tcp.MINIMUM_BYTES, tcp.header_bytes(row, l4)):
        return Why.OPTIONS
    return Why.NONE


@njit
def declines(row, cells):
    """found(), when nothing was joined."""
    if cells[PAYLOAD_BYTES] == 0:
        return Why.NO_PAYLOAD
    return closing_flags(tcp.flags(row, cells[L4]))


@njit
def joins(old, was, row, cells):
    old[was[L4] + tcp.FLAGS] = tcp.flags(old, was[L4]) | (tcp.flags(row, cells[L4]) & (tcp.FIN | tcp.PSH))


@njit
def closes(state, row, cells):
    """found(), after a merge: a payload of another size is the last, whether shorter or longer."""
    if cells[PAYLOAD_BYTES] == 0:
        return Why.NO_PAYLOAD
    why = closing_flags(tcp.flags(row, cells[L4]))
    if why != Why.NONE or cells[PAYLOAD_BYTES] == state[MSS]:
        return why
    return Why.SHORT if cells[PAYLOAD_BYTES] < state[MSS] else Why.SIZE


@njit
def completes(state, row, cells):
    """updateIPv4Hdr(), updateIPv6Hdr(): the length; both checksums stay the first frame's, marked as verified."""
    cells[CSUM_STATE] = CSUM_VERIFIED
    if state[SEGMENTS] == 1:
        return
    l3 = cells[L3]
    if is_ipv4(row, l3):
        ipv4.set_total_length(row, l3, state[IP_BYTES])
    else:
        ipv6.set_payload_length(row, l3, cells[HEAD_BYTES] - l3 - ipv6.HEADER_BYTES + cells[PAYLOAD_BYTES])
