"""The mechanism of every engine: holds packets, joins, evicts, delivers, keeps the books. It has no rule of its own.

Models: a table of buckets of held packets, and the one queue of what is delivered, in order.
Leaves out: every rule (`rules.py` and the books behind it), time: a packet is as late as the frame that closed it.
Sources: own; the shape is that of dev_gro_receive(), Linux net/core/gro.c, which fits the others too.
Checked by: tests/models/offload/test_engine.py and test_lossless.py.

Invariant: frames in == frames delivered + frames held, and the same for payload bytes.
A payload is never copied: a piece that continues the last one is fused with it, others are linked in an arena, which
`engine.py` has made large enough before the call.
"""

from __future__ import annotations

from models.offload import losses, rules
from models.offload.held import (
    AGE,
    AUDIT,
    BUCKETS,
    FIRST_MEMBER,
    FIRST_PIECE_SLOT,
    FIXED_ID,
    FRAMES_CHECKED,
    FREE_MEMBER,
    FREE_PIECE,
    HELD_FRAMES,
    HELD_MEMBERS,
    HELD_PACKETS,
    HELD_PAYLOAD_BYTES,
    HELD_PIECES,
    IP_BYTES,
    JIFFY,
    LAST_MEMBER,
    LAST_PIECE_SLOT,
    LAST_TIME_PS,
    MSS,
    NEXT_MEMBER,
    NEXT_PIECE,
    NEXT_SEQ,
    OUT_PACKETS,
    OUT_PIECES,
    PER_BUCKET,
    SAW_TIMESTAMPS,
    SEGMENTS,
    TSVAL,
    Delivered,
    Held,
)
from models.offload.kernel import njit
from models.offload.why import Fate, Why
from models.payload import Payloads
from models.train import (
    ABSENT,
    FIRST_PIECE,
    FRAME_COUNT,
    FRAME_ID,
    GSO_BYTES,
    GSO_SEGMENTS,
    HEAD_BYTES,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PIECE_BYTES,
    PIECE_COUNT,
    PIECE_FRAME_ID,
    PIECE_FRAMES,
    PIECE_SOURCE,
    PIECE_START,
    SOURCE,
    START,
    TIME_PS,
)
from models.wire import tcp

FATE, REASON = 0, 1  # rows of `verdict`
CLOSED_BY, CLOSE = 0, 1  # rows of `out.marks`
BY_FLUSH = -1


