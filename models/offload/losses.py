"""What merging loses: a merged packet is cut again, and every frame compared with what it was, byte by byte.

Models: the frame that a cut would send in the place of each frame that came.
Leaves out: any rule of any engine. The payload, which merging only points at; checksums, whose change follows from that
    of other bytes (but one that only a rewrite makes canonical, 0xFFFF for 0x0000, is a changed frame).
Sources: own.
Checked by: tests/models/offload/test_lossless.py.

A frame is held against the one cut that has its first byte. Each key of LOST counts frames in which something of it
differs, once; which field counts where is in docs/reasons.md. Of a tunnel, the outer and the inner header count alike.
"""

from __future__ import annotations

from models.offload.held import (
    DONE,
    FIRST_MEMBER,
    FRAMES_ALTERED,
    FRAMES_CHECKED,
    LOST,
    LOST_FIRST,
    NEXT_MEMBER,
    PASSED_ON,
    SEGMENTS,
)
from models.offload.kernel import njit
from models.offload.segment import jumbo_bytes, outer_excess, segments_of, write_header
from models.train import (
    ABSENT,
    CSUM_PARTIAL,
    CSUM_STATE,
    FRAME_COUNT,
    GSO_BYTES,
    HEAD_BYTES,
    INNER_L3,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
    TAIL_BYTES,
    VLAN_STRIPPED,
)
from models.wire import checksum, innermost, ipv4, ipv6, tcp, udp
from models.wire.octets import be16, be32, octet, same

CE, ACK, WINDOW, TSVAL, TSECR, PSH, URGENT, TOS, TTL, IP_ID, VLAN, OPTIONS, BOUNDARY = range(len(LOST))
CONGESTION_EXPERIENCED = 3


