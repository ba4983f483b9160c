"""The one way to be woken: everybody's time goes through here.

SimPy orders events of one instant by when they were made, which depends on how trains were cut. So each component has
one alarm, and alarms of one instant ring in the order of their ranks.
"""

from __future__ import annotations

from typing import cast

import simpy
from simpy.events import Event, EventPriority


class Alarm:
    """One component's wake-up: at most one is pending; setting it again moves it."""

    def __init__(self, clock: Clock, rank: int) -> None:
        self._env = clock.env
        self._rank = rank
        self._event: Event | None = None
        self._at_ps: int | None = None

    @property
    def at_ps(self) -> int | None:
        return self._at_ps

    def set(self, at_ps: int | None) -> None:
        """Ring at `at_ps` [ps] and not before; None: not at all. ValueError for a time that has passed."""
        if at_ps == self._at_ps:
            return
        if at_ps is not None and at_ps < self._env.now:
            raise ValueError(f"alarm set for {at_ps} ps at {self._env.now} ps")
        waiting = self.ring()
        if self._at_ps is not None:  # the old event stays in SimPy's queue and calls nobody
            moved = Event(self._env)
            assert moved.callbacks is not None and waiting.callbacks is not None
            moved.callbacks.extend(waiting.callbacks)
            waiting.callbacks.clear()
            self._event = waiting = moved
        self._at_ps = None if at_ps is None else int(at_ps)
        if self._at_ps is not None:
            waiting._ok, waiting._value = True, None
            self._env.schedule(waiting, cast(EventPriority, self._rank), self._at_ps - self._env.now)

    def ring(self) -> Event:
        """The event to yield; valid until it has rung."""
        if self._event is None:
            self._event = Event(self._env)
            assert self._event.callbacks is not None
            self._event.callbacks.append(self._rung)
        return self._event

    def _rung(self, _: Event) -> None:
        self._event = self._at_ps = None


class Clock:
    """Integer picoseconds over a SimPy environment."""

    def __init__(self) -> None:
        self.env = simpy.Environment(initial_time=0)
        self._ranks = 0

    @property
    def now_ps(self) -> int:
        return int(self.env.now)

    def alarm(self) -> Alarm:
        """A new component's alarm; components rank in the order in which they ask, which is the scenario's."""
        self._ranks += 1
        return Alarm(self, self._ranks)
