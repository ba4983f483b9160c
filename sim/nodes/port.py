"""An egress port: a queue in front of a line, fed by one or several cores."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from simpy.events import Event

from models.queue import DROPPED, fifo, serve
from models.train import TIME_PS, FrameTrain, join
from models.units import serialization_ps
from models.wire import ethernet
from sim.clock import Clock
from sim.nodes.ledger import Ledger
from sim.nodes.link import Cable, RoughCable


class Port:
    """FIFO with departures and tail drop.

    With one input nothing else can come between its frames, so a train is served as it is handed over. With several,
    frames wait until all that arrived before now are known and are merged by (time, input); the port wakes before the
    far end could need to hear of the first of them.
    Invariant: frames in == frames out + pending + dropped."""

    def __init__(
        self,
        clock: Clock,
        *,
        rate_bps: int,
        queue_frames: int | None,
        cable: Cable | RoughCable,
        inputs: int,
        ledger: Ledger,
    ) -> None:
        self._clock = clock
        self._rate_bps = rate_bps
        self._queue = fifo(queue_frames)
        self._cable = cable
        self._ledger = ledger
        self._pending: list[list[FrameTrain]] = [[] for _ in range(inputs)]
        self._last_departure_ps = 0
        self._smallest_ps = serialization_ps(wire_bytes=ethernet.line_bytes(0), rate_bps=rate_bps)
        if inputs > 1:
            self._alarm = clock.alarm()
            clock.env.process(self._run())

    def send(self, train: FrameTrain, *, input_rank: int) -> None:
        """Takes frames that reach the queue at their `time_ps`, which does not go back within one input."""
        if len(self._pending) == 1:
            self._serve(train)
            return
        self._pending[input_rank].append(train)
        self._set_alarm()

    def _set_alarm(self) -> None:
        first = min((int(trains[0].meta[0, TIME_PS]) for trains in self._pending if trains), default=None)
        if first is None:
            self._alarm.set(None)
            return
        start = max(first, self._last_departure_ps)
        self._alarm.set(max(start + self._smallest_ps + self._cable.notice_ps, self._clock.now_ps))

    def _run(self) -> Generator[Event, None, None]:
        while True:
            yield self._alarm.ring()
            self._settle(before_ps=self._clock.now_ps)
            self._set_alarm()

    def _settle(self, *, before_ps: int) -> None:
        ready: list[FrameTrain] = []
        ranks: list[int] = []
        for rank, trains in enumerate(self._pending):
            while trains and trains[0].meta[0, TIME_PS] < before_ps:
                known = int(np.searchsorted(trains[0].time_ps, before_ps))
                ready.append(trains[0][:known])
                ranks += [rank] * known
                if known < len(trains[0]):
                    trains[0] = trains[0][known:]
                    break
                trains.pop(0)
        if not ready:
            return
        together = join(ready)
        if len(set(ranks)) > 1:
            order = np.lexsort((np.array(ranks), together.time_ps))
            together = together[order]
            self._ledger.add("port/merged-inputs")
            other_input = np.diff(np.array(ranks)[order]) != 0
            self._ledger.add("port/ties", int((other_input & (np.diff(together.time_ps) == 0)).sum()))
        self._serve(together)

    def _serve(self, train: FrameTrain) -> None:
        departures = np.empty(len(train), np.int64)
        drops = serve(self._queue, self._rate_bps, train.meta, departures)
        self._ledger.add("port/in", len(train))
        self._ledger.drop("queue-full", drops)
        if drops:
            kept = departures != DROPPED
            train, departures = train[kept], departures[kept]
        if len(train):
            self._last_departure_ps = int(departures[-1])
            self._ledger.add("port/out", len(train))
            self._cable.send(train.at(departures))
