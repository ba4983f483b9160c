"""What one NAPI poll does between two moments at which anybody else matters: take, merge, price, take again.

Models: takes of what has arrived, merging, the price of all of it, and the time that passes with each take; the flush
    at the end. `now` moves on as work is done, up to `limit`.
Leaves out: what happens to packets that go up (the caller's, who adds its work to `cost`), interrupts, other cards.
Sources: net/core/dev.c, __napi_poll and napi_complete_done, for what is flushed when.
Checked by: tests/sim/nodes/test_napi.py against polls written out; tests/sim/test_exactness.py, which runs whole
    scenarios a frame and an event at a time.

The caller calls again until it gets FLUSHED: after GO_UP it hands packets up, after WAIT it lets the clock catch up
with `now`, after LOOK it lets the card's own engine work, after MERGE and FLUSH the driver's or the stack's, if that is
not one of those whose rules are compiled into this loop.
"""

from __future__ import annotations

from models.buffer import FIRST, KEPT
from models.cpu.costs import work_ps_compiled
from models.cpu.receive import PLAIN, price
from models.nic.ring import give_back, settle
from models.offload import books, flow_table
from models.offload.held import HELD_PACKETS, JIFFY, LAST_TIME_PS, OUT_PACKETS
from models.offload.kernel import njit
from models.offload.why import Fate, Why
from models.train import FRAME_COUNT, PAYLOAD_BYTES
from models.units import PS_PER_S

# `work` int64[...]: what the caller sets for a poll, what it may change between calls, what it reads after one
WORDS = (
    "now",  # [ps]; the caller sets the start
    "left",  # of the budget
    "cost",  # [1/10,000 cycle] spent and not yet in `now`
    "limit",  # all that happens up to here is known [ps]; nothing is done later
    "most",  # frames that are merged at once
    "settled",  # the card has settled what arrived before `now`; the caller sets it after LOOK
    "settles",  # the ring settles itself: the card has no engine of its own
    "tracing",  # return after every part
    "hz",  # of the core
    "ticks",  # of the kernel, per second
    "full_flush",  # what a poll that used its budget flushes: ALL, OLD (than this tick), NOTHING
    "elsewhere",  # the engine is asked by the caller
    "merged",  # it has been; the caller sets it after MERGE and FLUSH
    "merging",  # PLAIN, IN_GRO, IN_DRIVER_LRO
    "fragments",  # the card merges
    "slots",
    "csum_state",
    "measured_from",  # [ps]
    "taking",  # rows of the current take not yet looked at
    "in_take",
    "part_first",  # rows looked at by the last call
    "part_rows",
    "packets",  # that go up now
)
(
    NOW, LEFT, COST, LIMIT, MOST, SETTLED, SETTLES, TRACING, HZ, TICKS, FULL_FLUSH, ELSEWHERE, MERGED, MERGING,
    FRAGMENTS, SLOTS, CSUM, MEASURED_FROM, TAKING, IN_TAKE, PART_FIRST, PART_ROWS, PACKETS,
) = range(len(WORDS))  # fmt: skip

GO_UP, WAIT, LOOK, MERGE, FLUSH, FLUSHED = range(6)
ALL, OLD, NOTHING = range(3)
BUDGET = 64  # NAPI_POLL_WEIGHT, Linux include/linux/netdevice.h
_FATE, _REASON, _CLOSE = range(3)
_CLOSED_BY, _MARKED_CLOSE = range(2)


