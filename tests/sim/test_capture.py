"""A capture becomes trains and a capture again: every byte, length and time."""

import struct
from pathlib import Path

import numpy as np
import pytest

from models.train import CAPTURED, MISSING_BYTES, SOURCE, FrameTrain
from sim.capture import Capture
from sim.capture_records import CaptureFile
from sim.capture_write import CaptureWriter

SHARED = Path(__file__).parents[2] / "../shared/data/captures"
FILES = sorted([*SHARED.glob("*.pcap*"), *(Path(__file__).parents[1] / "data/captures").glob("*.pcap*")])


def frames_of(path):
    """[(absolute time in ns, bytes, original length)]"""
    with CaptureFile.open(path) as file:
        return [
            (file.base_seconds * 10**9 + int(stamp) // 1000, file.data[row[0] : row[0] + row[1]].tobytes(), int(row[2]))
            for records in file.records()
            for row, stamp in zip(records, file.stamps_ps(records))
        ]


def write_pcap(path, frames, *, snap=1 << 18):
    """`frames`: (time in ns, bytes)."""
    out = struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, snap, 1)
    for time_ns, frame in frames:
        head = frame[:snap]
        out += struct.pack("<IIII", time_ns // 10**9, time_ns % 10**9, len(head), len(frame)) + head
    path.write_bytes(out)
    return path


def copied(source, target):
    with Capture.open(source) as capture, CaptureWriter(target) as writer:
        for chunk in capture.chunks():
            writer.base_seconds = capture.base_seconds
            writer.write(chunk.train, capture.payloads)
    return writer


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_in_and_out_again_is_the_same(file, tmp_path):
    copied(file, tmp_path / "copy.pcap")
    before, after = frames_of(file), frames_of(tmp_path / "copy.pcap")
    assert [frame[1:] for frame in after] == [frame[1:] for frame in before]
    latest = np.maximum.accumulate([frame[0] for frame in before]).tolist()
    assert [frame[0] for frame in after] == latest


def test_times_that_go_back_do_so_in_the_stamps_only(tmp_path):
    file = write_pcap(tmp_path / "x.pcap", [(5_000_000_000, b"x" * 60), (4_999_999_000, b"y" * 60)])
    (chunk,) = Capture.open(file).chunks()
    assert chunk.stamps_ps.tolist() == [0, -1_000_000]
    assert chunk.train.time_ps.tolist() == [0, 0]


def test_payload_stays_in_the_file_and_what_is_cut_off_is_missing(tmp_path):
    header = bytes.fromhex("020000000001020000000002 0800 4500006400000000 40060000 0a000001 0a000002")
    header += bytes.fromhex("00010002 00000001 00000002 5010 0100 0000 0000")
    file = write_pcap(tmp_path / "x.pcap", [(0, header + bytes(range(60)) + b"tail")] * 2, snap=80)
    capture = Capture.open(file)
    (chunk,) = capture.chunks()
    train = chunk.train
    assert train.payload_bytes.tolist() == [60, 60]
    assert train.meta[:, MISSING_BYTES].tolist() == [60 - 26] * 2
    assert train.meta[:, SOURCE].tolist() == [CAPTURED] * 2
    start = int(train.column("start")[1])
    assert capture.payloads.captured[start : start + 26].tolist() == list(range(26))
    assert train.column("frame_id").tolist() == [0, 1]


def test_long_captures_come_in_chunks_with_numbers_that_go_on(tmp_path):
    file = write_pcap(tmp_path / "x.pcap", [(k, bytes(60)) for k in range(20_000)])
    chunks = list(Capture.open(file).chunks())
    assert len(chunks) > 1
    assert np.concatenate([chunk.train.column("frame_id") for chunk in chunks]).tolist() == list(range(20_000))
    assert all(isinstance(chunk.train, FrameTrain) for chunk in chunks)


@pytest.mark.parametrize(
    ("link_type", "header"),
    [
        (0, b"\x02\x00\x00\x00"),
        (101, b""),
        (12, b""),
        (108, b"\x00\x00\x00\x02"),
        (113, bytes.fromhex("0000000100060200000000010000 0800")),
        (228, b""),
        (276, bytes.fromhex("08000000000000020001 00 06 0200000000010000")),
    ],
)
def test_other_link_types_are_taken_apart_and_written_as_they_came(link_type, header, tmp_path):
    packet = bytes.fromhex("4500002c00004000 40060000 0a000001 0a000002")
    packet += bytes.fromhex("00010002 00000001 00000002 5010 0100 0000 0000") + b"data"
    file = write_pcap(tmp_path / "x.pcap", [(0, header + packet)] * 3)
    file.write_bytes(file.read_bytes()[:20] + struct.pack("<I", link_type) + file.read_bytes()[24:])
    with Capture.open(file) as capture, CaptureWriter(tmp_path / "copy.pcap") as writer:
        (chunk,) = capture.chunks()
        writer.link_type, writer.base_seconds = capture.link_type, capture.base_seconds
        writer.write(chunk.train, capture.payloads)
        assert chunk.train.payload_bytes.tolist() == [4] * 3
        assert chunk.train.column("l4").tolist() == [len(header) + 20] * 3
    assert (tmp_path / "copy.pcap").read_bytes() == file.read_bytes()
