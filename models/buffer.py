"""Frames that wait: rows appended at one end and taken from the other, without a copy per hand-over.

Models: memory between two places; whoever fills it and whoever empties it are compiled loops over its arrays.
Leaves out: what waits for what; the places keep the counters they need in `state` beside the ones named here.
Sources: own.
Checked by: tests/models/test_buffer.py.
"""

from __future__ import annotations

import numpy as np

from models.train import COLUMNS, FIRST_PIECE, HEAD_WIDTH, PIECE_COLUMNS, Bytes, FrameTrain, Ints, widened

# `state` int64[...]: rows [FIRST, END) are in use; of these [FIRST, KEPT) are in a card's ring, [NEXT, END) on the way
FIRST, KEPT, NEXT, END, PIECES, STATE_WORDS = range(6)
_ROWS = 256


class Buffer:
    """`meta` int64[rows, columns], `head` uint8[rows, width], `pieces` int64[m, piece columns], `state` int64[...].

    `generation` grows whenever one of the arrays is another one. Rows in use move only in `reserve`."""

    __slots__ = ("generation", "head", "meta", "pieces", "state")

    def __init__(self, *, extra_state: int = 0) -> None:
        self.meta: Ints = np.zeros((_ROWS, len(COLUMNS)), np.int64)
        self.head: Bytes = np.zeros((_ROWS, HEAD_WIDTH), np.uint8)
        self.pieces: Ints = np.zeros((0, len(PIECE_COLUMNS)), np.int64)
        self.state: Ints = np.zeros(STATE_WORDS + extra_state, np.int64)
        self.generation = 0

    def __len__(self) -> int:
        return self.state.item(END) - self.state.item(FIRST)

    def reserve(self, rows: int, pieces: int = 0, width: int = HEAD_WIDTH) -> None:
        """Make room for so many more rows and pieces, with heads of at least `width` bytes."""
        state = self.state
        if state.item(FIRST) == state.item(END):
            self.clear()
        end = state.item(END)
        if end + rows > len(self.meta):
            self._make_room(rows)
        if width > self.head.shape[1]:
            self.head = widened(self.head, width)
            self.generation += 1
        used = state.item(PIECES)
        if used + pieces > len(self.pieces):
            grown = np.zeros((2 * (used + pieces), len(PIECE_COLUMNS)), np.int64)
            grown[:used] = self.pieces[:used]
            self.pieces = grown
            self.generation += 1

    def append(self, train: FrameTrain) -> None:
        """Copy a train behind the last row."""
        n, m = len(train), len(train.pieces)
        self.reserve(n, m, train.head.shape[1])
        state = self.state
        end, used = state.item(END), state.item(PIECES)
        self.meta[end : end + n] = train.meta
        self.head[end : end + n, : train.head.shape[1]] = train.head
        self.head[end : end + n, train.head.shape[1] :] = 0
        if m:
            self.pieces[used : used + m] = train.pieces
            self.meta[end : end + n, FIRST_PIECE] += used
            state[PIECES] = used + m
        state[END] = end + n

    def clear(self) -> None:
        """Forget all rows."""
        self.state[: PIECES + 1] = 0

    def rows(self, start: int, stop: int) -> FrameTrain:
        """Rows [start, stop) as a train that shares this memory."""
        return FrameTrain(self.meta[start:stop], self.head[start:stop], self.pieces)

    def _in_use(self) -> slice | Ints:
        """Which rows are in use, in their order."""
        return slice(self.state.item(FIRST), self.state.item(END))

    def _make_room(self, rows: int) -> None:
        """The rows in use move to the front, of larger arrays if they and the new ones would fill over half."""
        state, mine = self.state, self._in_use()
        used = len(self)
        meta, head = self.meta[mine], self.head[mine]
        if 2 * (used + rows) > len(self.meta):
            size = 4 * (used + rows)
            self.meta = np.zeros((size, len(COLUMNS)), np.int64)
            self.head = np.zeros((size, head.shape[1]), np.uint8)
            self.generation += 1
        elif isinstance(mine, slice):
            meta, head = meta.copy(), head.copy()  # views of what is written next
        self.meta[:used], self.head[:used] = meta, head
        state[FIRST : END + 1] -= state.item(FIRST)
