"""Linux generic receive offload, edition 6.18: the rule book.

Models: TCP over IPv4 and IPv6 (with extension headers), tags in the frame or stripped, input that is merged already.
Leaves out: tunnels, UDP, BIG TCP above 65,535 bytes, TLS and page-pool marks, sockets that steer early demultiplexing.
Sources: rules of net/core/gro.c, net/ipv4/af_inet.c, net/ipv6/ip6_offload.c, net/ipv4/tcp_offload.c and
    include/net/gro.h, as collected in the project's fact sheet, sections 1.1 to 1.8, column "newest"; own words.
Checked by: tests/models/offload/test_gro.py, which has the kernel's own self-test (tools/testing/selftests/drivers/
    net/gro.c) as a table; tests/kernel/ against the running kernel.

Questions are in the order a frame meets them; rules within one are in the order of the kernel's function.
"""

from __future__ import annotations

import numpy as np

from models.offload.held import FIXED_ID, IP_BYTES, MAX_BYTES, MSS, NEXT_SEQ, SEGMENTS
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_PARTIAL,
    CSUM_STATE,
    GSO_BYTES,
    GSO_FIXED_ID,
    GSO_SEGMENTS,
    GSO_TCP4,
    GSO_TCP6,
    GSO_TYPE,
    HEAD_BYTES,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
    RX_HASH,
    TAIL_BYTES,
    VLAN_STRIPPED,
)
from models.wire import checksum, ipv4, ipv6, tcp
from models.wire.octets import be32, put16, same

BUCKETS = 8  # GRO_HASH_BUCKETS, include/linux/netdevice.h
HELD_PER_BUCKET = 8  # MAX_GRO_SKBS, net/core/gro.c
MAX_PACKET_BYTES = 65536  # GRO_LEGACY_MAX_SIZE, the default of gro_max_size; a packet stays below it

NEVER_HELD = tcp.URG | tcp.PSH | tcp.RST | tcp.SYN | tcp.FIN
FLOW_LABEL_AND_VERSION = 0xF00FFFFF
WHOLE_FIRST_BYTE = 0x45  # version 4, header of five words


@njit(inline="always")
def is_ipv4(row, l3):
    return np.int64(row[l3]) >> 4 == 4


@njit(inline="always")
def overlooks(payloads, pieces, row, cells):
    """inet_gro_receive(), ipv6_gro_receive(), tcp4_gro_receive(): exits that leave every held packet where it is."""
    l3 = cells[L3]
    if l3 < 0:
        return Why.NOT_IP
    if is_ipv4(row, l3):
        if ipv4.protocol(row, l3) != tcp.PROTOCOL:
            return Why.NOT_TCP
        if np.int64(row[l3]) != WHOLE_FIRST_BYTE:
            return Why.IP_OPTIONS
        if ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
            return Why.FRAGMENT
        if not checksum.ipv4_header_is_right(row, l3):
            return Why.CHECKSUM
    elif cells[PROTOCOL] != tcp.PROTOCOL:
        return Why.FRAGMENT if ipv6.next_header(row, l3) == ipv6.FRAGMENT else Why.NOT_TCP
    if cells[L4] < 0 or cells[PROTOCOL] != tcp.PROTOCOL:
        return Why.MALFORMED
    if cells[CSUM_STATE] == CSUM_NONE or cells[CSUM_STATE] == CSUM_BAD:
        if bars(row, cells) != Why.NONE:
            return Why.NONE  # what will not be merged is not verified
        if cells[CSUM_STATE] == CSUM_BAD or not checksum.transport_is_right(payloads, pieces, row, cells):
            return Why.CHECKSUM
    return Why.NONE


