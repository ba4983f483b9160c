"""One card's poll: takes from the ring, merges, hands up, flushes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from simpy.events import Event

from models.cpu.costs import Kind
from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN, price
from models.offload.engine import Engine
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import FRAME_COUNT, FrameTrain, Ints
from models.units import PS_PER_S
from sim.clock import Clock
from sim.nodes.ledger import Ledger
from sim.nodes.nic import Nic

if TYPE_CHECKING:
    from sim.nodes.core import Core

BUDGET = 64  # NAPI_POLL_WEIGHT, Linux include/linux/netdevice.h
TICKS_KEEP_FRESH = 1000  # with so many ticks a second, a poll that used its budget keeps this tick's packets


class Stack(Protocol):
    """What a poll hands packets to. `hand_up` gives the work it caused beyond `spent` [1/10,000 cycle]."""

    def hand_up(self, packets: FrameTrain, spent: Ints, *, began_ps: int, core: Core, extra: int) -> int: ...


class Napi:
    """Polls one card on one core.

    Every merging place costs what it costs there: a hardware-merged packet is one packet for driver, skb and stack;
    driver LRO comes after the driver's work per frame and before the skb; GRO after both."""

    def __init__(
        self,
        clock: Clock,
        *,
        nic: Nic,
        core: Core,
        stack: Stack,
        gro: Engine | None,
        driver_lro: Engine | None,
        ledger: Ledger,
        hz: int,
        max_train_frames: int | None,
    ) -> None:
        self._clock = clock
        self.nic = nic
        self._core = core
        self._stack = stack
        self._engine = driver_lro or gro
        self._merging = IN_DRIVER_LRO if driver_lro else IN_GRO if gro else PLAIN
        self._unmerged = np.zeros((3, BUDGET), np.int64)  # fate, reason and close where nothing merges
        self._unmerged[0], self._unmerged[1] = Fate.PASSED, Why.OFF
        self._ledger = ledger
        self._hz = hz
        self._max_train_frames = max_train_frames
        self.interrupted = False
        self.wants_more = False
        self.record: Callable[[dict[str, Any]], None] | None = None
        self.tap: Callable[[FrameTrain], None] | None = None
        self._trace: dict[str, Any] | None = None
        self._stack_cost = 0  # of this take so far; a cut take has it in `spent`

    def poll(self) -> Generator[Event, None, None]:
        """At most BUDGET packets; `wants_more` says whether the budget was used up."""
        core, began_ps = self._core, self._clock.now_ps
        cost = core.cost(Kind.NAPI_POLL, 1) + core.cost(Kind.IRQ, int(self.interrupted))
        self.interrupted = False
        if self.record is not None:
            self._trace = {"start_ps": began_ps, "end_ps": began_ps, "frames": [], "packets": []}
        left = BUDGET
        while left and (train := self.nic.take(before_ps=self._clock.now_ps, budget=left)) is not None:
            left -= len(train)
            began_ps = self._clock.now_ps
            self._stack_cost = 0
            for part in train.cut(self._max_train_frames):
                cost = self._receive(part, began_ps, cost)
            yield from core.spend_until(began_ps + core.ps(cost))
            cost = 0
        self.wants_more = not left
        began_ps = self._clock.now_ps
        self._stack_cost = 0
        cost += self._flush(began_ps)
        if self._engine is not None:
            self._ledger.balance(self._engine)
        yield from core.spend_until(began_ps + core.ps(cost))
        if self._trace is not None:
            self._trace["end_ps"] = self._clock.now_ps
            if self.record is not None:
                self.record(self._trace)
            self._trace = None

    def _receive(self, train: FrameTrain, began_ps: int, spent: int) -> int:
        """Work of one part of a take, on top of `spent`; the sum is given back [1/10,000 cycle]."""
        core, n = self._core, len(train)
        if (engine := self._engine) is None:
            packets, closed_by, fate, reason, close = train, np.arange(n), *self._unmerged[:, :n]
            if not self.nic.has_hardware_lro:  # else the card has said what became of each frame
                self._ledger.passed(n, Why.OFF)
        else:
            outcome = engine.receive(train, SYNTHETIC, jiffy=self._jiffy(began_ps))
            self._ledger.outcome(engine, outcome)
            packets, closed_by, close = outcome.packets, outcome.closed_by, outcome.close
            fate, reason = outcome.fate, outcome.reason
        after = np.empty(n, np.int64)
        total = price(
            train.meta, fate, self._merging, self.nic.has_hardware_lro, core.prices, core.counting(), spent, after
        )
        if self._trace is not None:
            self._trace_frames(train, fate, reason)
        extra = self._hand_up(packets, after[closed_by], began_ps, close) if len(packets) else 0
        return int(total) + extra

    def _flush(self, began_ps: int) -> int:
        """Held packets go up at the end of a poll: all, or with a tick of 1 ms or less and the budget used, the old.

        Linux net/core/dev.c, __napi_poll: HZ >= 1000 keeps what came in this jiffy. In 2.6.29 a poll that used its
        budget keeps all."""
        engine = self._engine
        if engine is None or not engine.held_packets or (self.wants_more and engine.outlives_full_polls):
            return 0
        if self.wants_more and self._merging == IN_GRO and self._hz >= TICKS_KEEP_FRESH:
            outcome = engine.flush_old(SYNTHETIC, jiffy=self._jiffy(began_ps))
        else:
            outcome = engine.flush(SYNTHETIC)
        self._ledger.outcome(engine, outcome)
        packets = outcome.packets
        if not len(packets):
            return 0
        return self._hand_up(packets, np.zeros(len(packets), np.int64), began_ps, outcome.close)

    def _jiffy(self, now_ps: int) -> int:
        return now_ps * self._hz // PS_PER_S

    def _hand_up(self, packets: FrameTrain, spent: Ints, began_ps: int, close: Ints) -> int:
        if self.tap is not None:
            self.tap(packets)
        self._ledger.merge_sizes.update(packets.meta[packets.payload_bytes > 0, FRAME_COUNT].tolist())
        if self._trace is not None:
            self._trace_packets(packets, spent, began_ps, close)
        extra = 0
        for part_at in range(0, len(packets), self._max_train_frames or len(packets)):
            rows = slice(part_at, part_at + (self._max_train_frames or len(packets)))
            extra += self._stack.hand_up(packets[rows], spent[rows], began_ps=began_ps, core=self._core, extra=extra)
        self._stack_cost += extra
        return extra

    def _trace_frames(self, train: FrameTrain, fate: Ints, reason: Ints) -> None:
        assert self._trace is not None
        for i in range(len(train)):
            self._trace["frames"].append(
                {
                    "time_ps": int(train.time_ps[i]),
                    "frame": len(self._trace["frames"]),
                    "fate": Fate(int(fate[i])).name.lower(),
                    "reason": Why(int(reason[i])).label,
                }
            )

    def _trace_packets(self, packets: FrameTrain, spent: Ints, began_ps: int, close: Ints) -> None:
        """Times are those of the driver's and engine's work alone, so that they do not depend on the cut."""
        assert self._trace is not None
        for k in range(len(packets)):
            self._trace["packets"].append(
                {
                    "time_ps": began_ps + self._core.ps(int(spent[k]) - self._stack_cost),
                    "segments": int(packets.meta[k, FRAME_COUNT]),
                    "close": Why(int(close[k])).label,
                }
            )
