"""Receive merging of wireguard-go before it writes to a Linux tun device: the rule book.

Models: one vector of decrypted packets; TCP and UDP over IPv4 and IPv6. A TCP frame may join in front or behind of any
    packet of its flow in the vector; the result says how to cut it, so the kernel can.
Leaves out: Ethernet, of which a tun device has none: MAC addresses and tags are the first frame's. Tunnels
    over UDP, whose datagrams it would chain: here they pass. Packets that are merged already.
Sources: rules of tun/offload_linux.go, wireguard-go (packetIsGROCandidate, tcpGRO, tcpPacketsCanCoalesce,
    ipHeadersCanCoalesce, coalesceTCPPackets, udpGRO, udpPacketsCanCoalesce, handleGRO); the project's fact sheet,
    section 5.4; own words.
Checked by: tests/models/offload/test_wireguard_go.py, which has the vectors of its Test_handleGRO.

Every checksum is verified in software, whatever a card has said; a frame cut short by a capture is believed.
"""

from __future__ import annotations

from models.offload.held import (
    IP_BYTES,
    MARKS,
    MAX_BYTES,
    MSS,
    NEXT_SEQ,
    PUSHED,
    SEGMENTS,
    UDP,
    WRONG_CHECKSUM,
)
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import (
    CSUM_BAD,
    CSUM_PARTIAL,
    CSUM_STATE,
    GSO_BYTES,
    GSO_SEGMENTS,
    GSO_TCP4,
    GSO_TCP6,
    GSO_TYPE,
    GSO_UDP,
    HEAD_BYTES,
    INNER_L3,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PROTOCOL,
    TAIL_BYTES,
)
from models.wire import checksum, ipv4, ipv6, tcp, udp
from models.wire.ipv4 import is_ipv4
from models.wire.octets import be16, put16, same

BATCH = 128  # conn.IdealBatchSize on Linux, conn/bind_std.go
MAX_PACKET_BYTES = 65535 - 2 * 16  # device.MaxMessageSize less, twice, MessageTransportOffsetContent: capacity checks
FRAGMENT_BITS = ipv4.MF | ipv4.OFFSET_MASK


@njit
def overlooks(setup, row, cells):
    """packetIsGROCandidate(), then what tcpGRO() and udpGRO() do nothing with."""
    l3, l4 = cells[L3], cells[L4]
    if l3 < 0:
        return Why.NOT_IP
    if is_ipv4(row, l3) and ipv4.header_bytes(row, l3) != ipv4.MINIMUM_BYTES:
        return Why.IP_OPTIONS
    if is_ipv4(row, l3) and ipv4.fragment(row, l3) & FRAGMENT_BITS:
        return Why.FRAGMENT
    if cells[INNER_L3] >= 0:
        return Why.TUNNEL
    is_udp = cells[PROTOCOL] == udp.PROTOCOL and setup[UDP]
    if l4 < 0 or (cells[PROTOCOL] != tcp.PROTOCOL and not is_udp):
        return Why.NOT_TCP
    if not is_ipv4(row, l3) and l4 - l3 != ipv6.HEADER_BYTES:
        return Why.IP_OPTIONS
    if cells[GSO_BYTES]:
        return Why.ALREADY_MERGED
    ip_bytes = cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES]
    said = ipv4.total_length(row, l3) if is_ipv4(row, l3) else ipv6.payload_length(row, l3) + ipv6.HEADER_BYTES
    if said != ip_bytes:
        return Why.PADDING
    if not is_udp:
        flags = tcp.flags(row, l4)
        if flags & ~tcp.PSH != tcp.ACK_FLAG:
            return Why.CWR if flags & tcp.CWR else Why.FIN if flags & tcp.FIN else Why.FLAGS
    return Why.NO_PAYLOAD if cells[PAYLOAD_BYTES] == 0 else Why.NONE


@njit
def same_flow(old, was, row, cells):
    """tcpFlowKey, udpFlowKey: addresses, ports, of TCP also the acknowledgement number."""
    l3, l4, old_l3, at = cells[L3], cells[L4], was[L3], was[L4]
    if was[PROTOCOL] != cells[PROTOCOL] or tcp.ports(old, at) != tcp.ports(row, l4):
        return False
    if is_ipv4(old, old_l3) != is_ipv4(row, l3):
        return False
    if cells[PROTOCOL] == tcp.PROTOCOL and tcp.ack(old, at) != tcp.ack(row, l4):
        return False
    start, stop = (ipv4.SOURCE, ipv4.MINIMUM_BYTES) if is_ipv4(row, l3) else (ipv6.SOURCE, ipv6.HEADER_BYTES)
    return same(old[old_l3:], row[l3:], start, stop)


