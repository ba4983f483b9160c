"""One card's polls, as they are set, and what of them is not compiled (models/nic/poll.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN
from models.host.sockets import COMES_AT_PS
from models.memory import BASE, PIECE_BASE, PIECES
from models.nic.desk import Desk
from models.nic.poll import BUDGET
from models.nic.words import (
    BEGAN_AT,
    DEFERS,
    ELSEWHERE,
    EXTENT,
    FLUSH,
    FLUSH_TIMEOUT,
    FORWARDS,
    FRAGMENTS,
    FULL_FLUSH,
    GO_UP,
    GONE_UP,
    HZ,
    LOOK,
    MEASURED_FROM,
    MERGE,
    MERGED,
    MERGING,
    NOTHING,
    NOW,
    OLD,
    PACKETS,
    PART,
    PART_FIRST,
    PART_ROWS,
    RANK_IN,
    SETTLED,
    SHOW,
    SHOWN,
    STACK_COST,
    TICKS,
    WATCHED,
)
from models.offload.engine import Engine, make
from models.offload.why import Fate, Why
from models.packet import SEEN_WORDS
from models.payload import SYNTHETIC
from models.train import ABSENT, FRAME_COUNT, FrameTrain, Ints
from models.units import PS_PER_S
from sim.nodes.core import Core
from sim.nodes.ledger import Ledger
from sim.nodes.nic import Nic
from sim.nodes.stack import Stack

TICKS_KEEP_FRESH = 1000  # with so many ticks a second, a poll that used its budget keeps this tick's packets


class Napi:
    """Polls one card on one core, for a host's or a router's stack; all but what is said here is compiled.

    Every merging place costs what it costs there: a hardware-merged packet is one packet for driver, skb and stack;
    driver LRO comes after the driver's work per frame and before the skb; GRO after both. `record` hears of every
    poll, frame by frame; `tap` gets every packet that goes up."""

    def __init__(
        self,
        *,
        nic: Nic,
        core: Core,
        serves: Stack,
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
        self.core = core
        self.stack = serves
        merges = driver_lro or gro
        self._engine = merges or make("gro")  # that one is never asked
        self._record: Callable[[dict[str, Any]], None] | None = None
        self._tap: Callable[[FrameTrain], None] | None = None
        self._trace: dict[str, Any] | None = None
        self._work = work = nic.words
        self._words = memoryview(work.data)  # the same, faster to reach one by one
        work[[PART, HZ, TICKS]] = max_train_frames or BUDGET, core.hz, hz
        work[ELSEWHERE] = self._engine.is_seldom
        work[MERGING] = IN_DRIVER_LRO if driver_lro else IN_GRO if gro else PLAIN
        if merges is not None and merges.outlives_full_polls:
            work[FULL_FLUSH] = NOTHING
        elif merges is gro and hz >= TICKS_KEEP_FRESH:
            work[FULL_FLUSH] = OLD
        work[[FLUSH_TIMEOUT, DEFERS]] = gro_flush_timeout_ps, napi_defer_hard_irqs
        work[[FORWARDS, RANK_IN, FRAGMENTS]] = serves.forwards, rank_in, nic.has_hardware_lro
        work[MEASURED_FROM] = core.measured_from_ps
        self._verdict = np.zeros((3, BUDGET), np.int64)
        if merges is None:
            self._verdict[0], self._verdict[1] = Fate.PASSED, Why.OFF
        most = 2 * BUDGET + self._engine.slots  # packets that go up at once
        self._spent = np.zeros(most, np.int64)
        self._seen = np.zeros(SEEN_WORDS, np.int64)
        self._books = (
            self._verdict, np.zeros(BUDGET, np.int64), self._spent, core.prices, core.counts, core.scrap, ledger.sizes,
            ledger.booked, ledger.books_of(self._engine),
        )  # fmt: skip
        self._held: tuple[Any, ...] = ()

    @property
    def record(self) -> Callable[[dict[str, Any]], None] | None:
        return self._record

    @record.setter
    def record(self, record: Callable[[dict[str, Any]], None] | None) -> None:
        self._record = record
        self._words[WATCHED] = record is not None or self._tap is not None

    @property
    def tap(self) -> Callable[[FrameTrain], None] | None:
        return self._tap

    @tap.setter
    def tap(self, tap: Callable[[FrameTrain], None] | None) -> None:
        self._tap = tap
        self._words[WATCHED] = tap is not None or self._record is not None

    @property
    def width(self) -> int:
        """Bytes that the heads of its packets may have."""
        return self._engine.width

    @property
    def generation(self) -> tuple[int, int]:
        """When it has moved, the desk must be laid anew."""
        return self.nic.memory.generation, self.stack.sockets.endpoints.generation

    def desk(self) -> Any:
        """Everything the kernels of its polls work on."""
        return Desk(*self.arrays())

    def arrays(self) -> tuple[Any, ...]:
        """What lies on the desk, in the order of its FIELDS, with room for a poll in the engine."""
        memory, engine, ring, stack = self.nic.memory, self._engine, self.nic.ring.words, self.stack
        if not self._words[PACKETS]:  # else what it has delivered is still to go up from where it lies
            self._held = engine.reserve(BUDGET, BUDGET + ring[PIECES] - ring[PIECE_BASE], memory.head.shape[1])
        return (
            self._work, *memory.arrays(), stack.routes, stack.drops, *stack.line_ends.tables, *self._books,
            *self._held, self._seen, *stack.sockets.tables, *SYNTHETIC,
        )  # fmt: skip

    def attend(self, status: int) -> None:
        """What a poll leaves to others, but for room."""
        words, engine = self._words, self._engine
        now_ps = words[NOW]
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
        else:
            assert status == GO_UP, status
            self._hand_up()

    def _part(self, rows: int) -> FrameTrain:
        """The first `rows` of the part of a take that the kernel looked at last."""
        first = self.nic.ring.words[BASE] + self._words[PART_FIRST]
        return self.nic.ring.rows(first, first + rows)

    def _going_up(self, packets: int) -> tuple[FrameTrain, Ints]:
        """The packets that go up now, and why each was closed."""
        if self._words[MERGING] == PLAIN:
            return self._part(packets), self._verdict[2]
        return self._engine.delivered(packets)

    def _hand_up(self) -> None:
        """The last packet is for the host's own code, which may have something to send then."""
        k, host = self._words[GONE_UP] - 1, self.stack.sockets
        train, _ = self._going_up(k + 1)
        at_ps = host.words.item(COMES_AT_PS)
        number = self.stack.take(train[k : k + 1], self._seen.tolist(), at_ps)
        if number != ABSENT:
            host.send_from(number, at_ps)

    def recorded(self) -> None:
        """A poll is over that was shown to somebody."""
        if self._record is not None:
            trace, self._trace = self._trace or self._new_trace(), None
            trace["end_ps"] = self.core.now_ps
            self._record(trace)

    def _new_trace(self) -> dict[str, Any]:
        began_ps = self._words[BEGAN_AT]
        return {"start_ps": began_ps, "end_ps": began_ps, "frames": [], "packets": []}

    def _show(self, now_ps: int) -> None:
        """Times are those of the driver's and engine's work alone, so that they do not depend on the cut."""
        words = self._words
        train, close = self._going_up(words[PACKETS])
        if self._tap is not None and len(train):
            self._tap(train)
        if self._record is None:
            return
        trace = self._trace = self._trace or self._new_trace()
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
                    "time_ps": now_ps + self.core.ps(self._spent.item(k) - words[STACK_COST]),
                    "segments": int(train.meta[k, FRAME_COUNT]),
                    "close": Why(int(close[k])).label,
                }
            )
