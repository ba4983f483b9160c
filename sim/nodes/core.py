"""A CPU core, as it is set and as its books are read; what it does is compiled (models/cores/)."""

from __future__ import annotations

import numpy as np

from models.cores.words import (
    BUSY,
    CARDS,
    FIRST_CARD,
    HOST,
    MEASURED_FROM,
    MEASURED_TO,
    NOW,
    POLLS,
    PREEMPTIONS,
    READER,
    TIMERS_IN_POLLS,
)
from models.cpu.costs import KINDS, work_ps
from models.cpu.profiles import Profile
from models.train import ABSENT, Ints


class Core:
    """Runs the polls of its cards and the readers of its host; one thing at a time.

    `words` int64[CORE_WORDS] is its row among all cores. `counts` are work done by kind since the start of measuring,
    `scrap` what was done before; `busy_ps` the time spent [ps] within [measured_from_ps, measured_to_ps). `now_ps` is
    where the core is: it runs ahead of the clock as far as all that can still reach it is known, but not past the
    start or end of measuring."""

    def __init__(
        self, words: Ints, *, profile: Profile, first_card: int, cards: int, measured_from_ps: int, measured_to_ps: int
    ) -> None:
        self.profile = profile
        self.hz = profile.hz
        self.measured_from_ps = measured_from_ps
        self.counts = np.zeros(len(KINDS), np.int64)
        self.scrap = self.counts.copy()
        self.prices = np.array(profile.cost, np.int64)
        words[[MEASURED_FROM, MEASURED_TO]] = measured_from_ps, measured_to_ps
        words[[FIRST_CARD, CARDS]] = first_card, cards
        words[[HOST, POLLS, READER]] = ABSENT
        self._words = memoryview(words.data)

    @property
    def now_ps(self) -> int:
        return self._words[NOW]

    @property
    def busy_ps(self) -> int:
        return self._words[BUSY]

    @property
    def preemptions(self) -> int:
        """Softirqs that came into a reader's call."""
        return self._words[PREEMPTIONS]

    @property
    def timers_in_polls(self) -> int:
        """Timers that had to wait for the end of a poll."""
        return self._words[TIMERS_IN_POLLS]

    def run_host(self, host: int) -> None:
        """The timers and readers of that host, by its number, run here."""
        self._words[HOST] = host

    def cost(self, kind: int, count: int) -> int:
        """Price [1/10,000 cycle] of `count` units of `kind`, which are booked as done."""
        (self.counts if self.now_ps >= self.measured_from_ps else self.scrap)[kind] += count
        return self.profile.cost[kind] * count

    def ps(self, cost: int) -> int:
        """Time [ps] of `cost` [1/10,000 cycle] on this core."""
        return work_ps(cost, self.hz)
