"""What a router does to somebody else's packet.

Models: TTL or hop limit, IPv4 header checksum, MAC addresses, the length test against the next link's MTU, and the
    guard that refuses packets merged by an engine that does not say how they may be cut again.
Leaves out: ICMP answers, fragmentation of packets without DF, options, filtering.
Sources: RFC 1812 section 5; RFC 1624; Linux net/ipv4/ip_forward.c (order of the tests), skb_warn_if_lro in
    include/linux/skbuff.h, skb_gso_validate_network_len.
Checked by: tests/models/forwarding/test_router.py.
"""

from __future__ import annotations

from enum import IntEnum

from models.compiled import njit
from models.cpu.costs import work_ps_compiled
from models.offload.segment import segments_of
from models.train import ABSENT, FRAME_COUNT, GSO_BYTES, GSO_SEGMENTS, GSO_TYPE, HEAD_BYTES, L3, PAYLOAD_BYTES, TIME_PS
from models.wire import ethernet, ipv4, ipv6
from models.wire.checksum import ipv4_header
from models.wire.octets import put16


class Verdict(IntEnum):
    """What becomes of a packet; all but FORWARDED are drops, and their `label` is the reason."""

    FORWARDED = 0
    NOT_IP = 1
    LRO_GUARD = 2
    TTL_EXPIRED = 3
    TOO_BIG = 4

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")


_FORWARDED, _NOT_IP, _LRO_GUARD, _TTL_EXPIRED, _TOO_BIG = (int(verdict) for verdict in Verdict)


# what `forward` does with a run of packets, int64[...]: the caller sets the first five
BEGAN_PS, HZ, PRICE, SEGMENT_PRICE, SPENT, SEGMENTS, FRAMES, RUN_WORDS = range(8)


@njit
def forward(run, meta, head, spent, drops, source_mac, destination_mac, mtu_bytes):
    """Rewrite the packets for one egress; returns how many may go, which are then the first rows.

    `run` as named above: when the poll's take began [ps], the core's clock [cycles/s], the work of a packet and of a
    segment cut [1/10,000 cycle], the work before, which grows; segments cut in software and frames that will leave.
    `spent` int64[n]: work when each packet comes, on top; a packet leaves when its own is done. `drops`
    int64[verdicts] grows by frames. `meta` and `head` are the caller's own, MACs uint8[6]."""
    kept = 0
    run[SEGMENTS] = run[FRAMES] = 0
    for i in range(len(meta)):
        cells, row = meta[i], head[i]
        verdict = _verdict(row, cells, mtu_bytes)
        run[SPENT] += run[PRICE]
        if verdict != _FORWARDED:
            drops[verdict] += cells[FRAME_COUNT]
            continue
        if run[SEGMENT_PRICE] and cells[GSO_SEGMENTS] > 1:
            run[SEGMENTS] += cells[GSO_SEGMENTS]
            run[SPENT] += cells[GSO_SEGMENTS] * run[SEGMENT_PRICE]
        cells[TIME_PS] = run[BEGAN_PS] + work_ps_compiled(spent[i] + run[SPENT], run[HZ])
        run[FRAMES] += segments_of(cells)
        _rewrite(row, cells[L3], source_mac, destination_mac)
        if kept != i:
            for c in range(len(cells)):
                meta[kept, c] = cells[c]
            for c in range(len(row)):
                head[kept, c] = row[c]
        kept += 1
    return kept


@njit
def _rewrite(row, l3, source_mac, destination_mac):
    for k in range(6):
        row[ethernet.DESTINATION + k] = destination_mac[k]
        row[ethernet.SOURCE + k] = source_mac[k]
    if row[l3] >> 4 == 4:
        row[l3 + ipv4.TTL] -= 1
        put16(row, l3 + ipv4.CHECKSUM, ipv4_header(row, l3))
    else:
        row[l3 + ipv6.HOP_LIMIT] -= 1


@njit
def _verdict(row, cells, mtu_bytes):
    l3 = cells[L3]
    if l3 == ABSENT:
        return _NOT_IP
    if cells[GSO_BYTES] and not cells[GSO_TYPE]:
        return _LRO_GUARD
    lives = ipv4.ttl(row, l3) if row[l3] >> 4 == 4 else ipv6.hop_limit(row, l3)
    if lives <= 1:
        return _TTL_EXPIRED
    payload = cells[GSO_BYTES] if cells[GSO_BYTES] else cells[PAYLOAD_BYTES]
    if cells[HEAD_BYTES] - l3 + payload > mtu_bytes:
        return _TOO_BIG
    return _FORWARDED
