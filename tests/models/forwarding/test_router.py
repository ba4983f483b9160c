"""A router's verdicts, and what it writes into a packet it passes on."""

from ipaddress import ip_address

import numpy as np
import pytest

from models.forwarding.router import Verdict, forward
from models.packet import Route, packet
from models.tcp.segment import ACK, Segment
from models.train import ABSENT, GSO_BYTES, GSO_SEGMENTS, GSO_TCP4, GSO_TYPE, L3
from models.wire import ipv4, ipv6

MACS = np.array([2, 0, 0, 0, 0, 8], np.uint8), np.array([2, 0, 0, 0, 0, 9], np.uint8)


def one(version=4, payload=1448, gso=0):
    ends = ("10.0.0.1", "10.0.1.2") if version == 4 else ("fd00::1", "fd00::2")
    route = Route(
        source_mac=b"\2\0\0\0\0\1",
        destination_mac=b"\2\0\0\0\0\2",
        source=ip_address(ends[0]),
        destination=ip_address(ends[1]),
        source_port=40_000,
        destination_port=5001,
        stream=1,
    )
    segment = Segment(1, 1, ACK, 100, payload_bytes=payload, gso_bytes=gso, timestamps=True)
    return packet(segment, route, time_ps=5, ident=1, frame_id=1)


def verdict(train, mtu=1500):
    verdicts = np.empty(1, np.int64)
    forward(train.head, train.meta, verdicts, *MACS, mtu)
    return Verdict(int(verdicts[0]))


def with_ttl(train, ttl, version=4):
    l3 = int(train.meta[0, L3])
    train.head[0, l3 + (ipv4.TTL if version == 4 else ipv6.HOP_LIMIT)] = ttl
    return train


def with_cells(train, **cells):
    for name, value in cells.items():
        train.column(name)[0] = value
    return train


@pytest.mark.parametrize(
    ("train", "mtu", "expected"),
    [
        (one(), 1500, Verdict.FORWARDED),
        (one(), 1499, Verdict.TOO_BIG),
        (one(6, payload=1428), 1500, Verdict.FORWARDED),
        (one(6, payload=1429), 1500, Verdict.TOO_BIG),
        (one(payload=28960, gso=1448), 1500, Verdict.FORWARDED),  # cut again, every part fits
        (one(payload=28960, gso=1449), 1500, Verdict.TOO_BIG),
        (with_cells(one(payload=28960, gso=1448), gso_type=0), 1500, Verdict.LRO_GUARD),
        (with_cells(one(), l3=ABSENT), 1500, Verdict.NOT_IP),
        (with_ttl(one(), 2), 1500, Verdict.FORWARDED),
        (with_ttl(one(), 1), 1500, Verdict.TTL_EXPIRED),
        (with_ttl(one(), 0), 1500, Verdict.TTL_EXPIRED),
        (with_ttl(one(6, 100), 1, 6), 1500, Verdict.TTL_EXPIRED),
        (with_ttl(one(), 1), 68, Verdict.TTL_EXPIRED),  # before the length, as ip_forward()
    ],
)
def test_verdict(train, mtu, expected):
    before = train.head.copy()
    assert verdict(train, mtu) is expected
    assert expected is Verdict.FORWARDED or (train.head == before).all()


def test_what_is_merged_says_so():
    meta = one(payload=28960, gso=1448).meta[0]
    assert (meta[GSO_BYTES], meta[GSO_SEGMENTS], meta[GSO_TYPE] & GSO_TCP4) == (1448, 20, GSO_TCP4)


@pytest.mark.parametrize("version", [4, 6])
def test_rewriting(version):
    train = with_ttl(one(version, 100), 64, version)
    before, l3 = train.head[0].copy(), int(train.meta[0, L3])
    assert verdict(train) is Verdict.FORWARDED
    row = train.head[0]
    assert row[:12].tobytes() == MACS[1].tobytes() + MACS[0].tobytes()
    changed = set(np.flatnonzero(row[12:] != before[12:]) + 12 - l3)
    if version == 4:
        assert row[l3 + ipv4.TTL] == 63
        assert int.from_bytes(row[l3 + 10 : l3 + 12].tobytes(), "big") == plain_checksum(row[l3 : l3 + 20].tobytes())
        assert changed <= {ipv4.TTL, ipv4.CHECKSUM, ipv4.CHECKSUM + 1}
    else:
        assert row[l3 + ipv6.HOP_LIMIT] == 63
        assert changed == {ipv6.HOP_LIMIT}


def plain_checksum(header: bytes) -> int:
    """RFC 1071, the slow way, the field itself taken as zero."""
    total = sum(int.from_bytes(header[k : k + 2], "big") for k in range(0, 20, 2) if k != 10)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
