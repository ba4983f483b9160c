"""Receive merging of DPDK's library, lightweight mode (a burst at a time): the rule book.

Models: TCP over IPv4 and IPv6; a flow's packets need not be neighbours, so a frame may join in front or behind, and
    what arrives out of order is put in order.
Leaves out: tables that outlive a burst (rte_gro_reassemble()); VXLAN, UDP fragments; IPv4 options and IPv6 extension
    headers, which the library trusts the program's parser for: here such frames pass. In place of the appended frame's
    header, flags other than ACK are, as read, written into a byte of its payload: here they are only lost.
Sources: rules of lib/gro/gro_tcp.h (check_seq_option, merge_two_tcp_packets), gro_tcp_internal.h (process_tcp_item),
    gro_tcp4.c, gro_tcp6.c and rte_gro.c (rte_gro_reassemble_burst), DPDK 23.11; the project's fact sheet, section 5.2;
    own words.
Checked by: tests/models/offload/test_dpdk_gro.py; DPDK publishes no vectors.

Checksums are neither asked nor written: the program is told to. Window, TTL, ToS and the sizes of segments are not
compared either, and a merged packet does not say that it is one.
"""

from __future__ import annotations

from models.offload.held import IP_BYTES, MAX_BYTES, MAX_SEGMENTS, NEXT_SEQ, NOTED, SEGMENTS
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import GSO_BYTES, HEAD_BYTES, L3, L4, PAYLOAD_BYTES, PROTOCOL, TAIL_BYTES
from models.wire import ethernet, ipv4, ipv6, tcp
from models.wire.ipv4 import is_ipv4
from models.wire.octets import same

BURST = 128  # RTE_GRO_MAX_BURST_ITEM_NUM, rte_gro.h
MAX_PACKET_BYTES = 65535  # MAX_IP_PKT_LENGTH, gro_tcp.h
MAX_BUFFERS = 20  # merge_two_tcp_packets(): of the packet in front, so a frame may always go before a longer chain
JOINABLE = tcp.ACK_FLAG | tcp.PSH | tcp.FIN  # VALID_GRO_TCP_FLAGS
BUT_TRAFFIC_CLASS = 0xF00FFFFF  # of the first word of an IPv6 header
NO_IDENT = 0


@njit
def overlooks(row, cells):
    """gro_tcp4_reassemble(), gro_tcp6_reassemble(): what is "not processed"; the burst's output starts with these."""
    l3, l4 = cells[L3], cells[L4]
    if l3 < 0:
        return Why.NOT_IP
    if is_ipv4(row, l3) and ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
        return Why.FRAGMENT
    if l4 < 0 or cells[PROTOCOL] != tcp.PROTOCOL:
        return Why.NOT_TCP
    if l4 - l3 != (ipv4.MINIMUM_BYTES if is_ipv4(row, l3) else ipv6.HEADER_BYTES):
        return Why.IP_OPTIONS
    if cells[GSO_BYTES]:
        return Why.ALREADY_MERGED
    flags = tcp.flags(row, l4)
    if flags & ~JOINABLE:
        return Why.CWR if flags & tcp.CWR else Why.FLAGS
    return Why.NO_PAYLOAD if cells[PAYLOAD_BYTES] == 0 else Why.NONE


@njit
def same_flow(old, was, row, cells):
    """is_same_tcp4_flow(), is_same_tcp6_flow(): MAC addresses, IP addresses, ports and the acknowledgement number."""
    l3, l4 = cells[L3], cells[L4]
    if was[L3] != l3 or was[L4] != l4 or tcp.ports(old, l4) != tcp.ports(row, l4):
        return False
    if tcp.ack(old, l4) != tcp.ack(row, l4):
        return False
    if not same(old, row, 0, ethernet.ETHERTYPE) or is_ipv4(old, l3) != is_ipv4(row, l3):
        return False
    if is_ipv4(row, l3):
        return same(old, row, l3 + ipv4.SOURCE, l3 + ipv4.MINIMUM_BYTES)
    if (ipv6.flow_word(old, l3) ^ ipv6.flow_word(row, l3)) & BUT_TRAFFIC_CLASS:
        return False
    return same(old, row, l3 + ipv6.SOURCE, l3 + ipv6.HEADER_BYTES)


@njit(inline="always")
def ident(row, l3):
    """The IPv4 ID where it is looked at: with DF, and in IPv6, it is not."""
    if is_ipv4(row, l3) and not ipv4.fragment(row, l3) & ipv4.DF:
        return ipv4.ident(row, l3)
    return NO_IDENT


@njit
def refuses(setup, old, state, row, cells):
    """check_seq_option(), then the limits of merge_two_tcp_packets(); NONE if the frame may join behind or in front."""
    l3, l4 = cells[L3], cells[L4]
    stop = tcp.header_bytes(row, l4)
    if stop != tcp.header_bytes(old, l4) or not same(old, row, l4 + tcp.MINIMUM_BYTES, l4 + stop):
        return Why.OPTIONS
    if is_ipv4(row, l3) and (ipv4.fragment(old, l3) ^ ipv4.fragment(row, l3)) & ipv4.DF:
        return Why.DF
    behind = tcp.seq(row, l4) == state[NEXT_SEQ]
    if not behind and (tcp.seq(row, l4) + cells[PAYLOAD_BYTES]) & 0xFFFFFFFF != tcp.seq(old, l4):
        return Why.GAP
    if is_ipv4(row, l3) and not ipv4.fragment(row, l3) & ipv4.DF:  # plain numbers: nothing follows 65535
        if ident(row, l3) != (state[NOTED] + 1 if behind else state[NOTED] - state[SEGMENTS]):
            return Why.IP_ID
    if state[IP_BYTES] + cells[PAYLOAD_BYTES] > setup[MAX_BYTES]:
        return Why.LIMIT
    return Why.LIMIT if behind and state[SEGMENTS] >= setup[MAX_SEGMENTS] else Why.NONE


@njit
def starts(mine, state, row, cells):
    """insert_new_tcp_item(); padding has been trimmed."""
    mine[TAIL_BYTES] = 0
    state[NOTED] = ident(row, cells[L3])


@njit
def joins(state, row, cells):
    """Quirk: a frame that joins in front brings its own, lower, ID, so without DF nothing joins behind any more."""
    state[NOTED] = ident(row, cells[L3])


@njit
def completes(state, row, cells):
    """update_header(): the length, nothing else."""
    cells[TAIL_BYTES] = 0
    if state[SEGMENTS] == 1:
        return
    l3 = cells[L3]
    ip_bytes = cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES]
    if is_ipv4(row, l3):
        ipv4.set_total_length(row, l3, ip_bytes)
    else:
        ipv6.set_payload_length(row, l3, ip_bytes - ipv6.HEADER_BYTES)
