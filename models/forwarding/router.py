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
from models.train import ABSENT, GSO_BYTES, GSO_TYPE, HEAD_BYTES, L3, PAYLOAD_BYTES
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


@njit
def forward(head, meta, verdicts, source_mac, destination_mac, mtu_bytes):
    """Rewrite the headers of all packets for one egress; `verdicts` int64[n] says which may go.

    `head` and `meta` are the caller's own copies; MACs are uint8[6]."""
    for i in range(len(meta)):
        verdicts[i] = _verdict(head[i], meta[i], mtu_bytes)
        if verdicts[i] != _FORWARDED:
            continue
        row, l3 = head[i], meta[i, L3]
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