@njit(inline="always")
def bars(row, cells):
    """The flush flag: the frame goes up, and the held packet of its flow before it."""
    if cells[GSO_BYTES] and not cells[GSO_TYPE] & (GSO_TCP4 | GSO_TCP6):  # dev_gro_receive()
        return Why.ALREADY_MERGED
    l3 = cells[L3]
    ip_bytes = cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES]
    if is_ipv4(row, l3):
        if ipv4.total_length(row, l3) != ip_bytes:
            return Why.PADDING
        if ipv4.fragment(row, l3) & ~ipv4.DF:
            return Why.DF
    elif ipv6.payload_length(row, l3) + ipv6.HEADER_BYTES != ip_bytes:
        return Why.PADDING
    return Why.NONE


@njit(inline="always")
def bucket(cells):
    """dev_gro_receive(): the low bits of the card's hash, 0 without one."""
    return cells[RX_HASH] & (BUCKETS - 1)


@njit(inline="always")
def same_flow(old, was, row, cells):
    """gro_list_prepare(), vlan_gro_receive(), then the address tests of the IP layers and the ports of TCP."""
    l3, l4 = cells[L3], cells[L4]
    if was[L3] != l3 or was[L4] != l4 or tcp.ports(old, l4) != tcp.ports(row, l4):
        return False
    if was[RX_HASH] != cells[RX_HASH] or was[VLAN_STRIPPED] != cells[VLAN_STRIPPED]:
        return False
    if not same(old, row, 0, l3):  # MAC header and tags in the frame
        return False
    if is_ipv4(row, l3):
        return ipv4.source(old, l3) == ipv4.source(row, l3) and ipv4.destination(old, l3) == ipv4.destination(row, l3)
    if (ipv6.flow_word(old, l3) ^ ipv6.flow_word(row, l3)) & FLOW_LABEL_AND_VERSION:
        return False
    if ipv6.next_header(old, l3) != ipv6.next_header(row, l3):
        return False
    return same(old, row, l3 + ipv6.SOURCE, l4)  # addresses, then extension headers byte by byte


@njit(inline="always")
def refuses(setup, old, state, row, cells):
    """tcp_gro_receive(): why the frame may not join held packet `k` of its flow."""
    l4 = cells[L4]
    word = be32(old, l4 + tcp.OFFSET) ^ be32(row, l4 + tcp.OFFSET)  # offset, reserved bits, flags, window
    if word & ~((tcp.FIN | tcp.PSH) << 16):
        if word & (tcp.CWR << 16):
            return Why.CWR
        if word & ~((tcp.FIN | tcp.PSH) << 16) & 0x0FFF0000:
            return Why.FLAGS
        return Why.OPTIONS if word >> 28 else Why.WINDOW
    if tcp.ack(old, l4) != tcp.ack(row, l4):
        return Why.ACK
    if not same(old, row, l4 + tcp.MINIMUM_BYTES, cells[HEAD_BYTES]):
        return Why.OPTIONS
    why = network_refuses(old, state, row, cells[L3])
    if why != Why.NONE:
        return why
    if cells[GSO_BYTES]:
        if cells[GSO_BYTES] != state[MSS]:
            return Why.SIZE
    elif cells[PAYLOAD_BYTES] == 0:
        return Why.NO_PAYLOAD
    elif cells[PAYLOAD_BYTES] > state[MSS]:
        return Why.SIZE
    if tcp.seq(row, l4) != state[NEXT_SEQ]:
        return Why.GAP
    if state[IP_BYTES] + cells[PAYLOAD_BYTES] >= setup[MAX_BYTES]:  # skb_gro_receive()
        return Why.LIMIT
    return Why.NONE


