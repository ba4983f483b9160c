"""The wire between a port and the card at its far end."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from typing import Protocol

import numpy as np
from simpy.events import Event

from models.memory import FIRST, Memory, Queue
from models.path import PathDraws
from models.train import ABSENT, SOURCE, FrameTrain, join
from sim.clock import Clock
from sim.nodes.ledger import Ledger


class FarEnd(Protocol):
    """Whatever frames arrive at."""

    number: int  # of the card
    arriving: Queue  # where they are put, times [ps] of last bits, none before the one put before

    def announced(self, frames: int) -> None:
        """Called after so many frames were put there, no later than the first of them arrives."""

    def hears_from(self, port: int, *, late: bool = False) -> None:
        """The port its line begins at; `late`: frames may be announced no sooner than they arrive."""


class Cable:
    """Every frame arrives `delay_ps` after its last bit left: a port puts it into the far end's own memory."""

    def __init__(self, *, delay_ps: int, far_end: FarEnd) -> None:
        self.delay_ps = delay_ps
        self.far_card = far_end.number
        self.arriving = far_end.arriving
        self.announced = far_end.announced
        self.begins_at = far_end.hears_from


class RoughCable:
    """A cable that loses frames and delays each by up to `jitter_ps` more, so that frames overtake.

    Frames are held until nothing that may still depart can arrive before them, so times at the far end never go back.
    Invariant: frames in == frames out + held + lost."""

    def __init__(
        self,
        clock: Clock,
        *,
        delay_ps: int,
        far_end: FarEnd,
        memory: Memory,
        max_train_frames: int | None,
        draws: PathDraws,
        ledger: Ledger,
    ) -> None:
        self.delay_ps = delay_ps
        self.far_card = ABSENT  # what leaves the port is heard of here first
        self.arriving = memory.queue()  # as if there were no jitter
        self._clock = clock
        self._far_end = far_end
        self._max_train_frames = max_train_frames
        self._draws = draws
        self._ledger = ledger
        self._held: list[tuple[int, int, FrameTrain]] = []
        self._taken = 0
        self._newest = -1  # of the frames that went on, the last one taken
        self._alarm = clock.alarm()
        clock.env.process(self._run())

    def begins_at(self, port: int) -> None:
        """The port says what may still come, the clock what is held here."""
        self._far_end.hears_from(port, late=True)

    def announced(self, frames: int) -> None:
        """So many frames have been put into `arriving`."""
        words = self.arriving.words
        train = self.arriving.rows(words[FIRST], words[FIRST] + frames)
        late_ps, lost = self._draws.draw(train.meta[:, SOURCE])
        arrivals = train.time_ps + late_ps
        for i in np.flatnonzero(~lost).tolist():
            heapq.heappush(self._held, (int(arrivals[i]), self._taken + i, train[i : i + 1].packed()))
        self._taken += len(train)
        self._ledger.drop("link-loss", int(lost.sum()))
        self._ledger.add("link/lost-bytes", int(train.payload_bytes[lost].sum()))
        words[FIRST] += frames
        self._set_alarm()

    def _set_alarm(self) -> None:
        if self._held:
            self._alarm.set(max(self._held[0][0] - self.delay_ps + 1, self._clock.now_ps))
        else:
            self._alarm.set(None)

    def _run(self) -> Generator[Event, None, None]:
        while True:
            yield self._alarm.ring()
            ready = []
            while self._held and self._held[0][0] < self._clock.now_ps + self.delay_ps:
                at_ps, number, frame = heapq.heappop(self._held)
                self._ledger.add("link/overtaken", int(number < self._newest))
                self._newest = max(self._newest, number)
                ready.append(frame.at(at_ps))
            if ready:
                for part in join(ready).cut(self._max_train_frames):
                    self._far_end.arriving.append(part)
                    self._far_end.announced(len(part))
            self._set_alarm()
