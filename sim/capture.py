"""Captures in: a pcap or pcapng file as trains whose payload stays in the file.

Leaves out: link types other than Ethernet; frames of a cooked or raw capture would get an Ethernet header here.

The times of a train never go back, those of a capture may: `Chunk.stamps_ps` has them as captured, the train has the
latest so far. Where the snap length cut only padding, what is cut is forgotten: such a frame counts as shorter than it
was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.payload import Payloads, for_capture
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
    FrameTrain,
)
from models.wire.dissect import dissect
from sim import capture_records
from sim.capture_records import CaptureError, CaptureFile

__all__ = ["Capture", "CaptureError", "Chunk"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive frames of a capture; `stamps_ps` int64[n] since the capture's `base_seconds`, not sorted."""

    train: FrameTrain
    stamps_ps: Ints


class Capture:
    """A capture file as trains. `frames`: how many there are; `payloads`: their bytes."""

    def __init__(self, file: CaptureFile):
        self._file = file
        self.frames = file.frames
        self.base_seconds = file.base_seconds
        self.payloads: Payloads = for_capture(file.data)

    @staticmethod
    def open(path: Path | str) -> Capture:
        """Checks every record of the file first, so no frame is seen of a broken one. CaptureError, OSError."""
        return Capture(CaptureFile.open(path))

    def chunks(self) -> Iterator[Chunk]:
        """All frames in file order, RECORDS_AT_ONCE at a time. `frame_id` is the number in the file, from 0.

        Checksums are CSUM_NONE: what the card said, a capture does not tell."""
        seen, latest_ps, done = 0, -(1 << 62), 0
        for records in self._file.records():
            train = _frames(self._file.data, records)
            stamps_ps = self._file.stamps_ps(records)
            train.time_ps[:] = np.maximum(np.maximum.accumulate(stamps_ps), latest_ps)
            latest_ps = int(train.time_ps[-1])
            train.meta[:, FRAME_ID] = np.arange(seen, seen + len(train))
            seen += len(train)
            yield Chunk(train, stamps_ps)
            start = int(records[-1, capture_records.START])
            self._file.forget(done, start)
            done = start


def _frames(data: NDArray[np.uint8], records: Ints) -> FrameTrain:
    meta = np.zeros((len(records), len(COLUMNS)), np.int64)
    widest = _describe(data, records, meta)
    head = np.zeros((len(records), max(HEAD_WIDTH, -(-widest // 8) * 8)), np.uint8)
    _copy_heads(data, records, meta, head)
    return FrameTrain(meta, head)


@njit
def _describe(data: NDArray[np.uint8], records: Ints, meta: Ints) -> int:
    """Fill `meta` row by row; returns the length of the longest header."""
    widest = 0
    for i in range(len(records)):
        start = records[i, capture_records.START]
        captured = records[i, capture_records.CAPTURED]
        cells = meta[i]
        dissect(data[start : start + captured], captured, records[i, capture_records.ORIGINAL], cells)
        if cells[MISSING_BYTES] == 0 and cells[TAIL_BYTES] > 0:
            cells[TAIL_BYTES] -= records[i, capture_records.ORIGINAL] - captured
        cells[SOURCE] = CAPTURED
        cells[START] = start + cells[HEAD_BYTES]
        widest = max(widest, cells[HEAD_BYTES])
    return widest


@njit
def _copy_heads(data: NDArray[np.uint8], records: Ints, meta: Ints, head: NDArray[np.uint8]) -> None:
    for i in range(len(records)):
        start = records[i, capture_records.START]
        for k in range(meta[i, HEAD_BYTES]):
            head[i, k] = data[start + k]
