"""The books of each engine over a whole capture, and the tables they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from models.compiled import njit
from models.offload import books
from models.offload.engine import ENGINES, LOST, Outcome
from models.offload.engine import make as make_engine
from models.offload.why import Fate, Why
from models.payload import Payloads
from models.train import FRAME_COUNT, Bytes, FrameTrain, Ints

NONE = "none"
NO_POLLS: Ints = np.zeros(0, np.int64)

Rows = tuple[Sequence[str], list[tuple[Any, ...]]]


class Engine(Protocol):
    """What is asked of an engine of models/offload/engine.py."""

    name: str

    def receive(self, train: FrameTrain, payloads: Payloads, *, polls: Ints) -> Outcome: ...
    def flush(self, payloads: Payloads) -> Outcome: ...
    def move_held(self, old: Bytes, new: Bytes, at: int) -> int: ...

    @property
    def held_payload_bytes(self) -> int: ...
    @property
    def frames_altered(self) -> int: ...
    @property
    def lost(self) -> Ints: ...


class Off:
    """No offload: every frame goes up as it came."""

    name = NONE
    frames_altered = held_payload_bytes = 0
    lost: Ints = np.zeros(len(LOST), np.int64)

    def receive(self, train: FrameTrain, payloads: Payloads, *, polls: Ints = NO_POLLS) -> Outcome:
        n = len(train)
        marks = np.stack((np.arange(n), np.full(n, int(Why.NONE))))
        verdict = np.stack((np.full(n, int(Fate.PASSED)), np.full(n, int(Why.OFF))))
        return Outcome(train, marks, verdict)

    def flush(self, payloads: Payloads) -> Outcome:
        return self.receive(FrameTrain.blank(0), payloads)

    def move_held(self, old: Bytes, new: Bytes, at: int) -> int:
        return at


def known_engines() -> tuple[str, ...]:
    return (NONE, *ENGINES)


def make(name: str, given: Mapping[str, int] | None = None) -> Engine:
    """An engine with parameters `given`, that counts what it loses. ValueError for a name not in `known_engines`."""
    return Off() if name == NONE else make_engine(name, audit=True, **(given or {}))


@dataclass(slots=True)
class Tally:
    """The books of one engine. Invariant: frames in = frames out + frames held; fates sum to frames in.

    `sizes`: packets by how many frames they hold."""

    engine: Engine
    sizes: Ints = field(default_factory=lambda: np.zeros(2, np.int64))
    _books: Ints = field(default_factory=lambda: np.zeros((3, books.WIDTH), np.int64))

    def add(self, outcome: Outcome) -> None:
        books.book(self._books, outcome.fate, outcome.reason, outcome.close)
        meta = outcome.packets.meta
        while (largest := _count_sizes(meta, self.sizes)) >= len(self.sizes):
            self.sizes = np.concatenate([self.sizes, np.zeros(largest, np.int64)])

    @property
    def fates(self) -> Ints:
        return self._books[books.FATES, : len(Fate)]

    @property
    def reasons(self) -> Ints:
        return self._books[books.REASONS]

    @property
    def closes(self) -> Ints:
        return self._books[books.CLOSES]

    @property
    def frames_in(self) -> int:
        return int(self.fates.sum())

    @property
    def packets_out(self) -> int:
        return int(self.sizes.sum())

    @property
    def merged_packets(self) -> int:
        """Those of two frames or more."""
        return int(self.sizes[2:].sum())

    @property
    def merged_frames(self) -> int:
        """Frames in merged packets."""
        return int(np.arange(2, len(self.sizes)) @ self.sizes[2:])

    @property
    def largest_segments(self) -> int:
        return int(np.flatnonzero(self.sizes).max(initial=0))

    @property
    def lossless(self) -> bool:
        """Whether cutting the packets again would give back every frame that was not merged before."""
        return self.engine.frames_altered == 0

    @property
    def merge_sizes(self) -> dict[int, int]:
        """How many packets hold so many frames."""
        return {size: int(count) for size, count in enumerate(self.sizes) if count}

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


@njit
def _count_sizes(meta: Ints, sizes: Ints) -> int:
    """Add to `sizes` how many of the packets hold how many frames, and return the largest number of those;
    nothing is added if `sizes` has no place for it."""
    largest = 0
    for i in range(len(meta)):
        largest = max(largest, meta[i, FRAME_COUNT])
    if largest < len(sizes):
        for i in range(len(meta)):
            sizes[meta[i, FRAME_COUNT]] += 1
    return largest


def _labelled(counts: Ints) -> dict[str, int]:
    return {why.label: int(counts[why]) for why in Why if counts[why]}


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