@njit
def receive(
    setup,
    book,
    verdict,
    meta,
    head,
    pieces,
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
    """Take a train in; `out` and `verdict` int64[2, n] say what became of it.

    Held, Delivered and Payloads come as their arrays: as tuples they cost 2 us a call."""
    held = Held(held_cells, held_head, state, order, held_pieces, members, member_head)
    out = Delivered(out_cells, out_head, out_pieces, marks, scratch)
    payloads = Payloads(captured, pattern, prefix)
    book[OUT_PACKETS] = book[OUT_PIECES] = 0
    for i in range(len(meta)):
        cells, row = meta[i], head[i]
        verdict[FATE, i], verdict[REASON, i] = take(setup, held, i, cells, row, pieces, payloads, out, book)
    if len(meta):
        book[LAST_TIME_PS] = meta[len(meta) - 1, TIME_PS]


@njit(inline="always")
def take(setup, held, i, cells, row, pieces, payloads, out, book):
    """One frame's fate and why."""
    why = rules.overlooks(setup, payloads, pieces, row, cells)
    if why != Why.NONE:
        passes(setup, i, cells, row, pieces, out, book)
        return Fate.PASSED, why
    barred = rules.bars(setup, row, cells)
    bucket = rules.bucket(setup, cells)
    why = Why.FIRST
    place = ABSENT
    for p in range(held.order[bucket, 0]):
        k = held.order[bucket, 1 + p]
        mine, old = held.cells[k], held.head[k]
        if not rules.same_flow(setup, old, mine, row, cells):
            continue
        place, state = p, held.state[k]
        why = barred
        if why == Why.NONE:
            why = rules.refuses(setup, old, state, row, cells)
        if why == Why.NONE:
            rules.joins(setup, old, mine, state, payloads, row, cells)
            join(setup, held, mine, state, row, cells, pieces, book)
            why = rules.closes(setup, state, row, cells)
            if why != Why.NONE:
                deliver(setup, held, bucket, place, cells[TIME_PS], i, why, payloads, out, book)
            return Fate.JOINED, Why.NONE
        deliver(setup, held, bucket, place, cells[TIME_PS], i, why, payloads, out, book)
        break
    lone = barred
    if lone == Why.NONE and (place < 0 or rules.starts_after_refusal(setup)):
        lone = rules.declines(setup, row, cells)
        if lone == Why.NONE and held.order[bucket, 0] == setup[PER_BUCKET]:
            if rules.evicts(setup):
                deliver(setup, held, bucket, 0, cells[TIME_PS], i, Why.EVICTED, payloads, out, book)
            else:
                lone = Why.TABLE_FULL
        if lone == Why.NONE:
            hold(setup, held, bucket, row, cells, pieces, book)
            return Fate.STARTED, why
    passes(setup, i, cells, row, pieces, out, book)
    return Fate.PASSED, lone if place < 0 else why


@njit
def hold(setup, held, bucket, row, cells, pieces, book):
    """Start a packet with the frame, as the bucket's newest."""
    held.order[bucket, 0] += 1
    k = held.order[bucket, held.order[bucket, 0]]
    mine, state = held.cells[k], held.state[k]
    copy(mine, cells)
    copy(held.head[k], row)
    state[NEXT_SEQ] = (tcp.seq(row, cells[L4]) + cells[PAYLOAD_BYTES]) & 0xFFFFFFFF
    state[IP_BYTES] = cells[HEAD_BYTES] - cells[L3] + cells[PAYLOAD_BYTES]
    state[SEGMENTS] = cells[GSO_SEGMENTS] if cells[GSO_BYTES] else 1
    state[MSS] = cells[GSO_BYTES] if cells[GSO_BYTES] else cells[PAYLOAD_BYTES]
    state[FIXED_ID] = state[TSVAL] = state[SAW_TIMESTAMPS] = 0
    state[AGE] = setup[JIFFY]
    state[FIRST_PIECE_SLOT] = state[LAST_PIECE_SLOT] = state[FIRST_MEMBER] = state[LAST_MEMBER] = ABSENT
    if cells[PIECE_COUNT] > 1:
        for p in range(cells[FIRST_PIECE], cells[FIRST_PIECE] + cells[PIECE_COUNT]):
            link_piece(held, state, pieces[p], book)
    rules.starts(setup, state, row, cells)
    if setup[AUDIT]:
        remember(held, state, row, cells, book)
    book[HELD_PACKETS] += 1
    book[HELD_FRAMES] += cells[FRAME_COUNT]
    book[HELD_PAYLOAD_BYTES] += cells[PAYLOAD_BYTES]


@njit(inline="always")
def join(setup, held, mine, state, row, cells, pieces, book):
    """Add the frame's payload to the packet with `mine` as cells."""
    if cells[PIECE_COUNT] == 1 and state[LAST_PIECE_SLOT] == ABSENT and continues(mine, cells):
        mine[PAYLOAD_BYTES] += cells[PAYLOAD_BYTES]
        mine[FRAME_COUNT] += cells[FRAME_COUNT]
    else:
        link_payload(held, mine, state, cells, pieces, book)
    mine[MISSING_BYTES] += cells[MISSING_BYTES]
    state[NEXT_SEQ] = (state[NEXT_SEQ] + cells[PAYLOAD_BYTES]) & 0xFFFFFFFF
    state[IP_BYTES] += cells[PAYLOAD_BYTES]
    state[SEGMENTS] += cells[GSO_SEGMENTS] if cells[GSO_BYTES] else 1
    if setup[AUDIT]:
        remember(held, state, row, cells, book)
    book[HELD_FRAMES] += cells[FRAME_COUNT]
    book[HELD_PAYLOAD_BYTES] += cells[PAYLOAD_BYTES]


@njit(inline="always")
def continues(mine, cells):
    """Whether the frame's payload is the next stretch of the same source, and of the next frame sent."""
    return (
        mine[SOURCE] == cells[SOURCE]
        and mine[START] + mine[PAYLOAD_BYTES] == cells[START]
        and mine[FRAME_ID] + mine[FRAME_COUNT] == cells[FRAME_ID]
    )


@njit
def link_payload(held, mine, state, cells, pieces, book):
    """Put the frame's payload behind the packet's as pieces of its own, or fused with the last one."""
    if state[LAST_PIECE_SLOT] == ABSENT:
        link(held, state, mine[SOURCE], mine[START], mine[PAYLOAD_BYTES], mine[FRAME_ID], mine[FRAME_COUNT], book)
    mine[PAYLOAD_BYTES] += cells[PAYLOAD_BYTES]
    mine[FRAME_COUNT] += cells[FRAME_COUNT]
    if cells[PIECE_COUNT] == 1:
        link(held, state, cells[SOURCE], cells[START], cells[PAYLOAD_BYTES], cells[FRAME_ID], cells[FRAME_COUNT], book)
        return
    for p in range(cells[FIRST_PIECE], cells[FIRST_PIECE] + cells[PIECE_COUNT]):
        link_piece(held, state, pieces[p], book)


@njit
def link_piece(held, state, piece, book):
    link(
        held,
        state,
        piece[PIECE_SOURCE],
        piece[PIECE_START],
        piece[PIECE_BYTES],
        piece[PIECE_FRAME_ID],
        piece[PIECE_FRAMES],
        book,
    )


@njit
def link(held, state, source, start, n_bytes, frame_id, frames, book):
    """Add a piece to the packet with `state`: into the last one if it continues it, else a row of the arena."""
    last = state[LAST_PIECE_SLOT]
    if last != ABSENT:
        piece = held.pieces[last]
        if (
            piece[PIECE_SOURCE] == source
            and piece[PIECE_START] + piece[PIECE_BYTES] == start
            and piece[PIECE_FRAME_ID] + piece[PIECE_FRAMES] == frame_id
        ):
            piece[PIECE_BYTES] += n_bytes
            piece[PIECE_FRAMES] += frames
            return
    slot = book[FREE_PIECE]
    piece = held.pieces[slot]
    book[FREE_PIECE] = piece[NEXT_PIECE]
    book[HELD_PIECES] += 1
    piece[PIECE_SOURCE], piece[PIECE_START], piece[PIECE_BYTES] = source, start, n_bytes
    piece[PIECE_FRAME_ID], piece[PIECE_FRAMES], piece[NEXT_PIECE] = frame_id, frames, ABSENT
    if last == ABSENT:
        state[FIRST_PIECE_SLOT] = slot
    else:
        held.pieces[last, NEXT_PIECE] = slot
    state[LAST_PIECE_SLOT] = slot


@njit
def remember(held, state, row, cells, book):
    """Keep the frame as it came, for the audit."""
    slot = book[FREE_MEMBER]
    member = held.members[slot]
    book[FREE_MEMBER] = member[NEXT_MEMBER]
    book[HELD_MEMBERS] += 1
    copy(member, cells)
    member[NEXT_MEMBER] = ABSENT
    copy(held.member_head[slot], row)
    if state[LAST_MEMBER] == ABSENT:
        state[FIRST_MEMBER] = slot
    else:
        held.members[state[LAST_MEMBER], NEXT_MEMBER] = slot
    state[LAST_MEMBER] = slot


@njit
def deliver(setup, held, bucket, place, time_ps, by, why, payloads, out, book):
    """Complete the packet at `place` of the bucket and queue it."""
    k = held.order[bucket, 1 + place]
    used = held.order[bucket, 0]
    for p in range(1 + place, used):  # the freed slot becomes the first unused one
        held.order[bucket, p] = held.order[bucket, p + 1]
    held.order[bucket, used] = k
    held.order[bucket, 0] = used - 1

    at = book[OUT_PACKETS]
    book[OUT_PACKETS] += 1
    cells, row, state = out.cells[at], out.head[at], held.state[k]
    copy(cells, held.cells[k])
    copy(row, held.head[k])
    cells[TIME_PS] = time_ps
    out.marks[CLOSED_BY, at], out.marks[CLOSE, at] = by, why
    give_back_pieces(held, state, cells, out, book)
    rules.completes(setup, state, payloads, out.pieces, row, cells)
    book[HELD_PACKETS] -= 1
    book[HELD_FRAMES] -= cells[FRAME_COUNT]
    book[HELD_PAYLOAD_BYTES] -= cells[PAYLOAD_BYTES]
    if setup[AUDIT]:
        losses.count(held, state, row, cells, book, out.scratch)
        give_back_members(held, state, book)


@njit
def give_back_pieces(held, state, cells, out, book):
    """The packet's pieces go into the delivered table, their rows back to the arena."""
    cells[FIRST_PIECE] = 0
    cells[PIECE_COUNT] = 1
    slot = state[FIRST_PIECE_SLOT]
    if slot == ABSENT:
        return
    first = at = book[OUT_PIECES]
    while slot != ABSENT:
        piece = held.pieces[slot]
        for c in range(NEXT_PIECE):
            out.pieces[at, c] = piece[c]
        after = piece[NEXT_PIECE]
        piece[NEXT_PIECE] = book[FREE_PIECE]
        book[FREE_PIECE] = slot
        slot = after
        at += 1
    book[OUT_PIECES] = at
    book[HELD_PIECES] -= at - first
    cells[FIRST_PIECE], cells[PIECE_COUNT] = first, at - first
    cells[SOURCE], cells[START] = out.pieces[first, PIECE_SOURCE], out.pieces[first, PIECE_START]
    cells[FRAME_ID] = out.pieces[first, PIECE_FRAME_ID]


@njit
def give_back_members(held, state, book):
    slot = state[FIRST_MEMBER]
    while slot != ABSENT:
        after = held.members[slot, NEXT_MEMBER]
        held.members[slot, NEXT_MEMBER] = book[FREE_MEMBER]
        book[FREE_MEMBER] = slot
        book[HELD_MEMBERS] -= 1
        slot = after


@njit
def passes(setup, i, cells, row, pieces, out, book):
    """Queue the frame as it is."""
    at = book[OUT_PACKETS]
    book[OUT_PACKETS] += 1
    copy(out.cells[at], cells)
    copy(out.head[at], row)
    out.marks[CLOSED_BY, at], out.marks[CLOSE, at] = i, Why.NONE
    if cells[PIECE_COUNT] > 1:
        first = book[OUT_PIECES]
        out.cells[at, FIRST_PIECE] = first
        for k in range(cells[PIECE_COUNT]):
            for c in range(NEXT_PIECE):
                out.pieces[first + k, c] = pieces[cells[FIRST_PIECE] + k, c]
        book[OUT_PIECES] += cells[PIECE_COUNT]
    if setup[AUDIT]:
        book[FRAMES_CHECKED] += cells[FRAME_COUNT]


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
    """Deliver what is held: buckets in order, oldest first; a bucket ends at this jiffy's first if `only_older`."""
    held = Held(held_cells, held_head, state, order, held_pieces, members, member_head)
    out = Delivered(out_cells, out_head, out_pieces, marks, scratch)
    payloads = Payloads(captured, pattern, prefix)
    book[OUT_PACKETS] = book[OUT_PIECES] = 0
    for bucket in range(setup[BUCKETS]):
        while held.order[bucket, 0]:
            if only_older and held.state[held.order[bucket, 1], AGE] == setup[JIFFY]:
                break
            deliver(setup, held, bucket, 0, time_ps, BY_FLUSH, why, payloads, out, book)


@njit(inline="always")
def copy(into, source):
    """Copy a row into one at least as long: heads are of one width in a call, and only a member row is longer."""
    for c in range(len(source)):
        into[c] = source[c]
