"""Frames that wait anywhere: one block of rows, shared out among queues, so that a kernel reaches every queue.

Models: memory between two places; whoever fills a queue and whoever empties it are compiled loops over these arrays.
Leaves out: what waits for what; the places keep counters of their own in the words of `state` from OWN on.
Sources: own.
Checked by: tests/models/test_memory.py.

`state` int64[queues, STATE_WORDS]: rows [FIRST, END) of the block are a queue's that are in use; of these [FIRST, KEPT)
are in a card's ring and [NEXT, END) on the way to it. Its pieces end at PIECES. [BASE, LIMIT) and [PIECE_BASE,
PIECE_LIMIT) is what it may fill. Kernels ask `has_room` first; only `Memory.make_room` moves anything.
"""

from __future__ import annotations

import numpy as np

from models.offload.kernel import njit
from models.train import (
    COLUMNS,
    FIRST_PIECE,
    HEAD_WIDTH,
    PIECE_COLUMNS,
    Bytes,
    FrameTrain,
    Ints,
    widened,
)

FIRST, KEPT, NEXT, END, PIECES, BASE, LIMIT, PIECE_BASE, PIECE_LIMIT, OWN = range(10)
STATE_WORDS = OWN + 11
_ROWS = 256  # a queue's, to begin with


class Memory:
    """`meta` int64[rows, columns], `head` uint8[rows, width], `pieces` int64[m, piece columns], and for queues whose
    frames do not enter in the order in which they came: `row`, `rank` int64[rows], the row at each place, and by which
    input it came.

    `generation` grows whenever one of these is another array; `state` and its words stay."""

    __slots__ = ("_taken", "generation", "head", "meta", "pieces", "rank", "row", "state")

    head: Bytes

    def __init__(self, *, queues: int) -> None:
        self.state: Ints = np.zeros((queues, STATE_WORDS), np.int64)
        bases = np.arange(queues) * _ROWS
        self.state[:, [FIRST, KEPT, NEXT, END, BASE]] = bases[:, None]
        self.state[:, LIMIT] = bases + _ROWS
        self._taken = 0
        self.generation = 0
        self._set_blocks(queues * _ROWS, 0, HEAD_WIDTH)

    def queue(self) -> Queue:
        """One of the queues that nobody has yet; IndexError if there is none."""
        if self._taken == len(self.state):
            raise IndexError(f"found no queue left of {self._taken}")
        self._taken += 1
        return Queue(self, self._taken - 1)

    def widen(self, width: int) -> None:
        """Give heads at least `width` bytes."""
        if width > self.head.shape[1]:
            self.head = widened(self.head, width)
            self.generation += 1

    def arrays(self) -> tuple[Ints, Ints, Bytes, Ints, Ints, Ints]:
        """State, meta, head, pieces, row and rank: how kernels are given it."""
        return self.state, self.meta, self.head, self.pieces, self.row, self.rank

    def make_room(self, index: int, rows: int, pieces: int) -> None:
        """Let queue `index` take so many more: what is in use moves to the front, of a larger share if need be."""
        mine = self.state[index]
        train = self._in_use(mine)
        rank = self.rank[mine[FIRST] : mine[END]].copy()
        places = mine[KEPT : END + 1] - mine[FIRST]
        wanted = 2 * (len(train) + rows), 2 * (len(train.pieces) + pieces)
        if wanted[0] > mine[LIMIT] - mine[BASE] or wanted[1] > mine[PIECE_LIMIT] - mine[PIECE_BASE]:
            self._share_out(index, *wanted)
        first, piece = int(mine[BASE]), int(mine[PIECE_BASE])
        here = slice(first, first + len(train))
        self.meta[here], self.head[here], self.rank[here] = train.meta, train.head, rank
        self.row[here] = np.arange(first, first + len(train))
        self.pieces[piece : piece + len(train.pieces)] = train.pieces
        if len(train.pieces):
            self.meta[here, FIRST_PIECE] += piece
        mine[FIRST] = first
        mine[KEPT : END + 1] = first + places
        mine[PIECES] = piece + len(train.pieces)

    def _in_use(self, mine: Ints) -> FrameTrain:
        """A copy of what a queue holds, in order, with its pieces packed."""
        return FrameTrain(self.meta, self.head, self.pieces)[self.row[mine[FIRST] : mine[END]]].packed()

    def _share_out(self, index: int, rows: int, pieces: int) -> None:
        """New blocks, in which queue `index` has at least so much; what the others have stays where it is in theirs."""
        state, old = self.state, self.state.copy()
        sizes = old[:, LIMIT] - old[:, BASE]
        piece_sizes = old[:, PIECE_LIMIT] - old[:, PIECE_BASE]
        sizes[index], piece_sizes[index] = max(rows, sizes[index]), max(pieces, piece_sizes[index])
        meta, head, block, row, rank = self.meta, self.head, self.pieces, self.row, self.rank
        self._set_blocks(int(sizes.sum()), int(piece_sizes.sum()), head.shape[1])
        base = piece_base = 0
        for q in range(len(state)):
            shift, piece_shift = base - int(old[q, BASE]), piece_base - int(old[q, PIECE_BASE])
            if q != index:
                here, there = slice(old[q, BASE], old[q, LIMIT]), slice(base, base + int(sizes[q]))
                self.meta[there], self.head[there], self.rank[there] = meta[here], head[here], rank[here]
                self.row[there] = row[here] + shift
                self.meta[there, FIRST_PIECE] += piece_shift
                self.pieces[piece_base : piece_base + piece_sizes[q]] = block[old[q, PIECE_BASE] : old[q, PIECE_LIMIT]]
            state[q, [FIRST, KEPT, NEXT, END, BASE]] += shift
            state[q, [PIECES, PIECE_BASE]] += piece_shift
            base, piece_base = base + int(sizes[q]), piece_base + int(piece_sizes[q])
            state[q, [LIMIT, PIECE_LIMIT]] = base, piece_base

    def _set_blocks(self, rows: int, pieces: int, width: int) -> None:
        self.meta: Ints = np.zeros((rows, len(COLUMNS)), np.int64)
        self.head = np.zeros((rows, width), np.uint8)
        self.pieces: Ints = np.zeros((pieces, len(PIECE_COLUMNS)), np.int64)
        self.row: Ints = np.arange(rows)
        self.rank: Ints = np.zeros(rows, np.int64)
        self.generation += 1


