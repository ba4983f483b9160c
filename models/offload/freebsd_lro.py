"""FreeBSD's software LRO, called by drivers: the rule book.

Models: tcp_lro_rx() with tcp_lro_condense(), TCP over IPv4 and IPv6; pure acknowledgements are swallowed.
Leaves out: sorted queues (tcp_lro_queue_mbuf()); VXLAN; stacks that take uncondensed chains and lose nothing; that
    packets closed early wait for the end of the poll with the rest of their flow: here they leave when they close. The
    list walk that is to flush all flows before a packet LRO cannot take stops, as read, behind the first; here it does
    what its comment says.
Sources: rules of sys/netinet/tcp_lro.c and tcp_lro.h, FreeBSD main; the project's fact sheet, section 5.1; own words.
Checked by: tests/models/offload/test_freebsd_lro.py; FreeBSD publishes no vectors.

A frame whose checksum nobody looked at is verified here as the card would have: FreeBSD leaves it alone otherwise. What
a packet is begun with is not asked for its flags or options (SYN apart), as read: only what is to join is.
"""

from __future__ import annotations

from models.offload.held import (
    COUNTED,
    DATA_SUM,
    MAX_BYTES,
    MAX_SEGMENTS,
    NEXT_SEQ,
    NOTED,
    SAW_TIMESTAMPS,
    SEGMENTS,
    TSVAL,
)
from models.offload.kernel import njit
from models.offload.lro_driver import checksum_of, sum_by_checksum
from models.offload.why import Why
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_STATE,
    CSUM_VERIFIED,
    GSO_BYTES,
    GSO_SEGMENTS,
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
from models.wire.octets import put16, put32, same

ENTRIES = 8  # TCP_LRO_ENTRIES, tcp_lro.h
LENGTH_LIMIT = 65535 - 255  # TCP_LRO_LENGTH_MAX, tcp_lro.h; payload stays below it
ACK_COUNT_LIMIT = 65535  # TCP_LRO_ACKCNT_MAX, tcp_lro.h; segments stay below it
JOINABLE = tcp.ACK_FLAG | tcp.PSH
TSVAL_AT, TSECR_AT = tcp.MINIMUM_BYTES + 4, tcp.MINIMUM_BYTES + 8


@njit
def overlooks(payloads, pieces, row, cells):
    """tcp_lro_rx_common(), the parser before it: what LRO cannot take; everything held goes up before it."""
    l3 = cells[L3]
    if l3 < 0:
        return Why.NOT_IP
    if is_ipv4(row, l3):
        if ipv4.header_bytes(row, l3) != ipv4.MINIMUM_BYTES:
            return Why.IP_OPTIONS
        if ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
            return Why.FRAGMENT
    if cells[L4] < 0 or cells[PROTOCOL] != tcp.PROTOCOL:
        return Why.NOT_TCP
    if cells[L4] - l3 != (ipv4.MINIMUM_BYTES if is_ipv4(row, l3) else ipv6.HEADER_BYTES):
        return Why.IP_OPTIONS
    if cells[GSO_BYTES]:
        return Why.ALREADY_MERGED
    if cells[CSUM_STATE] == CSUM_BAD or (is_ipv4(row, l3) and not checksum.ipv4_header_is_right(row, l3)):
        return Why.CHECKSUM
    if cells[CSUM_STATE] == CSUM_NONE and not checksum.transport_is_right(payloads, pieces, row, cells):
        return Why.CHECKSUM
    said = ipv4.total_length(row, l3) if is_ipv4(row, l3) else ipv6.payload_length(row, l3) + ipv6.HEADER_BYTES
    if said != cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES]:  # padding behind it is trimmed
        return Why.PADDING
    return Why.FLAGS if tcp.flags(row, cells[L4]) & tcp.SYN else Why.NONE


@njit
def same_flow(old, was, row, cells):
    """lro_address_compare(): addresses, ports, VLAN identifier."""
    l3, old_l3 = cells[L3], was[L3]
    if l3 != old_l3 or tcp.ports(old, was[L4]) != tcp.ports(row, cells[L4]):
        return False
    if is_ipv4(old, old_l3) != is_ipv4(row, l3) or (was[VLAN_STRIPPED] ^ cells[VLAN_STRIPPED]) & 0x1_0FFF:
        return False
    if not same(old, row, ethernet.HEADER_BYTES, l3):
        return False
    start, stop = (ipv4.SOURCE, ipv4.MINIMUM_BYTES) if is_ipv4(row, l3) else (ipv6.SOURCE, ipv6.HEADER_BYTES)
    return same(old[old_l3:], row[l3:], start, stop)


