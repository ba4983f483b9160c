"""One card's poll: takes from the ring, merges, hands up, flushes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN
from models.memory import BASE, PIECE_BASE, PIECES
from models.nic.desk import Desk, poll_at
from models.nic.poll import (
    AT_PORT,
    BEGINS,
    BUDGET,
    COST,
    CSUM,
    DEFERS,
    ELSEWHERE,
    EXTENT,
    FLUSH,
    FLUSH_TIMEOUT,
    FLUSHED,
    FLUSHED_ALL,
    FORWARDS,
    FRAGMENTS,
    FULL_FLUSH,
    GO_UP,
    GROW,
    HZ,
    INTERRUPTED,
    LEFT,
    LIMIT,
    LOOK,
    MASKED,
    MEASURED_FROM,
    MERGE,
    MERGED,
    MERGING,
    NO_ROOM,
    NOTHING,
    NOW,
    OLD,
    PACKETS,
    PART,
    PART_FIRST,
    PART_ROWS,
    RANK_IN,
    RING,
    SETTLED,
    SETTLES,
    SHOW,
    SHOWN,
    SHOWS,
    SLOTS,
    STACK_COST,
    TICKS,
    TIMER,
    WAIT,
    WORDS,
)
from models.offload.engine import Engine, make
from models.offload.why import Fate, Why
from models.packet import SEEN_WORDS
from models.payload import SYNTHETIC
from models.queue import Ports
from models.train import FRAME_COUNT, FrameTrain, Ints
from models.units import PS_PER_S
from sim.clock import NEVER
from sim.nodes.ledger import Ledger
from sim.nodes.nic import Nic
from sim.nodes.router import Router

if TYPE_CHECKING:
    from sim.nodes.core import Core

TICKS_KEEP_FRESH = 1000  # with so many ticks a second, a poll that used its budget keeps this tick's packets


class Stack(Protocol):
    """What a poll hands packets to, whose rows are its own until it returns, with what models.packet.look() wrote of
    each. `hand_up` gives the work it caused [1/10,000 cycle]."""

    def hand_up(self, packets: FrameTrain, seen: list[list[int]], *, began_ps: int, core: Core, extra: int) -> int: ...


class Napi:
    """Polls one card on one core, for a host's stack or a router.

    Every merging place costs what it costs there: a hardware-merged packet is one packet for driver, skb and stack;
    driver LRO comes after the driver's work per frame and before the skb; GRO after both."""

    def __init__(
        self,
        *,
        nic: Nic,
        core: Core,
        serves: Stack | Router,
        rank_in: int,
        gro: Engine | None,
        driver_lro: Engine | None,
        ledger: Ledger,
        hz: int,
        gro_flush_timeout_ps: int = 0,
        napi_defer_hard_irqs: int = 0,
        max_train_frames: int | None,
    ) -> None:
        self.nic = nic
        self._core = core
        self._router = (
            serves if isinstance(serves, Router) else Router(ledger=Ledger(), ports=Ports(nic.memory, ports=0))
        )
        self._stack = None if isinstance(serves, Router) else serves
        merges = driver_lro or gro
        self._engine = merges or make("gro")  # that one is never asked
        self._max_train_frames = max_train_frames
        self.interrupted = False
        self.wants_more = False
        self.timer_ps = NEVER  # when it polls again without an interrupt (gro_flush_timeout)
        self.record: Callable[[dict[str, Any]], None] | None = None
        self.tap: Callable[[FrameTrain], None] | None = None
        self._trace: dict[str, Any] | None = None
        self._work = work = np.zeros(len(WORDS), np.int64)
        self._words = memoryview(work.data)  # the same, faster to reach one by one
        work[[RING, PART, SETTLES]] = nic.ring.index, max_train_frames or BUDGET, not nic.has_hardware_lro
        work[[HZ, TICKS, ELSEWHERE]] = core.hz, hz, self._engine.is_seldom
        work[MERGING] = IN_DRIVER_LRO if driver_lro else IN_GRO if gro else PLAIN
        if merges is not None and merges.outlives_full_polls:
            work[FULL_FLUSH] = NOTHING
        elif merges is gro and hz >= TICKS_KEEP_FRESH:
            work[FULL_FLUSH] = OLD
        work[[FLUSH_TIMEOUT, DEFERS]] = gro_flush_timeout_ps, napi_defer_hard_irqs
        work[[FORWARDS, RANK_IN]] = self._stack is None, rank_in
        work[[FRAGMENTS, SLOTS, CSUM]] = nic.has_hardware_lro, nic.slots, nic.csum_state
        work[MEASURED_FROM] = core.measured_from_ps
        self._verdict = np.zeros((3, BUDGET), np.int64)
        if merges is None:
            self._verdict[0], self._verdict[1] = Fate.PASSED, Why.OFF
        most = 2 * BUDGET + self._engine.slots  # packets that go up at once
        self._spent = np.zeros(most, np.int64)
        self._seen = np.zeros((most, SEEN_WORDS), np.int64)
        self._books = (
            self._verdict, np.zeros(BUDGET, np.int64), self._spent, core.prices, core.counts, core.scrap, ledger.sizes,
            ledger.booked, ledger.books_of(self._engine),
        )  # fmt: skip
        self._generation = -1
        self._held: tuple[Any, ...] = ()
        self._desk: Any = None

    def begin(self) -> None:
        """Start a poll of at most BUDGET packets, where the core is now."""
        words = self._words
        words[NOW], words[BEGINS], words[INTERRUPTED] = self._core.now_ps, 1, self.interrupted
        self.interrupted = False
        words[SHOWS] = self.record is not None or self.tap is not None
        if self.record is not None:
            now_ps = self._core.now_ps
            self._trace = {"start_ps": now_ps, "end_ps": now_ps, "frames": [], "packets": []}

    def go_on(self) -> bool:
        """Poll as long as all that may interfere is known; whether the poll is over.

        Then `wants_more` says whether the budget was used up."""
        core, words, ports = self._core, self._words, self._router.ports
        while True:
            words[LIMIT] = core.limit_ps
            if self._generation != self.nic.memory.generation:
                self._lay_desk()
            status = poll_at(self._desk)
            now_ps = words[NOW]
            if now_ps != core.now_ps:
                core.spend_until(now_ps)
            for port in ports:
                port.tell()
            if status == GO_UP:
                words[COST] += self._hand_up(words[PACKETS], now_ps)
                words[PACKETS] = 0
                if words[FLUSHED_ALL]:
                    core.spend_until(now_ps + core.ps(words[COST]))
                    break
            elif status == FLUSHED:
                break
            elif status == WAIT:
                if not core.may_be_at(now_ps):
                    return False
            else:
                self._attend(status, now_ps)
        self.wants_more = not words[LEFT]
        if self.timer_ps <= core.now_ps:
            self.timer_ps = NEVER  # it rang while the card was polled anyway
        if words[TIMER]:
            self.timer_ps = core.now_ps + words[TIMER]
        if self._trace is not None:
            self._trace["end_ps"] = core.now_ps
            if self.record is not None:
                self.record(self._trace)
            self._trace = None
        return True

    def complete(self) -> None:
        """The card may interrupt again, unless a timer polls it."""
        if not self._words[MASKED]:
            self.nic.arm_interrupt()

    def _attend(self, status: int, now_ps: int) -> None:
        """What the kernel leaves to others."""
        words, engine = self._words, self._engine
        if status == LOOK:
            self.nic.settle(now_ps)
            words[SETTLED] = 1
        elif status == MERGE:
            train = self._part(words[PART_ROWS])
            engine.take_in(train, self._verdict, SYNTHETIC, jiffy=now_ps * words[TICKS] // PS_PER_S)
            words[MERGED] = 1
        elif status == FLUSH:
            engine.let_go(SYNTHETIC, jiffy=now_ps * words[TICKS] // PS_PER_S, only_older=words[EXTENT] == OLD)
            words[MERGED] = 1
        elif status == SHOW:
            self._show(now_ps)
            words[SHOWN] = 1
        elif status == NO_ROOM:
            self._router.make_room(words[AT_PORT])
        elif status == GROW:
            self._lay_desk()

    def _lay_desk(self) -> None:
        """Everything a poll's kernel works on, with room for a poll in the engine."""
        memory, engine, ring = self.nic.memory, self._engine, self.nic.ring.words
        memory.widen(engine.width)
        if not self._words[PACKETS]:  # else what it has delivered is still to go up from where it lies
            self._held = engine.reserve(BUDGET, BUDGET + ring[PIECES] - ring[PIECE_BASE], memory.head.shape[1])
        self._desk = Desk(
            self._work, *memory.arrays(), *self._router.tables, *self._books, *self._held, self._seen, *SYNTHETIC
        )
        self._generation = memory.generation

    def _part(self, rows: int) -> FrameTrain:
        """The first `rows` of the part of a take that the kernel looked at last."""
        first = self.nic.ring.words[BASE] + self._words[PART_FIRST]
        return self.nic.ring.rows(first, first + rows)

    def _going_up(self, packets: int) -> tuple[FrameTrain, Ints]:
        """The packets that go up now, and why each was closed."""
        if self._words[MERGING] == PLAIN:
            return self._part(packets), self._verdict[2]
        return self._engine.delivered(packets)

    def _hand_up(self, packets: int, began_ps: int) -> int:
        """Work of the stack with the packets that go up [1/10,000 cycle]."""
        assert self._stack is not None
        train, _ = self._going_up(packets)
        seen = self._seen[:packets].tolist()
        extra, most = 0, self._max_train_frames or packets
        for first in range(0, packets, most):
            rows = slice(first, min(first + most, packets))
            part = train if most >= packets else train[rows]
            extra += self._stack.hand_up(part, seen[rows], began_ps=began_ps, core=self._core, extra=extra)
        self._words[STACK_COST] += extra
        return extra

    def _show(self, now_ps: int) -> None:
        """Times are those of the driver's and engine's work alone, so that they do not depend on the cut."""
        words, trace = self._words, self._trace
        train, close = self._going_up(words[PACKETS])
        if self.tap is not None and len(train):
            self.tap(train)
        if trace is None:
            return
        for i, at_ps in enumerate(self._part(words[PART_ROWS]).time_ps.tolist()):
            trace["frames"].append(
                {
                    "time_ps": at_ps,
                    "frame": len(trace["frames"]),
                    "fate": Fate(self._verdict.item(0, i)).name.lower(),
                    "reason": Why(self._verdict.item(1, i)).label,
                }
            )
        for k in range(len(train)):
            trace["packets"].append(
                {
                    "time_ps": now_ps + self._core.ps(self._spent.item(k) - words[STACK_COST]),
                    "segments": int(train.meta[k, FRAME_COUNT]),
                    "close": Why(int(close[k])).label,
                }
            )
