"""A network card's receiving side: ring, interrupt moderation, hardware LRO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.memory import END, FIRST, KEPT, NEXT, Memory, Queue
from models.nic.moderation import look_again
from models.nic.ring import (
    ARRIVED,
    ARRIVED_BYTES,
    DATA_FRAMES,
    MISSED,
    MISSED_BYTES,
    USED,
    settle,
)
from models.nic.words import (
    ARMED,
    ARRIVING,
    CLOSE_AT,
    CSUM,
    HEARD_LATE,
    INTERRUPT_AT,
    LINE,
    RING,
    RX_FRAMES,
    RX_WAIT,
    SETTLES,
    SLOTS,
    TAPPED,
    TIMER_AT,
)
from models.offload.engine import Engine
from models.offload.why import Why
from models.payload import SYNTHETIC
from models.train import ABSENT, CSUM_NONE, CSUM_VERIFIED, TIME_PS, FrameTrain, Ints
from models.units import NEVER
from sim.nodes.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class NicSettings:
    """As `ethtool` sets them; times in ps."""

    rx_ring_frames: int
    rx_usecs_ps: int
    rx_frames: int
    rx_checksum: bool


class Nic:
    """Keeps arrivals and settles them, in time order and up to now, whenever the driver looks. `words`: its row of
    `cards` (models/nic/words.py).

    A ring slot is taken at a frame's arrival and given back when a poll takes the frame; a hardware-merged packet
    holds the slots of its frames. A card with LRO has one timer of `rx-usecs`, or of the engine if that is shorter,
    started by the first frame after it rang; when it rings the card completes what it holds, and interrupts.
    `rx-frames` is for cards without LRO.
    Invariant: frames in == frames taken + in the ring + not yet arrived + dropped."""

    def __init__(
        self,
        words: Ints,
        *,
        number: int = 0,
        settings: NicSettings,
        hardware_lro: Engine | None,
        memory: Memory,
        ledger: Ledger,
        max_train_frames: int | None,
    ) -> None:
        self.number = number
        self._wait_ps = max(settings.rx_usecs_ps, 1)
        if hardware_lro is not None and hardware_lro.timer_ps:
            self._wait_ps = min(self._wait_ps, hardware_lro.timer_ps)
        self._lro = hardware_lro
        self._ledger = ledger
        self._max_train_frames = max_train_frames
        self._tap: Callable[[FrameTrain], None] | None = None
        self.memory = memory
        self.arriving: Queue = memory.queue()
        self.ring = self.arriving if hardware_lro is None else memory.queue()
        self.on_arrival: Callable[[], None] = lambda: None
        words[[RING, ARRIVING, SETTLES]] = self.ring.index, self.arriving.index, hardware_lro is None
        words[[RX_WAIT, RX_FRAMES, SLOTS]] = self._wait_ps, settings.rx_frames, settings.rx_ring_frames
        words[CSUM] = CSUM_VERIFIED if settings.rx_checksum else CSUM_NONE
        words[[LINE, ARMED]] = ABSENT, 1
        words[[INTERRUPT_AT, TIMER_AT, CLOSE_AT]] = NEVER
        self.words = words
        self._words = memoryview(words.data)
        names = {ARRIVED: "nic/in", DATA_FRAMES: "wire-frames", MISSED: "drop/ring-full"}
        ledger.watch(self.arriving.state, names | {ARRIVED_BYTES: "nic/in-bytes", MISSED_BYTES: "nic/missed-bytes"})

    @property
    def has_hardware_lro(self) -> bool:
        return self._lro is not None

    @property
    def on_the_way(self) -> FrameTrain:
        """What is announced and has not been settled."""
        words = self.arriving.words
        return self.arriving.rows(words[FIRST if self._lro else NEXT], words[END])

    @property
    def in_ring(self) -> FrameTrain:
        """What waits for a poll."""
        return self.ring.rows(self.ring.words[FIRST], self.ring.words[KEPT])

    @property
    def interrupt_at_ps(self) -> int:
        """When the next interrupt comes [ps], as far as is known; NEVER."""
        return self._words[INTERRUPT_AT]

    @property
    def tap(self) -> Callable[[FrameTrain], None] | None:
        """Called with all frames that are on their way to the card, before they arrive."""
        return self._tap

    @tap.setter
    def tap(self, tap: Callable[[FrameTrain], None] | None) -> None:
        self._tap = tap
        self._words[TAPPED] = tap is not None

    def hears_from(self, port: int, *, late: bool = False) -> None:
        """Its line begins at that port; `late`: frames may be announced no sooner than they arrive."""
        self._words[LINE], self._words[HEARD_LATE] = port, late

    def announced(self, frames: int) -> None:
        """So many frames have been put into `arriving`; none of them arrives before now."""
        if self._tap is not None:
            end = self.arriving.words[END]
            self._tap(self.arriving.rows(end - frames, end))
        before_ps = self._words[INTERRUPT_AT]
        look_again(self.words, self.memory.state, self.memory.meta)
        if self._words[INTERRUPT_AT] != before_ps:
            self.on_arrival()

    def receive(self, train: FrameTrain) -> None:
        """Takes a train; times [ps] are arrivals of last bits, none before the last train's."""
        self.arriving.append(train)
        self.announced(len(train))

    def settle(self, before_ps: int) -> None:
        """Let arrive what does so before `before_ps`, through the card's LRO into the ring."""
        assert self._lro is not None
        memory, words, ring = self.memory, self.arriving.words, self.ring.words
        while words[FIRST] < words[END] and (at_ps := memory.meta.item(words[FIRST], TIME_PS)) < before_ps:
            if self._words[CLOSE_AT] == NEVER:
                self._words[CLOSE_AT] = at_ps + self._wait_ps
            elif at_ps > self._words[CLOSE_AT]:
                self._close_aggregates()
                continue
            known = min(before_ps, self._words[CLOSE_AT] + 1)
            words[USED] = ring[USED]
            settle(self.arriving.state, memory.meta, memory.head, known, self._words[SLOTS], self._words[CSUM])
            ring[USED] = words[USED]
            self._merge(self.arriving.rows(words[FIRST], words[KEPT]))
            words[FIRST] = words[KEPT] = words[NEXT]
        if self._words[CLOSE_AT] < before_ps:
            self._close_aggregates()

    def _merge(self, train: FrameTrain) -> None:
        assert self._lro is not None
        for part in train.cut(self._max_train_frames):
            outcome = self._lro.receive(part, SYNTHETIC)
            self._ledger.outcome(self._lro, outcome)
            self._append(outcome.packets)

    def _close_aggregates(self) -> None:
        assert self._lro is not None
        self._words[CLOSE_AT] = NEVER
        if self._lro.held_packets:
            outcome = self._lro.flush(SYNTHETIC, why=Why.TIMER)
            self._ledger.outcome(self._lro, outcome)
            self._append(outcome.packets)
        self._ledger.balance(self._lro)

    def _append(self, packets: FrameTrain) -> None:
        if len(packets):
            self.ring.append(packets)
            words = self.ring.words
            words[KEPT] = words[NEXT] = words[END]
