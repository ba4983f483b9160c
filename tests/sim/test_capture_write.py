"""What the writer completes, what it only counts, and that nothing is left half-written."""

import numpy as np
import pytest

from models.payload import SYNTHETIC
from models.train import (
    CSUM_PARTIAL,
    CSUM_STATE,
    CSUM_VERIFIED,
    FIRST_PIECE,
    HEAD_BYTES,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PIECE_COUNT,
    SOURCE,
    START,
    TAIL_BYTES,
    TIME_PS,
    VLAN_STRIPPED,
    FrameTrain,
)
from models.wire import checksum
from models.wire.dissect import dissect
from models.wire.octets import put16
from sim.capture import Capture
from sim.capture_records import CaptureFile
from sim.capture_write import CaptureWriter


def segments(n, *, payload_bytes=100, csum=CSUM_PARTIAL):
    """TCP segments of synthetic stream 1, with right IPv4 and no TCP checksums."""
    header = bytes.fromhex("020000000001020000000002 0800 4500000000004000 40060000 0a000001 0a000002")
    header += bytes.fromhex("00010002 00000001 00000002 5010 0100 0000 0000")
    train = FrameTrain.blank(n)
    train.head[:, : len(header)] = np.frombuffer(header, np.uint8)
    for i in range(n):
        put16(train.head[i], 16, 40 + payload_bytes)
        put16(train.head[i], 24, checksum.ipv4_header(train.head[i], 14))
        dissect(train.head[i], len(header), len(header) + payload_bytes, train.meta[i])
        train.meta[i, [SOURCE, START, CSUM_STATE]] = 1, i * payload_bytes, csum
        train.meta[i, [TIME_PS, MISSING_BYTES]] = i * 1000, 0
    return train


def written(path, train):
    with CaptureWriter(path) as writer:
        writer.write(train, SYNTHETIC)
    file = CaptureFile.open(path)
    return writer, [file.data[row[0] : row[0] + row[1]].tobytes() for records in file.records() for row in records]


def verifies(path):
    capture = Capture.open(path)
    (chunk,) = capture.chunks()
    t = chunk.train
    return [checksum.transport_is_right(capture.payloads, t.pieces, t.head[i], t.meta[i]) for i in range(len(t))]


def test_a_partial_checksum_is_completed(tmp_path):
    writer, _ = written(tmp_path / "x.pcap", segments(3))
    assert verifies(tmp_path / "x.pcap") == [True] * 3
    assert (writer.frames, writer.wrong_ipv4, writer.wrong_transport) == (3, 0, 0)


def test_a_stale_checksum_is_written_and_counted(tmp_path):
    train = segments(3, csum=CSUM_VERIFIED)
    train.head[1, 24] ^= 1
    writer, frames = written(tmp_path / "x.pcap", train)
    assert verifies(tmp_path / "x.pcap") == [False] * 3
    assert (writer.wrong_ipv4, writer.wrong_transport) == (1, 3)
    assert frames[1][:54] == train.head[1, :54].tobytes()


def test_a_stripped_tag_is_put_back(tmp_path):
    train = segments(1)
    train.meta[0, VLAN_STRIPPED] = 1 << 16 | 0x2005
    _, (frame,) = written(tmp_path / "x.pcap", train)
    assert frame[:18] == train.head[0, :12].tobytes() + bytes.fromhex("8100 2005 0800")
    assert verifies(tmp_path / "x.pcap") == [True]


def test_padding_and_several_pieces(tmp_path):
    train = segments(1, payload_bytes=5)
    train.meta[0, TAIL_BYTES] = 1
    two = segments(1, payload_bytes=200)
    two.meta[0, [FIRST_PIECE, PIECE_COUNT]] = 0, 2
    two = FrameTrain(two.meta, two.head, np.array([[1, 7, 99, 0, 1], [2, 8, 101, 1, 1]], np.int64))
    _, (short,) = written(tmp_path / "x.pcap", train)
    assert (len(short), short[-1]) == (60, 0)
    _, (long,) = written(tmp_path / "y.pcap", two)
    assert len(long) == 254
    assert verifies(tmp_path / "y.pcap") == [True]


def test_a_packet_larger_than_the_buffer(tmp_path):
    train = segments(2, csum=CSUM_VERIFIED)
    train.meta[:, PAYLOAD_BYTES] = 3_000_000
    _, frames = written(tmp_path / "x.pcap", train)
    assert [len(frame) for frame in frames] == [3_000_000 + int(train.meta[0, HEAD_BYTES])] * 2


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path):
    (tmp_path / "x.pcap").write_bytes(b"old")
    with pytest.raises(TypeError), CaptureWriter(tmp_path / "x.pcap") as writer:
        [writer.write(train, SYNTHETIC) for train in (segments(3), None)]
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("x.pcap", b"old")]


def test_a_device_is_written_to_and_stays(tmp_path):
    with CaptureWriter("/dev/null") as writer:
        writer.write(segments(3), SYNTHETIC)
    assert writer.frames == 3
    with pytest.raises(OSError, match="No such file"):
        CaptureWriter(tmp_path / "missing" / "x.pcap")
