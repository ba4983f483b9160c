from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.packet import (
    FRAMES,
    OTHERWISE,
    PORTS,
    SEEN_WORDS,
    Route,
    look,
    packet,
    read_options,
    write,
)
from models.payload import SYNTHETIC
from models.tcp.segment import ACK, PSH, SEGMENT_WORDS, STAMPED, SYN, Segment, segment_of, write_words
from models.train import (
    ABSENT,
    CSUM_STATE,
    FRAME_COUNT,
    GSO_BYTES,
    GSO_SEGMENTS,
    HEAD_BYTES,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
    SOURCE,
    TAIL_BYTES,
    join,
)
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


def heard_of(train):
    """Each packet as TCP reads it, and what was seen of it."""
    seen = np.full((len(train), SEEN_WORDS), 77, np.int64)  # somebody else's before
    heard = []
    for k in range(len(train)):
        look(train.meta[k], train.head[k], seen[k])
        words = seen[k].tolist()
        heard.append(segment_of(words))
        if words[OTHERWISE]:
            read_options(train.head[k], train.meta.item(k, L4), heard[-1])
    return heard, seen


@given(seq=U32, ack=U32, window=st.integers(0, 65535), tsval=U32, tsecr=U32, payload=st.integers(0, 60_000),
       version=st.sampled_from([4, 6]), stamps=st.booleans())  # fmt: skip
def test_what_tcp_says_is_what_tcp_reads(seq, ack, window, tsval, tsecr, payload, version, stamps):
    said = Segment(seq, ack, ACK | PSH, window, payload_bytes=payload, payload_start=7, gso_bytes=1448)
    if stamps:
        said.timestamps, said.tsval, said.tsecr = True, tsval, tsecr
    train = packet(said, route(version), time_ps=5, ident=1, frame_id=9)
    cells = train.meta[0].tolist()
    [heard], seen = heard_of(train)
    assert seen[0, PORTS] == 40_000 << 16 | 5001
    assert (seen[0, STAMPED], seen[0, OTHERWISE]) == (stamps, 0)
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
def test_nothing_of_one_packet_is_left_in_the_next(segments, version):
    """A connection's one row is written again and again; each time it is as if it were new."""
    front, words = route(version).front(), np.zeros(SEGMENT_WORDS, np.int64)
    for k, segment in enumerate(segments):
        write_words(segment, words)
        write(front.meta[0], front.head[0], words, k, k, 7 * k)
        alone = packet(segment, route(version), time_ps=k, ident=k, frame_id=7 * k)
        assert (front.head == alone.head).all() and (front.meta == alone.meta).all()


@pytest.mark.parametrize("version", [4, 6])
def test_the_front_of_a_route_is_what_all_its_packets_share(version):
    front = route(version).front()
    one, other = (
        packet(Segment(seq, 2, ACK, seq, payload_bytes=seq), route(version), time_ps=seq, ident=seq, frame_id=seq)
        for seq in (3, 700)
    )
    same = (one.head == other.head).all(axis=0)
    written = front.head[0] != 0
    assert (front.head[0, same & written] == one.head[0, same & written]).all()
    assert written[~same].sum() == 0  # what differs from packet to packet is not in the front
    shared = [L3, L4, PROTOCOL, SOURCE, CSUM_STATE]
    assert front.meta[0, shared].tolist() == one.meta[0, shared].tolist() == other.meta[0, shared].tolist()


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("sack", [True, False])
def test_syn_options_survive(version, sack):
    said = Segment(1, 0, SYN, 65535, timestamps=True, tsval=3, tsecr=0, mss=1460, window_scale=7, sack_permitted=sack)
    train = packet(said, route(version), time_ps=0, ident=0, frame_id=0)
    assert heard_of(train)[0] == [said]


@given(payload=st.integers(0, 66_000), ident=st.integers(0, 65535))
def test_the_network_header_has_its_checksum_before_anybody_cuts(payload, ident):
    train = packet(Segment(1, 2, ACK, 9, payload_bytes=payload), route(4), time_ps=0, ident=ident, frame_id=0)
    assert ipv4_header_is_right(train.head[0], int(train.meta[0, L3]))


