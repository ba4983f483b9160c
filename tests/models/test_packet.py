from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.packet import PacketWriter, Route, packet, ports_of, segment_of
from models.payload import SYNTHETIC
from models.tcp.segment import ACK, PSH, SYN, Segment
from models.train import GSO_BYTES, GSO_SEGMENTS, HEAD_BYTES, L3, L4, PAYLOAD_BYTES, TAIL_BYTES
from models.wire.checksum import ipv4_header_is_right
from models.wire.dissect import dissect

U32 = st.integers(0, 2**32 - 1)


def route(version: int) -> Route:
    ends = ("10.0.0.1", "10.0.0.2") if version == 4 else ("fd00::1", "fd00::2")
    return Route(
        source_mac=b"\2\0\0\0\0\1",
        destination_mac=b"\2\0\0\0\0\2",
        source=ip_address(ends[0]),
        destination=ip_address(ends[1]),
        source_port=40_000,
        destination_port=5001,
        stream=1,
    )


@given(seq=U32, ack=U32, window=st.integers(0, 65535), tsval=U32, tsecr=U32, payload=st.integers(0, 60_000),
       version=st.sampled_from([4, 6]), stamps=st.booleans())  # fmt: skip
def test_what_tcp_says_is_what_tcp_reads(seq, ack, window, tsval, tsecr, payload, version, stamps):
    said = Segment(seq, ack, ACK | PSH, window, payload_bytes=payload, payload_start=7, gso_bytes=1448)
    if stamps:
        said.timestamps, said.tsval, said.tsecr = True, tsval, tsecr
    train = packet(said, route(version), time_ps=5, ident=1, frame_id=9)
    row, cells = train.head[0].tobytes(), train.meta[0].tolist()
    heard = segment_of(row, cells)
    assert ports_of(row, cells[L4]) == (40_000, 5001)
    said.gso_bytes = said.gso_bytes if payload > 1448 else 0
    said.gso_segments = max(1, -(-payload // 1448))
    assert heard == said
    assert (cells[GSO_BYTES] > 0) == (cells[GSO_SEGMENTS] > 1) == (payload > 1448)


SEGMENTS = st.builds(
    Segment, U32, U32, st.sampled_from([ACK, ACK | PSH, SYN, SYN | ACK]), st.integers(0, 65535),
    payload_bytes=st.integers(0, 5000), payload_start=st.integers(0, 99), gso_bytes=st.sampled_from([0, 1000, 1448]),
    timestamps=st.booleans(), tsval=U32, tsecr=U32, mss=st.sampled_from([0, 1460]), window_scale=st.integers(-1, 7),
    sack_permitted=st.booleans(), sack=st.lists(st.tuples(U32, U32), max_size=3).map(tuple),
)  # fmt: skip


@given(segments=st.lists(SEGMENTS, min_size=2, max_size=5), version=st.sampled_from([4, 6]))
def test_a_writer_leaves_nothing_of_one_packet_in_the_next(segments, version):
    """Its one row is written again and again; each time it is as if it were new."""
    writer = PacketWriter(route(version))
    for k, segment in enumerate(segments):
        train = writer.write(segment, time_ps=k, ident=k, frame_id=7 * k)
        alone = packet(segment, route(version), time_ps=k, ident=k, frame_id=7 * k)
        assert train is writer.train
        assert (train.head == alone.head).all() and (train.meta == alone.meta).all()


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("sack", [True, False])
def test_syn_options_survive(version, sack):
    said = Segment(1, 0, SYN, 65535, timestamps=True, tsval=3, tsecr=0, mss=1460, window_scale=7, sack_permitted=sack)
    train = packet(said, route(version), time_ps=0, ident=0, frame_id=0)
    assert segment_of(train.head[0].tobytes(), train.meta[0].tolist()) == said


@given(payload=st.integers(0, 66_000), ident=st.integers(0, 65535))
def test_the_network_header_has_its_checksum_before_anybody_cuts(payload, ident):
    train = packet(Segment(1, 2, ACK, 9, payload_bytes=payload), route(4), time_ps=0, ident=ident, frame_id=0)
    assert ipv4_header_is_right(train.head[0], int(train.meta[0, L3]))


def test_sack_blocks_survive():
    said = Segment(1, 2, ACK, 9, timestamps=True, tsval=1, tsecr=2, sack=((5, 9), (20, 21), (2**32 - 1, 3)))
    train = packet(said, route(4), time_ps=0, ident=0, frame_id=0)
    assert segment_of(train.head[0].tobytes(), train.meta[0].tolist()) == said


@pytest.mark.parametrize("version", [4, 6])
def test_the_dissector_finds_the_same_places(version):
    train = packet(Segment(1, 2, ACK, 9, payload_bytes=100), route(version), time_ps=0, ident=0, frame_id=0)
    cells = train.meta[0].copy()
    n = int(cells[HEAD_BYTES])
    dissect(train.head[0], n, n + 100, cells)
    places = [HEAD_BYTES, L3, L4, PAYLOAD_BYTES, TAIL_BYTES]
    assert cells[places].tolist() == train.meta[0, places].tolist()
    assert SYNTHETIC.pattern.size
