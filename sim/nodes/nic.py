"""A network card's receiving side: ring, interrupt moderation, receive hashing, hardware LRO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.nic.rss import hash_rows
from models.offload.engine import Engine
from models.offload.why import Why
from models.payload import SYNTHETIC
from models.train import CSUM_NONE, CSUM_STATE, CSUM_VERIFIED, FRAME_COUNT, RX_HASH, TIME_PS, FrameTrain, join
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
    holds the slots of its frames. A card with LRO has one timer of `rx-usecs`, started by the first frame after it
    rang; when it rings the card completes what it holds, and interrupts. `rx-frames` is for cards without LRO.
    Invariant: frames in == frames taken + in the ring + not yet arrived + dropped."""

    def __init__(
        self, *, settings: NicSettings, hardware_lro: Engine | None, ledger: Ledger, max_train_frames: int | None
    ) -> None:
        self._settings = settings
        self._lro = hardware_lro
        self._ledger = ledger
        self._max_train_frames = max_train_frames
        self._arriving: list[FrameTrain] = []
        self._ring: list[FrameTrain] = []
        self._used = 0
        self._armed = True
        self._wait_ps = max(settings.rx_usecs_ps, 1)
        self._close_at_ps: int | None = None
        self._waiting = 0  # frames since the interrupt was armed, up to rx-frames
        self._moderated_ps: int | None = None
        self.on_arrival: Callable[[], None] = lambda: None
        self.tap: Callable[[FrameTrain], None] | None = None

    @property
    def has_hardware_lro(self) -> bool:
        return self._lro is not None

    def receive(self, train: FrameTrain) -> None:
        """Takes a train that nobody else keeps; times [ps] are arrivals of last bits, none before the last train's."""
        meta = train.meta
        meta[:, CSUM_STATE] = CSUM_VERIFIED if self._settings.rx_checksum else CSUM_NONE
        hash_rows(train.head, meta, meta[:, RX_HASH])
        self._arriving.append(train)
        if self._armed:
            self._moderate(train)
            self.on_arrival()

    def interrupt_at_ps(self) -> int | None:
        """When the next interrupt comes [ps], as far as is known; None while it is masked or nothing arrives."""
        if not self._armed:
            return None
        if self._ring:
            return int(self._ring[0].meta[0, TIME_PS]) + 1
        if self._lro is not None:
            if self._close_at_ps is not None:
                return self._close_at_ps + 1
            return int(self._arriving[0].meta[0, TIME_PS]) + self._wait_ps + 1 if self._arriving else None
        return self._moderated_ps

    def _moderate(self, train: FrameTrain) -> None:
        """One more train since the last interrupt: `rx-usecs` after the first frame, or with the `rx-frames`-th."""
        if self._waiting >= self._settings.rx_frames:
            return
        if self._moderated_ps is None:
            self._moderated_ps = int(train.meta[0, TIME_PS]) + self._wait_ps
        elif train.meta[0, TIME_PS] >= self._moderated_ps:  # nothing from here on can make it earlier
            self._waiting = self._settings.rx_frames
            return
        left = self._settings.rx_frames - self._waiting
        if left <= len(train):
            self._moderated_ps = min(self._moderated_ps, int(train.meta[left - 1, TIME_PS]) + 1)
        self._waiting += len(train)

    def mask_interrupt(self) -> None:
        self._armed = False

    def arm_interrupt(self) -> None:
        """From now on frames may interrupt again; those that are on their way count from the first."""
        self._armed = True
        self._waiting, self._moderated_ps = 0, None
        for train in self._arriving:
            self._moderate(train)
            if self._waiting >= self._settings.rx_frames:
                return

    def take(self, *, before_ps: int, budget: int) -> FrameTrain | None:
        """At most `budget` packets of what arrived before `before_ps`; their slots are free from now on."""
        self._settle(before_ps)
        taken: list[FrameTrain] = []
        while self._ring and budget:
            train = self._ring[0]
            if len(train) <= budget:
                self._ring.pop(0)
            else:
                train, self._ring[0] = train[:budget], train[budget:]
            budget -= len(train)
            self._used -= int(train.meta[:, FRAME_COUNT].sum())  # descriptors the driver gives back
            taken.append(train)
        return join(taken) if taken else None

    def _settle(self, before_ps: int) -> None:
        while self._arriving and self._arriving[0].meta[0, TIME_PS] < before_ps:
            train = self._arriving[0]
            known = before_ps
            if self._lro is not None:
                if self._close_at_ps is None:
                    self._close_at_ps = int(train.meta[0, TIME_PS]) + self._wait_ps
                elif train.meta[0, TIME_PS] > self._close_at_ps:
                    self._close_aggregates()
                    continue
                known = min(before_ps, self._close_at_ps + 1)
            n = int(np.searchsorted(train.time_ps, known))
            if n < len(train):
                self._arriving[0] = train[n:]
                train = train[:n]
            else:
                self._arriving.pop(0)
            self._arrive(train)
        if self._close_at_ps is not None and self._close_at_ps < before_ps:
            self._close_aggregates()

    def _close_aggregates(self) -> None:
        assert self._lro is not None
        self._close_at_ps = None
        if self._lro.held_packets:
            outcome = self._lro.flush(SYNTHETIC, why=Why.TIMER)
            self._ledger.outcome(self._lro, outcome)
            self._append(outcome.packets)
        self._ledger.balance(self._lro)

    def _arrive(self, train: FrameTrain) -> None:
        self._ledger.add("wire-frames", int(np.count_nonzero(train.payload_bytes)))
        self._ledger.add("nic/in", len(train))
        if self.tap is not None:
            self.tap(train)
        free = self._settings.rx_ring_frames - self._used
        if free < len(train):
            self._ledger.drop("ring-full", len(train) - free)
            train = train[:free]
        self._used += len(train)
        if self._lro is None:
            self._append(train)
            return
        for part in train.cut(self._max_train_frames):
            outcome = self._lro.receive(part, SYNTHETIC)
            self._ledger.outcome(self._lro, outcome)
            self._append(outcome.packets)

    def _append(self, packets: FrameTrain) -> None:
        if len(packets):
            self._ring.append(packets)
