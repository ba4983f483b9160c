"""Draws from a generator, for bursts that a seed and a number give again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Thing = TypeVar("Thing")
_AT_ONCE = 1000  # one draw at a time costs more than the frame


class Dice:
    """A stream of draws; the same generator gives the same ones."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._draws: list[float] = []

    def unit(self) -> float:
        """At least 0, below 1."""
        if not self._draws:
            self._draws = self._generator.random(_AT_ONCE).tolist()
        return self._draws.pop()

    def below(self, n: int) -> int:
        """A whole number from 0, below `n`."""
        return int(self.unit() * n)

    def chance(self, share: float) -> bool:
        return self.unit() < share

    def of(self, things: Sequence[Thing]) -> Thing:
        return things[int(self.unit() * len(things))]
