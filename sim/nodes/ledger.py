"""What a place has counted: drops by reason, what engines did, frames in and out."""

from __future__ import annotations

from collections import Counter

import numpy as np

from models.offload.books import CLOSES, FATES, REASONS, WIDTH, book
from models.offload.engine import Engine, Outcome
from models.offload.why import Fate, Why
from models.train import Ints


class Ledger:
    """Counts of one node. Every count only grows; a measurement is the difference of two snapshots.

    Names: `drop/<reason>`, `fate/<fate>`, `reason/<why>`, `close/<why>`, and plain ones.
    An engine's frames count from the end of a poll, or a card's timer, at which it holds nothing, so that in every
    snapshot reasons sum to the frames that did not join, and closes to the packets started. `merge_sizes`: data packets
    handed up, by their frames."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.merge_sizes: Counter[int] = Counter()
        self._open: dict[Engine, Ints] = {}
        self._booked = np.zeros((3, WIDTH), np.int64)

    def add(self, name: str, n: int = 1) -> None:
        if n:
            self.counts[name] += n

    def drop(self, reason: str, frames: int) -> None:
        self.add(f"drop/{reason}", frames)

    def outcome(self, engine: Engine, outcome: Outcome) -> None:
        """Books what `engine` did: every frame's fate, why it did not join, why each started packet was completed."""
        if engine not in self._open:
            self._open[engine] = np.zeros((3, WIDTH), np.int64)
        books = self._open[engine]
        book(books, outcome.fate, outcome.reason, outcome.close)

    def balance(self, engine: Engine) -> None:
        """To be called at moments that do not depend on how trains are cut: what is complete counts from now on."""
        if not engine.held_packets and (books := self._open.get(engine)) is not None:
            self._booked += books
            books[:] = 0

    def passed(self, frames: int, why: Why) -> None:
        """Books frames that no engine looked at."""
        self._booked[FATES, Fate.PASSED] += frames
        self._booked[REASONS, why] += frames

    def snapshot(self) -> tuple[Counter[str], Counter[int]]:
        counts = self.counts.copy()
        for fate in Fate:
            counts[f"fate/{fate.name.lower()}"] = int(self._booked[FATES, fate])
        for why in Why:
            counts[f"reason/{why.label}"] = int(self._booked[REASONS, why])
            if why != Why.NONE:  # a packet that only passed was never started
                counts[f"close/{why.label}"] = int(self._booked[CLOSES, why])
        return counts, self.merge_sizes.copy()
