"""Capture files as a list of records: where each frame's bytes lie in the file, how long it was, and when.

Reads classic pcap (both byte orders, microseconds and nanoseconds) and pcapng (sections of either byte order, several
interfaces, if_tsresol, if_tsoffset; enhanced, simple and the old packet blocks), each also compressed with gzip.
Leaves out: pcapng options but for the times; the modified pcap of 1999 with its longer record header. Times more than
`FURTHEST_SECONDS` from the first are moved there, so that they fit in 64 bits of picoseconds.
Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, https://www.tcpdump.org/linktypes.html.

A file is read once, a window at a time, so that a pipe works like a file and memory does not grow with it. The kernels
walk records; what is rare (headers, interfaces, errors) is plain Python.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.units import PS_PER_NS, PS_PER_S, PS_PER_US
from models.wire import link
from models.wire.octets import be16, be32
from sim.capture_bytes import Bytes, GzipError, Holder, Window

Order = Literal["big", "little"]
Ints = NDArray[np.int64]

RECORD_COLUMNS = (
    "start",  # where the frame's bytes begin in the window
    "captured",  # how many of them there are
    "original",  # how long the frame was; at least `captured`
    "seconds",  # since 1970; UNTIMED before the first time in a file whose blocks carry none
    "fraction_ps",
    "link_type",
)
START, CAPTURED, ORIGINAL, SECONDS, FRACTION_PS, LINK_TYPE = range(len(RECORD_COLUMNS))
UNTIMED = -(1 << 62)

LINK_NAMES = {
    0: "BSD loopback",
    1: "Ethernet",
    12: "raw IP",
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
RECORDS_AT_ONCE = 4_096
LONGEST_BYTES = 1 << 24  # of a record, block or frame; Wireshark refuses longer ones, a broken header may claim them

FULL, NO_HEADER, CUT_SHORT, WRONG_LENGTH, NO_INTERFACE, LONGER_THAN_BLOCK, IN_PYTHON = range(7)  # why a kernel stopped

INTERFACE_COLUMNS = ("link_type", "snap_bytes", "binary", "digits", "offset_seconds")
INTERFACE_LINK_TYPE, SNAP_BYTES, BINARY, DIGITS, OFFSET_SECONDS = range(len(INTERFACE_COLUMNS))


class CaptureError(Exception):
    """What is wrong with a capture file, in one line for its user."""


def link_name(link_type: int) -> str:
    return f"link type {link_type} ({LINK_NAMES.get(link_type, 'unknown')})"


@njit(inline="always")
def _u16(data: Bytes, at: int, big: bool) -> Any:
    return be16(data, at) if big else np.int64(data[at + 1]) << 8 | np.int64(data[at])


@njit(inline="always")
def _u32(data: Bytes, at: int, big: bool) -> Any:
    return be32(data, at) if big else _u16(data, at + 2, big) << 16 | _u16(data, at, big)


@njit(nogil=True)
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
        records[count, ORIGINAL] = max(captured, min(_u32(data, at + 12, big), LONGEST_BYTES))
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


@njit(nogil=True)
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
                original = min(_u32(data, body, big), LONGEST_BYTES)
                captured = min(original, room)
                if interfaces[number, SNAP_BYTES] > 0:
                    captured = min(captured, interfaces[number, SNAP_BYTES])
            else:
                captured = _u32(data, body + 12, big)
                original = max(captured, min(_u32(data, body + 16, big), LONGEST_BYTES))
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


@njit(nogil=True)
def _stamps(records: Ints, base_seconds: int, stamps_ps: Ints) -> None:
    for i in range(len(records)):
        seconds = records[i, SECONDS]
        after = 0 if seconds == UNTIMED else seconds - base_seconds
        after = min(max(after, -FURTHEST_SECONDS), FURTHEST_SECONDS)
        stamps_ps[i] = after * PS_PER_S + records[i, FRACTION_PS]


@njit(nogil=True)
def _first_of_another_link(records: Ints, link_type: int) -> int:
    """The first row that is not of `link_type`; how many rows there are if all are."""
    for i in range(len(records)):
        if records[i, LINK_TYPE] != link_type:
            return i
    return len(records)


class CaptureFile:
    """An opened capture, a context manager. `frames`: how many were read so far; `base_seconds`: the second (since
    1970) of the first time stamp, None before it was read; `link_type`: of all frames, known with the first. `data`:
    where the records handed out last point into."""

    def __init__(self, name: str, window: Window) -> None:
        self.name = name
        self.frames = 0
        self.base_seconds: int | None = None
        self.link_type = link.ETHERNET
        self._window = window
        self._holders: Sequence[Holder] = ()

    @staticmethod
    def open(path: Path | str) -> CaptureFile:
        """The capture at `path`; `-` is standard input. CaptureError, OSError."""
        name = "standard input" if str(path) == "-" else str(path)
        with _naming(name):
            return CaptureFile(name, Window.open(path))

    @staticmethod
    def of(name: str, content: bytes) -> CaptureFile:
        """The capture whose bytes are `content`. CaptureError."""
        with _naming(name):
            return CaptureFile(name, Window(io.BytesIO(content)))

    def __enter__(self) -> CaptureFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._window.close()

    @property
    def data(self) -> Bytes:
        return self._window.data[: self._window.size]

    @property
    def taken(self) -> int:
        """Bytes of the file read so far."""
        return self._window.taken

    @property
    def total(self) -> int:
        """How many bytes the file has, 0 if nobody knows."""
        return self._window.total

    def before_reuse(self, settle: Callable[[], None]) -> None:
        """Have `settle` called when bytes of the records handed out last are about to be overwritten, for a reader that
        still reads those when it asks for the next, and no others."""
        self._window.settle = settle

    def records(self, holders: Sequence[Holder] = ()) -> Iterator[Ints]:
        """int64[n, len(RECORD_COLUMNS)] in file order, at most RECORDS_AT_ONCE rows each. CaptureError, OSError.

        They are good until the next are asked for; payload that `holders` still point to is then moved for them."""
        self._holders = holders
        with _naming(self.name):
            at = self._have(0, 4)
            magic = self.data[at : at + 4].tobytes()
            if not magic:
                raise self._error(at, "nothing", WANTED)
            if magic != SECTION_MAGIC and magic not in PCAP_MAGIC:
                raise self._error(at, magic.hex(" "), WANTED)
            for records in self._pcapng(at) if magic == SECTION_MAGIC else self._pcap(at, *PCAP_MAGIC[magic]):
                self._check_links(records)
                self.frames += len(records)
                self._window.lent = True
                yield records

    def stamps_ps(self, records: Ints) -> Ints:
        """Time of each record since `base_seconds` [ps]; may go backwards."""
        seconds = records[:, SECONDS]
        if self.base_seconds is None and (seconds != UNTIMED).any():
            self.base_seconds = int(seconds[seconds != UNTIMED][0])
        stamps_ps = np.empty(len(records), np.int64)
        _stamps(records, self.base_seconds or 0, stamps_ps)
        return stamps_ps

    def _check_links(self, records: Ints) -> None:
        if not self.frames:
            self.link_type = int(records[0, LINK_TYPE])
        wanted = link_name(self.link_type) + ", as the frames before"
        other = _first_of_another_link(records, self.link_type)
        if self.link_type not in link.KNOWN:
            wanted = ", ".join(dict.fromkeys(LINK_NAMES[known] for known in link.KNOWN))
            other = 0
        if other < len(records):
            row = records[other]
            raise self._error(int(row[START]), f"a frame of {link_name(int(row[LINK_TYPE]))}", wanted)

    def _pcap(self, at: int, order: Order, unit_ps: int) -> Iterator[Ints]:
        at = self._have(at, PCAP_HEADER_BYTES)
        if len(self.data) - at < PCAP_HEADER_BYTES:
            found = f"a file of {len(self.data) - at} bytes"
            raise self._error(at, found, f"a pcap header of {PCAP_HEADER_BYTES} bytes")
        link_type = self._int(at + 20, 4, order) & 0xFFFF  # the upper bits say whether there is an FCS
        at += PCAP_HEADER_BYTES
        while True:
            records = np.empty((RECORDS_AT_ONCE, len(RECORD_COLUMNS)), np.int64)
            count, why, at, length = pcap_records(self.data, at, order == "big", unit_ps, link_type, records)
            if count:
                yield records[:count]
            if why == FULL and at < self._window.size:
                continue
            if self._window.ended and at == self._window.size:
                return
            at = self._go_on(why, at, length, "record")

    def _pcapng(self, at: int) -> Iterator[Ints]:
        order: Order = "big"
        interfaces: list[list[int]] = []
        last = np.array([UNTIMED, 0], np.int64)
        while True:
            table = np.array(interfaces, np.int64).reshape(-1, len(INTERFACE_COLUMNS))
            records = np.empty((RECORDS_AT_ONCE, len(RECORD_COLUMNS)), np.int64)
            count, why, at, length = pcapng_records(self.data, at, order == "big", table, last, records)
            if count:
                yield records[:count]
            if why == IN_PYTHON:
                at = self._have(at, BLOCK_OVERHEAD_BYTES)
                is_section = self.data[at : at + 4].tobytes() == SECTION_MAGIC
                if is_section:
                    order, interfaces = self._order(at), []
                at, length = self._block(at, order)
                if is_section:
                    self._check_version(at, order)
                else:
                    interfaces.append(self._interface(at, length, order))
                at += length
                continue
            if why == FULL and at < self._window.size:
                continue
            if self._window.ended and at == self._window.size:
                return
            at = self._go_on(why, at, length, "block")

    def _go_on(self, why: int, at: int, length: int, what: str) -> int:
        """Read more of the file and return where what was at `at` is now; CaptureError if that does not help."""
        if why not in (FULL, NO_HEADER, CUT_SHORT) or length > LONGEST_BYTES or self._window.ended:
            raise self._broken(why, at, length, what)
        return self._window.refill(at, self._holders)

    def _have(self, at: int, n_bytes: int) -> int:
        """Read until `n_bytes` from `at` on are there or the file ends; where they are."""
        while self._window.size - at < n_bytes and not self._window.ended:
            at = self._window.refill(at, self._holders)
        return at

    def _order(self, at: int) -> Order:
        magic = self.data[at + 8 : at + 12].tobytes()
        if magic not in BYTE_ORDER_MAGIC:
            raise self._error(at + 8, magic.hex(" ") or "the end of the file", "the byte order of a pcapng section")
        return BYTE_ORDER_MAGIC[magic]

    def _check_version(self, at: int, order: Order) -> None:
        if (major := self._int(at + 12, 2, order)) != 1:
            raise self._error(at + 12, f"pcapng version {major}", "version 1")

    def _block(self, at: int, order: Order) -> tuple[int, int]:
        """Where the section header or interface block at byte `at` is now, whole, and its length, checked."""
        length = self._int(at + 4, 4, order)
        if length < 20 or length % 4 or length > LONGEST_BYTES:
            raise self._broken(WRONG_LENGTH, at, length, "block")
        at = self._have(at, length)
        if at + length > self._window.size:
            raise self._broken(CUT_SHORT, at, length, "block")
        if self._int(at + length - 4, 4, order) != length:
            raise self._broken(WRONG_LENGTH, at, length, "block")
        return at, length

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

    def _broken(self, why: int, at: int, length: int, what: str) -> CaptureError:
        left = self._window.size - at
        if why == NO_HEADER:
            return self._error(at, f"{left} bytes", f"a whole {what} or the end of the file")
        if why == CUT_SHORT:
            most = f"at most the {left} that are left in the file" if self._window.ended else f"at most {LONGEST_BYTES}"
            return self._error(at, f"a {what} of {length} bytes", most)
        if why == NO_INTERFACE:
            return self._error(at, f"a frame of interface {length}", "an interface described before its frames")
        if why == LONGER_THAN_BLOCK:
            return self._error(at, f"a frame of {length} captured bytes", "one that fits into its block")
        return self._error(at, f"a {what} length of {length}", "a multiple of 4 that fits and is the same at both ends")

    def _error(self, at: int, found: str, wanted: str) -> CaptureError:
        return CaptureError(f"{self.name}: at byte {at + self._window.offset}: found {found}, wanted {wanted}")


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """What is wrong with packed data, with the name of the file before it."""
    try:
        yield
    except GzipError as error:
        raise CaptureError(f"{name}: {error}") from None
