"""A router's verdicts, and what it writes into a packet it passes on."""

from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cpu.costs import KINDS, Kind
from models.forwarding.router import REFUSED_BYTES, Verdict, address, age, forward, judge, route, table
from models.memory import Memory
from models.packet import Route, packet
from models.payload import SYNTHETIC
from models.queue import SHORT, SHORT_PIECES, SHORT_ROWS, Ports
from models.tcp.segment import ACK, Segment
from models.train import (
    ABSENT,
    FRAME_ID,
    GSO_BYTES,
    GSO_SEGMENTS,
    GSO_TCP4,
    GSO_TYPE,
    L3,
    PAYLOAD_BYTES,
    TIME_PS,
    FrameTrain,
    join,
)
from models.wire import ipv4, ipv6

MACS = bytes([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8])  # the next hop's, then ours


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


class Way:
    """A router with one port, by which the packets of `one` leave."""

    def __init__(self, mtu=1500, *, price=0, segment_price=0, cuts=True):
        self.memory = Memory(queues=2)
        self.waiting, far = self.memory.queue(), self.memory.queue()
        self.ports = Ports(self.memory, ports=1)
        self.number = self.ports.add(
            waiting=self.waiting, far=far, rate_bps=10**9, delay_ps=0, limit_frames=None, inputs=1, most=None,
            mtu_bytes=mtu, cuts=cuts,
        )  # fmt: skip
        self.ports.macs[:] = np.frombuffer(MACS, np.uint8)
        self.routes = table({ip_address(end).packed: self.number for end in ("10.0.1.2", "fd00::2")})
        self.prices = np.zeros(len(KINDS), np.int64)
        self.prices[[Kind.FWD, Kind.GSO_SEG]] = price, segment_price
        self.counts, self.drops = np.zeros(len(KINDS), np.int64), np.zeros(REFUSED_BYTES + 1, np.int64)

    def forward(self, train, *, began_ps=0, spent=0):
        """What becomes of a train of one row: (whether there was room, work, port)."""
        return forward(
            train.meta, train.head, train.pieces, began_ps, 10**9, spent, 0, self.prices, self.counts, self.routes,
            self.drops, SYNTHETIC, self.ports.words, self.ports.macs, *self.memory.arrays(),
        )  # fmt: skip

    @property
    def passed(self):
        return self.waiting.in_order()


def verdict(train, mtu=1500):
    """By `forward`, which must have sent it or counted it, and as `judge` says."""
    way, judged = Way(mtu), Verdict(judge(train.head[0], train.meta[0], mtu))
    room, _, port = way.forward(train)
    dropped = [Verdict(k) for k in np.flatnonzero(way.drops[:REFUSED_BYTES]).tolist()]
    assert room and (port == ABSENT) == (len(way.passed) == 0) == (len(dropped) == 1)
    assert judged is (dropped[0] if dropped else Verdict.FORWARDED)
    return judged


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
    address(train.head[0], np.frombuffer(MACS, np.uint8))
    age(train.head[0], l3)
    row = train.head[0]
    assert row[:12].tobytes() == MACS
    changed = set(np.flatnonzero(row[12:] != before[12:]) + 12 - l3)
    if version == 4:
        assert row[l3 + ipv4.TTL] == 63
        assert int.from_bytes(row[l3 + 10 : l3 + 12].tobytes(), "big") == plain_checksum(row[l3 : l3 + 20].tobytes())
        assert changed <= {ipv4.TTL, ipv4.CHECKSUM, ipv4.CHECKSUM + 1}
    else:
        assert row[l3 + ipv6.HOP_LIMIT] == 63
        assert changed == {ipv6.HOP_LIMIT}


@pytest.mark.parametrize("version", [4, 6])
def test_what_waits_at_the_port_is_what_was_rewritten(version):
    way, train = Way(), one(version, 100)
    rewritten = train.head[0].copy()
    address(rewritten, way.ports.macs[0])
    age(rewritten, train.meta[0, L3])
    way.forward(train)
    end = train.meta[0, L3] + (20 if version == 4 else 40)  # behind it is the checksum, which the cut completes
    assert (way.passed.head[0, :end] == rewritten[:end]).all()


ADDRESSES = st.one_of(
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=16, max_size=16).filter(lambda packed: packed[:8] != b"\xff" * 8),
    st.sampled_from(
        [bytes(4), bytes(16), b"\xff" * 4, bytes(12) + b"\x0a\0\0\x01", b"\x0a\0\0\x01", b"\x80" + bytes(15)]
    ),
)


@given(routes=st.dictionaries(ADDRESSES, st.integers(0, 9), max_size=40), others=st.lists(ADDRESSES, max_size=8))
def test_a_route_is_the_one_of_the_very_address(routes, others):
    rows = table(routes)
    for packed in [*routes, *others]:
        train = one(4 if len(packed) == 4 else 6)
        at = train.meta[0, L3] + (ipv4.DESTINATION if len(packed) == 4 else ipv6.DESTINATION)
        train.head[0, at : at + len(packed)] = np.frombuffer(packed, np.uint8)
        assert route(rows, train.head[0], train.meta[0, L3]) == routes.get(packed, ABSENT)


