"""What a rough path does to frames: loss and extra delay.

Models: independent loss, extra delay uniform over [0, jitter].
Leaves out: bursts of loss, duplication, corruption (room: one more draw each).
Sources: counter-based random numbers, Salmon et al., SC 2011 (Philox), as in NumPy.
Checked by: tests/models/test_path.py; the exactness property runs over rough links.

A draw belongs to (seed, link, stream, nth frame of that stream): it depends neither on how trains were cut nor on
what other flows do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.train import Ints

_LOSS, _JITTER = 0, 1


class PathDraws:
    """The draws of one direction of one link."""

    def __init__(self, *, seed: int, link: int, loss: float, jitter_ps: int) -> None:
        self._seed = seed
        self._link = link
        self._loss = loss
        self._jitter_ps = jitter_ps
        self._generators: dict[tuple[int, int], np.random.Generator] = {}

    def draw(self, streams: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """For the next frames, whose streams are int64[n]: extra delay [ps] int64[n], and whether each is lost."""
        late = np.zeros(len(streams), np.int64)
        lost = np.zeros(len(streams), np.bool_)
        for stream in np.unique(streams).tolist():
            mine = streams == stream
            n = int(mine.sum())
            if self._jitter_ps:
                late[mine] = (self._generator(stream, _JITTER).random(n) * (self._jitter_ps + 1)).astype(np.int64)
            if self._loss:
                lost[mine] = self._generator(stream, _LOSS).random(n) < self._loss
        return late, lost

    def _generator(self, stream: int, purpose: int) -> np.random.Generator:
        key = (stream, purpose)
        if key not in self._generators:
            sequence = np.random.SeedSequence((self._seed, self._link, stream, purpose))
            self._generators[key] = np.random.Generator(np.random.Philox(sequence))
        return self._generators[key]
