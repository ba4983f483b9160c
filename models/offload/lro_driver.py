"""Large receive offload in the driver, the Linux inet_lro library of 2007 to 2015: the rule book.

Models: one manager per queue, IPv4 and TCP, with what it forgets and with its quirks; whole skbs, or pages where the
    driver hands those (`page_bytes`: the size of one).
Leaves out: lro_flush_pkt(), which no driver used; drivers that put a frame's headers into a page of their own.
Sources: rules of net/ipv4/inet_lro.c as collected in the project's fact sheet, section 3; own words. The front door is
    that of myri10ge and mlx4: IPv4, TCP, no fragment, both checksums verified by the card.
Checked by: tests/models/offload/test_lro_driver.py.

A frame whose checksum nobody looked at (CSUM_NONE) is verified here as the card would have: every card that used this
library verified checksums.
"""

from __future__ import annotations

import numpy as np

from models.offload.held import (
    COUNTED,
    DATA_SUM,
    IP_BYTES,
    MAX_SEGMENTS,
    MSS,
    MTU_BYTES,
    NEXT_SEQ,
    PAGE_BYTES,
    SAW_TIMESTAMPS,
    SEGMENTS,
    TSVAL,
)
from models.offload.kernel import njit
from models.offload.why import Why
from models.payload import payload_word
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
    SOURCE,
    START,
    TAIL_BYTES,
    VLAN_STRIPPED,
)
from models.wire import checksum, ethernet, ipv4, tcp
from models.wire.octets import put16, put32

SESSIONS = 8  # max_desc of most drivers
MAX_AGGREGATED = 64  # max_aggr of ehea, myri10ge, enic
NEVER = tcp.CWR | tcp.ECE | tcp.URG | tcp.RST | tcp.SYN | tcp.FIN
CONGESTION_EXPERIENCED = 3
TSECR_AT = 8  # from the end of the 20 bytes: NOP NOP kind length TSval TSecr


@njit(inline="always")
def overlooks(payloads, pieces, row, cells):
    """The driver's callback: what is not handed to the library goes straight up."""
    l3 = cells[L3]
    if l3 < 0 or np.int64(row[l3]) >> 4 != 4:
        return Why.NOT_IP  # version 4 is all it knows
    if ipv4.protocol(row, l3) != tcp.PROTOCOL:
        return Why.NOT_TCP
    if ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
        return Why.FRAGMENT
    if cells[L4] < 0:
        return Why.MALFORMED
    if cells[GSO_BYTES]:
        return Why.ALREADY_MERGED
    if cells[CSUM_STATE] == CSUM_BAD or not checksum.ipv4_header_is_right(row, l3):
        return Why.CHECKSUM
    if cells[CSUM_STATE] == CSUM_NONE and not checksum.transport_is_right(payloads, pieces, row, cells):
        return Why.CHECKSUM
    return Why.NONE


@njit(inline="always")
def bars(row, cells):
    """lro_tcp_ip_check(), as far as it does not look at the session."""
    l3, l4 = cells[L3], cells[L4]
    if ipv4.total_length(row, l3) != cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES]:
        return Why.PADDING
    if cells[PAYLOAD_BYTES] == 0:
        return Why.NO_PAYLOAD
    if ipv4.header_bytes(row, l3) != ipv4.MINIMUM_BYTES:
        return Why.IP_OPTIONS
    flags = tcp.flags(row, l4)
    if flags & tcp.CWR:
        return Why.CWR
    if flags & NEVER or not flags & tcp.ACK_FLAG:
        return Why.FLAGS
    if ipv4.tos(row, l3) & 3 == CONGESTION_EXPERIENCED:
        return Why.ECN
    if tcp.header_bytes(row, l4) != tcp.MINIMUM_BYTES:
        if not tcp.has_aligned_timestamps(row, l4) or tcp.tsecr(row, l4) == 0:
            return Why.OPTIONS
    return Why.NONE


@njit(inline="always")
def same_flow(old, was, row, cells):
    """lro_check_tcp_conn(): addresses and ports; neither MAC addresses nor VLAN."""
    if tcp.ports(old, was[L4]) != tcp.ports(row, cells[L4]):
        return False
    if ipv4.source(old, was[L3]) != ipv4.source(row, cells[L3]):
        return False
    return ipv4.destination(old, was[L3]) == ipv4.destination(row, cells[L3])


