"""An egress port: a queue in front of a line, fed by one or several cores."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from models.buffer import END, FIRST
from models.payload import SYNTHETIC
from models.queue import (
    ACCEPTED,
    ALWAYS,
    CAME,
    CAME_BYTES,
    DROPPED,
    DROPPED_BYTES,
    LAST_DEPARTURE,
    OUT_BYTES,
    SWITCHES,
    TIES,
    Waiting,
    departures,
    join_queue,
    pass_through,
    serve,
)
from models.train import PAYLOAD_BYTES, TIME_PS, FrameTrain
from models.units import serialization_ps
from models.wire import ethernet
from sim.clock import Clock
from sim.nodes.ledger import Ledger
from sim.nodes.link import Cable, RoughCable


class Port:
    """FIFO with departures and tail drop; a merged packet is cut on its way in.

    With one input nothing else can come between its frames, so they are served as they are handed over. With several,
    frames wait until all that arrived before now are known and enter by (time, input); the port wakes before the far
    end could need to hear of the first of them.
    Invariant: frames in == frames out + waiting + dropped."""

    def __init__(
        self,
        clock: Clock,
        *,
        rate_bps: int,
        queue_frames: int | None,
        cable: Cable | RoughCable,
        inputs: int,
        ledger: Ledger,
        max_train_frames: int | None = None,
    ) -> None:
        self._clock = clock
        self._rate_bps = rate_bps
        self._departed = departures(queue_frames)
        self._waiting = Waiting()
        self._cable = cable
        self._inputs = inputs
        self._most = max_train_frames or ALWAYS
        self._smallest_ps = serialization_ps(wire_bytes=ethernet.line_bytes(0), rate_bps=rate_bps)
        ledger.watch(
            self._waiting.state,
            {
                CAME: "port/in",
                CAME_BYTES: "port/in-bytes",
                ACCEPTED: "port/out",
                OUT_BYTES: "port/out-bytes",
                DROPPED: "drop/queue-full",
                DROPPED_BYTES: "port/dropped-bytes",
                SWITCHES: "port/merged-inputs",
                TIES: "port/ties",
            },
        )
        cable.promise(self._no_departure_before_ps)
        if inputs > 1:
            self._alarm = clock.alarm()
            clock.env.process(self._run())

    @property
    def waiting_frames(self) -> int:
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """Payload of the frames that wait [bytes]."""
        state = self._waiting.state
        return int(self._waiting.meta[self._waiting.row[state.item(FIRST) : state.item(END)]][:, PAYLOAD_BYTES].sum())

    def send(self, packets: FrameTrain, *, frames: int, input_rank: int) -> None:
        """Takes packets, which are cut into so many `frames`, and reach the queue at their `time_ps`.

        Times do not go back within one input."""
        waiting, there, pieces = self._waiting, self._cable.arriving, packets.pieces
        meta, head = packets.meta, packets.head
        waiting.reserve(frames, len(pieces) + frames if len(pieces) else 0, head.shape[1])
        if self._inputs > 1:
            join_queue(
                meta, head, pieces, *SYNTHETIC, input_rank, self._inputs, waiting.state, waiting.meta, waiting.head,
                waiting.pieces, waiting.row, waiting.rank,
            )  # fmt: skip
            self._set_alarm()
            return
        there.reserve(frames, len(waiting.pieces), waiting.head.shape[1])
        sent = pass_through(
            meta, head, pieces, *SYNTHETIC, self._departed, self._rate_bps, self._cable.delay_ps, self._most,
            waiting.state, waiting.meta, waiting.head, waiting.pieces, waiting.row, waiting.rank, there.state,
            there.meta, there.head, there.pieces,
        )  # fmt: skip
        if sent:
            self._cable.announced(sent)
        if len(waiting):
            self._serve(ALWAYS)

    def _no_departure_before_ps(self) -> int:
        """No frame but those sent already leaves before this time [ps]: not what waits, and not what may come now."""
        state, first_ps = self._waiting.state, self._clock.now_ps
        if state.item(FIRST) < state.item(END):
            first_ps = min(first_ps, self._first_ps())
        return max(first_ps, state.item(LAST_DEPARTURE)) + self._smallest_ps

    def _first_ps(self) -> int:
        waiting = self._waiting
        return waiting.meta.item(waiting.row.item(waiting.state.item(FIRST)), TIME_PS)

    def _set_alarm(self) -> None:
        state = self._waiting.state
        if state.item(FIRST) == state.item(END):
            self._alarm.set(None)
            return
        start = max(self._first_ps(), state.item(LAST_DEPARTURE))
        self._alarm.set(max(start + self._smallest_ps + self._cable.notice_ps, self._clock.now_ps))

    def _run(self) -> Generator[Event, None, None]:
        while True:
            yield self._alarm.ring()
            self._serve(self._clock.now_ps)
            self._set_alarm()

    def _serve(self, before_ps: int) -> None:
        waiting, there = self._waiting, self._cable.arriving
        while True:
            left = len(waiting)
            there.reserve(left, len(waiting.pieces), waiting.head.shape[1])
            sent = serve(
                self._departed, self._rate_bps, self._cable.delay_ps, before_ps, self._most, waiting.state,
                waiting.meta, waiting.head, waiting.pieces, waiting.row, waiting.rank, there.state, there.meta,
                there.head, there.pieces,
            )  # fmt: skip
            if sent:
                self._cable.announced(sent)
            if self._most == ALWAYS or len(waiting) in (0, left):
                return
