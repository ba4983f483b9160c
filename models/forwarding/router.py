"""What a router does to somebody else's packet.

Models: TTL or hop limit, IPv4 header checksum, MAC addresses, the length test against the next link's MTU, and the
    guard that refuses packets merged by an engine that does not say how they may be cut again.
Leaves out: ICMP answers, fragmentation of packets without DF, options, filtering.
Sources: RFC 1812 section 5; RFC 1624; Linux net/ipv4/ip_forward.c (order of the tests), skb_warn_if_lro in
    include/linux/skbuff.h, skb_gso_validate_network_len.
Checked by: tests/models/forwarding/test_router.py; tests/sim/nodes/test_router.py within polls.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np

from models.cpu.costs import Kind, work_ps_compiled
from models.memory import END
from models.offload.kernel import njit
from models.queue import CUTS, MTU_BYTES, WAITING, join_queue, takes
from models.train import (
    ABSENT,
    FRAME_COUNT,
    GSO_BYTES,
    GSO_FRAGLIST,
    GSO_SEGMENTS,
    GSO_TYPE,
    HEAD_BYTES,
    L3,
    PAYLOAD_BYTES,
    TIME_PS,
    Ints,
)
from models.wire import ethernet, ipv4, ipv6
from models.wire.checksum import ipv4_header
from models.wire.octets import be32, put16


class Verdict(IntEnum):
    """What becomes of a packet; all but FORWARDED are drops, and their `label` is the reason."""

    FORWARDED = 0
    NOT_IP = 1
    LRO_GUARD = 2
    TTL_EXPIRED = 3
    TOO_BIG = 4
    NO_ROUTE = 5

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")


REFUSED_BYTES = len(Verdict)  # the word of `drops` behind those of the verdicts: payload of all that were refused
_FORWARDED, _NOT_IP, _LRO_GUARD, _TTL_EXPIRED, _TOO_BIG, _NO_ROUTE = (int(verdict) for verdict in Verdict)
_FWD, _GSO_SEG, _FRAGLIST_SEG = int(Kind.FWD), int(Kind.GSO_SEG), int(Kind.FRAGLIST_SEG)

HIGH, LOW, BY_PORT = range(3)  # columns of a forwarding table: the halves of an address, and where it leaves
_IPV4_HIGH = -1  # no address of a host starts with 64 ones


def table(routes: Mapping[bytes, int]) -> Ints:
    """int64[n, 3]: a forwarding table, from packed addresses of hosts to numbers of ports."""
    rows = []
    for address, port in routes.items():
        high, low = (-1).to_bytes(8, "big", signed=True), address.rjust(8, b"\0")
        if len(address) == 16:
            high, low = address[:8], address[8:]
        rows.append((*(int.from_bytes(half, "big", signed=True) for half in (high, low)), port))
    return np.array(sorted(rows), np.int64).reshape(len(rows), 3)


@njit
def route(routes, row, l3):
    """The port for the packet's destination in the table `routes`; ABSENT if it has none."""
    if ipv4.is_ipv4(row, l3):
        high, low = np.int64(_IPV4_HIGH), be32(row, l3 + ipv4.DESTINATION)
    else:
        at = l3 + ipv6.DESTINATION
        high, low = be32(row, at) << 32 | be32(row, at + 4), be32(row, at + 8) << 32 | be32(row, at + 12)
    first, end = 0, len(routes)
    while first < end:
        middle = (first + end) // 2
        if routes[middle, HIGH] < high or (routes[middle, HIGH] == high and routes[middle, LOW] < low):
            first = middle + 1
        else:
            end = middle
    if first < len(routes) and routes[first, HIGH] == high and routes[first, LOW] == low:
        return routes[first, BY_PORT]
    return np.int64(ABSENT)


@njit
def forward(
    packet, head, their_pieces, began_ps, hz, spent, rank_in, prices, counts, routes, drops, payloads, ports, macs,
    state, meta, heads, pieces, row, rank,
):  # fmt: skip
    """Pass on one packet, `packet` int64[1, columns] and `head` uint8[1, width], which are changed in place.

    It comes when the core has done `spent` [1/10,000 cycle] since `began_ps`, and enters the queue of its port when its
    own work is done: (whether there was room, that work, port or ABSENT). Without room nothing is done, and what is
    short is in the port's words.
    `drops` int64[REFUSED_BYTES + 1] grows by frames and bytes, `counts` int64[kinds] by units of work."""
    cells, octets = packet[0], head[0]
    port, verdict = np.int64(ABSENT), _NOT_IP
    if cells[L3] != ABSENT:
        port, verdict = route(routes, octets, cells[L3]), _NO_ROUTE
    if port != ABSENT:
        verdict = judge(octets, cells, ports[port, MTU_BYTES])
    if verdict == _FORWARDED and not takes(ports[port], packet, state):
        return False, np.int64(0), port
    work = prices[_FWD]
    counts[_FWD] += 1
    if verdict != _FORWARDED:
        drops[verdict] += cells[FRAME_COUNT]
        drops[REFUSED_BYTES] += cells[PAYLOAD_BYTES]
        return True, work, np.int64(ABSENT)
    chained = cells[GSO_TYPE] & GSO_FRAGLIST != 0
    if chained and cells[GSO_SEGMENTS] > 1:  # no card can unchain
        counts[_FRAGLIST_SEG] += cells[GSO_SEGMENTS]
        work += cells[GSO_SEGMENTS] * prices[_FRAGLIST_SEG]
    elif not ports[port, CUTS] and cells[GSO_SEGMENTS] > 1:
        counts[_GSO_SEG] += cells[GSO_SEGMENTS]
        work += cells[GSO_SEGMENTS] * prices[_GSO_SEG]
    cells[TIME_PS] = began_ps + work_ps_compiled(spent + work, hz)
    address(octets, macs[port])
    if not chained:
        age(octets, cells[L3])
    first = state[ports[port, WAITING], END]
    join_queue(packet, head, their_pieces, payloads, rank_in, ports[port], state, meta, heads, pieces, row, rank)
    if chained:  # skb_segment_list(): the router changed one header, and the others are those the frames came with
        age(heads[first], meta[first, L3])
    return True, work, port


@njit
def address(row, macs):
    """Write a frame's `macs` uint8[12], destination first."""
    for k in range(12):
        row[ethernet.DESTINATION + k] = macs[k]


@njit
def age(row, l3):
    """Take a hop from a packet's life."""
    if ipv4.is_ipv4(row, l3):
        row[l3 + ipv4.TTL] -= 1
        put16(row, l3 + ipv4.CHECKSUM, ipv4_header(row, l3))
    else:
        row[l3 + ipv6.HOP_LIMIT] -= 1


@njit
def judge(row, cells, mtu_bytes):
    """The Verdict on a packet that leaves by a link of `mtu_bytes`."""
    l3 = cells[L3]
    if l3 == ABSENT:
        return _NOT_IP
    if cells[GSO_BYTES] and not cells[GSO_TYPE]:
        return _LRO_GUARD
    lives = ipv4.ttl(row, l3) if ipv4.is_ipv4(row, l3) else ipv6.hop_limit(row, l3)
    if lives <= 1:
        return _TTL_EXPIRED
    payload = cells[GSO_BYTES] if cells[GSO_BYTES] else cells[PAYLOAD_BYTES]
    if cells[HEAD_BYTES] - l3 + payload > mtu_bytes:
        return _TOO_BIG
    return _FORWARDED
