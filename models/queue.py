"""A drop-tail FIFO in front of a line.

Models: packets cut on their way in, departures, and the frames that find the queue full; several inputs, whose frames
    enter by (time, input).
Leaves out: ECN marks and queues limited in bytes (room: the loop of `serve`).
Sources: departure = max(arrival, previous departure) + serialisation; the limit counts the frame in service.
Checked by: tests/models/test_queue.py against a queue of single frames; rates of docs/validation.md.
"""

from __future__ import annotations

import numpy as np

from models.memory import END, FIRST, OWN, PIECE_BASE, PIECES, Memory, Queue, has_room
from models.offload.kernel import njit
from models.offload.segment import fill, segments_of
from models.train import ABSENT, FIRST_PIECE, HEAD_BYTES, PAYLOAD_BYTES, PIECE_COUNT, TAIL_BYTES, TIME_PS, Bytes, Ints
from models.units import PS_PER_S, serialization_ps
from models.wire import ethernet

# a port's own words of the state of the queue that waits for its line
(
    LAST_DEPARTURE, CAME, CAME_BYTES, ACCEPTED, OUT_BYTES, DROPPED, DROPPED_BYTES, SWITCHES, TIES, LAST_RANK, LAST_TIME,
) = range(OWN, OWN + 11)  # fmt: skip
ALWAYS = 1 << 62
_ANY_TIME = np.int64(ALWAYS)  # not a literal: numba compiles a function anew for each of those it is called with

# `ports` int64[ports, PORT_WORDS]: what does not change, and three words for the caller of a kernel
(
    WAITING,  # which queue of the Memory waits
    FAR,  # which queue frames are put into at the far end
    RATE_BPS,
    DELAY_PS,  # a frame arrives so long after its departure
    DEPARTED,  # where in `departures` its ring of the last accepted frames starts
    LIMIT_FRAMES,  # frames that may wait, the one in service with them; 0: no limit
    INPUTS,
    MOST,  # frames handed over at once
    MTU_BYTES,
    CUTS,  # the card cuts merged packets (TSO)
    FAR_CARD,  # which card is at the far end, or ABSENT: somebody who is not compiled
    SMALLEST_PS,  # what the line takes for the shortest frame
    NEWS,  # frames the far end has not been told of
    SHORT,  # the queue that had no room when a kernel gave up, or ABSENT
    SHORT_ROWS,  # for so many more,
    SHORT_PIECES,  # and so many pieces
) = range(16)
PORT_WORDS = 16


class Ports:
    """The ports of a Memory's world. `words` int64[ports, PORT_WORDS], `macs` uint8[ports, 12]: what a router writes
    in front of a frame, destination first; `departures` int64[...]: for each port a ring of the departures of the
    frames it accepted last [ps]."""

    def __init__(self, memory: Memory, *, ports: int) -> None:
        self.memory = memory
        self.words: Ints = np.zeros((ports, PORT_WORDS), np.int64)
        self.macs: Bytes = np.zeros((ports, 12), np.uint8)
        self.departures: Ints = np.zeros(0, np.int64)
        self.count = 0

    def add(
        self, *, waiting: Queue, far: Queue, rate_bps: int, delay_ps: int, limit_frames: int | None, inputs: int,
        most: int | None, mtu_bytes: int = 0, cuts: bool = True, far_card: int = ABSENT,
    ) -> int:  # fmt: skip
        """The number of a new port; `limit_frames` and `most` None: no limit."""
        self.words[self.count, :NEWS] = (
            waiting.index, far.index, rate_bps, delay_ps, len(self.departures), limit_frames or 0, inputs,
            most or ALWAYS, mtu_bytes, cuts, far_card,
            serialization_ps(wire_bytes=ethernet.line_bytes(0), rate_bps=rate_bps),
        )  # fmt: skip
        self.departures = np.concatenate([self.departures, np.full(limit_frames or 0, -1, np.int64)])
        self.count += 1
        return self.count - 1

    @property
    def tables(self) -> tuple[Ints, Bytes, Ints]:
        """Words, MACs and departures, as kernels are given them."""
        return self.words, self.macs, self.departures

    def make_room(self, port: int) -> None:
        """What a kernel that gave up wants."""
        words = self.words[port]
        self.memory.make_room(int(words[SHORT]), int(words[SHORT_ROWS]), int(words[SHORT_PIECES]))


