"""The mechanism of every engine: holds packets, joins, evicts, delivers, keeps the books. It has no rule of its own.

Models: a table of buckets of held packets, and the one queue of what is delivered, in order.
Leaves out: every rule (`rules.py` and the books behind it), time: a packet is as late as the frame that closed it.
Sources: own; the shape is that of dev_gro_receive(), Linux net/core/gro.c, which fits the others too.
Checked by: tests/models/offload/test_engine.py and test_lossless.py.

Invariant: frames in == frames delivered + frames held, and the same for payload bytes.
"""

from __future__ import annotations

import numpy as np

from models.offload import rules
from models.offload.held import (
    AGE,
    BUCKETS,
    JIFFY,
    LAST_TIME_PS,
    OUT_PACKETS,
    OUT_PIECES,
    PER_BUCKET,
    Delivered,
    Held,
)
from models.offload.kernel import njit
from models.offload.packets import deliver, hold, join, passes
from models.offload.why import Fate, Why
from models.payload import Payloads
from models.train import ABSENT, TIME_PS

FATE, REASON = 0, 1  # rows of `verdict`
BY_FLUSH = np.int64(-1)  # not a literal: numba compiles a function anew for each of those it is called with
AT_ANY_AGE = np.int64(-1)


@njit
def receive(
    setup,
    book,
    verdict,
    meta,
    head,
    pieces,
    polls,
    held_cells,
    held_head,
    state,
    order,
    held_pieces,
    members,
    member_head,
    out_cells,
    out_head,
    out_pieces,
    marks,
    scratch,
    captured,
    pattern,
    prefix,
):
    """Take a train in, in which a poll ends before each of the rows `polls` int64[m], where n is the end; `out` and
    `verdict` int64[2, n] say what became of it.

    Held, Delivered and Payloads come as their arrays: as tuples they cost 2 us a call."""
    held = Held(held_cells, held_head, state, order, held_pieces, members, member_head)
    out = Delivered(out_cells, out_head, out_pieces, marks, scratch)
    payloads = Payloads(captured, pattern, prefix)
    book[OUT_PACKETS] = book[OUT_PIECES] = 0
    take_in(setup, book, verdict, meta, head, pieces, polls, held, out, payloads)


@njit
def take_in(setup, book, verdict, meta, head, pieces, polls, held, out, payloads):
    """Each frame's fate and why. One long function: numba copies what it inlines, all that is in it at every level."""
    poll = 0
    for i in range(len(meta)):
        cells, row = meta[i], head[i]
        if poll < len(polls) and polls[poll] == i:
            deliver_all(setup, held, book[LAST_TIME_PS], np.int64(Why.POLL_END), AT_ANY_AGE, payloads, out, book)
            poll += 1
        book[LAST_TIME_PS] = cells[TIME_PS]
        passed = rules.overlooks(setup, payloads, pieces, row, cells)
        if passed != Why.NONE:
            passes(setup, i, cells, row, pieces, out, book)
            verdict[FATE, i], verdict[REASON, i] = Fate.PASSED, passed
            continue
        bucket = rules.bucket(setup, cells)
        place = find(setup, held, bucket, row, cells)
        barred = rules.bars(setup, row, cells)
        why, close = Why.FIRST, Why.NONE
        if place != ABSENT:
            k = held.order[bucket, 1 + place]
            mine, old, state = held.cells[k], held.head[k], held.state[k]
            why = barred
            if why == Why.NONE or rules.asks_although_barred(setup, cells):
                why = rules.refuses(setup, old, mine, state, row, cells)
            close = Why.NONE if rules.passes_by(setup, cells, why) else why
            if why == Why.NONE:
                rules.joins(setup, old, mine, state, payloads, row, cells)
                join(setup, held, mine, state, row, cells, pieces, book)
                close = rules.closes(setup, state, row, cells)
        starts = why != Why.NONE and barred == Why.NONE
        if place != ABSENT:
            starts &= close != Why.NONE and rules.starts_after_refusal(setup)
        passed = Why.NONE if starts else barred
        if starts:
            passed = rules.declines(setup, row, cells)
            if passed == Why.NONE and place == ABSENT and held.order[bucket, 0] == setup[PER_BUCKET]:
                if rules.evicts(setup):
                    place, close = 0, Why.EVICTED
                else:
                    passed = Why.TABLE_FULL
        if close != Why.NONE:
            deliver(setup, held, bucket, place, cells[TIME_PS], i, np.int64(close), payloads, out, book)
        if why == Why.NONE:
            verdict[FATE, i], verdict[REASON, i] = Fate.JOINED, Why.NONE
        elif starts and passed == Why.NONE:
            hold(setup, held, bucket, row, cells, pieces, book)
            verdict[FATE, i], verdict[REASON, i] = Fate.STARTED, why
        else:
            passes(setup, i, cells, row, pieces, out, book)
            verdict[FATE, i], verdict[REASON, i] = Fate.PASSED, passed if why == Why.FIRST else why
    if poll < len(polls):
        deliver_all(setup, held, book[LAST_TIME_PS], np.int64(Why.POLL_END), AT_ANY_AGE, payloads, out, book)


@njit(inline="always")
def find(setup, held, bucket, row, cells):
    """The place in the bucket of the newest packet held of the frame's flow; ABSENT if there is none."""
    for p in range(held.order[bucket, 0] - 1, -1, -1):
        k = held.order[bucket, 1 + p]
        if rules.same_flow(setup, held.head[k], held.cells[k], row, cells):
            return p
    return ABSENT


@njit
def flush(
    setup,
    book,
    time_ps,
    why,
    only_older,
    held_cells,
    held_head,
    state,
    order,
    held_pieces,
    members,
    member_head,
    out_cells,
    out_head,
    out_pieces,
    marks,
    scratch,
    captured,
    pattern,
    prefix,
):
    """Deliver what is held, bucket by bucket; oldest first, a bucket ends at this jiffy's first if `only_older`."""
    held = Held(held_cells, held_head, state, order, held_pieces, members, member_head)
    out = Delivered(out_cells, out_head, out_pieces, marks, scratch)
    payloads = Payloads(captured, pattern, prefix)
    book[OUT_PACKETS] = book[OUT_PIECES] = 0
    deliver_all(setup, held, time_ps, why, setup[JIFFY] if only_older else AT_ANY_AGE, payloads, out, book)


@njit
def deliver_all(setup, held, time_ps, why, kept_age, payloads, out, book):
    """Deliver what is held; a bucket ends at the first packet of age `kept_age`."""
    for bucket in range(setup[BUCKETS]):
        while held.order[bucket, 0]:
            if kept_age != AT_ANY_AGE and held.state[held.order[bucket, 1], AGE] == kept_age:
                break
            place = held.order[bucket, 0] - 1 if rules.flushes_newest_first(setup) else 0
            deliver(setup, held, bucket, place, time_ps, BY_FLUSH, why, payloads, out, book)
