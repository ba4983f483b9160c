"""Cutting: one row a field, then packets of several pieces, partial checksums and what is not cut."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, ECE, FIN, PSH, URG, octets, payload_bytes, segment, timestamps, train

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
    GSO_TCP4,
    GSO_TCP6,
    GSO_TYPE,
    PIECE_COUNT,
    FrameTrain,
)
from models.wire import checksum, ipv4, tcp


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
