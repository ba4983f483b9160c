"""Packets that are held: started with a frame, joined by others, delivered. The moves of the flow table, one by one.

Models: struct sk_buff on its way through receive offload: header of one frame, payload of many.
Leaves out: which frame joins which packet and when one is delivered (`flow_table.py`), every rule (`rules.py`).
Sources: own.
Checked by: tests/models/offload/test_engine.py and test_lossless.py.

A payload is never copied: a piece that continues the last one is fused with it, others are linked in an arena, which
`engine.py` has made large enough before the call.
"""

from __future__ import annotations

import numpy as np

from models.offload import losses, rules
from models.offload.held import (
    AGE,
    AUDIT,
    COUNTED,
    DATA_SUM,
    DONE,
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
    MARKS,
    MSS,
    NEXT_MEMBER,
    NEXT_PIECE,
    NEXT_SEQ,
    NOTED,
    OUT_PACKETS,
    OUT_PIECES,
    SAW_TIMESTAMPS,
    SEGMENTS,
    TSVAL,
)
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import (
    ABSENT,
    FIRST_PIECE,
    FRAME_COUNT,
    FRAME_ID,
    GSO_BYTES,
    GSO_SEGMENTS,
    HEAD_BYTES,
    L3,
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
from models.wire import innermost, tcp

CLOSED_BY, CLOSE = 0, 1  # rows of `out.marks`


@njit(inline="always")
def hold(seldom, setup, held, bucket, row, cells, pieces, book):
    """Start a packet with the frame, as the bucket's newest; returns its slot."""
    held.order[bucket, 0] += 1
    k = held.order[bucket, held.order[bucket, 0]]
    mine, state = held.cells[k], held.state[k]
    copy(mine, cells)
    copy(held.head[k], row)
    state[NEXT_SEQ] = (tcp.seq(row, innermost.transport(cells)) + cells[PAYLOAD_BYTES]) & 0xFFFFFFFF
    state[IP_BYTES] = cells[HEAD_BYTES] - cells[L3] + cells[PAYLOAD_BYTES]
    state[SEGMENTS] = cells[GSO_SEGMENTS] if cells[GSO_BYTES] else 1
    state[MSS] = cells[GSO_BYTES] if cells[GSO_BYTES] else cells[PAYLOAD_BYTES]
    state[FIXED_ID] = state[TSVAL] = state[SAW_TIMESTAMPS] = 0
    state[DATA_SUM] = state[COUNTED] = state[NOTED] = state[MARKS] = state[DONE] = 0
    state[AGE] = setup[JIFFY]
    state[FIRST_PIECE_SLOT] = state[LAST_PIECE_SLOT] = state[FIRST_MEMBER] = state[LAST_MEMBER] = ABSENT
    if cells[PIECE_COUNT] > 1:
        link_pieces(held.pieces, state, cells, pieces, book)
    rules.starts(seldom, setup, mine, state, row, cells)
    if setup[AUDIT]:
        remember(held.members, held.member_head, state, row, cells, book)
    book[HELD_PACKETS] += 1
    book[HELD_FRAMES] += cells[FRAME_COUNT]
    book[HELD_PAYLOAD_BYTES] += cells[PAYLOAD_BYTES]
    return k


@njit(inline="always")
def join(setup, held, mine, state, row, cells, pieces, book):
    """Add the frame's payload to the packet with `mine` as cells."""
    if cells[PIECE_COUNT] == 1 and state[LAST_PIECE_SLOT] == ABSENT and continues(mine, cells):
        mine[PAYLOAD_BYTES] += cells[PAYLOAD_BYTES]
        mine[FRAME_COUNT] += cells[FRAME_COUNT]
    else:
        link_payload(held.pieces, mine, state, cells, pieces, book)
    mine[MISSING_BYTES] += cells[MISSING_BYTES]
    state[NEXT_SEQ] = (state[NEXT_SEQ] + cells[PAYLOAD_BYTES]) & 0xFFFFFFFF
    state[IP_BYTES] += cells[PAYLOAD_BYTES]
    state[SEGMENTS] += cells[GSO_SEGMENTS] if cells[GSO_BYTES] else 1
    if setup[AUDIT]:
        remember(held.members, held.member_head, state, row, cells, book)
    book[HELD_FRAMES] += cells[FRAME_COUNT]
    book[HELD_PAYLOAD_BYTES] += cells[PAYLOAD_BYTES]


@njit
def join_in_front(setup, held, k, row, cells, pieces, book):
    """Put the frame before what held packet `k` has: its header is the packet's from now on."""
    mine, state = held.cells[k], held.state[k]
    n_bytes, frames, missing = mine[PAYLOAD_BYTES], mine[FRAME_COUNT], mine[MISSING_BYTES]
    if state[FIRST_PIECE_SLOT] == ABSENT and (cells[PIECE_COUNT] > 1 or not continues(cells, mine)):
        link(held.pieces, state, mine[SOURCE], mine[START], n_bytes, mine[FRAME_ID], frames, book)
    copy(mine, cells)
    copy(held.head[k], row)
    mine[PAYLOAD_BYTES] += n_bytes
    mine[FRAME_COUNT] += frames
    mine[MISSING_BYTES] += missing
    if state[FIRST_PIECE_SLOT] != ABSENT:
        if cells[PIECE_COUNT] == 1:
            n, of = cells[PAYLOAD_BYTES], cells[FRAME_COUNT]
            link_in_front(held.pieces, state, cells[SOURCE], cells[START], n, cells[FRAME_ID], of, book)
        else:
            first = cells[FIRST_PIECE]
            for p in range(first + cells[PIECE_COUNT] - 1, first - 1, -1):
                of = pieces[p]
                link_in_front(
                    held.pieces,
                    state,
                    of[PIECE_SOURCE],
                    of[PIECE_START],
                    of[PIECE_BYTES],
                    of[PIECE_FRAME_ID],
                    of[PIECE_FRAMES],
                    book,
                )
    state[IP_BYTES] += cells[PAYLOAD_BYTES]
    state[SEGMENTS] += cells[GSO_SEGMENTS] if cells[GSO_BYTES] else 1
    if setup[AUDIT]:
        last = state[LAST_MEMBER]
        remember(held.members, held.member_head, state, row, cells, book)
        newest = state[LAST_MEMBER]  # from the end of the list to its start
        held.members[last, NEXT_MEMBER] = ABSENT
        held.members[newest, NEXT_MEMBER] = state[FIRST_MEMBER]
        state[FIRST_MEMBER], state[LAST_MEMBER] = newest, last
    book[HELD_FRAMES] += cells[FRAME_COUNT]
    book[HELD_PAYLOAD_BYTES] += cells[PAYLOAD_BYTES]


@njit
def link_in_front(arena, state, source, start, n_bytes, frame_id, frames, book):
    """Add a piece before the first one of the packet with `state`, which has one."""
    slot = book[FREE_PIECE]
    piece = arena[slot]
    book[FREE_PIECE] = piece[NEXT_PIECE]
    book[HELD_PIECES] += 1
    piece[PIECE_SOURCE], piece[PIECE_START], piece[PIECE_BYTES] = source, start, n_bytes
    piece[PIECE_FRAME_ID], piece[PIECE_FRAMES], piece[NEXT_PIECE] = frame_id, frames, state[FIRST_PIECE_SLOT]
    state[FIRST_PIECE_SLOT] = slot


@njit(inline="always")
def continues(mine, cells):
    """Whether the payload of `cells` is the next stretch of the source of `mine`, and of the next frame sent."""
    return (
        mine[SOURCE] == cells[SOURCE]
        and mine[START] + mine[PAYLOAD_BYTES] == cells[START]
        and mine[FRAME_ID] + mine[FRAME_COUNT] == cells[FRAME_ID]
    )


@njit(inline="always")
def link_payload(arena, mine, state, cells, pieces, book):
    """Put the frame's payload behind the packet's as pieces of its own, or fused with the last one."""
    if state[LAST_PIECE_SLOT] == ABSENT:
        link(arena, state, mine[SOURCE], mine[START], mine[PAYLOAD_BYTES], mine[FRAME_ID], mine[FRAME_COUNT], book)
    mine[PAYLOAD_BYTES] += cells[PAYLOAD_BYTES]
    mine[FRAME_COUNT] += cells[FRAME_COUNT]
    if cells[PIECE_COUNT] == 1:
        link(arena, state, cells[SOURCE], cells[START], cells[PAYLOAD_BYTES], cells[FRAME_ID], cells[FRAME_COUNT], book)
    else:
        link_pieces(arena, state, cells, pieces, book)


@njit
def link_pieces(arena, state, cells, pieces, book):
    """Put all pieces of the frame behind the packet's."""
    for p in range(cells[FIRST_PIECE], cells[FIRST_PIECE] + cells[PIECE_COUNT]):
        link(
            arena,
            state,
            pieces[p, PIECE_SOURCE],
            pieces[p, PIECE_START],
            pieces[p, PIECE_BYTES],
            pieces[p, PIECE_FRAME_ID],
            pieces[p, PIECE_FRAMES],
            book,
        )


@njit
def link(arena, state, source, start, n_bytes, frame_id, frames, book):
    """Add a piece to the packet with `state`: into the last one if it continues it, else a row of the arena."""
    last = state[LAST_PIECE_SLOT]
    if last != ABSENT:
        piece = arena[last]
        if (
            piece[PIECE_SOURCE] == source
            and piece[PIECE_START] + piece[PIECE_BYTES] == start
            and piece[PIECE_FRAME_ID] + piece[PIECE_FRAMES] == frame_id
        ):
            piece[PIECE_BYTES] += n_bytes
            piece[PIECE_FRAMES] += frames
            return
    slot = book[FREE_PIECE]
    piece = arena[slot]
    book[FREE_PIECE] = piece[NEXT_PIECE]
    book[HELD_PIECES] += 1
    piece[PIECE_SOURCE], piece[PIECE_START], piece[PIECE_BYTES] = source, start, n_bytes
    piece[PIECE_FRAME_ID], piece[PIECE_FRAMES], piece[NEXT_PIECE] = frame_id, frames, ABSENT
    if last == ABSENT:
        state[FIRST_PIECE_SLOT] = slot
    else:
        arena[last, NEXT_PIECE] = slot
    state[LAST_PIECE_SLOT] = slot


@njit
def remember(members, member_head, state, row, cells, book):
    """Keep the frame as it came, for the audit. All of Held would be 49 words more to hand over, for every frame."""
    slot = book[FREE_MEMBER]
    member = members[slot]
    book[FREE_MEMBER] = member[NEXT_MEMBER]
    book[HELD_MEMBERS] += 1
    copy(member, cells)
    member[NEXT_MEMBER] = ABSENT
    copy(member_head[slot], row)
    if state[LAST_MEMBER] == ABSENT:
        state[FIRST_MEMBER] = slot
    else:
        members[state[LAST_MEMBER], NEXT_MEMBER] = slot
    state[LAST_MEMBER] = slot


@njit(inline="always")
def deliver(seldom, setup, held, bucket, place, time_ps, by, why, payloads, out, book):
    """Complete the packet at `place` of the bucket and queue it.

    Whatever kinds of integer these are, numba compiles what is called for one: it took 5 s for each."""
    bucket, place, time_ps = np.int64(bucket), np.int64(place), np.int64(time_ps)
    by, why = np.int64(by), np.int64(why)
    if seldom is None:
        deliver_often(setup, held, bucket, place, time_ps, by, why, payloads, out, book)
    else:
        deliver_seldom(setup, held, bucket, place, time_ps, by, why, payloads, out, book)


@njit
def deliver_often(setup, held, bucket, place, time_ps, by, why, payloads, out, book):
    move_out(None, setup, held, bucket, place, time_ps, by, why, payloads, out, book)


@njit
def deliver_seldom(setup, held, bucket, place, time_ps, by, why, payloads, out, book):
    move_out(True, setup, held, bucket, place, time_ps, by, why, payloads, out, book)


@njit(inline="always")
def move_out(seldom, setup, held, bucket, place, time_ps, by, why, payloads, out, book):
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
    give_back_pieces(held.pieces, state, cells, out.pieces, book)
    rules.completes(seldom, setup, state, payloads, out.pieces, row, cells)
    book[HELD_PACKETS] -= 1
    book[HELD_FRAMES] -= cells[FRAME_COUNT]
    book[HELD_PAYLOAD_BYTES] -= cells[PAYLOAD_BYTES]
    if setup[AUDIT]:
        losses.count(held.members, held.member_head, state, row, cells, book, out.scratch)
        give_back_members(held.members, state, book)


@njit
def give_back_pieces(arena, state, cells, delivered, book):
    """The packet's pieces go into the delivered table, their rows back to the arena."""
    cells[FIRST_PIECE] = 0
    cells[PIECE_COUNT] = 1
    slot = state[FIRST_PIECE_SLOT]
    if slot == ABSENT:
        return
    first = at = book[OUT_PIECES]
    while slot != ABSENT:
        piece = arena[slot]
        for c in range(NEXT_PIECE):
            delivered[at, c] = piece[c]
        after = piece[NEXT_PIECE]
        piece[NEXT_PIECE] = book[FREE_PIECE]
        book[FREE_PIECE] = slot
        slot = after
        at += 1
    book[OUT_PIECES] = at
    book[HELD_PIECES] -= at - first
    cells[FIRST_PIECE], cells[PIECE_COUNT] = first, at - first
    cells[SOURCE], cells[START] = delivered[first, PIECE_SOURCE], delivered[first, PIECE_START]
    cells[FRAME_ID] = delivered[first, PIECE_FRAME_ID]


@njit
def give_back_members(members, state, book):
    slot = state[FIRST_MEMBER]
    while slot != ABSENT:
        after = members[slot, NEXT_MEMBER]
        members[slot, NEXT_MEMBER] = book[FREE_MEMBER]
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


@njit(inline="always")
def copy(into, source):
    """Copy a row into one at least as long: heads are of one width in a call, and only a member row is longer."""
    for c in range(len(source)):
        into[c] = source[c]