@njit(inline="always")
def network_refuses(old, state, row, l3):
    """gro_receive_network_flush(): inet_gro_flush() and ipv6_gro_flush()."""
    if not is_ipv4(row, l3):
        if ipv6.traffic_class(old, l3) != ipv6.traffic_class(row, l3):
            return Why.TOS if (ipv6.traffic_class(old, l3) ^ ipv6.traffic_class(row, l3)) & 0xFC else Why.ECN
        return Why.TTL if ipv6.hop_limit(old, l3) != ipv6.hop_limit(row, l3) else Why.NONE
    if ipv4.ttl(old, l3) != ipv4.ttl(row, l3):
        return Why.TTL
    if ipv4.tos(old, l3) != ipv4.tos(row, l3):
        return Why.TOS if (ipv4.tos(old, l3) ^ ipv4.tos(row, l3)) & 0xFC else Why.ECN
    if (ipv4.fragment(old, l3) ^ ipv4.fragment(row, l3)) & ipv4.DF:
        return Why.DF
    step = (ipv4.ident(row, l3) - ipv4.ident(old, l3)) & 0xFFFF
    if state[SEGMENTS] == 1 and step == 0:
        return Why.NONE  # the second segment decides: fixed from here on, see joins()
    return Why.NONE if step == (0 if state[FIXED_ID] else state[SEGMENTS] & 0xFFFF) else Why.IP_ID


@njit(inline="always")
def declines(row, cells):
    """tcp_gro_receive(), out_check_final, for a frame that did not join: it is its own whole run."""
    flags = tcp.flags(row, cells[L4])
    if cells[GSO_BYTES] and cells[PAYLOAD_BYTES] != cells[GSO_SEGMENTS] * cells[GSO_BYTES]:
        return Why.SHORT
    if cells[PAYLOAD_BYTES] == 0:
        return Why.FLAGS if flags & (tcp.URG | tcp.RST | tcp.SYN) else Why.FIN if flags & tcp.FIN else Why.NO_PAYLOAD
    return closing_flags(flags)


@njit(inline="always")
def closing_flags(flags):
    if flags & (tcp.URG | tcp.RST | tcp.SYN):
        return Why.FLAGS
    if flags & tcp.FIN:
        return Why.FIN
    return Why.PUSH if flags & tcp.PSH else Why.NONE


@njit(inline="always")
def joins(old, state, row, cells):
    """The second segment decides whether IDs are fixed; FIN and PSH go into the header that is kept."""
    l3, l4 = cells[L3], cells[L4]
    if state[SEGMENTS] == 1 and is_ipv4(row, l3) and ipv4.ident(row, l3) == ipv4.ident(old, l3):
        state[FIXED_ID] = 1
    old[l4 + tcp.FLAGS] = tcp.flags(old, l4) | (tcp.flags(row, l4) & (tcp.FIN | tcp.PSH))


@njit(inline="always")
def closes(state, row, cells):
    """tcp_gro_receive(), out_check_final, for a frame that joined."""
    why = closing_flags(tcp.flags(row, cells[L4]))
    if why != Why.NONE:
        return why
    if cells[GSO_BYTES]:
        return Why.SHORT if cells[PAYLOAD_BYTES] != cells[GSO_SEGMENTS] * cells[GSO_BYTES] else Why.NONE
    return Why.SHORT if cells[PAYLOAD_BYTES] < state[MSS] else Why.NONE


@njit
def completes(state, row, cells):
    """gro_complete(), tcp4_gro_complete(), tcp6_gro_complete(): one segment goes up as it came."""
    if state[SEGMENTS] == 1:
        return
    l3, l4 = cells[L3], cells[L4]
    l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
    cells[GSO_BYTES] = state[MSS]
    cells[GSO_SEGMENTS] = state[SEGMENTS]
    if is_ipv4(row, l3):
        cells[GSO_TYPE] |= GSO_TCP4 | (GSO_FIXED_ID if state[FIXED_ID] else 0)
        ipv4.set_total_length(row, l3, state[IP_BYTES])
        put16(row, l3 + ipv4.CHECKSUM, checksum.ipv4_header(row, l3))
    else:
        cells[GSO_TYPE] |= GSO_TCP6
        ipv6.set_payload_length(row, l3, state[IP_BYTES] - ipv6.HEADER_BYTES)
    tcp.set_checksum(row, l4, checksum.fold(checksum.pseudo(row, l3, tcp.PROTOCOL, l4_bytes)))
    cells[CSUM_STATE] = CSUM_PARTIAL
