"""What merging loses: a merged packet is cut again, and every frame compared with what it was, byte by byte.

Models: the frame that a cut would send in the place of each frame that came.
Leaves out: any rule of any engine. The payload, which merging only points at; checksums, whose change follows from that
    of other bytes (but one that only a rewrite makes canonical, 0xFFFF for 0x0000, is a changed frame).
Sources: own.
Checked by: tests/models/offload/test_lossless.py.

Fields without a name of their own count with their nearest kin: MAC addresses with `vlan`, DF and fragment bits with
`ip_id`, the flow label with `tos`, ECE and CWR with `ce`; other TCP flags, offset, extension headers and the header of
a tunnel with `options`; padding with `boundary`. Of a tunnel, the outer and the inner header count alike.
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
    slot, j, came_from = state[FIRST_MEMBER], 0, 0
    while slot != ABSENT:
        member, came = members[slot], heads[slot]
        if not member[GSO_BYTES]:  # a member that was merged before has no frame to compare with
            nearest = min(j, last)
            start = nearest * size
            n_bytes = min(size, cells[PAYLOAD_BYTES] - start)
            write_header(cut, row, cells, gap, nearest, start, n_bytes)
            moved = start != came_from or n_bytes != member[PAYLOAD_BYTES] or (joined and member[TAIL_BYTES] != 0)
            lost[BOUNDARY] += moved
            fields = 0 if is_unchanged(came, member, cut, cells, gap) else compare(came, member, cut, cells, gap, lost)
            is_odd = joined and (wrong or not is_canonical(came, member))
            book[FRAMES_ALTERED] += moved or fields != 0 or is_odd
        j += segments_of(member) if member[PAYLOAD_BYTES] else 0  # a swallowed acknowledgement has no segment
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
def compare(came, member, cut, cells, gap, lost):
    """In how many fields the header `cut` differs from the one that `came`; counts them. `cut` is laid out as `cells`,
    but that everything from TCP on is `gap` bytes further to the left."""
    before = lost.sum()
    l3, at = member[L3], cells[L3]
    if member[VLAN_STRIPPED] != cells[VLAN_STRIPPED] or l3 != at or not same(came, cut, 0, l3):
        lost[VLAN] += 1
    l4, al = member[L4], cells[L4] - gap
    network(came, l3, l4, cut, at, al, lost)
    if (member[INNER_L3] < 0) != (cells[INNER_L3] < 0):
        lost[OPTIONS] += 1  # one of them is in a tunnel: nothing behind it is in the same place
        return lost.sum() - before
    if member[INNER_L3] >= 0:
        l3, at = member[INNER_L3], cells[INNER_L3]
        lost[OPTIONS] += not same_tunnel(came, l4, l3, cut, al, at, member[PROTOCOL])
        l4, al = innermost.transport(member), innermost.transport(cells)
        network(came, l3, l4, cut, at, al, lost)
    if innermost.protocol(member) == tcp.PROTOCOL:
        transport(came, l4, member[HEAD_BYTES], cut, al, cells[HEAD_BYTES] - gap, lost)
    return lost.sum() - before


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
def network(came, l3, l4, cut, at, al, lost):
    """IP header fields at `l3` against those at `at`."""
    if ipv4.is_ipv4(came, l3):
        was, now = ipv4.tos(came, l3), ipv4.tos(cut, at)
        lost[TTL] += ipv4.ttl(came, l3) != ipv4.ttl(cut, at)
        lost[IP_ID] += be32(came, l3 + ipv4.ID) != be32(cut, at + ipv4.ID)
        step = ipv4.MINIMUM_BYTES
    else:
        was, now = ipv6.traffic_class(came, l3), ipv6.traffic_class(cut, at)
        lost[TTL] += ipv6.hop_limit(came, l3) != ipv6.hop_limit(cut, at)
        lost[TOS] += (ipv6.flow_word(came, l3) ^ ipv6.flow_word(cut, at)) & 0xFFFFF != 0 and was >> 2 == now >> 2
        lost[OPTIONS] += ipv6.next_header(came, l3) != ipv6.next_header(cut, at)
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
    other = changed & (tcp.FIN | tcp.SYN | tcp.RST | tcp.ACK_FLAG) != 0 or octet(came, l4 + tcp.OFFSET) != octet(
        cut, al + tcp.OFFSET
    )
    if tcp.has_aligned_timestamps(came, l4) and tcp.has_aligned_timestamps(cut, al):
        lost[TSVAL] += tcp.tsval(came, l4) != tcp.tsval(cut, al)
        lost[TSECR] += tcp.tsecr(came, l4) != tcp.tsecr(cut, al)
    elif stop - l4 != cut_stop - al or not same(came[l4:], cut[al:], tcp.MINIMUM_BYTES, stop - l4):
        other = True
    lost[OPTIONS] += other
