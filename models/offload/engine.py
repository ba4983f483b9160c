"""A receive offload engine: a flow table, the rule book it asks, and what it holds between calls.

Models: one engine instance as one NAPI instance, queue or card has it.
Leaves out: when it is asked (`sim/nodes/`), what the work costs (`models/cpu/`).
Sources: own.
Checked by: tests/models/offload/test_engine.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.offload import flow_table, gro, moving
from models.offload.flow_table import FATE, REASON
from models.offload.held import (
    AUDIT,
    BOOK_WORDS,
    BUCKETS,
    ENGINE,
    FRAMES_ALTERED,
    FRAMES_CHECKED,
    FREE_MEMBER,
    FREE_PIECE,
    GRO,
    GRO_FIRST,
    HELD_FRAMES,
    HELD_MEMBERS,
    HELD_PACKETS,
    HELD_PAYLOAD_BYTES,
    HELD_PIECES,
    JIFFY,
    LAST_TIME_PS,
    LOST,
    LOST_FIRST,
    LRO_DRIVER,
    MAX_BYTES,
    NEXT_MEMBER,
    NEXT_PIECE,
    OUT_PACKETS,
    OUT_PIECES,
    PER_BUCKET,
    STATE_COLUMNS,
    Bytes,
    Delivered,
    Held,
    Ints,
)
from models.offload.lro_columns import TIMER_PS
from models.offload.names import ENGINES, PLACES, Place
from models.offload.packets import CLOSE, CLOSED_BY
from models.offload.setups import parameters, setup_of
from models.offload.why import Why
from models.payload import Payloads
from models.train import ABSENT, COLUMNS, HEAD_WIDTH, PIECE_COLUMNS, FrameTrain, widened
from models.wire import ipv6

__all__ = ["ENGINES", "LOST", "Engine", "Outcome", "make", "parameters"]

_NONE: Ints = np.zeros(0, np.int64)
_NO_PIECES: Ints = np.zeros((0, len(PIECE_COLUMNS)), np.int64)
_INT64, _UINT8 = np.dtype(np.int64), np.dtype(np.uint8)  # np.empty takes 0.1 us longer when it has to find these

_Out = tuple[Ints, Bytes, Ints, Ints, Bytes]  # Delivered, which takes 0.3 us to make


def make(name: str, *, audit: bool = False, **given: int | str) -> Engine:
    """The engine called `name`, with the `parameters` given.

    ValueError for a name not in ENGINES, a parameter the engine does not have, a word its column does not know."""
    return Engine(name, setup_of(name, given, audit=audit))


@dataclass(slots=True)
class Outcome:
    """What one call delivered, in the order the stack gets it, and what became of each row it was handed.

    `marks` int64[2, at least one a packet] and `verdict` int64[2, rows] are as the flow table wrote them; whoever asks
    for a row gets a view. Which frames are in a packet: `frame_id`, `frame_count` and pieces of `packets`."""

    packets: FrameTrain
    marks: Ints
    verdict: Ints

    @property
    def closed_by(self) -> Ints:
        """The row during whose processing each packet was delivered, -1 in a flush."""
        return self.marks[CLOSED_BY, : len(self.packets)]

    @property
    def close(self) -> Ints:
        """The Why of each packet that had been held, NONE of one passed on."""
        return self.marks[CLOSE, : len(self.packets)]

    @property
    def fate(self) -> Ints:
        """The Fate of each row."""
        return self.verdict[FATE]

    @property
    def reason(self) -> Ints:
        """The Why of each row; NONE for a frame that joined."""
        return self.verdict[REASON]


class Engine:
    """Joins frames of trains; what it holds persists between calls, so trains may be cut anywhere."""

    def __init__(self, name: str, setup: Ints) -> None:
        self.name = name
        self._seldom = bool(setup[ENGINE] not in (GRO, LRO_DRIVER))  # see rules.py
        self._setup = setup
        self._book = np.zeros(BOOK_WORDS, np.int64)
        self._book[[FREE_PIECE, FREE_MEMBER]] = ABSENT
        buckets, per_bucket = int(setup[BUCKETS]), int(setup[PER_BUCKET])
        slots = buckets * per_bucket
        order = np.zeros((buckets, 1 + per_bucket), np.int64)
        order[:, 1:] = np.arange(slots).reshape(buckets, per_bucket)
        self._slots = slots
        self._audit = bool(setup[AUDIT])
        writes_jumbo = setup[ENGINE] == GRO and setup[MAX_BYTES] > gro.MAX_PACKET_BYTES
        self._spare = ipv6.JUMBO_BYTES if writes_jumbo else 0  # what a header may grow by
        self._width = HEAD_WIDTH + self._spare
        self._room_for_pieces = 0  # of pieces held and delivered; below it, a call need not ask what must grow
        self._held = Held(
            cells=np.zeros((slots, len(COLUMNS)), np.int64),
            head=np.zeros((slots, self._width), np.uint8),
            state=np.zeros((slots, len(STATE_COLUMNS)), np.int64),
            order=order,
            pieces=np.zeros((0, len(PIECE_COLUMNS) + 1), np.int64),
            members=np.zeros((0, len(COLUMNS) + 1), np.int64),
            member_head=np.zeros((0, self._width), np.uint8),
        )
        scratch = np.zeros(self._width, np.uint8)
        self._out = Delivered(pieces=_NO_PIECES, scratch=scratch, **_room_for(0, self._width))

    def receive(self, train: FrameTrain, payloads: Payloads, *, jiffy: int = 0, polls: Ints = _NONE) -> Outcome:
        """Take a train in, during jiffy `jiffy`; a poll ends, and flushes, before each of the rows `polls` (rising).

        The row behind the last is one: polls of [len(train)] flush at the end, in one call for 10 us instead of 14."""
        meta, head, pieces = train.meta, train.head, train.pieces
        n = len(meta)
        if not meta.flags.c_contiguous:
            meta = np.ascontiguousarray(meta)
        if head.shape[1] != self._width or not head.flags.c_contiguous:
            head = self._fit(head)
        coming = int(train.column("piece_count").sum()) if len(pieces) else n
        if self._audit or self._book.item(HELD_PIECES) + 2 * coming > self._room_for_pieces:
            self._make_room(n, coming)
        self._setup[JIFFY] = jiffy
        verdict, out = np.empty((2, n), _INT64), self._fresh(n)
        self._ask(verdict, meta, head, pieces, polls, out, payloads)
        return self._outcome(out, verdict)

    def flush(self, payloads: Payloads, *, now_ps: int | None = None, why: Why = Why.POLL_END) -> Outcome:
        """Deliver everything held, at `now_ps` (default: the time of the last frame taken in)."""
        return self._flush(payloads, now_ps, why, only_older=False)

    def flush_old(self, payloads: Payloads, *, jiffy: int, now_ps: int | None = None, why: Why = Why.TIMER) -> Outcome:
        """Deliver what was first held before jiffy `jiffy`; a bucket ends at the first that was not."""
        self._setup[JIFFY] = jiffy
        return self._flush(payloads, now_ps, why, only_older=True)

    def reserve(self, frames: int, pieces: int, width: int) -> tuple[NDArray[Any], ...]:
        """Make room to take in so many frames and pieces with heads of `width` bytes, without a copy per call.

        Setup, book, the arrays of Held and of Delivered, for the calls of `flow_table`; the same ones until next time
        something grows."""
        if width > self._width:
            self._fit(np.zeros((0, width), np.uint8))
        self._make_room(frames, pieces)
        if frames + self._slots > len(self._out.cells):
            self._out = self._out._replace(**_room_for(2 * frames + self._slots, self._width))
        return (self._setup, self._book, *self._held, *self._out)

    def take_in(self, train: FrameTrain, verdict: Ints, payloads: Payloads, *, jiffy: int) -> None:
        """`receive` with room reserved: `delivered` has the packets, `verdict` int64[2, n] what became of each row."""
        self._setup[JIFFY] = jiffy
        self._ask(verdict, train.meta, train.head, train.pieces, _NONE, self._out, payloads)

    def let_go(self, payloads: Payloads, *, jiffy: int, only_older: bool) -> None:
        """`flush`, or `flush_old` of jiffy `jiffy`, with room reserved: `delivered` has the packets."""
        self._setup[JIFFY] = jiffy
        why = Why.TIMER if only_older else Why.POLL_END
        self._ask_for_all(self._book.item(LAST_TIME_PS), why, only_older, self._out, payloads)

    def delivered(self, packets: int) -> tuple[FrameTrain, Ints]:
        """The first `packets` that the last call delivered, and the Why of each that had been held; they share the
        memory of the next call."""
        out = self._out
        pieces = out.pieces[: self._book.item(OUT_PIECES)]
        return FrameTrain(out.cells[:packets], out.head[:packets], pieces), out.marks[1]

    @property
    def width(self) -> int:
        """Bytes of a row of heads."""
        return self._width

    @property
    def slots(self) -> int:
        """How many packets it holds at most."""
        return self._slots

    @property
    def is_seldom(self) -> bool:
        """Whether the second kernel answers for it (`more_rules.py`)."""
        return self._seldom

    @property
    def outlives_full_polls(self) -> bool:
        """Whether a poll that used its budget flushes nothing: in 2.6.29, napi_complete() alone does."""
        return bool(self._setup[ENGINE] == GRO_FIRST)

    @property
    def place(self) -> Place:
        """Where it runs: on the card, in its driver, or in the stack."""
        return PLACES[self.name]

    @property
    def timer_ps(self) -> int | None:
        """How long the card itself holds a packet at most [ps]; None if only the interrupt or the poll ends it."""
        return int(self._setup[TIMER_PS]) or None

    @property
    def held_packets(self) -> int:
        return int(self._book[HELD_PACKETS])

    @property
    def held_frames(self) -> int:
        return int(self._book[HELD_FRAMES])

    @property
    def held_payload_bytes(self) -> int:
        return int(self._book[HELD_PAYLOAD_BYTES])

    def move_held(self, old: Bytes, new: Bytes, at: int) -> int:
        """Copy the captured payload that is held from `old` to `new` from byte `at` on; the place behind it.

        For a reader that lets go of `old`, of which it handed out `Payloads`."""
        held = self._held
        return int(moving.move_held(held.cells, held.state, held.order, held.pieces, old, new, at))

    @property
    def frames_checked(self) -> int:
        """Frames delivered under the audit."""
        return int(self._book[FRAMES_CHECKED])

    @property
    def frames_altered(self) -> int:
        """Of these, how many a cut of their packet would not give back as they came."""
        return int(self._book[FRAMES_ALTERED])

    @property
    def lost(self) -> Ints:
        """How often each field of LOST was lost, int64[len(LOST)], a copy."""
        return self._book[LOST_FIRST:].copy()

    def _flush(self, payloads: Payloads, now_ps: int | None, why: Why, *, only_older: bool) -> Outcome:
        time_ps = self._book.item(LAST_TIME_PS) if now_ps is None else now_ps
        self._make_room(0, 0)
        out = self._fresh(0)
        self._ask_for_all(time_ps, why, only_older, out, payloads)
        return self._outcome(out, np.empty((2, 0), _INT64))

    def _ask(
        self, verdict: Ints, meta: Ints, head: Bytes, pieces: Ints, polls: Ints, out: _Out, payloads: Payloads
    ) -> None:
        setup, book, held = self._setup, self._book, self._held
        if self._seldom:
            into = Delivered(*out)
            flow_table.receive_seldom(setup, book, verdict, meta, head, pieces, polls, held, into, payloads)
        else:
            flow_table.receive(setup, book, verdict, meta, head, pieces, polls, *held, *out, *payloads)

    def _ask_for_all(self, time_ps: int, why: Why, only_older: bool, out: _Out, payloads: Payloads) -> None:
        setup, book, held = self._setup, self._book, self._held
        if self._seldom:
            flow_table.flush_seldom(setup, book, time_ps, int(why), only_older, held, Delivered(*out), payloads)
        else:
            flow_table.flush(setup, book, time_ps, int(why), only_older, *held, *out, *payloads)

    def _fresh(self, frames: int) -> _Out:
        """What a call with so many frames delivers into, in the order of Delivered: its Outcome gets the first two and
        `marks`, so that nothing is copied. No more packets come out than were held or came in."""
        packets, out = frames + self._book.item(HELD_PACKETS), self._out
        cells, head = np.empty((packets, len(COLUMNS)), _INT64), np.empty((packets, self._width), _UINT8)
        return cells, head, out.pieces, np.empty((2, packets), _INT64), out.scratch

    def _outcome(self, out: _Out, verdict: Ints) -> Outcome:
        book = self._book
        packets, pieces = book.item(OUT_PACKETS), book.item(OUT_PIECES)
        own = out[2][:pieces].copy() if pieces else _NO_PIECES
        return Outcome(FrameTrain(out[0][:packets], out[1][:packets], own), out[3], verdict)

    def _make_room(self, frames: int, pieces: int) -> None:
        """Grow arenas and pieces for a call with so many frames; nothing grows inside compiled code."""
        held, book = self._held, self._book
        held_pieces = book.item(HELD_PIECES)
        if held_pieces + 2 * pieces > len(held.pieces):  # a first join of strangers links two pieces
            self._held = held = held._replace(
                pieces=_grown(held.pieces, 2 * (held_pieces + 2 * pieces), NEXT_PIECE, FREE_PIECE, book)
            )
        if self._audit and int(book[HELD_MEMBERS]) + frames > len(held.members):
            members = _grown(held.members, 2 * (int(book[HELD_MEMBERS]) + frames), NEXT_MEMBER, FREE_MEMBER, book)
            member_head = np.zeros((len(members), self._width), np.uint8)
            member_head[: len(held.member_head)] = held.member_head
            self._held = held._replace(members=members, member_head=member_head)
        if held_pieces + 2 * pieces > len(self._out.pieces):
            grown = np.zeros((2 * held_pieces + 4 * pieces, len(PIECE_COLUMNS)), np.int64)
            self._out = self._out._replace(pieces=grown)
        self._room_for_pieces = min(len(held.pieces), len(self._out.pieces))

    def _fit(self, head: Bytes) -> Bytes:
        """`head` as wide as everything here; what is here grows when it must."""
        if head.shape[1] + self._spare > self._width:
            self._width = head.shape[1] + self._spare
            held = self._held
            self._held = held._replace(
                head=widened(held.head, self._width), member_head=widened(held.member_head, self._width)
            )
            scratch = np.zeros(self._width, np.uint8)
            self._out = self._out._replace(scratch=scratch, **_room_for(len(self._out.cells), self._width))
        return np.ascontiguousarray(widened(head, self._width))


def _room_for(packets: int, width: int) -> dict[str, NDArray[Any]]:
    """The arrays of Delivered that have a row, or column, for each packet."""
    return {
        "cells": np.zeros((packets, len(COLUMNS)), np.int64),
        "head": np.zeros((packets, width), np.uint8),
        "marks": np.zeros((2, packets), np.int64),
    }


def _grown(arena: Ints, rows: int, link: int, free: int, book: Ints) -> Ints:
    """`arena` with `rows` rows; the new ones lead the list of free ones."""
    grown = np.zeros((rows, arena.shape[1]), np.int64)
    grown[: len(arena)] = arena
    grown[len(arena) :, link] = np.arange(len(arena) + 1, rows + 1)
    grown[-1, link] = book[free]
    book[free] = len(arena)
    return grown
