"""A network card's receiving side: ring, interrupt moderation, hardware LRO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.memory import END, FIRST, KEPT, NEXT, Memory, Queue
from models.nic.ring import (
    ARRIVED,
    ARRIVED_BYTES,
    DATA_FRAMES,
    MISSED,
    MISSED_BYTES,
    USED,
    settle,
)
from models.offload.engine import Engine
from models.offload.why import Why
from models.payload import SYNTHETIC
from models.train import CSUM_NONE, CSUM_VERIFIED, TIME_PS, FrameTrain
from sim.clock import NEVER
from sim.nodes.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class NicSettings:
    """As `ethtool` sets them; times in ps."""

    rx_ring_frames: int
    rx_usecs_ps: int
    rx_frames: int
    rx_checksum: bool


class Nic:
    """Keeps arrivals and settles them, in time order and up to now, whenever the driver looks.

    A ring slot is taken at a frame's arrival and given back when a poll takes the frame; a hardware-merged packet
    holds the slots of its frames. A card with LRO has one timer of `rx-usecs`, or of the engine if that is shorter,
    started by the first frame after it rang; when it rings the card completes what it holds, and interrupts.
    `rx-frames` is for cards without LRO.
    Invariant: frames in == frames taken + in the ring + not yet arrived + dropped."""

    def __init__(
        self,
        *,
        settings: NicSettings,
        hardware_lro: Engine | None,
        memory: Memory,
        ledger: Ledger,
        max_train_frames: int | None,
    ) -> None:
        self.slots = settings.rx_ring_frames
        self.csum_state = CSUM_VERIFIED if settings.rx_checksum else CSUM_NONE
        self._rx_frames = settings.rx_frames
        self._wait_ps = max(settings.rx_usecs_ps, 1)
        if hardware_lro is not None and hardware_lro.timer_ps:
            self._wait_ps = min(self._wait_ps, hardware_lro.timer_ps)
        self._lro = hardware_lro
        self._ledger = ledger
        self._max_train_frames = max_train_frames
        self.memory = memory
        self.arriving: Queue = memory.queue()
        self.ring = self.arriving if hardware_lro is None else memory.queue()
        self._armed = True
        self.interrupt_at_ps = NEVER  # when the next one comes, as far as is known
        self._close_at_ps: int | None = None
        self.on_arrival: Callable[[], None] = lambda: None
        self.known_ps: Callable[[], int] = lambda: NEVER  # a card without a line hears nothing
        self.tap: Callable[[FrameTrain], None] | None = None
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

    def announced(self, frames: int) -> None:
        """So many frames have been put into `arriving`; none of them arrives before now."""
        if self.tap is not None:
            end = self.arriving.words[END]
            self.tap(self.arriving.rows(end - frames, end))
        if self._armed:
            due_ps = self._due_ps()
            if due_ps != self.interrupt_at_ps:
                self.interrupt_at_ps = due_ps
                self.on_arrival()

    def receive(self, train: FrameTrain) -> None:
        """Takes a train; times [ps] are arrivals of last bits, none before the last train's."""
        self.arriving.append(train)
        self.announced(len(train))

    def mask_interrupt(self) -> None:
        self._armed = False
        self.interrupt_at_ps = NEVER

    def arm_interrupt(self) -> None:
        """From now on frames may interrupt again; those that are on their way count from the first."""
        self._armed = True
        self.interrupt_at_ps = self._due_ps()

    def _due_ps(self) -> int:
        """When an interrupt would come [ps], as far as is known."""
        words, meta = self.ring.words, self.memory.meta
        if words[FIRST] < words[KEPT]:
            return meta.item(words[FIRST], TIME_PS) + 1
        if self._lro is not None:
            if self._close_at_ps is not None:
                return self._close_at_ps + 1
            words = self.arriving.words
            return meta.item(words[FIRST], TIME_PS) + self._wait_ps + 1 if words[FIRST] < words[END] else NEVER
        first, end = words[NEXT], words[END]
        if first == end:
            return NEVER
        at_ps = meta.item(first, TIME_PS) + self._wait_ps
        if end - first >= self._rx_frames:
            at_ps = min(at_ps, meta.item(first + self._rx_frames - 1, TIME_PS) + 1)
        return at_ps

    def settle(self, before_ps: int) -> None:
        """Let arrive what does so before `before_ps`, through the card's LRO into the ring."""
        assert self._lro is not None
        memory, words, ring = self.memory, self.arriving.words, self.ring.words
        while words[FIRST] < words[END] and (at_ps := memory.meta.item(words[FIRST], TIME_PS)) < before_ps:
            if self._close_at_ps is None:
                self._close_at_ps = at_ps + self._wait_ps
            elif at_ps > self._close_at_ps:
                self._close_aggregates()
                continue
            known = min(before_ps, self._close_at_ps + 1)
            words[USED] = ring[USED]
            settle(self.arriving.state, memory.meta, memory.head, known, self.slots, self.csum_state)
            ring[USED] = words[USED]
            self._merge(self.arriving.rows(words[FIRST], words[KEPT]))
            words[FIRST] = words[KEPT] = words[NEXT]
        if self._close_at_ps is not None and self._close_at_ps < before_ps:
            self._close_aggregates()

    def _merge(self, train: FrameTrain) -> None:
        assert self._lro is not None
        for part in train.cut(self._max_train_frames):
            outcome = self._lro.receive(part, SYNTHETIC)
            self._ledger.outcome(self._lro, outcome)
            self._append(outcome.packets)

    def _close_aggregates(self) -> None:
        assert self._lro is not None
        self._close_at_ps = None
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