@njit
def count(members, heads, state, row, cells, book, cut):
    """Add to `book` what the packet `row`, `cells`, complete, loses of its members, of which `heads` has the
    headers; `cut` is a scratch row."""
    book[FRAMES_CHECKED] += cells[FRAME_COUNT]
    if state[DONE] == PASSED_ON:
        return
    lost = book[LOST_FIRST:]
    joined, last, gap = state[SEGMENTS] > 1, segments_of(cells) - 1, jumbo_bytes(row, cells)
    wrong = outer_excess(row, cells) != 0
    size = cells[GSO_BYTES] if last else cells[PAYLOAD_BYTES]
    slot, came_from = state[FIRST_MEMBER], 0
    while slot != ABSENT:
        member, came = members[slot], heads[slot]
        if not member[GSO_BYTES]:  # a member that was merged before has no frame to compare with
            nearest = min(came_from // size, last) if last else 0
            start = nearest * size
            n_bytes = min(size, cells[PAYLOAD_BYTES] - start)
            write_header(cut, row, cells, gap, nearest, start, n_bytes)
            found = 0 if is_unchanged(came, member, cut, cells, gap) else compare(came, member, cut, cells, gap)
            if start != came_from or n_bytes != member[PAYLOAD_BYTES] or cells[TAIL_BYTES] != member[TAIL_BYTES]:
                found |= 1 << BOUNDARY
            for k in range(len(LOST)):
                lost[k] += found >> k & 1
            is_odd = joined and (wrong or not is_canonical(came, member))
            book[FRAMES_ALTERED] += found != 0 or is_odd
        came_from += member[PAYLOAD_BYTES]
        slot = member[NEXT_MEMBER]


@njit
def is_unchanged(came, member, cut, cells, gap):
    """Whether all of the header that `came` is in `cut` too, but for checksums: what `compare` finds nothing in, asked
    of most frames, in a third of its time. Of what is not plain TCP, and where headers have moved, the answer is no."""
    l3, l4, stop = member[L3], member[L4], member[HEAD_BYTES]
    if gap or member[PROTOCOL] != tcp.PROTOCOL or member[VLAN_STRIPPED] != cells[VLAN_STRIPPED]:
        return False
    if cells[L3] != l3 or cells[L4] != l4 or cells[HEAD_BYTES] != stop or cells[INNER_L3] != member[INNER_L3]:
        return False
    start = 0
    if ipv4.is_ipv4(came, l3):
        if not same(came, cut, 0, l3 + ipv4.CHECKSUM):
            return False
        start = l3 + ipv4.SOURCE
    return same(came, cut, start, l4 + tcp.CHECKSUM) and same(came, cut, l4 + tcp.URGENT, stop)


@njit
def compare(came, member, cut, cells, gap):
    """In which fields the header `cut` differs from the one that `came`, bit k for field k of LOST. `cut` is laid out
    as `cells`, but that everything from TCP on is `gap` bytes further to the left."""
    l3, at = member[L3], cells[L3]
    l4, al = member[L4], cells[L4] - gap
    found = network(came, l3, l4, cut, at, al)
    if member[VLAN_STRIPPED] != cells[VLAN_STRIPPED] or l3 != at or not same(came, cut, 0, l3):
        found |= 1 << VLAN
    if (member[INNER_L3] < 0) != (cells[INNER_L3] < 0):
        return found | 1 << OPTIONS  # one of them is in a tunnel: nothing behind it is in the same place
    if member[INNER_L3] >= 0:
        l3, at = member[INNER_L3], cells[INNER_L3]
        if not same_tunnel(came, l4, l3, cut, al, at, member[PROTOCOL]):
            found |= 1 << OPTIONS
        l4, al = innermost.transport(member), innermost.transport(cells)
        found |= network(came, l3, l4, cut, at, al)
    if innermost.protocol(member) == tcp.PROTOCOL:
        found |= transport(came, l4, member[HEAD_BYTES], cut, al, cells[HEAD_BYTES] - gap)
    return found


@njit
def is_canonical(came, member):
    """Whether the checksums are what a sum gives: never a wrong one of IP, and 0xFFFF only of UDP."""
    for l3 in (member[L3], member[INNER_L3]):
        if l3 >= 0 and ipv4.is_ipv4(came, l3):
            if be16(came, l3 + ipv4.CHECKSUM) == 0xFFFF or not checksum.ipv4_header_is_right(came, l3):
                return False
    if member[CSUM_STATE] == CSUM_PARTIAL or innermost.protocol(member) != tcp.PROTOCOL:
        return True
    return tcp.checksum(came, innermost.transport(member)) != 0xFFFF


@njit
def same_tunnel(came, start, stop, cut, cut_start, cut_stop, protocol):
    """Whether what is between the two network headers is the same, but for the length and the checksum of UDP."""
    if stop - start != cut_stop - cut_start or protocol == ABSENT:
        return stop == start
    skipped = 0
    if protocol == udp.PROTOCOL:
        if udp.ports(came, start) != udp.ports(cut, cut_start):
            return False
        if (udp.checksum(came, start) == 0) != (udp.checksum(cut, cut_start) == 0):
            return False
        skipped = udp.HEADER_BYTES
    return same(came[start:], cut[cut_start:], skipped, stop - start)


@njit
def network(came, l3, l4, cut, at, al):
    """IP header fields at `l3` against those at `at`, as bits."""
    found = 0
    if ipv4.is_ipv4(came, l3):
        was, now = ipv4.tos(came, l3), ipv4.tos(cut, at)
        if ipv4.ttl(came, l3) != ipv4.ttl(cut, at):
            found |= 1 << TTL
        if be32(came, l3 + ipv4.ID) != be32(cut, at + ipv4.ID):
            found |= 1 << IP_ID
        step = ipv4.MINIMUM_BYTES
    else:
        was, now = ipv6.traffic_class(came, l3), ipv6.traffic_class(cut, at)
        if ipv6.hop_limit(came, l3) != ipv6.hop_limit(cut, at):
            found |= 1 << TTL
        if (ipv6.flow_word(came, l3) ^ ipv6.flow_word(cut, at)) & 0xFFFFF:
            found |= 1 << TOS
        if ipv6.next_header(came, l3) != ipv6.next_header(cut, at):
            found |= 1 << OPTIONS
        step = ipv6.HEADER_BYTES
    marked = (was & 3 == CONGESTION_EXPERIENCED) != (now & 3 == CONGESTION_EXPERIENCED)
    if marked:
        found |= 1 << CE
    if was >> 2 != now >> 2 or (was & 3 != now & 3 and not marked):
        found |= 1 << TOS
    if l4 - l3 != al - at or not same(came[l3:], cut[at:], step, l4 - l3):
        found |= 1 << OPTIONS
    return found


@njit
def transport(came, l4, stop, cut, al, cut_stop):
    """TCP header fields at `l4` against those at `al`, as bits."""
    changed = tcp.flags(came, l4) ^ tcp.flags(cut, al)
    found = 0
    if tcp.ack(came, l4) != tcp.ack(cut, al):
        found |= 1 << ACK
    if tcp.window(came, l4) != tcp.window(cut, al):
        found |= 1 << WINDOW
    if changed & tcp.PSH:
        found |= 1 << PSH
    if changed & tcp.URG or tcp.urgent(came, l4) != tcp.urgent(cut, al):
        found |= 1 << URGENT
    if changed & (tcp.ECE | tcp.CWR):
        found |= 1 << CE
    if changed & (tcp.FIN | tcp.SYN | tcp.RST | tcp.ACK_FLAG) or octet(came, l4 + tcp.OFFSET) != octet(
        cut, al + tcp.OFFSET
    ):
        found |= 1 << OPTIONS
    if tcp.has_aligned_timestamps(came, l4) and tcp.has_aligned_timestamps(cut, al):
        if tcp.tsval(came, l4) != tcp.tsval(cut, al):
            found |= 1 << TSVAL
        if tcp.tsecr(came, l4) != tcp.tsecr(cut, al):
            found |= 1 << TSECR
    elif stop - l4 != cut_stop - al or not same(came[l4:], cut[al:], tcp.MINIMUM_BYTES, stop - l4):
        found |= 1 << OPTIONS
    return found
