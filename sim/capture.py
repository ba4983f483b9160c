"""Captures in: a pcap or pcapng file as trains whose payload stays where it was read.

A frame keeps the link header it was captured with, Ethernet or another: what engines look at starts behind it.

The times of a train never go back, those of a capture may: `Chunk.stamps_ps` has them as captured, the train has the
latest so far. Where the snap length cut only padding, what is cut is forgotten: such a frame counts as shorter than it
was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.payload import Payloads, copy_octets, for_capture
from models.train import (
    CAPTURED,
    COLUMNS,
    FRAME_ID,
    HEAD_BYTES,
    HEAD_WIDTH,
    MISSING_BYTES,
    SOURCE,
    START,
    TAIL_BYTES,
    TIME_PS,
    FrameTrain,
)
from models.wire.dissect import dissect_link
from sim import capture_records
from sim.capture_bytes import Bytes, Holder
from sim.capture_records import CaptureError, CaptureFile

__all__ = ["Capture", "CaptureError", "Chunk"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive frames of a capture; `stamps_ps` int64[n] since the capture's `base_seconds`, not sorted."""

    train: FrameTrain
    stamps_ps: Ints


class Capture:
    """A capture file as trains; a context manager."""

    def __init__(self, file: CaptureFile):
        self.file = file
        self.payloads: Payloads = for_capture(file.data)

    @staticmethod
    def open(path: Path | str) -> Capture:
        """`-` is standard input. CaptureError, OSError."""
        return Capture(CaptureFile.open(path))

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.__exit__(kind, error, trace)

    @property
    def base_seconds(self) -> int:
        """The second since 1970 that is time 0 of the trains; known with the first of them."""
        return self.file.base_seconds or 0

    @property
    def link_type(self) -> int:
        """Of all its frames; known with the first of them."""
        return self.file.link_type

    def chunks(self, holders: Sequence[Holder] = ()) -> Iterator[Chunk]:
        """All frames in file order, at most RECORDS_AT_ONCE at a time. `frame_id` is the number in the file, from 0.

        Checksums are CSUM_NONE: what the card said, a capture does not tell. `payloads` has the bytes of this chunk
        until the next is asked for; what `holders` still hold is then moved for them. CaptureError, OSError."""
        seen, latest_ps = 0, -(1 << 62)
        for records in self.file.records(holders):
            data = self.file.data
            self.payloads = for_capture(data)
            train = _frames(data, records)
            stamps_ps = self.file.stamps_ps(records)
            latest_ps = _number(train.meta, stamps_ps, seen, latest_ps)
            seen += len(train)
            yield Chunk(train, stamps_ps)
        self.payloads = for_capture(self.file.data)  # at its end, too, the window may have moved what is held


def _frames(data: Bytes, records: Ints) -> FrameTrain:
    meta = np.empty((len(records), len(COLUMNS)), np.int64)
    head = np.empty((len(records), HEAD_WIDTH), np.uint8)
    while (widest := _describe(data, records, meta, head)) > head.shape[1]:
        head = np.empty((len(records), -(-widest // 8) * 8), np.uint8)
    return FrameTrain(meta, head)


@njit(nogil=True, _nrt=False)
def _describe(data: Bytes, records: Ints, meta: Ints, head: Bytes) -> int:
    """Fill `meta` and `head` row by row, of a header that is too long as much as fits; the length of the longest."""
    widest = 0
    for i in range(len(records)):
        start = records[i, capture_records.START]
        captured = records[i, capture_records.CAPTURED]
        cells, row = meta[i], head[i]
        for c in range(len(cells)):
            cells[c] = 0
        original, link_type = records[i, capture_records.ORIGINAL], records[i, capture_records.LINK_TYPE]
        dissect_link(link_type, data[start : start + captured], captured, original, cells)
        if cells[MISSING_BYTES] == 0 and cells[TAIL_BYTES] > 0:
            cells[TAIL_BYTES] -= original - captured
        cells[SOURCE] = CAPTURED
        cells[START] = start + cells[HEAD_BYTES]
        widest = max(widest, cells[HEAD_BYTES])
        n_bytes = min(cells[HEAD_BYTES], len(row))
        copy_octets(data, start, n_bytes, row, 0)
        for k in range(n_bytes, len(row)):
            row[k] = 0
    return widest


@njit(nogil=True)
def _number(meta: Ints, stamps_ps: Ints, first: int, latest_ps: int) -> int:
    """Give the frames their numbers, from `first` on, and times that do not go back; returns the last time."""
    for i in range(len(meta)):
        latest_ps = max(latest_ps, stamps_ps[i])
        meta[i, TIME_PS] = latest_ps
        meta[i, FRAME_ID] = first + i
    return latest_ps
