"""What merging loses: a merged packet is cut again, and every frame compared with what it was, byte by byte.

Models: the frame that a cut would send in the place of each frame that came.
Leaves out: any rule of any engine. The payload, which merging only points at; checksums, whose change follows from that
    of other bytes (but one that only a rewrite makes canonical, 0xFFFF for 0x0000, is a changed frame).
Sources: own.
Checked by: tests/models/offload/test_lossless.py.

Fields without a name of their own count with their nearest kin: MAC addresses with `vlan`, DF and fragment bits with
`ip_id`, the flow label with `tos`, ECE and CWR with `ce`, other TCP flags, offset and extension headers with `options`.
"""

from __future__ import annotations

import numpy as np

from models.offload.held import FIRST_MEMBER, FRAMES_ALTERED, FRAMES_CHECKED, LOST, LOST_FIRST, NEXT_MEMBER, SEGMENTS
from models.offload.kernel import njit
from models.offload.segment import segments_of, write_header
from models.train import (
    ABSENT,
    CSUM_PARTIAL,
    CSUM_STATE,
    FRAME_COUNT,
    GSO_BYTES,
    HEAD_BYTES,
    L3,
    L4,
    PAYLOAD_BYTES,
    VLAN_STRIPPED,
)
from models.wire import ipv4, ipv6, tcp
from models.wire.octets import be16, be32, same

CE, ACK, WINDOW, TSVAL, TSECR, PSH, URGENT, TOS, TTL, IP_ID, VLAN, OPTIONS, BOUNDARY = range(len(LOST))
CONGESTION_EXPERIENCED = 3
TAGLESS_BYTES = 12  # both MAC addresses


@njit
def count(held, state, row, cells, book, cut):
    """Add to `book` what the packet `row`, `cells`, complete, loses of its members; `cut` is a scratch row."""
    book[FRAMES_CHECKED] += cells[FRAME_COUNT]
    if state[SEGMENTS] == 1:
        return
    lost = book[LOST_FIRST:]
    size, last = cells[GSO_BYTES], segments_of(cells) - 1
    slot, j, came_from = state[FIRST_MEMBER], 0, 0
    while slot != ABSENT:
        member, came = held.members[slot], held.member_head[slot]
        if not member[GSO_BYTES]:  # a member that was merged before has no frame to compare with
            nearest = min(j, last)
            start = nearest * size
            n_bytes = min(size, cells[PAYLOAD_BYTES] - start)
            write_header(cut, row, cells, nearest, start, n_bytes)
            moved = start != came_from or n_bytes != member[PAYLOAD_BYTES]
            lost[BOUNDARY] += moved
            altered = compare(came, member, cut, cells, lost)
            book[FRAMES_ALTERED] += moved or altered
        j += segments_of(member)
        came_from += member[PAYLOAD_BYTES]
        slot = member[NEXT_MEMBER]


@njit
def compare(came, member, cut, cells, lost):
    """Whether the header `cut`, laid out as `cells`, differs from the one that `came`; counts the fields that do."""
    l3, l4 = member[L3], member[L4]
    stripped = member[VLAN_STRIPPED] != cells[VLAN_STRIPPED]
    if not stripped and member[HEAD_BYTES] == cells[HEAD_BYTES] and l3 == cells[L3] and l4 == cells[L4]:
        ip4 = np.int64(came[l3]) >> 4 == 4
        if same(came, cut, 0, l3 + 2 if ip4 else l3 + 4) and same(came, cut, l4 + 8, l4 + 16):
            if same(came, cut, l3 + 4, l3 + 10) if ip4 else same(came, cut, l3 + 6, l4):
                if same(came, cut, l4 + 18, member[HEAD_BYTES]):
                    return not is_canonical(came, member, ip4)
    at, al = cells[L3], cells[L4]
    if stripped or l3 != at or not same(came, cut, 0, l3):
        lost[VLAN] += 1
    network(came, l3, l4, cut, at, al, lost)
    transport(came, l4, member[HEAD_BYTES], cut, al, cells[HEAD_BYTES], lost)
    return True


@njit
def is_canonical(came, member, ip4):
    """Whether the checksums are in the form a sum gives them: 0xFFFF never comes out of one."""
    if ip4 and be16(came, member[L3] + ipv4.CHECKSUM) == 0xFFFF:
        return False
    return member[CSUM_STATE] == CSUM_PARTIAL or tcp.checksum(came, member[L4]) != 0xFFFF


@njit
def network(came, l3, l4, cut, at, al, lost):
    """IP header fields at `l3` against those at `at`."""
    if np.int64(came[l3]) >> 4 == 4:
        was, now = ipv4.tos(came, l3), ipv4.tos(cut, at)
        lost[TTL] += ipv4.ttl(came, l3) != ipv4.ttl(cut, at)
        lost[IP_ID] += be32(came, l3 + ipv4.ID) != be32(cut, at + ipv4.ID)
        step = ipv4.MINIMUM_BYTES
    else:
        was, now = ipv6.flow_word(came, l3) >> 20 & 0xFF, ipv6.flow_word(cut, at) >> 20 & 0xFF
        lost[TTL] += ipv6.hop_limit(came, l3) != ipv6.hop_limit(cut, at)
        lost[TOS] += (ipv6.flow_word(came, l3) ^ ipv6.flow_word(cut, at)) & 0xFFFFF != 0 and was >> 2 == now >> 2
        step = ipv6.HEADER_BYTES
    marked = (was & 3 == CONGESTION_EXPERIENCED) != (now & 3 == CONGESTION_EXPERIENCED)
    lost[CE] += marked
    lost[TOS] += was >> 2 != now >> 2 or (was & 3 != now & 3 and not marked)
    if l4 - l3 != al - at or not same(came[l3:], cut[at:], step, l4 - l3):
        lost[OPTIONS] += 1


@njit
def transport(came, l4, stop, cut, al, cut_stop, lost):
    """TCP header fields at `l4` against those at `al`."""
    changed = tcp.flags(came, l4) ^ tcp.flags(cut, al)
    lost[ACK] += tcp.ack(came, l4) != tcp.ack(cut, al)
    lost[WINDOW] += tcp.window(came, l4) != tcp.window(cut, al)
    lost[PSH] += changed & tcp.PSH != 0
    lost[URGENT] += changed & tcp.URG != 0 or tcp.urgent(came, l4) != tcp.urgent(cut, al)
    lost[CE] += changed & (tcp.ECE | tcp.CWR) != 0
    other = changed & (tcp.FIN | tcp.SYN | tcp.RST | tcp.ACK_FLAG) != 0 or came[l4 + tcp.OFFSET] != cut[al + tcp.OFFSET]
    if tcp.has_aligned_timestamps(came, l4) and tcp.has_aligned_timestamps(cut, al):
        lost[TSVAL] += tcp.tsval(came, l4) != tcp.tsval(cut, al)
        lost[TSECR] += tcp.tsecr(came, l4) != tcp.tsecr(cut, al)
    elif stop - l4 != cut_stop - al or not same(came[l4:], cut[al:], tcp.MINIMUM_BYTES, stop - l4):
        other = True
    lost[OPTIONS] += other
