"""Capture files as records: every format says the same, every broken file is one clear line."""

import contextlib
import gzip
import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.capture_bytes import Window
from sim.capture_records import CAPTURED, ORIGINAL, START, CaptureError, CaptureFile

FRAMES = [bytes([k] * 14) + b"payload" * (k + 1) for k in range(4)]
TIMES_NS = [1_700_000_000_123_456_000 + k * 50_001_000 for k in range(4)]
LITTLE, BIG = "<", ">"


def pcap(order=LITTLE, *, unit_ns=1000, link_type=1, frames=FRAMES, snap=1 << 18, times_ns=TIMES_NS):
    magic = {1000: 0xA1B2C3D4, 1: 0xA1B23C4D}[unit_ns]
    out = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, snap, link_type)
    for time_ns, frame in zip(times_ns, frames):
        fields = time_ns // 10**9, time_ns % 10**9 // unit_ns, len(frame[:snap]), len(frame)
        out += struct.pack(order + "IIII", *fields) + frame[:snap]
    return out


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def section(order):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order, *, link_type=1, snap=0, resolution=None, offset=None):
    options = b""
    if resolution is not None:
        options += struct.pack(order + "HHBxxx", 9, 1, resolution)
    if offset is not None:
        options += struct.pack(order + "HHq", 14, 8, offset)
    return block(order, 1, struct.pack(order + "HHI", link_type, 0, snap) + options + struct.pack(order + "HH", 0, 0))


def enhanced(order, number, ticks, frame, *, captured=None):
    captured = len(frame) if captured is None else captured
    fields = number, ticks >> 32, ticks & 0xFFFFFFFF, captured, len(frame)
    return block(order, 6, struct.pack(order + "IIIII", *fields) + frame[:captured])


