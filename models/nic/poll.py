"""What one NAPI poll does between two moments at which anybody else matters: take, merge, price, deliver, take again.

Models: takes of what has arrived, merging, the price of all of it, and the time that passes with each take; the flush
    at the end; what becomes of the packets (models/nic/deliver.py). `now` moves on as work is done, up to `limit`.
Leaves out: interrupts, other cards, timers.
Sources: net/core/dev.c, __napi_poll and napi_complete_done, for what is flushed when.
Checked by: tests/sim/nodes/test_napi.py and test_router.py against polls written out; tests/sim/test_exactness.py,
    which runs whole scenarios a frame and an event at a time.

The caller calls again until it gets FLUSHED, and before that does what the status asks for:
WAIT: let the clock catch up with `now`. LOOK: let the card's own engine work, and set `settled`. MERGE, FLUSH: let an
engine work whose rules are not compiled into this loop, and set `merged`. SHOW: show the part of a take to whoever
records it, and set `shown`. GO_UP: let the host's own code look at packet `gone_up` - 1. TELL: tell far ends of frames
sent. NO_ROOM: make room in the queue that the words of port `at_port` name. GROW: make room in the engine.
GROW_SOCKETS: make room for connection `at_port`.
"""

from __future__ import annotations

from models.cpu.costs import Kind, work_ps_compiled
from models.cpu.receive import IN_GRO, PLAIN, price
from models.memory import BASE, FIRST, KEPT
from models.nic.deliver import hand_up, pass_on
from models.nic.ring import give_back, settle
from models.nic.words import (
    ALL,
    AT_PORT,
    BEGINS,
    COST,
    CSUM,
    DEFERS,
    DEFERS_LEFT,
    ELSEWHERE,
    EXTENT,
    EXTRA,
    FLUSH,
    FLUSH_TIMEOUT,
    FLUSHED,
    FLUSHED_ALL,
    FORWARDS,
    FRAGMENTS,
    FULL_FLUSH,
    GONE_UP,
    GROW,
    HZ,
    IN_TAKE,
    INTERRUPTED,
    LEFT,
    LIMIT,
    LOOK,
    MASKED,
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
    RING,
    SETTLED,
    SETTLES,
    SHOW,
    SHOWN,
    SHOWS,
    SLOTS,
    STACK_COST,
    TAKING,
    TICKS,
    TIMER,
    WAIT,
    WATCHED,
)
from models.offload import books, flow_table
from models.offload.held import AUDIT, HELD_MEMBERS, HELD_PACKETS, HELD_PIECES, JIFFY, LAST_TIME_PS, OUT_PACKETS
from models.offload.kernel import njit
from models.offload.why import Fate, Why
from models.train import ABSENT, FRAME_COUNT, PAYLOAD_BYTES, PIECE_COUNT
from models.units import PS_PER_S

BUDGET = 64  # NAPI_POLL_WEIGHT, Linux include/linux/netdevice.h
_FATE, _REASON, _CLOSE = range(3)
_CLOSED_BY, _MARKED_CLOSE = range(2)
_NAPI_POLL, _IRQ = int(Kind.NAPI_POLL), int(Kind.IRQ)
_TIMER, _POLL_END = int(Why.TIMER), int(Why.POLL_END)