@pytest.mark.parametrize("version", [4, 6])
def test_without_a_route_a_packet_is_refused_before_anything_else(version):
    way, train = Way(price=30_000), with_ttl(one(version, payload=28960, gso=1448), 1, version)
    way.routes = table({ip_address("10.0.1.3").packed: 0, ip_address("fd00::3").packed: 0})
    head = train.head.copy()
    assert way.forward(train) == (True, 30_000, ABSENT)
    assert {Verdict(k): n for k, n in enumerate(way.drops[:REFUSED_BYTES].tolist()) if n} == {Verdict.NO_ROUTE: 20}
    assert (train.head == head).all() and not len(way.passed)


def test_what_is_not_ip_is_refused_before_a_route_is_asked_for():
    way, train = Way(), with_cells(one(), l3=ABSENT)
    way.routes = table({})
    way.forward(train)
    assert {Verdict(k): n for k, n in enumerate(way.drops[:REFUSED_BYTES].tolist()) if n} == {Verdict.NOT_IP: 1}


def several():
    """Packets one after the other: those of rows 0, 2 and 5 may go; row 2 has 20 frames."""
    wanted = [
        one(payload=100),
        with_ttl(one(payload=101), 1),
        one(payload=28960, gso=1448),
        with_cells(one(payload=28960, gso=1448), gso_type=0),
        one(payload=1449),
        one(6, payload=102),
    ]
    train = join(wanted)
    train.meta[:, FRAME_ID] = [0, 1, 100, 200, 300, 400]
    return [train[k : k + 1].packed() for k in range(len(train))]


def test_what_may_go_waits_in_order_cut_into_frames_and_what_may_not_is_counted_by_frames():
    way = Way()
    for train in several():
        way.forward(train)
    assert way.passed.meta[:, FRAME_ID].tolist() == [0, *range(100, 120), 400]
    assert way.passed.meta[:, PAYLOAD_BYTES].tolist() == [100, *[1448] * 20, 102]
    assert {Verdict(k): n for k, n in enumerate(way.drops[:REFUSED_BYTES].tolist()) if n} == {
        Verdict.TTL_EXPIRED: 1,
        Verdict.LRO_GUARD: 20,
        Verdict.TOO_BIG: 1,
    }


@pytest.mark.parametrize("cuts", [True, False])
def test_a_packet_leaves_when_its_own_work_is_done_and_a_refused_one_has_cost_as_much(cuts):
    """At 1 GHz a cycle takes 1000 ps: a packet 3 cycles, a segment one where the core cuts."""
    way = Way(price=30_000, segment_price=10_000, cuts=cuts)
    work = [way.forward(train, began_ps=7, spent=10_000 * k)[1] for k, train in enumerate(several())]
    segments = 0 if cuts else 20
    assert work == [(3 + (segments if k == 2 else 0)) * 10_000 for k in range(6)]
    expected = [0 + 3, *[2 + 3 + segments] * 20, 5 + 3]
    assert way.passed.meta[:, TIME_PS].tolist() == [7 + 1000 * cycles for cycles in expected]
    assert (way.counts[Kind.FWD], way.counts[Kind.GSO_SEG], way.counts.sum()) == (6, segments, 6 + segments)


def test_without_room_nothing_is_done_and_once_there_is_it_is_as_if_there_always_had_been():
    small, large = Way(price=30_000), Way(price=30_000)
    rows = len(small.memory.meta) // 2 - 19
    for way in (small, large):
        filling = FrameTrain.blank(rows)
        way.waiting.append(filling)
    large.waiting.reserve(100, 100)
    large.memory.make_room(1, 1000, 100)
    train, again = several()[2], several()[2]
    room, work, port = small.forward(train, began_ps=7, spent=5)
    assert (room, work, port) == (False, 0, small.number)
    assert small.ports.words[0, [SHORT, SHORT_ROWS, SHORT_PIECES]].tolist() == [small.waiting.index, 20, 0]
    assert (train.meta == again.meta).all() and (train.head == again.head).all()
    assert not small.counts.any() and len(small.passed) == rows
    while not room:
        small.ports.make_room(small.number)
        room, *done = small.forward(train, began_ps=7, spent=5)
    assert (room, *done) == large.forward(again, began_ps=7, spent=5)
    assert (small.passed.meta == large.passed.meta).all() and (small.passed.head == large.passed.head).all()
    assert (small.counts == large.counts).all() and not small.drops.any()


def plain_checksum(header: bytes) -> int:
    """RFC 1071, the slow way, the field itself taken as zero."""
    total = sum(int.from_bytes(header[k : k + 2], "big") for k in range(0, 20, 2) if k != 10)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