def test_sack_blocks_survive():
    said = Segment(1, 2, ACK, 9, timestamps=True, tsval=1, tsecr=2, sack=((5, 9), (20, 21), (2**32 - 1, 3)))
    train = packet(said, route(4), time_ps=0, ident=0, frame_id=0)
    assert heard_of(train)[0] == [said]


@given(segments=st.lists(SEGMENTS, min_size=1, max_size=5), version=st.sampled_from([4, 6]))
def test_each_packet_is_read_for_itself_whatever_was_there_before(segments, version):
    trains = [packet(said, route(version), time_ps=0, ident=0, frame_id=0) for said in segments]
    together, seen = heard_of(join(trains))
    assert together == [heard_of(train)[0][0] for train in trains]
    assert seen[:, FRAMES].tolist() == [train.meta[0, FRAME_COUNT] for train in trains]


@pytest.mark.parametrize("cells", [{PROTOCOL: 17}, {L4: ABSENT}, {PROTOCOL: ABSENT, L4: ABSENT}])
def test_what_is_not_tcp_has_no_ports(cells):
    train = packet(Segment(1, 2, ACK, 9), route(4), time_ps=0, ident=0, frame_id=0)
    for column, value in cells.items():
        train.meta[0, column] = value
    seen = np.full((1, SEEN_WORDS), 77, np.int64)
    look(train.meta[0], train.head[0], seen[0])
    assert seen[0, [PORTS, FRAMES]].tolist() == [ABSENT, 1]


STAMPS = bytes((8, 10)) + (3).to_bytes(4, "big") + (4).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (b"\1\1" + STAMPS, {"timestamps": True, "tsval": 3, "tsecr": 4}),
        (STAMPS + b"\1\1", {"timestamps": True, "tsval": 3, "tsecr": 4}),  # not as Linux aligns them
        (b"\1\1" + STAMPS + bytes((3, 3, 7, 1)), {"timestamps": True, "tsval": 3, "tsecr": 4, "window_scale": 7}),
        (b"\1\1\1\1", {}),
        (b"\0\1" + STAMPS, {}),  # the end of the list comes first
        (bytes((2, 4, 5, 180)), {"mss": 1460}),
        (bytes((2, 9, 5, 180)), {}),  # longer than what is there
        (bytes((2, 1, 5, 180)), {}),  # shorter than itself
        (bytes((99, 4, 0, 0, 3, 3, 7, 1)), {"window_scale": 7}),  # unknown
    ],
)
def test_options_are_read_whatever_their_form(options, expected):
    plain = packet(Segment(1, 2, ACK, 9), route(4), time_ps=0, ident=0, frame_id=0)
    l4 = int(plain.meta[0, L4])
    plain.head[0, l4 + 20 : l4 + 20 + len(options)] = np.frombuffer(options, np.uint8)
    plain.head[0, l4 + 12] = (20 + len(options)) << 2
    plain.meta[0, HEAD_BYTES] += len(options)
    said = Segment(1, 2, ACK, 9)
    for name, value in expected.items():
        setattr(said, name, value)
    [heard], seen = heard_of(plain)
    assert heard == said
    assert seen[0, STAMPED] == (options == b"\1\1" + STAMPS) == (not seen[0, OTHERWISE])


@pytest.mark.parametrize("version", [4, 6])
def test_the_dissector_finds_the_same_places(version):
    train = packet(Segment(1, 2, ACK, 9, payload_bytes=100), route(version), time_ps=0, ident=0, frame_id=0)
    cells = train.meta[0].copy()
    n = int(cells[HEAD_BYTES])
    dissect(train.head[0], n, n + 100, cells)
    places = [HEAD_BYTES, L3, L4, PAYLOAD_BYTES, TAIL_BYTES]
    assert cells[places].tolist() == train.meta[0, places].tolist()
    assert SYNTHETIC.pattern.size
