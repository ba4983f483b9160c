"""A drop-tail FIFO in front of a line.

Models: departures, and the frames that find the queue full; several inputs, whose frames enter by (time, input).
Leaves out: ECN marks and queues limited in bytes (room: the loop of `serve`).
Sources: departure = max(arrival, previous departure) + serialisation; the limit counts the frame in service.
Checked by: tests/models/test_queue.py against a queue of single frames; rates of docs/validation.md.
"""

from __future__ import annotations

import numpy as np

from models.buffer import END, FIRST, NEXT, PIECES, STATE_WORDS, Buffer
from models.offload.kernel import njit
from models.offload.segment import fill
from models.payload import Payloads
from models.train import FIRST_PIECE, HEAD_BYTES, PAYLOAD_BYTES, PIECE_COUNT, TAIL_BYTES, TIME_PS, Ints
from models.units import PS_PER_S
from models.wire import ethernet

# words of the waiting Buffer's state behind the Buffer's own
(
    LAST_DEPARTURE, CAME, CAME_BYTES, ACCEPTED, OUT_BYTES, DROPPED, DROPPED_BYTES, SWITCHES, TIES, LAST_RANK, LAST_TIME,
) = range(STATE_WORDS, STATE_WORDS + 11)  # fmt: skip
QUEUE_WORDS = 11
ALWAYS = 1 << 62


class Waiting(Buffer):
    """Frames that wait for the line. `row`, `rank` int64[rows]: rows in the order in which they enter, and by which
    input each came; `state` has the queue's counters."""

    __slots__ = ("rank", "row")

    def __init__(self) -> None:
        super().__init__(extra_state=QUEUE_WORDS)
        self.row: Ints = np.arange(len(self.meta))
        self.rank: Ints = np.zeros(len(self.meta), np.int64)

    def _in_use(self) -> Ints:
        return self.row[super()._in_use()]

    def _make_room(self, rows: int) -> None:
        ranks = self.rank[super()._in_use()].copy()
        super()._make_room(rows)
        self.row, self.rank = np.arange(len(self.meta)), np.zeros(len(self.meta), np.int64)
        self.rank[: len(ranks)] = ranks


def departures(limit_frames: int | None) -> Ints:
    """The departures of the last `limit_frames` accepted frames [ps], a ring; empty: no limit."""
    return np.full(limit_frames or 0, -1, np.int64)


@njit
def join_queue(
    packets, heads, their_pieces, captured, pattern, prefix, input_rank, inputs, state, meta, head, pieces, row, rank
):
    """Cut packets that came by one input into frames that wait, in their place by (time, rank); how many.

    The Buffer has room."""
    end = state[END]
    payloads = Payloads(captured, pattern, prefix)
    came, used = fill(packets, heads, their_pieces, payloads, meta[end:], head[end:], pieces, state[PIECES])
    state[END], state[PIECES] = end + came, used
    state[CAME] += came
    for i in range(end, end + came):
        state[CAME_BYTES] += meta[i, PAYLOAD_BYTES]
        place = i
        while inputs > 1 and place > state[FIRST]:
            before = row[place - 1]
            if meta[before, TIME_PS] < meta[i, TIME_PS]:
                break
            if meta[before, TIME_PS] == meta[i, TIME_PS] and rank[place - 1] <= input_rank:
                break
            row[place], rank[place] = before, rank[place - 1]
            place -= 1
        row[place], rank[place] = i, input_rank
    return came


@njit
def pass_through(
    packets, heads, their_pieces, captured, pattern, prefix, departed, rate_bps, delay_ps, most, state, meta, head,
    pieces, row, rank, there, far_meta, far_head, far_pieces,
):  # fmt: skip
    """`join_queue` of the only input, and `serve` at once."""
    join_queue(
        packets, heads, their_pieces, captured, pattern, prefix, 0, 1, state, meta, head, pieces, row, rank
    )  # fmt: skip
    return serve(
        departed, rate_bps, delay_ps, ALWAYS, most, state, meta, head, pieces, row, rank, there, far_meta, far_head,
        far_pieces,
    )  # fmt: skip


@njit
def serve(
    departed, rate_bps, delay_ps, before_ps, most, state, meta, head, pieces, row, rank, there, far_meta, far_head,
    far_pieces,
):  # fmt: skip
    """Send what entered before `before_ps`, at most `most` frames, to the far Buffer, where each arrives `delay_ps`
    after its departure; returns how many came through.

    The far Buffer has room. A departure at t frees its place before an arrival at t."""
    limit = len(departed)
    sent = 0
    while most and state[FIRST] < state[END]:
        i = row[state[FIRST]]
        arrival = meta[i, TIME_PS]
        if arrival >= before_ps:
            break
        mine = rank[state[FIRST]]
        state[FIRST] += 1
        most -= 1
        if mine != state[LAST_RANK]:
            state[SWITCHES] += 1
            state[TIES] += arrival == state[LAST_TIME]
        state[LAST_RANK], state[LAST_TIME] = mine, arrival
        place = state[ACCEPTED] % limit if limit else 0
        if limit and departed[place] > arrival:
            state[DROPPED] += 1
            state[DROPPED_BYTES] += meta[i, PAYLOAD_BYTES]
            continue
        line_bytes = ethernet.line_bytes(meta[i, HEAD_BYTES] + meta[i, PAYLOAD_BYTES] + meta[i, TAIL_BYTES])
        on_the_line = -(-line_bytes * 8 * PS_PER_S // rate_bps)
        departure = max(arrival, state[LAST_DEPARTURE]) + on_the_line
        if limit:
            departed[place] = departure
        state[ACCEPTED] += 1
        state[OUT_BYTES] += meta[i, PAYLOAD_BYTES]
        state[LAST_DEPARTURE] = departure
        move(meta, head, pieces, i, there, far_meta, far_head, far_pieces)
        far_meta[there[END] - 1, TIME_PS] = departure + delay_ps
        sent += 1
    if state[FIRST] == state[END]:
        state[FIRST] = state[NEXT] = state[END] = state[PIECES] = 0
    return sent


@njit
def move(meta, head, pieces, i, there, far_meta, far_head, far_pieces):
    """Copy row `i` behind the last row of the far Buffer."""
    at = there[END]
    there[END] = at + 1
    for c in range(meta.shape[1]):
        far_meta[at, c] = meta[i, c]
    for c in range(head.shape[1]):
        far_head[at, c] = head[i, c]
    for c in range(head.shape[1], far_head.shape[1]):
        far_head[at, c] = 0
    if meta[i, PIECE_COUNT] > 1:
        first = meta[i, FIRST_PIECE]
        far_meta[at, FIRST_PIECE] = there[PIECES]
        for k in range(meta[i, PIECE_COUNT]):
            for c in range(pieces.shape[1]):
                far_pieces[there[PIECES], c] = pieces[first + k, c]
            there[PIECES] += 1