@njit
def refuses(setup, old, was, state, row, cells):
    """tcp_lro_condense(), before it the swallowing of old ACKs in tcp_lro_rx_common()."""
    l4, at = cells[L4], was[L4]
    ack, n_bytes = tcp.ack(row, l4), cells[PAYLOAD_BYTES]
    if n_bytes == 0 and older(ack, state[NOTED]):
        return Why.NONE  # freed: it acknowledges less than the first
    if state[COUNTED] + 1 >= setup[MAX_SEGMENTS] or was[PAYLOAD_BYTES] + n_bytes >= setup[MAX_BYTES]:
        return Why.LIMIT
    has_options = tcp.header_bytes(row, l4) != tcp.MINIMUM_BYTES
    if has_options and not tcp.has_aligned_timestamps(row, l4):
        return Why.OPTIONS
    flags = tcp.flags(row, l4)
    if flags & ~JOINABLE:
        return Why.CWR if flags & tcp.CWR else Why.FIN if flags & tcp.FIN else Why.FLAGS
    if has_options and older(tcp.tsval(row, l4), state[TSVAL]):
        return Why.OPTIONS
    if tcp.seq(row, l4) != state[NEXT_SEQ]:
        return Why.GAP
    if (flags ^ tcp.flags(old, at)) & tcp.ACK_FLAG:
        return Why.FLAGS
    if n_bytes == 0 and ack == tcp.ack(old, at) and tcp.window(row, l4) == tcp.window(old, at):
        return Why.NO_PAYLOAD  # a duplicate acknowledgement is to be seen
    return Why.NONE


@njit(inline="always")
def older(value, than):
    """Whether 32-bit `value` is before `than`, modulo 2**32."""
    return (value - than) & 0x80000000 != 0


@njit
def starts(mine, state, row, cells):
    """tcp_set_entry_to_mbuf()."""
    mine[TAIL_BYTES] = 0
    state[COUNTED] = 1
    state[NOTED] = tcp.ack(row, cells[L4])
    state[DATA_SUM] = sum_by_checksum(row, cells) if cells[PAYLOAD_BYTES] else 0
    if tcp.has_aligned_timestamps(row, cells[L4]):
        state[SAW_TIMESTAMPS] = 1
        state[TSVAL] = tcp.tsval(row, cells[L4])


@njit
def joins(old, was, state, row, cells):
    """Data or a newer ack brings its ack and window; of two equal acks the larger window stays."""
    at, l4, n_bytes = was[L4], cells[L4], cells[PAYLOAD_BYTES]
    ack, window = tcp.ack(row, l4), tcp.window(row, l4)
    if n_bytes == 0 and older(ack, state[NOTED]):
        return
    if tcp.has_aligned_timestamps(row, l4):
        state[TSVAL] = tcp.tsval(row, l4)
        if state[SAW_TIMESTAMPS]:
            put32(old, at + TSVAL_AT, tcp.tsval(row, l4))
            put32(old, at + TSECR_AT, tcp.tsecr(row, l4))
    held = tcp.ack(old, at)
    if n_bytes or (ack != held and older(held, ack)):
        put32(old, at + tcp.ACK, ack)
        put16(old, at + tcp.WINDOW, window)
    elif ack == held:
        put16(old, at + tcp.WINDOW, max(window, tcp.window(old, at)))
    if n_bytes:
        state[COUNTED] += 1
        state[DATA_SUM] += sum_by_checksum(row, cells)  # quirk: an odd number of bytes before it is not allowed for


@njit
def completes(state, row, cells):
    """tcp_flush_out_entry(), tcp_lro_update_checksum(): lro_nsegs is kept, a segment size is not."""
    cells[CSUM_STATE] = CSUM_VERIFIED
    cells[GSO_SEGMENTS] = state[COUNTED]
    if state[SEGMENTS] == 1:
        return
    l3 = cells[L3]
    ip_bytes = cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES]
    if is_ipv4(row, l3):
        ipv4.set_total_length(row, l3, ip_bytes)
        put16(row, l3 + ipv4.CHECKSUM, checksum.ipv4_header(row, l3))
    else:
        ipv6.set_payload_length(row, l3, ip_bytes - ipv6.HEADER_BYTES)
    tcp.set_checksum(row, cells[L4], checksum_of(row, cells, state[DATA_SUM]))
