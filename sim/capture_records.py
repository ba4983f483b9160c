"""Capture files as a list of records: where each frame's bytes lie in the file, how long it was, and when.

Reads classic pcap (both byte orders, microseconds and nanoseconds) and pcapng (sections of either byte order, several
interfaces, if_tsresol, if_tsoffset; enhanced, simple and the old packet blocks), each also compressed with gzip.
Leaves out: pcapng options but for the times; the modified pcap of 1999 with its longer record header. Times more than
`FURTHEST_SECONDS` from the first are moved there, so that they fit in 64 bits of picoseconds.
Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, https://www.tcpdump.org/linktypes.html.

A file is looked through once, whole, before its first record is handed out: what is wrong with it is said before
anybody has written anything. The kernels walk records; what is rare (headers, interfaces, errors) is plain Python.
"""

from __future__ import annotations

import gzip
import io
import mmap
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.units import PS_PER_NS, PS_PER_S, PS_PER_US
from models.wire.octets import be16, be32

Order = Literal["big", "little"]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

RECORD_COLUMNS = (
    "start",  # where the frame's bytes begin in the file
    "captured",  # how many of them there are
    "original",  # how long the frame was; at least `captured`
    "seconds",  # since 1970; UNTIMED before the first time in a file whose blocks carry none
    "fraction_ps",
    "link_type",
)
START, CAPTURED, ORIGINAL, SECONDS, FRACTION_PS, LINK_TYPE = range(len(RECORD_COLUMNS))
UNTIMED = -(1 << 62)

ETHERNET = 1
LINK_TYPES = {
    0: "BSD loopback",
    1: "Ethernet",
    101: "raw IP",
    105: "802.11",
    108: "OpenBSD loopback",
    113: "Linux cooked v1",
    127: "802.11 with radiotap",
    228: "raw IPv4",
    229: "raw IPv6",
    276: "Linux cooked v2",
}

PCAP_HEADER_BYTES, PCAP_RECORD_BYTES = 24, 16
PCAP_MAGIC: dict[bytes, tuple[Order, int]] = {  # first four bytes: (byte order, ps of the fraction field's unit)
    b"\xa1\xb2\xc3\xd4": ("big", PS_PER_US),
    b"\xd4\xc3\xb2\xa1": ("little", PS_PER_US),
    b"\xa1\xb2\x3c\x4d": ("big", PS_PER_NS),
    b"\x4d\x3c\xb2\xa1": ("little", PS_PER_NS),
}
GZIP_MAGIC = b"\x1f\x8b"
WANTED = "the first bytes of a pcap, pcapng or gzip file"

SECTION_HEADER, INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER_MAGIC: dict[bytes, Order] = {b"\x1a\x2b\x3c\x4d": "big", b"\x4d\x3c\x2b\x1a": "little"}
BLOCK_OVERHEAD_BYTES = 12
TIME_RESOLUTION, TIME_OFFSET = 9, 14  # interface options
DECIMAL_DIGITS = 18  # finer powers of ten do not fit in 64 bits
BINARY_DIGITS = 43  # finer powers of two are below a picosecond

FURTHEST_SECONDS = 9_000_000  # 104 days
LAST_SECOND = 1 << 40  # what a broken header may claim and still be computed with
RECORDS_AT_ONCE = 16_384

FULL, NO_HEADER, CUT_SHORT, WRONG_LENGTH, NO_INTERFACE, LONGER_THAN_BLOCK, IN_PYTHON = range(7)  # why a kernel stopped

INTERFACE_COLUMNS = ("link_type", "snap_bytes", "binary", "digits", "offset_seconds")
INTERFACE_LINK_TYPE, SNAP_BYTES, BINARY, DIGITS, OFFSET_SECONDS = range(len(INTERFACE_COLUMNS))


class CaptureError(Exception):
    """What is wrong with a capture file, in one line for its user."""


def link_name(link_type: int) -> str:
    return f"link type {link_type} ({LINK_TYPES.get(link_type, 'unknown')})"


@njit(inline="always")
def _u16(data: Bytes, at: int, big: bool) -> Any:
    return be16(data, at) if big else np.int64(data[at + 1]) << 8 | np.int64(data[at])


@njit(inline="always")
def _u32(data: Bytes, at: int, big: bool) -> Any:
    return be32(data, at) if big else _u16(data, at + 2, big) << 16 | _u16(data, at, big)


