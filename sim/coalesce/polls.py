"""Which frames of a capture one poll would have seen together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.compiled import njit
from models.train import Ints

NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class Polls:
    """A poll ends before a frame that comes more than `gap_ps` after the one before it, and after `budget` frames."""

    gap_ps: int
    budget: int
    _place: Ints = field(default_factory=lambda: np.array([NO_LIMIT, 0], np.int64))  # last time, frames since the end

    def starts(self, stamps_ps: Ints) -> Ints:
        """The rows before which a poll ends, of frames with these times [ps]; goes on from call to call."""
        starts = np.empty(len(stamps_ps), np.int64)
        return starts[: _starts(stamps_ps, self._place, self.gap_ps, self.budget, starts)]


@njit
def _starts(stamps_ps: Ints, place: Ints, gap_ps: int, budget: int, starts: Ints) -> int:
    count = 0
    for i in range(len(stamps_ps)):
        if place[1] == budget or (place[1] > 0 and stamps_ps[i] - place[0] > gap_ps):
            starts[count] = i
            count += 1
            place[1] = 0
        place[0] = stamps_ps[i]
        place[1] += 1
    return count
