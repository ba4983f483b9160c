"""The mechanism of every engine: holds packets, joins, evicts, delivers, keeps the books. It has no rule of its own.

Models: a table of buckets of held packets, and the one queue of what is delivered, in order.
Leaves out: every rule (`rules.py` and the books behind it), time: a packet is as late as the frame that closed it.
Sources: own; the shape is that of dev_gro_receive(), Linux net/core/gro.c, which fits the others too.
Checked by: tests/models/offload/test_engine.py and test_lossless.py.

Invariant: frames in == frames delivered + frames held, and the same for payload bytes.
"""

from __future__ import annotations

import numpy as np

from models.offload import batch, rules
from models.offload.held import (
    AGE,
    BATCH,
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


@njit(nogil=True)
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
    run(None, setup, book, verdict, meta, head, pieces, polls, held, out, payloads)


@njit
def receive_seldom(setup, book, verdict, meta, head, pieces, polls, held, out, payloads):
    """`receive` for the engines of `more_rules.py`."""
    book[OUT_PACKETS] = book[OUT_PIECES] = 0
    run(True, setup, book, verdict, meta, head, pieces, polls, held, out, payloads)


@njit(inline="always")
def run(seldom, setup, book, verdict, meta, head, pieces, polls, held, out, payloads):
    """Each frame's fate and why. One long function: numba copies what it inlines, all that is in it at every level."""
    poll = 0
    for i in range(len(meta)):
        cells, row = meta[i], head[i]
        if poll < len(polls) and polls[poll] == i:
            deliver_all(seldom, setup, held, book[LAST_TIME_PS], BY_FLUSH, Why.POLL_END, payloads, out, book)
            poll += 1
        book[LAST_TIME_PS] = cells[TIME_PS]
        if seldom is not None:
            if setup[BATCH]:
                fate, why = batch.take(setup, held, i, cells, row, pieces, payloads, out, book)
                verdict[FATE, i], verdict[REASON, i] = fate, why
                continue
        passed = rules.overlooks(seldom, setup, payloads, pieces, row, cells)
        if passed != Why.NONE:
            if rules.clears(seldom, setup):
                deliver_all(seldom, setup, held, cells[TIME_PS], i, passed, payloads, out, book)
            passes(setup, i, cells, row, pieces, out, book)
            verdict[FATE, i], verdict[REASON, i] = Fate.PASSED, passed
            continue
        bucket = rules.bucket(seldom, setup, row, cells)
        place = find(seldom, setup, held, bucket, row, cells)
        barred = rules.bars(seldom, setup, row, cells)
        why, close = Why.FIRST, Why.NONE
        if place != ABSENT:
            k = held.order[bucket, 1 + place]
            mine, old, state = held.cells[k], held.head[k], held.state[k]
            why = barred
            if why == Why.NONE or rules.asks_although_barred(seldom, setup, cells):
                why = rules.refuses(seldom, setup, old, mine, state, row, cells)
            close = Why.NONE if rules.passes_by(seldom, setup, cells, why) else why
            if why == Why.NONE:
                rules.joins(seldom, setup, old, mine, state, payloads, row, cells)
                join(setup, held, mine, state, row, cells, pieces, book)
                close = rules.closes(seldom, setup, state, row, cells)
        starts = why != Why.NONE and barred == Why.NONE
        if place != ABSENT:
            starts &= close != Why.NONE and rules.starts_after_refusal(seldom, setup)
        passed = Why.NONE if starts else barred
        if starts:
            passed = rules.declines(seldom, setup, row, cells)
            if passed == Why.NONE and place == ABSENT and held.order[bucket, 0] == setup[PER_BUCKET]:
                if rules.evicts(seldom, setup):
                    place, close = 0, Why.EVICTED
                else:
                    passed = Why.TABLE_FULL
                    if rules.clears(seldom, setup):
                        deliver_all(seldom, setup, held, cells[TIME_PS], i, passed, payloads, out, book)
        if close != Why.NONE:
            deliver(seldom, setup, held, bucket, place, cells[TIME_PS], i, np.int64(close), payloads, out, book)
        if why == Why.NONE:
            verdict[FATE, i], verdict[REASON, i] = Fate.JOINED, Why.NONE
        elif starts and passed == Why.NONE:
            hold(seldom, setup, held, bucket, row, cells, pieces, book)
            verdict[FATE, i], verdict[REASON, i] = Fate.STARTED, why
        else:
            passes(setup, i, cells, row, pieces, out, book)
            verdict[FATE, i], verdict[REASON, i] = Fate.PASSED, passed if why == Why.FIRST else why
    if poll < len(polls):
        deliver_all(seldom, setup, held, book[LAST_TIME_PS], BY_FLUSH, Why.POLL_END, payloads, out, book)


@njit(inline="always")
def find(seldom, setup, held, bucket, row, cells):
    """The place in the bucket of the newest packet held of the frame's flow; ABSENT if there is none."""
    for p in range(held.order[bucket, 0] - 1, -1, -1):
        k = held.order[bucket, 1 + p]
        if rules.same_flow(seldom, setup, held.head[k], held.cells[k], row, cells):
            return p
    return ABSENT


@njit(nogil=True)
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
    kept_age = setup[JIFFY] if only_older else AT_ANY_AGE
    empty(None, setup, held, time_ps, BY_FLUSH, why, kept_age, payloads, out, book)


@njit
def flush_seldom(setup, book, time_ps, why, only_older, held, out, payloads):
    """`flush` for the engines of `more_rules.py`."""
    book[OUT_PACKETS] = book[OUT_PIECES] = 0
    kept_age = setup[JIFFY] if only_older else AT_ANY_AGE
    empty(True, setup, held, time_ps, BY_FLUSH, why, kept_age, payloads, out, book)


@njit(inline="always")
def deliver_all(seldom, setup, held, time_ps, by, why, payloads, out, book):
    """Deliver what is held, whatever its age."""
    if seldom is None:
        deliver_all_often(setup, held, time_ps, np.int64(by), np.int64(why), payloads, out, book)
    else:
        deliver_all_seldom(setup, held, time_ps, np.int64(by), np.int64(why), payloads, out, book)


@njit
def deliver_all_often(setup, held, time_ps, by, why, payloads, out, book):
    empty(None, setup, held, time_ps, by, why, AT_ANY_AGE, payloads, out, book)


@njit
def deliver_all_seldom(setup, held, time_ps, by, why, payloads, out, book):
    empty(True, setup, held, time_ps, by, why, AT_ANY_AGE, payloads, out, book)


@njit(inline="always")
def empty(seldom, setup, held, time_ps, by, why, kept_age, payloads, out, book):
    """Deliver what is held; a bucket ends at the first packet of age `kept_age`."""
    if seldom is not None:
        batch.flush(setup, held, time_ps, by, why, payloads, out, book)
    for bucket in range(setup[BUCKETS]):
        while held.order[bucket, 0]:
            if kept_age != AT_ANY_AGE and held.state[held.order[bucket, 1], AGE] == kept_age:
                break
            place = held.order[bucket, 0] - 1 if rules.flushes_newest_first(seldom, setup) else 0
            deliver(seldom, setup, held, bucket, place, time_ps, by, why, payloads, out, book)
