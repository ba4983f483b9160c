"""A capture through receive offload engines: frames grouped into polls, and the books about what came of them.

Leaves out: everything that takes time; a poll here is a group of frames, flushed at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.nic.rss import hash_rows
from models.offload.engine import ENGINES, LOST, Outcome
from models.offload.engine import make as make_engine
from models.offload.why import Fate, Why
from models.payload import Payloads
from models.train import (
    CSUM_STATE,
    CSUM_VERIFIED,
    FRAME_COUNT,
    GSO_BYTES,
    GSO_SEGMENTS,
    HEAD_BYTES,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PROTOCOL,
    RX_HASH,
    FrameTrain,
)
from models.wire import tcp
from sim.capture import Capture
from sim.capture_write import CaptureWriter

NONE = "none"
NO_LIMIT = 1 << 62

Ints = NDArray[np.int64]
Rows = tuple[Sequence[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Polls:
    """A poll ends before a frame that comes more than `gap_ps` after the one before it, and after `budget` frames."""

    gap_ps: int
    budget: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What is assumed of the card: it has merged what is longer than `mtu_bytes`; `rx_hash`: it computes a hash."""

    mtu_bytes: int
    rx_hash: bool


class Engine(Protocol):
    """What is asked of an engine of models/offload/engine.py."""

    name: str

    def receive(self, train: FrameTrain, payloads: Payloads) -> Outcome: ...
    def flush(self, payloads: Payloads) -> Outcome: ...

    @property
    def frames_altered(self) -> int: ...
    @property
    def lost(self) -> Ints: ...


class Off:
    """No offload: every frame goes up as it came."""

    name = NONE
    frames_altered = 0
    lost: Ints = np.zeros(len(LOST), np.int64)

    def receive(self, train: FrameTrain, payloads: Payloads) -> Outcome:
        rows = np.arange(len(train))
        fate, why = np.full(len(train), int(Fate.PASSED)), np.full(len(train), int(Why.OFF))
        return Outcome(train, rows, np.full(len(train), int(Why.NONE)), fate, why)

    def flush(self, payloads: Payloads) -> Outcome:
        return self.receive(FrameTrain.blank(0), payloads)


def known_engines() -> tuple[str, ...]:
    return (NONE, *ENGINES)


def make(name: str) -> Engine:
    """An engine that counts what it loses. ValueError for a name not in `known_engines`."""
    return Off() if name == NONE else make_engine(name, audit=True)


