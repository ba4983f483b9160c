"""An egress port: a queue in front of a line, fed by one or several cores."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from models.memory import END, FIRST, PIECE_BASE, PIECES
from models.payload import SYNTHETIC
from models.queue import (
    ACCEPTED,
    ALWAYS,
    CAME,
    CAME_BYTES,
    DROPPED,
    DROPPED_BYTES,
    LAST_DEPARTURE,
    NEWS,
    OUT_BYTES,
    SWITCHES,
    TIES,
    Ports,
    send,
    serve,
)
from models.train import TIME_PS, FrameTrain
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
        ports: Ports,
        rate_bps: int,
        queue_frames: int | None,
        cable: Cable | RoughCable,
        inputs: int,
        ledger: Ledger,
        mtu_bytes: int = 0,
        cuts: bool = True,
        max_train_frames: int | None = None,
    ) -> None:
        self._clock = clock
        self._ports = ports
        self._memory = ports.memory
        self._waiting = ports.memory.queue()
        self._cable = cable
        self._inputs = inputs
        self.number = ports.add(
            waiting=self._waiting,
            far=cable.arriving,
            rate_bps=rate_bps,
            delay_ps=cable.delay_ps,
            limit_frames=queue_frames,
            inputs=inputs,
            most=max_train_frames,
            mtu_bytes=mtu_bytes,
            cuts=cuts,
        )
        self._port = ports.words[self.number]
        self._words = memoryview(self._port.data)
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
    def waiting(self) -> FrameTrain:
        """The frames that wait, in the order in which they enter."""
        return self._waiting.in_order()

    def send(self, packets: FrameTrain, *, input_rank: int) -> None:
        """Takes packets of a host, which reach the queue at their `time_ps`; times do not go back within one input."""
        ports, memory = self._ports, self._memory
        memory.widen(packets.head.shape[1])
        while not send(
            packets.meta, packets.head, packets.pieces, *SYNTHETIC, self.number, input_rank, ports.words,
            ports.departures, *memory.arrays(),
        ):  # fmt: skip
            ports.make_room(self.number)
        self.tell()
        if self._inputs == 1 and len(self._waiting):
            self._serve(ALWAYS)

    def tell(self) -> None:
        """Tell the far end of what it has been sent, or set the alarm for what waits."""
        if not (news := self._words[NEWS]):
            return
        self._words[NEWS] = 0
        if self._inputs == 1:
            self._cable.announced(news)
        else:
            self._set_alarm()

    def _no_departure_before_ps(self) -> int:
        """No frame but those sent already leaves before this time [ps]: not what waits, and not what may come now."""
        words, first_ps = self._waiting.words, self._clock.now_ps
        if words[FIRST] < words[END]:
            first_ps = min(first_ps, self._first_ps())
        return max(first_ps, words[LAST_DEPARTURE]) + self._smallest_ps

    def _first_ps(self) -> int:
        memory = self._memory
        return memory.meta.item(memory.row.item(self._waiting.words[FIRST]), TIME_PS)

    def _set_alarm(self) -> None:
        words = self._waiting.words
        if words[FIRST] == words[END]:
            self._alarm.set(None)
            return
        start = max(self._first_ps(), words[LAST_DEPARTURE])
        self._alarm.set(max(start + self._smallest_ps + self._cable.notice_ps, self._clock.now_ps))

    def _run(self) -> Generator[Event, None, None]:
        while True:
            yield self._alarm.ring()
            self._serve(self._clock.now_ps)
            self._set_alarm()

    def _serve(self, before_ps: int) -> None:
        far, memory, words = self._cable.arriving, self._memory, self._waiting.words
        while left := len(self._waiting):
            far.reserve(left, words[PIECES] - words[PIECE_BASE])
            sent = serve(self._port, self._ports.departures, before_ps, self._most, *memory.arrays())
            if sent:
                self._cable.announced(sent)
            if self._most == ALWAYS or len(self._waiting) == left:
                return
