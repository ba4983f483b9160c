"""The bytes of a capture file as they come: a window that moves over a file, a pipe or what gzip unpacks.

The memory it takes does not depend on how long the file is. Places in `Window.data` hold until the next `refill`,
its bytes for one longer.
"""

from __future__ import annotations

import io
import os
import select
import stat
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

WINDOW_BYTES = 1 << 21  # what a second-level cache nearly holds: bytes are still there when they are written
PACKED_BYTES = 1 << 16  # read of a gzip file at once
GZIP_MAGIC = b"\x1f\x8b"
ZLIB_WITH_GZIP_HEADER = 31  # zlib's wbits


class GzipError(Exception):
    """What is wrong with gzip data, and at which byte of it, in a line that lacks the name of the file."""


class Holder(Protocol):
    """Somebody who holds payload that points into the window, such as an engine between two trains."""

    @property
    def held_payload_bytes(self) -> int: ...
    def move_held(self, old: Bytes, new: Bytes, at: int) -> int:
        """Copy what is held from `old` into `new` from place `at` on, and remember it there; the place behind it."""


class Window:
    """`data` uint8[...], valid from the place the last `refill` returned, at first 0, up to `size`; `offset`: place in
    the file less place in `data`.

    `ended`: nothing follows. `taken`: bytes read from the file so far, packed ones if it is packed; `total`: how many
    there are, 0 if nobody knows. New bytes come into the buffer that is `data` next, behind a margin that has room for
    what is kept. There are two buffers: bytes that were `lent` stay where they are for one more `refill`; `settle` is
    called before one that follows without anything lent in between."""

    def __init__(self, file: io.RawIOBase | io.BytesIO, *, window_bytes: int = WINDOW_BYTES) -> None:
        self._file = file
        self._waits = False  # a pipe: hand on what is there, do not wait for more
        self.total = 0
        if isinstance(file, io.BytesIO):
            self.total = len(file.getbuffer())
        else:
            status = os.fstat(file.fileno())
            self._waits = not stat.S_ISREG(status.st_mode)
            self.total = 0 if self._waits else status.st_size
        self._unpacker: zlib._Decompress | None = None
        self._packed = b""
        self._window_bytes, self._margin = window_bytes, window_bytes // 2
        self.data: Bytes = np.empty(window_bytes, np.uint8)
        self._next: Bytes = np.empty(self._margin + window_bytes, np.uint8)
        self.size = self.offset = self.taken = 0
        self.ended = self.lent = False
        self.settle: Callable[[], None] = lambda: None
        while self.size < len(GZIP_MAGIC) and not self.ended:
            self.size += self._read_into(self.data[self.size :].data)
        if self.data[: min(self.size, 2)].tobytes() == GZIP_MAGIC:
            self._packed = self.data[: self.size].tobytes()
            self._unpacker = zlib.decompressobj(ZLIB_WITH_GZIP_HEADER)
            self.size, self.ended = 0, False

    @staticmethod
    def open(path: Path | str) -> Window:
        """`-` is standard input. OSError."""
        standard = str(path) == "-"
        return Window(open(sys.stdin.fileno() if standard else path, "rb", buffering=0, closefd=not standard))

    def close(self) -> None:
        self._file.close()

    def refill(self, start: int, holders: Sequence[Holder] = ()) -> int:
        """Let go of all before `start` but for what `holders` hold, and read on: at least one byte, or `ended`.

        Returns the place of what was at `start`. OSError, GzipError."""
        if not self.lent:
            self.settle()
        self.lent = False
        count = self._read_into(self._next[self._margin :].data)
        kept = sum(holder.held_payload_bytes for holder in holders) + self.size - start
        if kept > self._margin:
            self._widen(kept, count)
        new, at = self._next, self._margin - kept
        for holder in holders:
            at = holder.move_held(self.data, new, at)
        new[at : self._margin] = self.data[start : self.size]
        self.data, self._next = new, self.data
        self.offset += start - at
        self.size = self._margin + count
        if len(self._next) < len(new):
            self._next = np.empty(len(new), np.uint8)
        return at

    def _widen(self, kept: int, count: int) -> None:
        """Make the margin of what is next wide enough for `kept` bytes in front of the `count` new ones."""
        fresh = self._next[self._margin : self._margin + count]
        self._margin = 2 * kept
        self._next = np.empty(self._margin + self._window_bytes, np.uint8)
        self._next[self._margin : self._margin + count] = fresh

    def _read_into(self, room: memoryview) -> int:
        """Read until `room` is full, at the end of the file, or when a pipe has no more for now; how many bytes."""
        size = 0
        while size < len(room) and not self.ended:
            if size and self._waits and not self._packed and not self._is_ready():
                break
            count = self._read(room[size:])
            self.ended = count == 0
            size += count
        return size

    def _is_ready(self) -> bool:
        poll = select.poll()
        poll.register(self._file.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _read(self, room: memoryview) -> int:
        if self._unpacker is None:
            count = self._file.readinto(room)
            self.taken += count or 0
            return count or 0
        while True:
            if self._unpacker.eof:  # another member may follow, or zeros that fill up a block of a tape
                self._packed = self._unpacker.unused_data.lstrip(b"\0")  # the unconsumed tail may have it once more
                if not self._packed:
                    self._packed = self._more_packed().lstrip(b"\0")
                    if not self._packed:
                        return 0
                self._unpacker = zlib.decompressobj(ZLIB_WITH_GZIP_HEADER)
            if not self._packed:
                self._packed = self._more_packed()
                if not self._packed:
                    raise GzipError(f"at byte {self.taken}: found the end of it, wanted the rest of the gzip data")
            try:
                plain = self._unpacker.decompress(self._packed, len(room))
            except zlib.error as error:
                found = f"gzip data that does not unpack ({error})"
                raise GzipError(f"at byte {self.taken}: found {found}, wanted a whole gzip file") from None
            self._packed = self._unpacker.unconsumed_tail
            if plain:
                room[: len(plain)] = plain
                return len(plain)

    def _more_packed(self) -> bytes:
        packed = self._file.read(PACKED_BYTES) or b""
        self.taken += len(packed)
        return packed
