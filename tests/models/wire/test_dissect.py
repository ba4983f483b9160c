import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.payload import for_capture
from models.train import (
    ABSENT,
    COLUMNS,
    HEAD_BYTES,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PROTOCOL,
    START,
    TAIL_BYTES,
)
from models.wire import checksum
from models.wire.dissect import dissect

MACS = bytes(range(12))
# RFC 1071-checkable TCP segment: 10.0.0.1:1 -> 10.0.0.2:2, one payload byte
IPV4 = bytes.fromhex("4500002900014000400600000a0000010a000002")
TCP = bytes.fromhex("0001000200000001000000025010ffff00000000")


def row_of(frame: bytes, original: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    row = np.frombuffer(frame, np.uint8).copy()
    cells = np.zeros(len(COLUMNS), np.int64)
    dissect(row, len(frame), len(frame) if original is None else original, cells)
    return row, cells


def lengths(cells: np.ndarray) -> list[int]:
    return cells[[HEAD_BYTES, PAYLOAD_BYTES, TAIL_BYTES, MISSING_BYTES]].tolist()


def test_a_packet_that_promises_more_than_its_frame_has():
    """The headers are where they are; what the frame does not have is no payload."""
    _, cells = row_of(MACS + b"\x08\x00" + IPV4[:3] + b"\x40" + IPV4[4:] + TCP + b"x")
    assert lengths(cells) == [54, 1, 0, 0]
    assert cells[L4] == 34


def test_tcp_with_padding():
    _, cells = row_of(MACS + b"\x08\x00" + IPV4 + TCP + b"x" + bytes(5))
    assert lengths(cells) == [54, 1, 5, 0]
    assert cells[[L3, L4, PROTOCOL]].tolist() == [14, 34, 6]


def test_tag_in_the_frame_moves_everything():
    _, cells = row_of(MACS + b"\x81\x00\x00\x05\x08\x00" + IPV4 + TCP + b"x")
    assert cells[[L3, L4]].tolist() == [18, 38] and lengths(cells) == [58, 1, 0, 0]


def test_cut_short_by_the_snap_length():
    _, cells = row_of(MACS + b"\x08\x00" + IPV4 + TCP, original=55)
    assert lengths(cells) == [54, 1, 0, 1]


def test_fragment_has_no_transport_header():
    fragment = bytearray(IPV4)
    fragment[6] = 0x20
    _, cells = row_of(MACS + b"\x08\x00" + bytes(fragment) + TCP + b"x")
    assert cells[[L3, L4]].tolist() == [14, ABSENT] and lengths(cells) == [34, 21, 0, 0]


def test_checksums_against_the_plain_sum():
    row, cells = row_of(MACS + b"\x08\x00" + IPV4 + TCP + b"x")
    payloads, pieces = for_capture(row), np.zeros((0, 5), np.int64)
    cells[START] = 54
    words = np.frombuffer(IPV4, ">u2").astype(int).sum()
    assert checksum.ipv4_header(row, 14) == 0xFFFF - checksum.fold(int(words))
    pseudo = np.frombuffer(IPV4[12:20] + b"\x00\x06\x00\x15" + TCP + b"x\x00", ">u2").astype(int).sum()
    right = checksum.transport(payloads, pieces, row, cells)
    assert right == 0xFFFF - checksum.fold(int(pseudo))
    assert not checksum.transport_is_right(payloads, pieces, row, cells)
    row[50], row[51] = right >> 8, right & 0xFF
    assert checksum.transport_is_right(payloads, pieces, row, cells)


@given(
    st.sampled_from([b"", MACS + b"\x08\x00", MACS + b"\x86\xdd", MACS + b"\x81\x00\x00\x01\x86\xdd"]),
    st.binary(max_size=120),
    st.integers(0, 60),
)
def test_lengths_always_add_up(start, rest, cut):
    frame = start + rest
    _, cells = row_of(frame, original=len(frame) + cut)
    head, payload, tail, missing = lengths(cells)
    assert min(head, payload, tail, missing) >= 0 and missing <= payload
    assert head + payload + tail == len(frame) + cut and head <= len(frame)
    assert cells[L4] == ABSENT or cells[L3] < cells[L4] < head