@njit
def poll(
    work, state, meta, head, pieces, row, rank, routes, drops, ports, macs, departures, verdict, after, spent, prices,
    counts, scrap, sizes, booked, opened, setup, book, held_cells, held_head, held_state, order, held_pieces, members,
    member_head, out_cells, out_head, out_pieces, marks, scratch, seen, host, captured, pattern, prefix,
):  # fmt: skip
    """Go on with a poll; why it stopped. `verdict` int64[3, BUDGET]: fate, reason of the part's rows, and close of its
    packets if nothing merges; `after`, `spent` int64[...]: work when a row, a packet is through."""
    ring = state[work[RING]]
    if work[BEGINS]:
        tally = counts if work[NOW] >= work[MEASURED_FROM] else scrap
        begin(work, prices, tally)
    while True:
        if work[SHOWS] and not work[SHOWN]:
            return SHOW
        if work[PACKETS]:
            tally = counts if work[NOW] >= work[MEASURED_FROM] else scrap
            going, heads, theirs = out_cells, out_head, out_pieces
            if work[MERGING] == PLAIN:
                first = ring[BASE] + work[PART_FIRST]
                going, heads, theirs = meta[first:], head[first:], pieces
            if work[FORWARDS]:
                status = pass_on(
                    work, going, heads, theirs, spent, prices, tally, routes, drops, ports, macs, departures,
                    captured, pattern, prefix, state, meta, head, pieces, row, rank,
                )  # fmt: skip
            else:
                status = hand_up(
                    work, host, going, heads, spent, seen, prices, tally, captured, pattern, prefix, ports,
                    departures, state, meta, head, pieces, row, rank,
                )  # fmt: skip
            if status != FLUSHED:
                return status
        if work[FLUSHED_ALL]:
            work[NOW] += work_ps_compiled(work[COST], work[HZ])
            work[COST] = 0
            return FLUSHED
        if work[TAKING] == 0:
            if work[IN_TAKE]:
                work[NOW] += work_ps_compiled(work[COST], work[HZ])
                work[COST] = work[IN_TAKE] = work[SETTLED] = work[STACK_COST] = 0
            if work[NOW] > work[LIMIT]:
                return WAIT
            if work[LEFT]:
                if work[SETTLES]:
                    settle(ring, meta, head, work[NOW], work[SLOTS], work[CSUM])
                elif not work[SETTLED]:
                    return LOOK
            n = min(work[LEFT], ring[KEPT] - ring[FIRST])
            if n:
                give_back(ring, meta, ring[FIRST], n)
                work[TAKING] = n
                work[LEFT] -= n
                work[IN_TAKE] = 1
        n = min(work[TAKING], work[PART])
        first = ring[FIRST]
        work[PART_FIRST], work[PART_ROWS], work[PACKETS], work[GONE_UP] = first - ring[BASE], n, 0, 0
        if n == 0:
            if not work[MERGED]:
                work[EXTENT] = work[FULL_FLUSH]
                if work[LEFT]:
                    set_timer(work, book)
                    work[EXTENT] = OLD if work[TIMER] and work[MERGING] == IN_GRO else ALL
            extent = work[EXTENT]
            if work[MERGED] or (work[MERGING] != PLAIN and book[HELD_PACKETS] and extent != NOTHING):
                if not work[MERGED]:
                    if work[ELSEWHERE]:
                        return FLUSH
                    setup[JIFFY] = work[NOW] * work[TICKS] // PS_PER_S
                    flow_table.flush(
                        setup, book, book[LAST_TIME_PS], _TIMER if extent == OLD else _POLL_END, extent == OLD,
                        held_cells, held_head, held_state, order, held_pieces, members, member_head, out_cells,
                        out_head, out_pieces, marks, scratch, captured, pattern, prefix,
                    )  # fmt: skip
                work[MERGED] = 0
                work[PACKETS] = book[OUT_PACKETS]
                books.book(opened, verdict[_FATE][:0], verdict[_REASON][:0], marks[_MARKED_CLOSE][: work[PACKETS]])
                for k in range(work[PACKETS]):
                    spent[k] = 0
                count_sizes(out_cells, work[PACKETS], sizes)
            if book[HELD_PACKETS] == 0:
                books.settle(booked, opened)
            work[FLUSHED_ALL] = 1
            work[SHOWN] = work[PACKETS] == 0
            continue
        mine = meta[first : first + n]
        if work[MERGING] == PLAIN:
            packets = n
            if not work[FRAGMENTS]:  # else the card has said what became of each frame
                booked[books.FATES, Fate.PASSED] += n
                booked[books.REASONS, Why.OFF] += n
        else:
            if not work[MERGED]:
                if not engine_has_room(mine, setup, book, held_pieces, members, out_pieces):
                    return GROW
                if work[ELSEWHERE]:
                    return MERGE
                setup[JIFFY] = work[NOW] * work[TICKS] // PS_PER_S
                flow_table.receive(
                    setup, book, verdict, mine, head[first : first + n], pieces, spent[:0], held_cells, held_head,
                    held_state, order, held_pieces, members, member_head, out_cells, out_head, out_pieces, marks,
                    scratch, captured, pattern, prefix,
                )  # fmt: skip
            work[MERGED] = 0
            packets = book[OUT_PACKETS]
            books.book(opened, verdict[_FATE][:n], verdict[_REASON][:n], marks[_MARKED_CLOSE][:packets])
        ring[FIRST] += n
        work[TAKING] -= n
        work[PACKETS] = packets
        work[SHOWN] = 0
        tally = counts if work[NOW] >= work[MEASURED_FROM] else scrap
        fragments = work[FRAGMENTS] != 0
        work[COST] = price(mine, verdict[_FATE], work[MERGING], fragments, prices, tally, work[COST], after)
        if work[MERGING] == PLAIN:
            for k in range(n):
                spent[k] = after[k]
            count_sizes(mine, packets, sizes)
        else:
            for k in range(packets):
                spent[k] = after[marks[_CLOSED_BY, k]]
            count_sizes(out_cells, packets, sizes)


@njit
def begin(work, prices, counts):
    """Start a poll at `now` with a whole budget."""
    work[COST] = prices[_NAPI_POLL]
    counts[_NAPI_POLL] += 1
    if work[INTERRUPTED]:
        work[COST] += prices[_IRQ]
        counts[_IRQ] += 1
    work[BEGINS] = work[INTERRUPTED] = 0
    work[LEFT], work[SHOWN], work[SHOWS], work[AT_PORT] = BUDGET, 1, work[WATCHED], ABSENT
    work[TAKING] = work[IN_TAKE] = work[SETTLED] = work[FLUSHED_ALL] = work[TIMER] = work[MASKED] = 0
    work[PACKETS] = work[GONE_UP] = work[EXTRA] = work[STACK_COST] = 0


@njit
def set_timer(work, book):
    """Whether a poll that is done with its card is followed by another one, by a timer; napi_complete_done()."""
    work[TIMER] = 0
    if work[LEFT] < BUDGET:
        if work[MERGING] == IN_GRO and book[HELD_PACKETS]:
            work[TIMER] = work[FLUSH_TIMEOUT]
        work[DEFERS_LEFT] = work[DEFERS]
    if work[DEFERS_LEFT] > 0:
        work[DEFERS_LEFT] -= 1
        work[TIMER] = work[FLUSH_TIMEOUT]
        work[MASKED] = work[TIMER] > 0


@njit
def engine_has_room(meta, setup, book, held_pieces, members, out_pieces):
    """Whether what the engine holds may grow by these frames; nothing grows inside compiled code."""
    need = 0
    for i in range(len(meta)):
        need += meta[i, PIECE_COUNT]
    pieces = book[HELD_PIECES] + 2 * need  # a first join of strangers links two
    if setup[AUDIT] and book[HELD_MEMBERS] + len(meta) > len(members):
        return False
    return pieces <= len(held_pieces) and pieces <= len(out_pieces)


@njit
def count_sizes(cells, packets, sizes):
    """Count the data packets by their frames."""
    for k in range(packets):
        if cells[k, PAYLOAD_BYTES] > 0:
            sizes[min(cells[k, FRAME_COUNT], len(sizes) - 1)] += 1