@njit
def poll(
    work, ring, meta, head, pieces, verdict, after, spent, prices, counts, scrap, sizes, booked, opened, setup, book,
    held_cells, held_head, state, order, held_pieces, members, member_head, out_cells, out_head, out_pieces, marks,
    scratch, captured, pattern, prefix,
):  # fmt: skip
    """Go on with a poll; why it stopped. `verdict` int64[3, BUDGET]: fate, reason of the part's rows, and close of its
    packets if nothing merges; `after`, `spent` int64[BUDGET]: work when a row, a packet is through."""
    while True:
        if work[TAKING] == 0:
            if work[IN_TAKE]:
                work[NOW] += work_ps_compiled(work[COST], work[HZ])
                work[COST] = work[IN_TAKE] = work[SETTLED] = 0
            if work[NOW] > work[LIMIT]:
                return WAIT
            if work[LEFT]:
                if work[SETTLES]:
                    settle(ring, meta, head, work[NOW], work[SLOTS], work[CSUM])
                elif not work[SETTLED]:
                    return LOOK
            n = min(work[LEFT], ring[KEPT] - ring[FIRST])
            if n == 0:
                break
            give_back(ring, meta, ring[FIRST], n)
            work[TAKING] = n
            work[LEFT] -= n
            work[IN_TAKE] = 1
        first, n = ring[FIRST], min(work[TAKING], work[MOST])
        work[PART_FIRST], work[PART_ROWS] = first, n
        if work[ELSEWHERE] and not work[MERGED]:
            return MERGE
        ring[FIRST] += n
        work[TAKING] -= n
        mine = meta[first : first + n]
        if work[MERGING] == PLAIN:
            packets = n
            if not work[FRAGMENTS]:  # else the card has said what became of each frame
                booked[books.FATES, Fate.PASSED] += n
                booked[books.REASONS, Why.OFF] += n
        else:
            if not work[MERGED]:
                setup[JIFFY] = work[NOW] * work[TICKS] // PS_PER_S
                flow_table.receive(
                    setup, book, verdict, mine, head[first : first + n], pieces, spent[:0], held_cells, held_head,
                    state, order, held_pieces, members, member_head, out_cells, out_head, out_pieces, marks, scratch,
                    captured, pattern, prefix,
                )  # fmt: skip
            work[MERGED] = 0
            packets = book[OUT_PACKETS]
            books.book(opened, verdict[_FATE][:n], verdict[_REASON][:n], marks[_MARKED_CLOSE][:packets])
        tally = counts if work[NOW] >= work[MEASURED_FROM] else scrap
        fragments = work[FRAGMENTS] != 0
        work[COST] = price(mine, verdict[_FATE], work[MERGING], fragments, prices, tally, work[COST], after)
        work[PACKETS] = packets
        if work[MERGING] == PLAIN:
            for k in range(n):
                spent[k] = after[k]
            count_sizes(mine, packets, sizes)
        else:
            for k in range(packets):
                spent[k] = after[marks[_CLOSED_BY, k]]
            count_sizes(out_cells, packets, sizes)
        if packets or work[TRACING]:
            return GO_UP
    work[PART_ROWS] = work[PACKETS] = 0
    extent = ALL if work[LEFT] else work[FULL_FLUSH]
    if work[MERGED] or (work[MERGING] != PLAIN and book[HELD_PACKETS] and extent != NOTHING):
        if not work[MERGED]:
            if work[ELSEWHERE]:
                return FLUSH
            setup[JIFFY] = work[NOW] * work[TICKS] // PS_PER_S
            flow_table.flush(
                setup, book, book[LAST_TIME_PS], Why.TIMER if extent == OLD else Why.POLL_END, extent == OLD,
                held_cells, held_head, state, order, held_pieces, members, member_head, out_cells, out_head, out_pieces,
                marks, scratch, captured, pattern, prefix,
            )  # fmt: skip
        work[MERGED] = 0
        packets = book[OUT_PACKETS]
        books.book(opened, verdict[_FATE][:0], verdict[_REASON][:0], marks[_MARKED_CLOSE][:packets])
        for k in range(packets):
            spent[k] = 0
        count_sizes(out_cells, packets, sizes)
        work[PACKETS] = packets
    if book[HELD_PACKETS] == 0:
        books.settle(booked, opened)
    return FLUSHED


@njit
def count_sizes(cells, packets, sizes):
    """Count the data packets by their frames."""
    for k in range(packets):
        if cells[k, PAYLOAD_BYTES] > 0:
            sizes[min(cells[k, FRAME_COUNT], len(sizes) - 1)] += 1
