"""A router's verdicts, and what it writes into a packet it passes on."""

from ipaddress import ip_address

import numpy as np
import pytest

from models.forwarding.router import (
    BEGAN_PS,
    FRAMES,
    HZ,
    PRICE,
    RUN_WORDS,
    SEGMENT_PRICE,
    SEGMENTS,
    SPENT,
    Verdict,
    forward,
)  # fmt: skip
from models.packet import Route, packet
from models.tcp.segment import ACK, Segment
from models.train import (
    ABSENT,
    FRAME_ID,
    GSO_BYTES,
    GSO_SEGMENTS,
    GSO_TCP4,
    GSO_TYPE,
    L3,
    TIME_PS,
    FrameTrain,
    join,
)  # fmt: skip
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


def passed_on(train, mtu=1500, *, spent=None, began_ps=0, price=0, segment_price=0, before=0):
    """How many rows may go, by how much each verdict's drops grew, and what `forward` wrote of its run."""
    run, drops = np.zeros(RUN_WORDS, np.int64), np.zeros(len(Verdict), np.int64)
    run[HZ] = 10**9
    run[[BEGAN_PS, PRICE, SEGMENT_PRICE, SPENT]] = began_ps, price, segment_price, before
    spent = np.zeros(len(train), np.int64) if spent is None else spent
    kept = forward(run, train.meta, train.head, spent, drops, *MACS, mtu)
    return kept, drops, run


def verdict(train, mtu=1500):
    kept, drops, _ = passed_on(train, mtu)
    dropped = [Verdict(k) for k in np.flatnonzero(drops).tolist()]
    assert len(dropped) == 1 - kept
    return dropped[0] if dropped else Verdict.FORWARDED


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
    train = FrameTrain(train.meta.copy(), train.head.copy(), train.pieces)
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


def several():
    """Packets of a run: what may go is in rows 0, 2 and 5; row 2 has 20 frames."""
    wanted = [
        one(payload=100),
        with_ttl(one(payload=101), 1),
        one(payload=28960, gso=1448),
        with_cells(one(payload=28960, gso=1448), gso_type=0),
        one(payload=1449),
        one(6, payload=102),
    ]
    train = join(wanted)
    train.meta[:, FRAME_ID] = range(len(wanted))
    return train


def test_what_may_go_are_the_first_rows_in_order_whole_and_what_may_not_is_counted_by_frames():
    train = several()
    alone = [train[k : k + 1] for k in (0, 2, 5)]
    alone = [FrameTrain(part.meta.copy(), part.head.copy()) for part in alone]
    kept, drops, run = passed_on(train, began_ps=5)
    assert kept == 3
    assert {Verdict(k): n for k, n in enumerate(drops.tolist()) if n} == {
        Verdict.TTL_EXPIRED: 1,
        Verdict.LRO_GUARD: 20,
        Verdict.TOO_BIG: 1,
    }
    for k, part in enumerate(alone):
        passed_on(part, began_ps=5)
        assert (train.meta[k] == part.meta[0]).all() and (train.head[k] == part.head[0]).all()
    assert run[FRAMES] == 1 + 20 + 1 and run[SEGMENTS] == 0


@pytest.mark.parametrize("segment_price", [0, 10_000])
def test_a_packet_leaves_when_its_own_work_is_done_and_a_refused_one_has_cost_as_much(segment_price):
    """At 1 GHz a cycle takes 1000 ps: a packet 3 cycles, a segment cut here one, 2 were spent before."""
    spent = np.array([0, 10, 10, 20, 30, 40]) * 10_000
    train = several()
    kept, _, run = passed_on(train, spent=spent, began_ps=7, price=30_000, segment_price=segment_price, before=20_000)
    cuts = 20 if segment_price else 0
    expected = [0 + 2 + 3, 10 + 2 + 9 + cuts, 40 + 2 + 18 + cuts]
    assert train.meta[:kept, TIME_PS].tolist() == [7 + 1000 * cycles for cycles in expected]
    assert run[SPENT] == (2 + 18 + cuts) * 10_000
    assert (run[SEGMENTS], run[FRAMES]) == (cuts, 22)


def test_work_of_one_run_goes_on_in_the_next_and_what_is_counted_per_run_starts_again():
    run, drops = np.zeros(RUN_WORDS, np.int64), np.zeros(len(Verdict), np.int64)
    run[[HZ, PRICE, SEGMENT_PRICE]] = 10**9, 30_000, 10_000
    for runs in (1, 2):
        forward(run, several().meta, several().head, np.zeros(6, np.int64), drops, *MACS, 1500)
        assert run[SPENT] == runs * (18 + 20) * 10_000
        assert (run[SEGMENTS], run[FRAMES]) == (20, 22)
        assert drops[Verdict.LRO_GUARD] == 20 * runs


def plain_checksum(header: bytes) -> int:
    """RFC 1071, the slow way, the field itself taken as zero."""
    total = sum(int.from_bytes(header[k : k + 2], "big") for k in range(0, 20, 2) if k != 10)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