class Queue:
    """One queue of a Memory. `words` is its row of `state`, which is faster to reach one by one."""

    __slots__ = ("index", "memory", "state", "words")

    def __init__(self, memory: Memory, index: int) -> None:
        self.memory = memory
        self.index = index
        self.state = memory.state[index]
        self.words = memoryview(self.state.data)

    def __len__(self) -> int:
        return int(self.words[END] - self.words[FIRST])

    def reserve(self, rows: int, pieces: int) -> None:
        """Make room for so many more, if there is none."""
        if not has_room(self.state, rows, pieces):
            self.memory.make_room(self.index, rows, pieces)

    def append(self, train: FrameTrain) -> None:
        """Copy a train behind the last row, with the pieces of its rows."""
        if len(train.pieces):
            train = train.packed()
        n, m = len(train), len(train.pieces)
        memory, words = self.memory, self.words
        memory.widen(train.head.shape[1])
        self.reserve(n, m)
        end, used = words[END], words[PIECES]
        memory.meta[end : end + n] = train.meta
        memory.head[end : end + n, : train.head.shape[1]] = train.head
        memory.head[end : end + n, train.head.shape[1] :] = 0
        memory.pieces[used : used + m] = train.pieces
        memory.meta[end : end + n, FIRST_PIECE] += used
        words[PIECES] = used + m
        words[END] = end + n

    def rows(self, start: int, stop: int) -> FrameTrain:
        """Rows [start, stop) of the block as a train that shares this memory."""
        memory = self.memory
        return FrameTrain(memory.meta[start:stop], memory.head[start:stop], memory.pieces)

    def in_order(self) -> FrameTrain:
        """A copy of all it holds, in the order in which the frames enter."""
        memory = self.memory
        rows = memory.row[self.words[FIRST] : self.words[END]]
        return FrameTrain(memory.meta[rows], memory.head[rows], memory.pieces)


@njit
def has_room(mine, rows, pieces):
    """Whether a queue can take so many more; `mine` is its row of `state`. An empty one begins anew."""
    if mine[FIRST] == mine[END]:
        mine[FIRST] = mine[KEPT] = mine[NEXT] = mine[END] = mine[BASE]
        mine[PIECES] = mine[PIECE_BASE]
    return mine[END] + rows <= mine[LIMIT] and mine[PIECES] + pieces <= mine[PIECE_LIMIT]