@njit
def pcap_records(
    data: Bytes, at: int, big: bool, unit_ps: int, link_type: int, records: Ints
) -> tuple[int, int, int, int]:
    """Fill `records` from byte `at`; (rows filled, why it stopped, where, length found there)."""
    size = len(data)
    count = 0
    while at < size and count < len(records):
        if at + PCAP_RECORD_BYTES > size:
            return count, NO_HEADER, at, size - at
        captured = _u32(data, at + 8, big)
        start = at + PCAP_RECORD_BYTES
        if start + captured > size:
            return count, CUT_SHORT, at, PCAP_RECORD_BYTES + captured
        records[count, START] = start
        records[count, CAPTURED] = captured
        records[count, ORIGINAL] = max(captured, _u32(data, at + 12, big))
        records[count, SECONDS] = _u32(data, at, big)
        records[count, FRACTION_PS] = min(_u32(data, at + 4, big) * unit_ps, PS_PER_S - 1)
        records[count, LINK_TYPE] = link_type
        count += 1
        at = start + captured
    return count, FULL, at, 0


@njit
def split_ticks(ticks: int, binary: bool, digits: int) -> tuple[int, int]:
    """(seconds, picoseconds) of a count of 10**-digits or, if `binary`, 2**-digits seconds."""
    if binary:
        seconds, rest = ticks >> digits, ticks & ((1 << digits) - 1)
        if digits > BINARY_DIGITS:
            rest, digits = rest >> (digits - BINARY_DIGITS), BINARY_DIGITS
        micro = rest * 1_000_000
        return seconds, (micro >> digits) * PS_PER_US + (((micro & ((1 << digits) - 1)) * 1_000_000) >> digits)
    rate = 1
    for _ in range(digits):
        rate *= 10
    seconds, rest = ticks // rate, ticks % rate
    if digits <= 12:
        return seconds, rest * (PS_PER_S // rate)
    return seconds, rest // (rate // PS_PER_S)


@njit
def pcapng_records(
    data: Bytes, at: int, big: bool, interfaces: Ints, last: Ints, records: Ints
) -> tuple[int, int, int, int]:
    """Like `pcap_records`, over the blocks of one section; stops IN_PYTHON at a header or interface block.

    `interfaces` int64[n, len(INTERFACE_COLUMNS)]; `last` int64[2], the seconds and picoseconds of the newest frame,
    is what simple blocks get, which carry no time."""
    size = len(data)
    count = 0
    while at < size and count < len(records):
        if at + BLOCK_OVERHEAD_BYTES > size:
            return count, NO_HEADER, at, size - at
        kind = _u32(data, at, big)
        if kind == SECTION_HEADER or kind == INTERFACE:
            return count, IN_PYTHON, at, 0
        length = _u32(data, at + 4, big)
        fixed = 0
        if kind == ENHANCED_PACKET or kind == OLD_PACKET:
            fixed = 20
        elif kind == SIMPLE_PACKET:
            fixed = 4
        if length < BLOCK_OVERHEAD_BYTES + fixed or length % 4:
            return count, WRONG_LENGTH, at, length
        if at + length > size:
            return count, CUT_SHORT, at, length
        if _u32(data, at + length - 4, big) != length:
            return count, WRONG_LENGTH, at, length
        if fixed:
            body = at + 8
            room = length - BLOCK_OVERHEAD_BYTES - fixed
            number = 0
            if kind == ENHANCED_PACKET:
                number = _u32(data, body, big)
            elif kind == OLD_PACKET:
                number = _u16(data, body, big)
            if number >= len(interfaces):
                return count, NO_INTERFACE, at, number
            if kind == SIMPLE_PACKET:
                original = _u32(data, body, big)
                captured = min(original, room)
                if interfaces[number, SNAP_BYTES] > 0:
                    captured = min(captured, interfaces[number, SNAP_BYTES])
            else:
                captured = _u32(data, body + 12, big)
                original = max(captured, _u32(data, body + 16, big))
                ticks = (_u32(data, body + 4, big) & 0x7FFFFFFF) << 32 | _u32(data, body + 8, big)
                seconds, last[1] = split_ticks(ticks, interfaces[number, BINARY] != 0, interfaces[number, DIGITS])
                last[0] = min(seconds, LAST_SECOND) + interfaces[number, OFFSET_SECONDS]
            if captured > room:
                return count, LONGER_THAN_BLOCK, at, captured
            records[count, START] = body + fixed
            records[count, CAPTURED] = captured
            records[count, ORIGINAL] = original
            records[count, SECONDS] = last[0]
            records[count, FRACTION_PS] = last[1]
            records[count, LINK_TYPE] = interfaces[number, INTERFACE_LINK_TYPE]
            count += 1
        at += length
    return count, FULL, at, 0


@dataclass(slots=True)
class CaptureFile:
    """An opened capture: its bytes, how many frames are in it, and `base_seconds`, the second (since 1970) of the
    first time stamp."""

    name: str
    data: Bytes
    mapped: mmap.mmap | None = None
    frames: int = 0
    base_seconds: int = 0

    @staticmethod
    def open(path: Path | str) -> CaptureFile:
        """Map the file (`-` is standard input), unpack gzip, look through all records. CaptureError, OSError."""
        if str(path) == "-":
            return CaptureFile.of("standard input", sys.stdin.buffer.read())
        with Path(path).open("rb") as file:
            try:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (ValueError, OSError):  # empty, or a pipe
                return CaptureFile.of(str(path), file.read())
        return CaptureFile.of(str(path), mapped)

    @staticmethod
    def of(name: str, content: bytes | bytearray | mmap.mmap) -> CaptureFile:
        """The capture whose bytes are `content`. CaptureError."""
        capture = CaptureFile(name, np.frombuffer(content, np.uint8) if len(content) else np.zeros(0, np.uint8))
        if isinstance(content, mmap.mmap):
            capture.mapped = content
        if capture.data[:2].tobytes() == GZIP_MAGIC:
            capture = CaptureFile(name, np.frombuffer(capture._gunzipped(), np.uint8))
        capture._look_through()
        return capture

    def records(self) -> Iterator[Ints]:
        """int64[n, len(RECORD_COLUMNS)] in file order, at most RECORDS_AT_ONCE rows each. CaptureError."""
        if len(self.data) == 0:
            raise self._error(0, "nothing", WANTED)
        magic = self.data[:4].tobytes()
        if magic == SECTION_MAGIC:
            return self._pcapng()
        if magic in PCAP_MAGIC:
            return self._pcap(*PCAP_MAGIC[magic])
        raise self._error(0, magic.hex(" "), WANTED)

    def stamps_ps(self, records: Ints) -> Ints:
        """Time of each record since `base_seconds` [ps]; may go backwards."""
        seconds = np.where(records[:, SECONDS] == UNTIMED, self.base_seconds, records[:, SECONDS])
        after = np.clip(seconds - self.base_seconds, -FURTHEST_SECONDS, FURTHEST_SECONDS)
        return after * PS_PER_S + records[:, FRACTION_PS]

    def forget(self, start: int, stop: int) -> None:
        """Let go of mapped pages in bytes [start, stop): they are read again when needed. Keeps memory flat."""
        if self.mapped is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        first, last = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE, stop // mmap.PAGESIZE * mmap.PAGESIZE
        if last > first:
            self.mapped.madvise(mmap.MADV_DONTNEED, first, last - first)

    def _look_through(self) -> None:
        timed = False
        done = 0
        for records in self.records():
            self.frames += len(records)
            other = np.flatnonzero(records[:, LINK_TYPE] != ETHERNET)
            if len(other):
                row = records[other[0]]
                raise self._error(int(row[START]), f"a frame of {link_name(int(row[LINK_TYPE]))}", link_name(ETHERNET))
            known = records[records[:, SECONDS] != UNTIMED, SECONDS]
            if not timed and len(known):
                timed, self.base_seconds = True, int(known[0])
            self.forget(done, int(records[-1, START]))
            done = int(records[-1, START])

    def _pcap(self, order: Order, unit_ps: int) -> Iterator[Ints]:
        if len(self.data) < PCAP_HEADER_BYTES:
            raise self._error(0, f"a file of {len(self.data)} bytes", f"a pcap header of {PCAP_HEADER_BYTES} bytes")
        link_type = self._int(20, 4, order) & 0xFFFF  # the upper bits say whether there is an FCS
        at, why = PCAP_HEADER_BYTES, FULL
        while at < len(self.data):
            records = np.zeros((RECORDS_AT_ONCE, len(RECORD_COLUMNS)), np.int64)
            count, why, at, length = pcap_records(self.data, at, order == "big", unit_ps, link_type, records)
            if why != FULL:
                raise self._broken(why, at, length, "record")
            yield records[:count]

    def _pcapng(self) -> Iterator[Ints]:
        at = 0
        order: Order = "big"
        interfaces: list[list[int]] = []
        last = np.array([UNTIMED, 0], np.int64)
        while at < len(self.data):
            table = np.array(interfaces, np.int64).reshape(-1, len(INTERFACE_COLUMNS))
            records = np.zeros((RECORDS_AT_ONCE, len(RECORD_COLUMNS)), np.int64)
            count, why, at, length = pcapng_records(self.data, at, order == "big", table, last, records)
            if why not in (FULL, IN_PYTHON):
                raise self._broken(why, at, length, "block")
            if count:
                yield records[:count]
            if why == IN_PYTHON:
                if self.data[at : at + 4].tobytes() == SECTION_MAGIC:
                    order, interfaces = self._section(at), []
                    at += self._block_bytes(at, order)
                else:
                    length = self._block_bytes(at, order)
                    interfaces.append(self._interface(at, length, order))
                    at += length

    def _section(self, at: int) -> Order:
        magic = self.data[at + 8 : at + 12].tobytes()
        if magic not in BYTE_ORDER_MAGIC:
            raise self._error(at + 8, magic.hex(" ") or "the end of the file", "the byte order of a pcapng section")
        order = BYTE_ORDER_MAGIC[magic]
        if at + 16 <= len(self.data) and (major := self._int(at + 12, 2, order)) != 1:
            raise self._error(at + 12, f"pcapng version {major}", "version 1")
        return order

    def _block_bytes(self, at: int, order: Order) -> int:
        """Length of the section header or interface block at byte `at`, checked."""
        length = self._int(at + 4, 4, order)
        if length < 20 or length % 4:
            raise self._broken(WRONG_LENGTH, at, length, "block")
        if at + length > len(self.data):
            raise self._broken(CUT_SHORT, at, length, "block")
        if self._int(at + length - 4, 4, order) != length:
            raise self._broken(WRONG_LENGTH, at, length, "block")
        return length

    def _interface(self, at: int, length: int, order: Order) -> list[int]:
        binary, digits, offset = 0, 6, 0
        option, end = at + 16, at + length - 4
        while option + 4 <= end:
            code, size = self._int(option, 2, order), self._int(option + 2, 2, order)
            if code == 0 or option + 4 + size > end:
                break
            if code == TIME_RESOLUTION and size >= 1:
                binary, digits = int(self.data[option + 4]) >> 7, int(self.data[option + 4]) & 0x7F
                if digits > (62 if binary else DECIMAL_DIGITS):
                    raise self._error(option + 4, f"times in {2 if binary else 10}^-{digits} s", "coarser ones")
            if code == TIME_OFFSET and size >= 8:
                offset = int.from_bytes(self.data[option + 4 : option + 12].tobytes(), order, signed=True)
                offset = min(max(offset, -LAST_SECOND), LAST_SECOND)
            option += 4 + -(-size // 4) * 4
        return [self._int(at + 8, 2, order), self._int(at + 12, 4, order), binary, digits, offset]

    def _int(self, at: int, size: int, order: Order) -> int:
        return int.from_bytes(self.data[at : at + size].tobytes(), order)

    def _gunzipped(self) -> bytearray:
        unpacked = bytearray()
        try:
            with gzip.open(io.BytesIO(self.data.data)) as stream:
                while piece := stream.read(1 << 20):
                    unpacked += piece
        except EOFError:
            raise self._error(len(self.data), "the end of the file", "the rest of the gzip data") from None
        except (OSError, zlib.error) as error:
            raise self._error(0, f"gzip data that does not unpack ({error})", "a whole gzip file") from None
        return unpacked

    def _broken(self, why: int, at: int, length: int, what: str) -> CaptureError:
        left = len(self.data) - at
        if why == NO_HEADER:
            return self._error(at, f"{left} bytes", f"a whole {what} or the end of the file")
        if why == CUT_SHORT:
            return self._error(at, f"a {what} of {length} bytes", f"at most the {left} that are left in the file")
        if why == NO_INTERFACE:
            return self._error(at, f"a frame of interface {length}", "an interface described before its frames")
        if why == LONGER_THAN_BLOCK:
            return self._error(at, f"a frame of {length} captured bytes", "one that fits into its block")
        return self._error(at, f"a {what} length of {length}", "a multiple of 4 that fits and is the same at both ends")

    def _error(self, at: int, found: str, wanted: str) -> CaptureError:
        return CaptureError(f"{self.name}: at byte {at}: found {found}, wanted {wanted}")