@dataclass(slots=True)
class Tally:
    """The books of one engine. Invariant: frames in = frames out + frames held; fates sum to frames in."""

    engine: Engine
    frames_in: int = 0
    packets_out: int = 0
    merged_frames: int = 0  # those in packets of two or more
    merged_packets: int = 0
    largest_segments: int = 0
    fates: Ints = field(default_factory=lambda: np.zeros(len(Fate), np.int64))
    reasons: Ints = field(default_factory=lambda: np.zeros(len(Why), np.int64))
    closes: Ints = field(default_factory=lambda: np.zeros(len(Why), np.int64))

    def add(self, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        fate = np.concatenate([outcome.fate for outcome in outcomes])
        reason = np.concatenate([outcome.reason for outcome in outcomes])
        close = np.concatenate([outcome.close for outcome in outcomes])
        segments = np.concatenate([outcome.packets.meta[:, FRAME_COUNT] for outcome in outcomes])
        merged = segments[segments > 1]
        self.frames_in += len(fate)
        self.packets_out += len(segments)
        self.merged_frames += int(merged.sum())
        self.merged_packets += len(merged)
        self.largest_segments = max(self.largest_segments, int(segments.max(initial=0)))
        self.fates += np.bincount(fate, minlength=len(Fate))
        self.reasons += np.bincount(reason[fate != Fate.JOINED], minlength=len(Why))
        self.closes += np.bincount(close[close != Why.NONE], minlength=len(Why))

    @property
    def lossless(self) -> bool:
        """Whether cutting the packets again would give back every frame that was not merged before."""
        return self.engine.frames_altered == 0

    def as_json(self) -> dict[str, Any]:
        """The stable shape of `coalesce --json`; of reasons and closes it has those that occurred."""
        return {
            "engine": self.engine.name,
            "frames_in": self.frames_in,
            "packets_out": self.packets_out,
            "merged_frames": self.merged_frames,
            "largest_segments": self.largest_segments,
            "fates": {fate.name.lower(): int(self.fates[fate]) for fate in Fate},
            "reasons": _labelled(self.reasons),
            "closes": _labelled(self.closes),
            "lost": {name: int(count) for name, count in zip(LOST, self.engine.lost)},
            "lossless": self.lossless,
        }


def _labelled(counts: Ints) -> dict[str, int]:
    return {why.label: int(counts[why]) for why in Why if counts[why]}


def run(
    capture: Capture,
    tallies: Sequence[Tally],
    polls: Polls,
    settings: Settings,
    *,
    writer: CaptureWriter | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[str]:
    """Pass the capture through the engines of all `tallies`; returns remarks about it for the user.

    `writer` gets the packets of all engines, so give one only with one engine."""
    place = np.array([NO_LIMIT, 0], np.int64)  # time of the frame before, frames in this poll
    snapped = merged = 0
    done = 0
    for chunk in capture.chunks():
        train = chunk.train
        snapped += int((train.meta[:, MISSING_BYTES] > 0).sum())
        merged += _as_the_card_saw_it(train, settings)
        starts = np.empty(len(train) + 1, np.int64)
        polls_here = _poll_starts(chunk.stamps_ps, place, polls.gap_ps, polls.budget, starts)
        ends = [*starts[:polls_here].tolist(), len(train)]
        for tally in tallies:
            tally.add(_through(tally.engine, train, ends, capture.payloads, writer))
        done += len(train)
        if progress:
            progress(done)
    for tally in tallies:
        last = tally.engine.flush(capture.payloads)
        if writer is not None:
            writer.write(last.packets, capture.payloads)
        tally.add([last])
    notes = []
    if snapped:
        notes.append(f"{snapped} frames are cut by the snap length: their checksums count as verified by the card")
    if merged:
        notes.append(f"{merged} packets are longer than the MTU of {settings.mtu_bytes}: merged before the capture")
    return notes


def _through(
    engine: Engine, train: FrameTrain, ends: Sequence[int], payloads: Payloads, writer: CaptureWriter | None
) -> list[Outcome]:
    """Hand in the frames up to each of `ends` in turn, with a flush after each but the last."""
    outcomes = []
    start = 0
    for k, end in enumerate(ends):
        if end > start:
            outcomes.append(engine.receive(train[start:end], payloads))
        if k < len(ends) - 1:
            outcomes.append(engine.flush(payloads))
        start = end
    if writer is not None:
        for outcome in outcomes:
            writer.write(outcome.packets, payloads)
    return outcomes


def _as_the_card_saw_it(train: FrameTrain, settings: Settings) -> int:
    """Fill in what a capture does not tell; returns how many packets are merged already."""
    meta = train.meta
    ip_bytes = meta[:, HEAD_BYTES] + meta[:, PAYLOAD_BYTES] - meta[:, L3]
    merged = (meta[:, L4] >= 0) & (meta[:, PROTOCOL] == tcp.PROTOCOL) & (ip_bytes > settings.mtu_bytes)
    segment = np.maximum(1, settings.mtu_bytes - (meta[:, HEAD_BYTES] - meta[:, L3]))
    meta[merged, GSO_BYTES] = segment[merged]
    meta[merged, GSO_SEGMENTS] = -(-meta[merged, PAYLOAD_BYTES] // segment[merged])
    meta[merged | (meta[:, MISSING_BYTES] > 0), CSUM_STATE] = CSUM_VERIFIED
    if settings.rx_hash:
        hash_rows(train.head, meta, meta[:, RX_HASH])
    return int(merged.sum())


@njit
def _poll_starts(stamps_ps: Ints, place: Ints, gap_ps: int, budget: int, starts: Ints) -> int:
    """Fill `starts` with the rows before which a poll ends; returns how many. `place` goes on from call to call."""
    count = 0
    for i in range(len(stamps_ps)):
        if place[1] == budget or (place[1] > 0 and stamps_ps[i] - place[0] > gap_ps):
            starts[count] = i
            count += 1
            place[1] = 0
        place[0] = stamps_ps[i]
        place[1] += 1
    return count


def summary_table(tallies: Sequence[Tally]) -> Rows:
    columns = ("engine", "frames in", "packets out", "mean", "mean merge", "largest", *[f.name.lower() for f in Fate])
    rows = []
    for tally in tallies:
        mean = tally.frames_in / tally.packets_out if tally.packets_out else 0.0
        merge = tally.merged_frames / tally.merged_packets if tally.merged_packets else 0.0
        counts = tally.frames_in, tally.packets_out, f"{mean:.2f}", f"{merge:.2f}", tally.largest_segments
        rows.append((tally.engine.name, *counts, *tally.fates.tolist()))
    return columns, rows


def reasons_table(tallies: Sequence[Tally], *, closes: bool = False) -> Rows:
    """A row per reason that occurred: of frames that did not join, or of completed packets."""
    counts = np.array([tally.closes if closes else tally.reasons for tally in tallies])
    rows = [(why.label, *counts[:, why].tolist()) for why in Why if counts[:, why].any()]
    rows.sort(key=lambda row: -max(row[1:]))
    return ("reason", *[tally.engine.name for tally in tallies]), rows


def lost_table(tallies: Sequence[Tally]) -> Rows:
    counts = np.array([tally.engine.lost for tally in tallies])
    rows = [(name, *counts[:, k].tolist()) for k, name in enumerate(LOST) if counts[:, k].any()]
    return ("field", *[tally.engine.name for tally in tallies]), rows