@njit
def takes(port, packets, state):
    """Whether the queue of `port` has room for `packets`, and with one input the one at its far end for all that then
    waits; else what is short is in its words."""
    frames, need = 0, 0
    for i in range(len(packets)):
        segments = segments_of(packets[i])
        frames += segments
        if packets[i, PIECE_COUNT] > 1:
            need += packets[i, PIECE_COUNT] + segments
    mine = state[port[WAITING]]
    port[SHORT], port[SHORT_ROWS], port[SHORT_PIECES] = port[WAITING], frames, need
    if not has_room(mine, frames, need):
        return False
    if port[INPUTS] > 1:
        return True
    frames, need = frames + mine[END] - mine[FIRST], need + mine[PIECES] - mine[PIECE_BASE]
    port[SHORT], port[SHORT_ROWS], port[SHORT_PIECES] = port[FAR], frames, need
    return has_room(state[port[FAR]], frames, need)


@njit
def join_queue(packets, heads, their_pieces, payloads, rank_in, port, state, meta, head, pieces, row, rank):
    """Cut packets that came by one input into frames that wait, in their place by (time, rank)."""
    mine = state[port[WAITING]]
    end = mine[END]
    came, used = fill(packets, heads, their_pieces, payloads, meta[end:], head[end:], pieces, mine[PIECES])
    mine[END], mine[PIECES] = end + came, used
    mine[CAME] += came
    for i in range(end, end + came):
        mine[CAME_BYTES] += meta[i, PAYLOAD_BYTES]
        place = i
        while port[INPUTS] > 1 and place > mine[FIRST]:
            before = row[place - 1]
            if meta[before, TIME_PS] < meta[i, TIME_PS]:
                break
            if meta[before, TIME_PS] == meta[i, TIME_PS] and rank[place - 1] <= rank_in:
                break
            row[place], rank[place] = before, rank[place - 1]
            place -= 1
        row[place], rank[place] = i, rank_in


@njit
def served(port, departures, state, meta, head, pieces, row, rank):
    """Let what waits at a port with one input onto its line, MOST at once; False: the far end wants to hear of them
    first."""
    waiting = state[port[WAITING]]
    while port[INPUTS] == 1 and waiting[FIRST] < waiting[END]:
        port[NEWS] += serve(port, departures, _ANY_TIME, port[MOST], state, meta, head, pieces, row, rank)
        if port[MOST] != ALWAYS and port[NEWS]:
            return False
    return True


@njit
def serve(port, departures, before_ps, most, state, meta, head, pieces, row, rank):
    """Send what entered before `before_ps`, at most `most` frames, to the far queue, where each arrives DELAY_PS after
    its departure; returns how many came through.

    The far queue has room. A departure at t frees its place before an arrival at t."""
    mine, there = state[port[WAITING]], state[port[FAR]]
    limit, rate_bps, delay_ps = port[LIMIT_FRAMES], port[RATE_BPS], port[DELAY_PS]
    sent = 0
    while most and mine[FIRST] < mine[END]:
        i = row[mine[FIRST]]
        arrival = meta[i, TIME_PS]
        if arrival >= before_ps:
            break
        came_by = rank[mine[FIRST]]
        mine[FIRST] += 1
        most -= 1
        if came_by != mine[LAST_RANK]:
            mine[SWITCHES] += 1
            mine[TIES] += arrival == mine[LAST_TIME]
        mine[LAST_RANK], mine[LAST_TIME] = came_by, arrival
        place = port[DEPARTED] + (mine[ACCEPTED] % limit if limit else 0)
        if limit and departures[place] > arrival:
            mine[DROPPED] += 1
            mine[DROPPED_BYTES] += meta[i, PAYLOAD_BYTES]
            continue
        line_bytes = ethernet.line_bytes(meta[i, HEAD_BYTES] + meta[i, PAYLOAD_BYTES] + meta[i, TAIL_BYTES])
        on_the_line = -(-line_bytes * 8 * PS_PER_S // rate_bps)
        departure = max(arrival, mine[LAST_DEPARTURE]) + on_the_line
        if limit:
            departures[place] = departure
        mine[ACCEPTED] += 1
        mine[OUT_BYTES] += meta[i, PAYLOAD_BYTES]
        mine[LAST_DEPARTURE] = departure
        move(meta, head, pieces, i, there)
        meta[there[END] - 1, TIME_PS] = departure + delay_ps
        sent += 1
    if mine[FIRST] == mine[END]:
        mine[PIECES] = mine[PIECE_BASE]
    return sent


@njit
def move(meta, head, pieces, i, there):
    """Copy row `i` behind the last row of the queue `there`."""
    at = there[END]
    there[END] = at + 1
    for c in range(meta.shape[1]):
        meta[at, c] = meta[i, c]
    for c in range(head.shape[1]):
        head[at, c] = head[i, c]
    if meta[i, PIECE_COUNT] > 1:
        first = meta[i, FIRST_PIECE]
        meta[at, FIRST_PIECE] = there[PIECES]
        for k in range(meta[i, PIECE_COUNT]):
            for c in range(pieces.shape[1]):
                pieces[there[PIECES], c] = pieces[first + k, c]
            there[PIECES] += 1
