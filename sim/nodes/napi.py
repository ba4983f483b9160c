"""One card's poll: takes from the ring, merges, hands up, flushes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.buffer import PIECES
from models.cpu.costs import Kind
from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN
from models.nic.poll import (
    BUDGET,
    COST,
    CSUM,
    ELSEWHERE,
    FLUSH,
    FLUSHED,
    FRAGMENTS,
    FULL_FLUSH,
    HZ,
    IN_TAKE,
    LEFT,
    LIMIT,
    LOOK,
    MEASURED_FROM,
    MERGE,
    MERGED,
    MERGING,
    MOST,
    NOTHING,
    NOW,
    OLD,
    PACKETS,
    PART_FIRST,
    PART_ROWS,
    SETTLED,
    SETTLES,
    SLOTS,
    TAKING,
    TICKS,
    TRACING,
    WAIT,
    WORDS,
    poll,
)
from models.offload.engine import Engine, make
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import FRAME_COUNT, TIME_PS, FrameTrain, Ints
from models.units import PS_PER_S
from sim.nodes.ledger import Ledger
from sim.nodes.nic import Nic

if TYPE_CHECKING:
    from sim.nodes.core import Core

TICKS_KEEP_FRESH = 1000  # with so many ticks a second, a poll that used its budget keeps this tick's packets


class Stack(Protocol):
    """What a poll hands packets to, whose rows are its own until it returns. `hand_up` gives the work it caused beyond
    `spent` [1/10,000 cycle]."""

    def hand_up(self, packets: FrameTrain, spent: Ints, *, began_ps: int, core: Core, extra: int) -> int: ...


class Napi:
    """Polls one card on one core.

    Every merging place costs what it costs there: a hardware-merged packet is one packet for driver, skb and stack;
    driver LRO comes after the driver's work per frame and before the skb; GRO after both."""

    def __init__(
        self,
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
        self.nic = nic
        self._core = core
        self._stack = stack
        merges = driver_lro or gro
        self._engine = merges or make("gro")  # that one is never asked
        self._max_train_frames = max_train_frames
        self.interrupted = False
        self.wants_more = False
        self.record: Callable[[dict[str, Any]], None] | None = None
        self.tap: Callable[[FrameTrain], None] | None = None
        self._trace: dict[str, Any] | None = None
        self._stack_cost = 0  # of this take so far; a cut take has it in `spent`
        self._work = np.zeros(len(WORDS), np.int64)
        self._words = memoryview(self._work.data)  # the same, faster to reach one by one
        self._work[[MOST, SETTLES, HZ, TICKS]] = max_train_frames or BUDGET, not nic.has_hardware_lro, core.hz, hz
        self._work[MERGING] = IN_DRIVER_LRO if driver_lro else IN_GRO if gro else PLAIN
        self._work[ELSEWHERE] = self._engine.is_seldom
        if merges is not None and merges.outlives_full_polls:
            self._work[FULL_FLUSH] = NOTHING
        elif merges is gro and hz >= TICKS_KEEP_FRESH:
            self._work[FULL_FLUSH] = OLD
        self._work[[FRAGMENTS, SLOTS, CSUM]] = nic.has_hardware_lro, nic.slots, nic.csum_state
        self._work[MEASURED_FROM] = core.measured_from_ps
        self._verdict = np.zeros((3, BUDGET), np.int64)
        if merges is None:
            self._verdict[0], self._verdict[1] = Fate.PASSED, Why.OFF
        self._spent = np.zeros(2 * BUDGET + self._engine.slots, np.int64)
        self._books = (
            self._verdict, np.zeros(BUDGET, np.int64), self._spent, core.prices, core.counts, core.scrap, ledger.sizes,
            ledger.booked, ledger.books_of(self._engine),
        )  # fmt: skip

    def begin(self) -> None:
        """Start a poll of at most BUDGET packets, where the core is now."""
        core, words = self._core, self._words
        cost = core.cost(Kind.NAPI_POLL, 1)
        if self.interrupted:
            cost += core.cost(Kind.IRQ, 1)
            self.interrupted = False
        words[NOW], words[LEFT], words[COST] = core.now_ps, BUDGET, cost
        words[TAKING] = words[IN_TAKE] = words[SETTLED] = 0
        self._stack_cost = 0
        words[TRACING] = self.record is not None
        if self.record is not None:
            self._trace = {"start_ps": core.now_ps, "end_ps": core.now_ps, "frames": [], "packets": []}

    def go_on(self) -> bool:
        """Poll as long as all that may interfere is known; whether the poll is over.

        Then `wants_more` says whether the budget was used up."""
        core, words = self._core, self._words
        memory = self._reserved()
        while True:
            words[LIMIT] = core.limit_ps
            status = poll(self._work, *memory)
            now_ps = words[NOW]
            if now_ps != core.now_ps:
                core.spend_until(now_ps)
                self._stack_cost = 0
            if status == WAIT:
                if not core.may_be_at(now_ps):
                    return False
                continue
            if status == LOOK:
                self.nic.settle(now_ps)
                words[SETTLED] = 1
                memory = self._reserved()
                continue
            if status in (MERGE, FLUSH):
                self._merge(status, now_ps)
                continue
            if self._trace is not None:
                self._trace_frames()
            if packets := words[PACKETS]:
                words[COST] += self._hand_up(packets, now_ps)
            if status == FLUSHED:
                break
        self.wants_more = not words[LEFT]
        core.spend_until(now_ps + core.ps(words[COST]))
        if self._trace is not None:
            self._trace["end_ps"] = core.now_ps
            if self.record is not None:
                self.record(self._trace)
            self._trace = None
        return True

    def _reserved(self) -> tuple[NDArray[Any], ...]:
        """Everything a poll's kernel works on, with room for a poll."""
        ring, engine = self.nic.ring, self._engine
        if ring.head.shape[1] < engine.width:
            ring.reserve(0, width=engine.width)
        arrays = engine.reserve(BUDGET, BUDGET + ring.state.item(PIECES), ring.head.shape[1])
        return (ring.state, ring.meta, ring.head, ring.pieces, *self._books, *arrays, *SYNTHETIC)

    def _merge(self, status: int, now_ps: int) -> None:
        """The part of a take that the kernel leaves to an engine of its own."""
        words, engine = self._words, self._engine
        jiffy = now_ps * words[TICKS] // PS_PER_S
        if status == MERGE:
            first = words[PART_FIRST]
            engine.take_in(self.nic.ring.rows(first, first + words[PART_ROWS]), self._verdict, SYNTHETIC, jiffy=jiffy)
        else:
            engine.let_go(SYNTHETIC, jiffy=jiffy, only_older=not words[LEFT] and words[FULL_FLUSH] == OLD)
        words[MERGED] = 1

    def _hand_up(self, packets: int, began_ps: int) -> int:
        """Work of the stack with the packets that go up [1/10,000 cycle]."""
        words = self._words
        if words[MERGING] == PLAIN:
            first = words[PART_FIRST]
            train, close = self.nic.ring.rows(first, first + packets), self._verdict[2]
        else:
            train, close = self._engine.delivered(packets)
        if self.tap is not None:
            self.tap(train)
        if self._trace is not None:
            self._trace_packets(train, began_ps, close)
        extra, most = 0, self._max_train_frames or packets
        for first in range(0, packets, most):
            rows = slice(first, min(first + most, packets))
            part = train if most >= packets else train[rows]
            extra += self._stack.hand_up(part, self._spent[rows], began_ps=began_ps, core=self._core, extra=extra)
        self._stack_cost += extra
        return extra

    def _trace_frames(self) -> None:
        assert self._trace is not None
        first = self._work.item(PART_FIRST)
        for i in range(self._work.item(PART_ROWS)):
            self._trace["frames"].append(
                {
                    "time_ps": int(self.nic.ring.meta[first + i, TIME_PS]),
                    "frame": len(self._trace["frames"]),
                    "fate": Fate(self._verdict.item(0, i)).name.lower(),
                    "reason": Why(self._verdict.item(1, i)).label,
                }
            )

    def _trace_packets(self, packets: FrameTrain, began_ps: int, close: Ints) -> None:
        """Times are those of the driver's and engine's work alone, so that they do not depend on the cut."""
        assert self._trace is not None
        for k in range(len(packets)):
            self._trace["packets"].append(
                {
                    "time_ps": began_ps + self._core.ps(self._spent.item(k) - self._stack_cost),
                    "segments": int(packets.meta[k, FRAME_COUNT]),
                    "close": Why(int(close[k])).label,
                }
            )