@njit
def refuses(setup, old, was, state, row, cells):
    """tcpPacketsCanCoalesce(), udpPacketsCanCoalesce(), then the room in the buffer."""
    if cells[PROTOCOL] == tcp.PROTOCOL:
        at, l4 = was[L4], cells[L4]
        stop = tcp.header_bytes(row, l4)
        if stop != tcp.header_bytes(old, at) or not same(old[at:], row[l4:], tcp.MINIMUM_BYTES, stop):
            return Why.OPTIONS
    why = network_refuses(old, was[L3], row, cells[L3])
    if why != Why.NONE:
        return why
    why = place_refuses(old, was, state, row, cells)
    if why == Why.NONE and state[IP_BYTES] + cells[PAYLOAD_BYTES] > setup[MAX_BYTES]:
        return Why.LIMIT
    return why


@njit
def network_refuses(old, old_l3, row, l3):
    """ipHeadersCanCoalesce(): neither the IPv4 ID nor the flow label."""
    if is_ipv4(row, l3):
        tos, ttl = ipv4.tos(old, old_l3) ^ ipv4.tos(row, l3), ipv4.ttl(old, old_l3) != ipv4.ttl(row, l3)
    else:
        tos = ipv6.traffic_class(old, old_l3) ^ ipv6.traffic_class(row, l3)
        ttl = ipv6.hop_limit(old, old_l3) != ipv6.hop_limit(row, l3)
    if tos:
        return Why.TOS if tos & 0xFC else Why.ECN
    if is_ipv4(row, l3) and ipv4.fragment(old, old_l3) != ipv4.fragment(row, l3):
        return Why.DF
    return Why.TTL if ttl else Why.NONE


@njit
def place_refuses(old, was, state, row, cells):
    """Sizes, PSH and, of TCP, the sequence number: behind what has no short end, or in front of what is not longer."""
    size, mss = cells[PAYLOAD_BYTES], state[MSS]
    if cells[PROTOCOL] == udp.PROTOCOL or tcp.seq(row, cells[L4]) == state[NEXT_SEQ]:
        if state[MARKS] & PUSHED:
            return Why.PUSH
        return Why.SHORT if was[PAYLOAD_BYTES] % mss else Why.SIZE if size > mss else Why.NONE
    if (tcp.seq(row, cells[L4]) + size) & 0xFFFFFFFF != tcp.seq(old, was[L4]):
        return Why.GAP
    if tcp.flags(row, cells[L4]) & tcp.PSH:
        return Why.PUSH
    return Why.SIZE if size < mss or (size > mss and state[SEGMENTS] > 1) else Why.NONE


@njit
def marks(payloads, pieces, row, cells):
    """What is noted of a frame as it comes: PSH, and whether its checksum is wrong (no UDP checksum is wrong, too)."""
    found = 0
    if cells[PROTOCOL] == tcp.PROTOCOL and tcp.flags(row, cells[L4]) & tcp.PSH:
        found |= PUSHED
    if cells[CSUM_STATE] == CSUM_BAD:
        found |= WRONG_CHECKSUM
    elif not cells[MISSING_BYTES]:
        absent = cells[PROTOCOL] == udp.PROTOCOL and be16(row, checksum.field(cells)) == 0
        if absent or not checksum.transport_is_right(payloads, pieces, row, cells):
            found |= WRONG_CHECKSUM
    return found


@njit
def joins(old, was, state, row, cells, in_front):
    """coalesceTCPPackets(); quirk: the PSH of a packet is lost behind a frame that joins in front."""
    if cells[PROTOCOL] == tcp.PROTOCOL and not in_front and tcp.flags(row, cells[L4]) & tcp.PSH:
        state[MARKS] |= PUSHED
        old[was[L4] + tcp.FLAGS] = tcp.flags(old, was[L4]) | tcp.PSH
    state[MSS] = max(state[MSS], cells[PAYLOAD_BYTES])


@njit
def completes(state, row, cells):
    """applyTCPCoalesceAccounting(), applyUDPCoalesceAccounting(): a virtio header; the ID is whatever the first had."""
    if state[SEGMENTS] == 1:
        return
    l3, l4 = cells[L3], cells[L4]
    l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
    cells[GSO_BYTES], cells[GSO_SEGMENTS] = state[MSS], state[SEGMENTS]
    if is_ipv4(row, l3):
        ipv4.set_total_length(row, l3, l4 - l3 + l4_bytes)
        put16(row, l3 + ipv4.CHECKSUM, checksum.ipv4_header(row, l3))
    else:
        ipv6.set_payload_length(row, l3, l4 - l3 - ipv6.HEADER_BYTES + l4_bytes)
    if cells[PROTOCOL] == udp.PROTOCOL:
        cells[GSO_TYPE] = GSO_UDP
        put16(row, l4 + udp.LENGTH, l4_bytes)
    else:
        cells[GSO_TYPE] = GSO_TCP4 if is_ipv4(row, l3) else GSO_TCP6
    put16(row, checksum.field(cells), checksum.fold(checksum.pseudo(row, l3, cells[PROTOCOL], l4_bytes)))
    cells[CSUM_STATE] = CSUM_PARTIAL
