"""What the editions of Linux GRO do differently: one row a difference, with what each makes of it."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, segment, train
from test_gro import sent_through

from models.offload.engine import make
from models.offload.why import Why
from models.payload import SYNTHETIC
from models.train import (
    CSUM_VERIFIED,
    GSO_BYTES,
    GSO_ECN,
    GSO_FIXED_ID,
    GSO_FIXED_ID_INNER,
    GSO_SEGMENTS,
    GSO_TCP4,
    GSO_TUNNEL,
    GSO_TYPE,
    HEAD_BYTES,
    L4,
    PAYLOAD_BYTES,
)
from models.wire.dissect import dissect

EDITIONS = ("gro", "gro-6.12", "gro-6.1")
HOP_BY_HOP = {"version": 6, "exthdr": struct.pack(">BBHI", 6, 0, 0x0104, 0), "exthdr_kind": 0}


def ids(df, *numbers):
    return [segment(seq=100 * k, df=df, ip_id=n) for k, n in enumerate(numbers)]


def tunnelled(outer, inner, *, outer_df=1, version=4):
    return [
        segment(tunnel="gre", seq=100 * k, outer_id=o, ip_id=i, outer_df=outer_df, version=version)
        for k, (o, i) in enumerate(zip(outer, inner))
    ]


@pytest.mark.parametrize(
    ("sent", "new", "middle", "old"),  # payloads delivered by 6.18, 6.12, 6.1
    [
        (ids(0, 8, 8, 8), [300], [100, 100, 100], [100, 100, 100]),
        (ids(1, 8, 8, 8), [300], [300], [300]),
        (tunnelled([8, 20, 3], [8, 9, 10]), [100, 100, 100], [300], [300]),
        (tunnelled([8, 8, 8], [8, 9, 10]), [300], [300], [300]),
        (tunnelled([8, 9, 10], [8, 9, 10], outer_df=0), [300], [300], [300]),
        (tunnelled([8, 8, 8], [8, 9, 10], outer_df=0), [300], [100, 100, 100], [100, 100, 100]),
        (tunnelled([8, 9, 10], [8, 8, 8], outer_df=0), [300], [200, 100], [300]),  # 6.12: one bit for both
        (tunnelled([8, 9, 10], [0, 0, 0], outer_df=0, version=6), [300], [300], [300]),
        ([segment(flags=ACK | CWR), segment(seq=100, ip_id=1)], [100, 100], [200], [200]),
        ([segment(flags=ACK | CWR), segment(seq=100, ip_id=1, flags=ACK | CWR)], [100] * 2, [100] * 2, [100] * 2),
    ],
)
def test_the_editions_differ(sent, new, middle, old):
    assert [sent_through(sent, engine)[0] for engine in EDITIONS] == [new, middle, old]


@pytest.mark.parametrize("engine", EDITIONS)
def test_a_hop_by_hop_header_merges_like_another(engine):
    """Since 5.19, which reads it because BIG TCP has one; before, it was unknown."""
    assert sent_through([segment(**HOP_BY_HOP), segment(seq=100, **HOP_BY_HOP)], engine)[0] == [200]


@pytest.mark.parametrize("engine", ["gro-6.12", "gro-6.1"])
def test_a_first_cwr_is_named_so_that_a_cut_keeps_it_on_the_first(engine):
    table = make(engine)
    table.receive(train([segment(flags=ACK | CWR), segment(seq=100, ip_id=1)]), SYNTHETIC)
    assert table.flush(SYNTHETIC).packets.column("gso_type").tolist() == [GSO_TCP4 | GSO_ECN]


@pytest.mark.parametrize("engine", ["gro-6.12", "gro-6.1"])
def test_fixed_ids_in_a_tunnel_are_the_inner_ones(engine):
    table = make(engine)
    table.receive(train(tunnelled([8, 8], [8, 8])), SYNTHETIC)
    kinds = table.flush(SYNTHETIC).packets.column("gso_type").tolist()
    assert kinds == [GSO_TCP4 | GSO_TUNNEL | GSO_FIXED_ID_INNER]


def merged_before(seq=0, **change):
    """A packet of three segments that a card has merged and says so."""
    made = train([segment(seq=seq, payload=300, **change)])
    made.meta[0, [GSO_BYTES, GSO_SEGMENTS, GSO_TYPE]] = 100, 3, GSO_TCP4
    return made


@pytest.mark.parametrize(
    ("engine", "ip_id", "why"),
    [
        ("gro", 3, Why.NONE),
        ("gro", 0, Why.IP_ID),  # it is taken to count up
        ("gro-6.12", 3, Why.NONE),
        ("gro-6.1", 0, Why.NONE),  # it is taken to stand still
        ("gro-6.1", 3, Why.IP_ID),
        ("gro-2.6.29", 3, Why.ALREADY_MERGED),
    ],
)
def test_what_follows_a_packet_that_came_merged(engine, ip_id, why):
    table = make(engine)
    table.receive(merged_before(), SYNTHETIC)
    assert table.receive(train([segment(seq=300, ip_id=ip_id, csum_state=CSUM_VERIFIED)]), SYNTHETIC).reason[0] in (
        why,
        Why.FIRST if why is Why.ALREADY_MERGED else why,
    )


@pytest.mark.parametrize(
    ("kind", "size", "why"),
    [(GSO_TCP4, 100, Why.NONE), (GSO_TCP4, 99, Why.SIZE), (0, 100, Why.ALREADY_MERGED)],
)
def test_a_packet_that_came_merged_joins_one_of_its_segment_size(kind, size, why):
    table = make("gro")
    table.receive(train([segment()]), SYNTHETIC)
    second = merged_before(seq=100, ip_id=1)
    second.meta[0, [GSO_BYTES, GSO_TYPE]] = size, kind
    assert table.receive(second, SYNTHETIC).reason.tolist() == [why]


def test_a_merged_packet_with_a_short_end_closes():
    table = make("gro")
    table.receive(train([segment()]), SYNTHETIC)
    second = train([segment(seq=100, payload=250, ip_id=1)])
    second.meta[0, [GSO_BYTES, GSO_SEGMENTS, GSO_TYPE]] = 100, 3, GSO_TCP4
    out = table.receive(second, SYNTHETIC)
    assert out.packets.payload_bytes.tolist() == [350] and out.close.tolist() == [Why.SHORT]
    assert out.packets.column("gso_segments").tolist() == [4]


def bulk(version, n, **change):
    """`n` segments of 4,000 bytes."""
    return [segment(version=version, seq=4000 * k, payload=4000, ip_id=k, **change) for k in range(n)]


@pytest.mark.parametrize(
    ("engine", "version", "change", "first"),
    [
        ("gro", 4, {}, 49),
        ("gro", 6, {}, 49),
        ("gro-6.12", 4, {}, 49),
        ("gro-6.1", 6, {}, 49),
        ("gro-6.1", 4, {}, 16),
        ("gro-6.1", 6, {"exthdr": struct.pack(">BBHI", 6, 0, 0x0104, 0)}, 16),
    ],
)
def test_gro_max_size_above_64_kib(engine, version, change, first):
    payloads, _, _, closes = sent_through(bulk(version, 50, **change), engine, max_bytes=200_000)
    assert payloads[0] == first * 4000 and closes[0] is Why.LIMIT


def test_a_big_ipv4_packet_has_no_length():
    table = make("gro", max_bytes=200_000)
    table.receive(train(bulk(4, 20)), SYNTHETIC)
    packets = table.flush(SYNTHETIC).packets
    assert packets.payload_bytes.tolist() == [80_000]
    assert packets.head[0, 16:18].tolist() == [0, 0]


@pytest.mark.parametrize("width", [None, 80])
def test_a_big_ipv6_packet_says_its_length_in_a_header_of_its_own(width):
    table = make("gro", audit=True, max_bytes=200_000)
    sent = train(bulk(6, 20), width=width)
    table.receive(sent, SYNTHETIC)
    packets = table.flush(SYNTHETIC).packets
    cells, head = packets.meta[0], packets.head[0].tobytes()
    assert (cells[HEAD_BYTES], cells[L4]) == (82, 62)
    assert struct.unpack_from(">HB", head, 18) == (0, 0)
    assert struct.unpack_from(">BBHI", head, 54) == (6, 0, 0xC204, 8 + 20 + 80_000)
    assert head[62:78] == sent.head[0, 54:70].tobytes()  # ports to window
    again = packets.meta[0].copy()
    dissect(packets.head[0], 82, 82 + 80_000, again)
    assert (again[[HEAD_BYTES, L4, PAYLOAD_BYTES]] == [82, 62, 80_000]).all()


def test_an_ipv6_packet_that_still_fits_has_none():
    table = make("gro", max_bytes=200_000)
    sent = [segment(version=6, seq=4000 * k, payload=4000 if k < 16 else 1515) for k in range(17)]  # 65,515 + 20
    packets = table.receive(train(sent), SYNTHETIC).packets
    assert packets.meta[0, HEAD_BYTES] == 74
    assert struct.unpack_from(">H", packets.head[0].tobytes(), 18)[0] == 65535


def test_fixed_ids_are_named():
    table = make("gro")
    table.receive(train(ids(0, 8, 8)), SYNTHETIC)
    assert table.flush(SYNTHETIC).packets.column("gso_type").tolist() == [GSO_TCP4 | GSO_FIXED_ID]
