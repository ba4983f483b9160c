"""What a place has counted: drops by reason, what engines did, frames in and out."""

from __future__ import annotations

from collections import Counter

import numpy as np

from models.offload.books import CLOSES, FATES, REASONS, WIDTH, book, settle
from models.offload.engine import Engine, Outcome
from models.offload.why import Fate, Why
from models.train import Ints

LARGEST_MERGE = 1 << 16  # frames in a packet; more are counted as so many


class Ledger:
    """Counts of one node. Every count only grows; a measurement is the difference of two snapshots.

    Names: `drop/<reason>`, `fate/<fate>`, `reason/<why>`, `close/<why>`, and plain ones.
    An engine's frames count from the end of a poll, or a card's timer, at which it holds nothing, so that in every
    snapshot reasons sum to the frames that did not join, and closes to the packets started. Kernels write `booked`,
    `books_of` and `sizes`, the data packets handed up by their frames, on their own, and counters of theirs that the
    ledger was told to `watch`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._watched: list[tuple[str, Ints, int]] = []
        self._open: dict[Engine, Ints] = {}
        self.booked = np.zeros((3, WIDTH), np.int64)
        self.sizes = np.zeros(LARGEST_MERGE + 1, np.int64)

    @property
    def counts(self) -> Counter[str]:
        """All counts but those of fates, reasons and closes, a copy."""
        counts = self._counts.copy()
        for name, words, at in self._watched:
            counts[name] += words.item(at)
        return counts

    @property
    def merge_sizes(self) -> Counter[int]:
        """Data packets handed up, by their frames."""
        return Counter({n: self.sizes.item(n) for n in np.flatnonzero(self.sizes).tolist()})

    def watch(self, words: Ints, names: dict[int, str]) -> None:
        """Count `words[at]`, which only grows, under its name."""
        self._watched += [(name, words, at) for at, name in names.items()]

    def add(self, name: str, n: int = 1) -> None:
        if n:
            self._counts[name] += n

    def drop(self, reason: str, frames: int) -> None:
        self.add(f"drop/{reason}", frames)

    def books_of(self, engine: Engine) -> Ints:
        """What `engine` did since it last held nothing, int64[3, WIDTH]."""
        if engine not in self._open:
            self._open[engine] = np.zeros((3, WIDTH), np.int64)
        return self._open[engine]

    def outcome(self, engine: Engine, outcome: Outcome) -> None:
        """Books what `engine` did: every frame's fate, why it did not join, why each started packet was completed."""
        book(self.books_of(engine), outcome.fate, outcome.reason, outcome.close)

    def balance(self, engine: Engine) -> None:
        """To be called at moments that do not depend on how trains are cut: what is complete counts from now on."""
        if not engine.held_packets:
            settle(self.booked, self.books_of(engine))

    def snapshot(self) -> tuple[Counter[str], Counter[int]]:
        counts = self.counts
        for fate in Fate:
            counts[f"fate/{fate.name.lower()}"] = self.booked.item(FATES, fate)
        for why in Why:
            counts[f"reason/{why.label}"] = self.booked.item(REASONS, why)
            if why != Why.NONE:  # a packet that only passed was never started
                counts[f"close/{why.label}"] = self.booked.item(CLOSES, why)
        return counts, self.merge_sizes