@njit(inline="always")
def refuses(setup, state, row, cells):
    """__lro_proc_skb() and lro_tcp_ip_check() with a session: next in sequence, and no older timestamp."""
    if tcp.seq(row, cells[L4]) != state[NEXT_SEQ]:
        return Why.GAP
    if cells[L3] != ethernet.HEADER_BYTES and not setup[PAGE_BYTES]:
        return Why.VLAN  # quirk: of skbs, only the start of a session allows for a tag in the frame
    if tcp.header_bytes(row, cells[L4]) != tcp.MINIMUM_BYTES:  # quirk: not compared with the session's own layout
        if (tcp.tsval(row, cells[L4]) - state[TSVAL]) & 0x80000000:  # older than the first one's
            return Why.OPTIONS
    return Why.NONE


@njit(inline="always")
def declines(row, cells):
    """What is eligible starts a session."""
    return Why.NONE


@njit(inline="always")
def starts(setup, mine, state, row, cells):
    """lro_init_desc(); quirk: of pages, the session keeps no VLAN tag that the card has stripped."""
    state[DATA_SUM] = sum_by_checksum(row, cells)
    if tcp.header_bytes(row, cells[L4]) != tcp.MINIMUM_BYTES:
        state[SAW_TIMESTAMPS] = 1
        state[TSVAL] = tcp.tsval(row, cells[L4])
    if setup[PAGE_BYTES]:
        mine[VLAN_STRIPPED] = 0
        state[COUNTED] = pages(setup, cells[PAYLOAD_BYTES])  # lro_gen_skb() takes the headers off the length first


@njit(inline="always")
def pages(setup, n_bytes):
    return (n_bytes + setup[PAGE_BYTES] - 1) // setup[PAGE_BYTES]


@njit
def sum_by_checksum(row, cells):
    """The sum of the payload's words that the frame's TCP checksum claims, lro_tcp_data_csum(); folded."""
    l4 = cells[L4]
    l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
    around = checksum.pseudo(row, cells[L3], tcp.PROTOCOL, l4_bytes) + checksum.words(row, l4, cells[HEAD_BYTES])
    return 0xFFFF - checksum.fold(around)


@njit
def checksum_of(row, cells, data_sum):
    """The TCP checksum of a header before a payload whose words sum to `data_sum`."""
    l4 = cells[L4]
    l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
    around = checksum.pseudo(row, cells[L3], tcp.PROTOCOL, l4_bytes) + checksum.words(row, l4, cells[HEAD_BYTES])
    return 0xFFFF - checksum.fold(around - tcp.checksum(row, l4) + data_sum)


@njit(inline="always")
def joins(setup, old, was, state, payloads, row, cells):
    """lro_add_common(): the newest ack, window and TSecr; TSval stays the first one's, for PAWS."""
    at, l4 = was[L4], cells[L4]
    data_sum = sum_by_checksum(row, cells)  # quirk: what the segments claim is what the packet will claim
    if was[PAYLOAD_BYTES] & 1:
        data_sum = (data_sum & 0xFF) << 8 | data_sum >> 8
    state[DATA_SUM] += data_sum
    if setup[PAGE_BYTES]:
        state[COUNTED] += pages(setup, cells[HEAD_BYTES] + cells[PAYLOAD_BYTES])
    put32(old, at + tcp.ACK, tcp.ack(row, l4))
    put16(old, at + tcp.WINDOW, tcp.window(row, l4))
    if state[SAW_TIMESTAMPS]:
        if tcp.header_bytes(row, l4) == tcp.MINIMUM_BYTES:  # quirk: reads where the option would be
            tsecr = payload_word(payloads, cells[SOURCE], cells[START], cells[PAYLOAD_BYTES], TSECR_AT)
        else:
            tsecr = tcp.tsecr(row, l4)
        put32(old, at + tcp.MINIMUM_BYTES + TSECR_AT, tsecr)
    state[MSS] = max(state[MSS], cells[PAYLOAD_BYTES])


@njit(inline="always")
def closes(setup, state):
    """__lro_proc_skb(), __lro_proc_segment(): enough segments or pages, or no room for another full one."""
    if (state[COUNTED] if setup[PAGE_BYTES] else state[SEGMENTS]) >= setup[MAX_SEGMENTS]:
        return Why.LIMIT
    if state[IP_BYTES] > 0xFFFF - setup[MTU_BYTES]:
        return Why.LIMIT
    return Why.NONE


@njit
def completes(state, row, cells):
    """lro_flush(), lro_update_tcp_ip_header(): the segment size is set even on a single segment, the type never."""
    cells[GSO_BYTES] = state[MSS]
    cells[CSUM_STATE] = CSUM_VERIFIED
    if state[SEGMENTS] == 1:
        return
    l3 = cells[L3]
    ipv4.set_total_length(row, l3, state[IP_BYTES])
    put16(row, l3 + ipv4.CHECKSUM, checksum.ipv4_header(row, l3))
    tcp.set_checksum(row, cells[L4], checksum_of(row, cells, state[DATA_SUM]))