def pcapng(order=LITTLE, *, resolution=None, per_second=10**6, offset=None):
    out = section(order) + interface(order, resolution=resolution, offset=offset)
    for time_ns, frame in zip(TIMES_NS, FRAMES):
        out += enhanced(order, 0, (time_ns - (offset or 0) * 10**9) * per_second // 10**9, frame)
        out += block(order, 5, bytes(12))  # interface statistics: skipped
    return out


def read(content):
    """[(time in ns, frame, original length)] of all records."""
    capture = CaptureFile.of("x.pcap", content)
    found = []
    for records in capture.records():
        for row, stamp_ps in zip(records, capture.stamps_ps(records)):
            frame = capture.data[row[START] : row[START] + row[CAPTURED]].tobytes()
            found.append((capture.base_seconds * 10**9 + int(stamp_ps) // 1000, frame, int(row[ORIGINAL])))
    assert capture.frames == len(found)
    return found


def through_window(content, window_bytes):
    with CaptureFile("x.pcap", Window(io.BytesIO(content), window_bytes=window_bytes)) as capture:
        return [
            (capture.data[row[START] : row[START] + row[CAPTURED]].tobytes(), row[ORIGINAL])
            for records in capture.records()
            for row in records.tolist()
        ]


@pytest.mark.parametrize("window_bytes", [4, 24, 64, 100, 257])
def test_however_little_is_read_at_once_it_is_the_same(window_bytes):
    for content in (pcap(), pcapng(), pcapng(BIG), gzip.compress(pcapng()) + gzip.compress(section(BIG))):
        assert through_window(content, window_bytes) == [(frame, len(frame)) for frame in FRAMES]


@pytest.mark.parametrize("window_bytes", range(4, 40))
def test_a_member_that_ends_where_a_window_does_is_read_once(window_bytes):
    content = gzip.compress(pcap()[:100]) + gzip.compress(pcap()[100:])
    assert through_window(content, window_bytes) == [(frame, len(frame)) for frame in FRAMES]


def test_several_members_and_zeros_behind_them_are_gzip():
    content = pcap()
    assert read(gzip.compress(content[:100]) + gzip.compress(content[100:]) + bytes(9)) == SAME
    with pytest.raises(CaptureError, match="does not unpack"):
        read(gzip.compress(content) + b"rest")


SAME = [(time_ns, frame, len(frame)) for time_ns, frame in zip(TIMES_NS, FRAMES)]


@pytest.mark.parametrize("order", [LITTLE, BIG])
@pytest.mark.parametrize("unpacked", [True, False])
def test_every_format_says_the_same(order, unpacked):
    for content in (
        pcap(order),
        pcap(order, unit_ns=1),
        pcapng(order),
        pcapng(order, resolution=9, per_second=10**9),
        pcapng(order, resolution=12, per_second=10**12, offset=1_699_000_000),
        pcapng(order) if unpacked else pcapng(BIG),
    ):
        assert read(content if unpacked else gzip.compress(content)) == SAME


def test_times_in_powers_of_two_are_right_to_the_last_tick():
    found = read(pcapng(resolution=0x80 | 30, per_second=2**30))
    assert all(0 <= time_ns - got_ns <= 1 for time_ns, (got_ns, _, _) in zip(TIMES_NS, found))


def test_sections_and_interfaces_have_their_own_order_resolution_and_numbers():
    content = section(LITTLE) + interface(LITTLE) + interface(LITTLE, resolution=9)
    content += enhanced(LITTLE, 1, TIMES_NS[0], FRAMES[0]) + enhanced(LITTLE, 0, TIMES_NS[1] // 1000, FRAMES[1])
    content += section(BIG) + interface(BIG, resolution=9) + enhanced(BIG, 0, TIMES_NS[2], FRAMES[2])
    assert read(content) == SAME[:3]


def test_simple_blocks_get_the_time_before_them_and_are_cut_at_the_snap_length():
    content = section(LITTLE) + interface(LITTLE, snap=16)
    simple = block(LITTLE, 3, struct.pack("<I", len(FRAMES[1])) + FRAMES[1][:16])
    content += simple + enhanced(LITTLE, 0, TIMES_NS[0] // 1000, FRAMES[0], captured=16) + simple
    first, second, third = read(content)
    assert second == (TIMES_NS[0], FRAMES[0][:16], len(FRAMES[0]))
    assert third == (TIMES_NS[0], FRAMES[1][:16], len(FRAMES[1]))
    assert first[1:] == third[1:]


def test_a_file_has_frames_of_one_link_type():
    idle = section(LITTLE) + interface(LITTLE) + interface(LITTLE, link_type=113)
    assert len(read(idle + enhanced(LITTLE, 0, 0, FRAMES[0]))) == 1
    with pytest.raises(CaptureError, match=r"Linux cooked v1.*, wanted link type 1 .Ethernet., as the frames before"):
        read(idle + enhanced(LITTLE, 0, 0, FRAMES[0]) + enhanced(LITTLE, 1, 0, FRAMES[0]))


def test_times_a_century_apart_stay_computable():
    assert len(read(pcap(times_ns=[0, 2**32 * 10**9 - 10**9, 5, 7]))) == 4


ENHANCED_AT = len(section(LITTLE) + interface(LITTLE))
BROKEN = {
    "nothing": b"",
    "12 34": b"\x12\x34",
    "23 20 6e 6f": b"# no capture",
    "a file of 10 bytes": pcap()[:10],
    "at byte 24: found a record of 37 bytes, wanted at most the 20": pcap()[:44],
    "found a record of 4294967311 bytes, wanted at most 16777216": pcap()[:32] + b"\xff" * 8 + bytes(20_000_000),
    "at byte 24: found 3 bytes, wanted a whole record": pcap()[:27],
    "at byte 156: found a record of 58": pcap()[:-1],
    "the rest of the gzip data": gzip.compress(pcap())[:-9],
    "a whole gzip file": b"\x1f\x8b\x07" + bytes(20),
    "link type 127 (802.11 with radiotap), wanted BSD loopback, Ethernet, raw IP": pcap(link_type=127),
    "link type 999 (unknown)": pcap(link_type=999),
    "an interface described before": section(LITTLE) + enhanced(LITTLE, 0, 0, FRAMES[0]),
    f"at byte {ENHANCED_AT}: found a block of": pcapng()[: ENHANCED_AT + 20],
    f"at byte {ENHANCED_AT}: found 11 bytes, wanted a whole block": pcapng()[: ENHANCED_AT + 11],
    "found a block length of 7": pcapng()[:ENHANCED_AT] + struct.pack("<III", 6, 7, 7),
    "the byte order of a pcapng section": section(LITTLE)[:8] + bytes(20),
    "the end of the file": section(LITTLE)[:8],
    "pcapng version 2": block(LITTLE, 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 0, -1)),
    "times in 10^-30 s": section(LITTLE) + interface(LITTLE, resolution=30),
    "one that fits into its block": section(LITTLE)
    + interface(LITTLE)
    + block(LITTLE, 6, struct.pack("<IIIII", 0, 0, 0, 99, 99)),
}


@pytest.mark.parametrize("found", BROKEN)
def test_a_broken_file_is_one_clear_line(found):
    with pytest.raises(CaptureError) as error:
        read(BROKEN[found])
    line = str(error.value)
    assert found in line
    assert line.startswith("x.pcap: at byte ")
    assert "\n" not in line


def test_a_capture_without_frames_is_a_capture():
    assert read(pcap(frames=[])) == []
    assert read(section(BIG)) == []


def damaged():
    """Real headers with some bytes changed, cut or repeated."""
    whole = st.sampled_from([pcap(), pcap(BIG, unit_ns=1), pcapng(), pcapng(BIG, resolution=0x80 | 44), pcap(snap=20)])
    value = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
    change = st.tuples(st.integers(0, 300), value)

    def apply(content, changes, keep, packed):
        damage = bytearray(content)
        for at, byte in changes:
            damage[at % len(damage)] = byte
        damage = damage[: max(0, len(damage) - keep)]
        return gzip.compress(bytes(damage))[: len(damage) * 4 - keep] if packed else bytes(damage)

    return st.builds(apply, whole, st.lists(change, max_size=6), st.sampled_from([0, 0, 0, 1, 9, 100]), st.booleans())


@given(st.one_of(damaged(), st.binary(max_size=200)))
def test_bytes_of_any_kind_are_records_or_a_capture_error(content):
    with contextlib.suppress(CaptureError):
        for _, frame, original in read(content):
            assert len(frame) <= original


@pytest.mark.long
@settings(max_examples=settings().max_examples * 20)
@given(st.one_of(damaged(), st.binary(max_size=200)))
def test_many_more_bytes_of_any_kind(content):
    test_bytes_of_any_kind_are_records_or_a_capture_error.hypothesis.inner_test(content)
