"""Cutting: one row a field, then packets of several pieces, partial checksums and what is not cut."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, ECE, FIN, PSH, URG, datagram, octets, payload_bytes, segment, timestamps, train

from models.offload.segment import cut
from models.payload import SYNTHETIC
from models.train import (
    CSUM_NONE,
    CSUM_PARTIAL,
    CSUM_STATE,
    FIRST_PIECE,
    FRAME_COUNT,
    FRAME_ID,
    GSO_BYTES,
    GSO_ECN,
    GSO_FIXED_ID,
    GSO_FRAGLIST,
    GSO_TCP4,
    GSO_TCP6,
    GSO_TYPE,
    GSO_UDP,
    HEAD_BYTES,
    L4,
    PAYLOAD_BYTES,
    PIECE_COUNT,
    FrameTrain,
)
from models.wire import checksum, ipv4, ipv6, tcp, udp


def super_packet(kind=GSO_TCP4, size=100, **change):
    """A packet of 250 bytes to cut, frames 40, 41, 42."""
    packets = train([segment(**({"payload": 250, "options": timestamps(), "frame_id": 40} | change))])
    packets.meta[0, [GSO_BYTES, GSO_TYPE, FRAME_COUNT, CSUM_STATE]] = size, kind, 3, CSUM_PARTIAL
    return packets


def column_of(read, frames, at):
    return [int(read(frames.head[i], at)) for i in range(len(frames))]


@pytest.mark.parametrize(
    ("change", "read", "at", "expected"),
    [
        ({}, tcp.seq, 34, [0x1000, 0x1064, 0x10C8]),
        ({"isn": 0xFFFFFFF0}, tcp.seq, 34, [0xFFFFFFF0, 0x54, 0xB8]),
        ({}, ipv4.total_length, 14, [152, 152, 102]),
        ({"ip_id": 0xFFFF}, ipv4.ident, 14, [0xFFFF, 0, 1]),
        ({"ip_id": 5, "kind": GSO_TCP4 | GSO_FIXED_ID}, ipv4.ident, 14, [5, 5, 5]),
        ({"ip_id": 5, "kind": 0}, ipv4.ident, 14, [5, 6, 7]),
        ({"flags": ACK | FIN | PSH}, tcp.flags, 34, [ACK, ACK, ACK | FIN | PSH]),
        ({"flags": ACK | CWR, "kind": GSO_TCP4 | GSO_ECN}, tcp.flags, 34, [ACK | CWR, ACK, ACK]),
        ({"flags": ACK | CWR}, tcp.flags, 34, 3 * [ACK | CWR]),
        ({"flags": ACK | URG | ECE}, tcp.flags, 34, 3 * [ACK | URG | ECE]),
        ({"urgent": 9}, tcp.urgent, 34, [9, 9, 9]),
        ({"ack": 8}, tcp.ack, 34, [8, 8, 8]),
        ({"window": 8}, tcp.window, 34, [8, 8, 8]),
        ({"tos": 3}, ipv4.tos, 14, [3, 3, 3]),
        ({"ttl": 3}, ipv4.ttl, 14, [3, 3, 3]),
        ({}, tcp.tsval, 34, [10, 10, 10]),
        ({"flags": ACK | PSH, "kind": GSO_TCP4 | GSO_FRAGLIST}, tcp.flags, 34, 3 * [ACK | PSH]),
        ({"ip_id": 5, "kind": GSO_TCP4 | GSO_FRAGLIST}, ipv4.ident, 14, [5, 6, 7]),
    ],
)
def test_fields_of_the_segments(change, read, at, expected):
    assert column_of(read, cut(super_packet(**change), SYNTHETIC), at) == expected


@pytest.mark.parametrize(("version", "kind"), [(4, GSO_TCP4), (6, GSO_TCP6)])
def test_checksums_payload_and_provenance(version, kind):
    packets = super_packet(kind, version=version)
    frames = cut(packets, SYNTHETIC)
    for i in range(len(frames)):
        assert checksum.transport_is_right(SYNTHETIC, frames.pieces, frames.head[i], frames.meta[i])
        assert version == 6 or checksum.ipv4_header_is_right(frames.head[i], 14)
    assert b"".join(payload_bytes(frames, i) for i in range(3)) == payload_bytes(packets, 0)
    assert frames.column("frame_id").tolist() == [40, 41, 42]
    assert frames.column("frame_count").tolist() == [1, 1, 1]
    assert frames.column("gso_bytes").tolist() == [0, 0, 0]
    assert frames.time_ps.tolist() == 3 * [1000]


def test_a_packet_of_several_pieces():
    packets = super_packet()
    packets.meta[0, [FIRST_PIECE, PIECE_COUNT]] = 1, 3
    pieces = np.array([[9, 9, 9, 9, 9], [1, 0, 70, 40, 1], [2, 500, 130, 50, 2], [1, 70, 50, 60, 1]], np.int64)
    frames = cut(FrameTrain(packets.meta, packets.head, pieces), SYNTHETIC)
    whole = payload_bytes(FrameTrain(packets.meta, packets.head, pieces), 0)
    assert [payload_bytes(frames, i) for i in range(3)] == [whole[:100], whole[100:200], whole[200:]]
    assert frames.meta[:, PIECE_COUNT].tolist() == [2, 1, 1]
    assert frames.meta[[0, 2], FRAME_ID].tolist() == [40, 60]
    for i in range(3):
        assert checksum.transport_is_right(SYNTHETIC, frames.pieces, frames.head[i], frames.meta[i])


def test_what_is_not_cut_stays_and_a_partial_checksum_is_completed():
    plain = train([segment(), segment(seq=100)])
    assert cut(plain, SYNTHETIC) is plain
    partial = train([segment(csum_error=5, csum_state=CSUM_PARTIAL)])
    done = cut(partial, SYNTHETIC)
    assert octets(done) == octets(train([segment()]))
    assert done.column("csum_state").tolist() == [CSUM_NONE]
    single = train([segment()])
    single.meta[0, GSO_BYTES] = 100
    assert cut(single, SYNTHETIC) is single


def udp_packet(kind=GSO_UDP, **change):
    """A packet of 250 bytes of datagrams to cut, with the length of all of it in its header."""
    packets = train([datagram(**({"payload": 250, "frame_id": 40} | change))])
    packets.meta[0, [GSO_BYTES, GSO_TYPE, FRAME_COUNT, CSUM_STATE]] = 100, kind, 3, CSUM_PARTIAL
    return packets


@pytest.mark.parametrize("kind", [GSO_UDP, GSO_UDP | GSO_FRAGLIST])
@pytest.mark.parametrize("version", [4, 6])
def test_datagrams(version, kind):
    sent = [
        datagram(version=version, seq=at, ip_id=n, payload=size)
        for n, at, size in ((0, 0, 100), (1, 100, 100), (2, 200, 50))
    ]
    frames = cut(udp_packet(kind, version=version), SYNTHETIC)
    assert octets(frames) == octets(train(sent))
    assert column_of(udp.length, frames, int(frames.meta[0, L4])) == [108, 108, 58]
    assert frames.column("frame_id").tolist() == [40, 41, 42]


def test_a_datagram_whose_checksum_would_be_0_says_so_with_all_ones():
    packets = udp_packet(payload=200)
    for sport in range(65536):  # some port makes the second datagram's sum come out at 0
        packets.head[0, 34:36] = sport >> 8, sport & 0xFF
        if (frames := cut(packets, SYNTHETIC)) and udp.checksum(frames.head[1], 34) == 0xFFFF:
            break
    assert udp.checksum(frames.head[1], 34) == 0xFFFF


def test_udp_without_the_type_is_not_cut():
    packets = udp_packet(kind=0)
    packets.meta[0, CSUM_STATE] = CSUM_NONE
    assert cut(packets, SYNTHETIC) is packets


BIG = 700 * 100  # more than an IP length field holds


def test_ipv4_above_65535_bytes_has_no_length_and_its_segments_do():
    packets = super_packet(payload=100)
    packets.meta[0, PAYLOAD_BYTES] = BIG
    ipv4.set_total_length(packets.head[0], 14, 0)
    assert set(column_of(ipv4.total_length, cut(packets, SYNTHETIC), 14)) == {152}


@pytest.mark.parametrize("jumbo", [False, True])
def test_ipv6_above_65535_bytes_loses_the_header_that_says_its_length(jumbo):
    sent = train([segment(version=6, seq=100 * n, options=timestamps()) for n in range(700)])
    exthdr = b"\x06\x00\xc2\x04" + (8 + 32 + BIG).to_bytes(4, "big") if jumbo else b""
    packets = super_packet(GSO_TCP6, version=6, payload=100, exthdr=exthdr)
    packets.meta[0, PAYLOAD_BYTES] = BIG
    ipv6.set_payload_length(packets.head[0], 14, 0)
    if jumbo:
        packets.head[0, 14 + ipv6.NEXT_HEADER] = ipv6.HOP_BY_HOP
    frames = cut(packets, SYNTHETIC)
    assert octets(frames) == octets(sent)
    assert set(frames.meta[:, HEAD_BYTES]) == {86} and set(frames.meta[:, L4]) == {54}


def test_a_hop_by_hop_header_of_the_sender_stays():
    packets = super_packet(GSO_TCP6, version=6, exthdr=b"\x06\x00\x01\x04" + bytes(4))
    packets.head[0, 14 + ipv6.NEXT_HEADER] = ipv6.HOP_BY_HOP
    assert set(cut(packets, SYNTHETIC).meta[:, HEAD_BYTES]) == {94}
