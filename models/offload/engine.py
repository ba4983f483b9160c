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

from models.offload import (
    dpdk_gro,
    flow_table,
    freebsd_lro,
    gro,
    gro_first,
    gro_hw_mlx5,
    gvisor,
    lro_columns,
    lro_driver,
    lro_table,
    moving,
    wireguard_go,
)
from models.offload.editions import EDITIONS
from models.offload.held import (
    AUDIT,
    BATCH,
    BOOK_WORDS,
    BUCKETS,
    DPDK_GRO,
    EDITION,
    ENGINE,
    FRAGLIST,
    FRAMES_ALTERED,
    FRAMES_CHECKED,
    FREE_MEMBER,
    FREE_PIECE,
    FREEBSD_LRO,
    GRO,
    GRO_FIRST,
    GVISOR,
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
    LRO_HARDWARE,
    MAX_BYTES,
    MAX_SEGMENTS,
    MTU_BYTES,
    NEXT_MEMBER,
    NEXT_PIECE,
    OUT_PACKETS,
    OUT_PIECES,
    PAGE_BYTES,
    PER_BUCKET,
    STATE_COLUMNS,
    TCP_SOCKET,
    UDP,
    UDP_FORWARDING,
    UDP_SOCKET,
    WIREGUARD_GO,
    Bytes,
    Delivered,
    Held,
    Ints,
)
from models.offload.lro_columns import NO_LIMIT
from models.offload.names import ENGINES, PLACES, Place
from models.offload.why import Why
from models.payload import Payloads
from models.train import ABSENT, COLUMNS, HEAD_WIDTH, PIECE_COLUMNS, FrameTrain, widened
from models.wire import ipv6

__all__ = ["ENGINES", "LOST", "Engine", "Outcome", "make", "parameters"]

_NONE: Ints = np.zeros(0, np.int64)

_GRO = {ENGINE: GRO, BUCKETS: gro.BUCKETS, PER_BUCKET: gro.HELD_PER_BUCKET, MAX_BYTES: gro.MAX_PACKET_BYTES}
SETUPS: dict[str, dict[int, int]] = {
    "gro": _GRO | {EDITION: EDITIONS["6.18"]},
    "gro-6.12": _GRO | {EDITION: EDITIONS["6.12"]},
    "gro-6.1": _GRO | {EDITION: EDITIONS["6.1"]},
    "gro-2.6.29": {ENGINE: GRO_FIRST, PER_BUCKET: gro_first.HELD},
    "lro-driver": {
        ENGINE: LRO_DRIVER,
        PER_BUCKET: lro_driver.SESSIONS,
        MAX_SEGMENTS: lro_driver.MAX_AGGREGATED,
        MTU_BYTES: 1500,
    },
    "gro-hw-mlx5": {
        ENGINE: GRO,
        EDITION: EDITIONS["6.18"],
        BUCKETS: 1,
        PER_BUCKET: gro_hw_mlx5.CONTEXTS,
        MAX_BYTES: gro_hw_mlx5.MAX_PACKET_BYTES,
    },
    "freebsd-lro": {
        ENGINE: FREEBSD_LRO,
        PER_BUCKET: freebsd_lro.ENTRIES,
        MAX_BYTES: freebsd_lro.LENGTH_LIMIT,
        MAX_SEGMENTS: freebsd_lro.ACK_COUNT_LIMIT,
    },
    "dpdk-gro": {
        ENGINE: DPDK_GRO,
        PER_BUCKET: dpdk_gro.BURST,
        BATCH: dpdk_gro.BURST,
        MAX_BYTES: dpdk_gro.MAX_PACKET_BYTES,
        MAX_SEGMENTS: dpdk_gro.MAX_BUFFERS,
    },
    "wireguard-go": {
        ENGINE: WIREGUARD_GO,
        PER_BUCKET: wireguard_go.BATCH,
        BATCH: wireguard_go.BATCH,
        MAX_BYTES: wireguard_go.MAX_PACKET_BYTES,
        UDP: 1,
    },
    "gvisor": {
        ENGINE: GVISOR,
        BUCKETS: gvisor.BUCKETS,
        PER_BUCKET: gvisor.HELD_PER_BUCKET,
        MAX_BYTES: gvisor.MAX_PACKET_BYTES,
    },
} | {name: lro_table.setup(row) | {ENGINE: LRO_HARDWARE} for name, row in lro_table.ROWS.items()}
TIMERS_PS = {"gro-hw-mlx5": gro_hw_mlx5.TIMER_PS} | {name: row.timer_ps.value for name, row in lro_table.ROWS.items()}
_LIMITS = {  # parameters by keyword, and which word of the setup each is
    "per_bucket": PER_BUCKET,
    "max_bytes": MAX_BYTES,
    "max_segments": MAX_SEGMENTS,
    "mtu_bytes": MTU_BYTES,
    "max_frags": MAX_SEGMENTS,
    "rx_udp_gro_forwarding": UDP_FORWARDING,
    "rx_gro_list": FRAGLIST,
    "udp_socket": UDP_SOCKET,
    "tcp_socket": TCP_SOCKET,
    "page_bytes": PAGE_BYTES,
    "batch": BATCH,
    "udp": UDP,
}
_OF_LINUX_GRO = "per_bucket", "max_bytes", "rx_udp_gro_forwarding", "rx_gro_list", "udp_socket", "tcp_socket"
_OF_A_CARD = "per_bucket", "max_bytes", "max_segments", "mtu_bytes"  # besides the columns of its row not known
_TAKEN = {
    "gro": _OF_LINUX_GRO,
    "gro-6.12": _OF_LINUX_GRO,
    "gro-6.1": _OF_LINUX_GRO,
    "gro-2.6.29": ("per_bucket", "max_frags"),
    "lro-driver": ("per_bucket", "max_segments", "mtu_bytes", "page_bytes"),
    "gro-hw-mlx5": ("per_bucket", "max_bytes"),
    "freebsd-lro": ("per_bucket", "max_bytes", "max_segments"),
    "dpdk-gro": ("batch", "max_bytes", "max_segments"),
    "wireguard-go": ("batch", "max_bytes", "udp"),
    "gvisor": ("per_bucket", "max_bytes"),
}


def parameters(name: str) -> dict[str, int]:
    """What `make(name)` takes by keyword: a limit of the engine, or a column of a card's row that is not known."""
    taken = {parameter: _LIMITS[parameter] for parameter in _TAKEN.get(name, _OF_A_CARD)}
    return taken | (lro_table.free(lro_table.ROWS[name]) if name in lro_table.ROWS else {})


def make(name: str, *, audit: bool = False, **given: int | str) -> Engine:
    """The engine called `name`, with the `parameters` given.

    ValueError for a name not in ENGINES, a parameter the engine does not have, a word its column does not know."""
    if name not in SETUPS:
        raise ValueError(f"engine: found {name!r}, wanted one of {', '.join(ENGINES)}")
    setup = np.zeros(lro_columns.WORDS, np.int64)
    setup[[BUCKETS, MAX_BYTES, MAX_SEGMENTS]] = 1, NO_LIMIT, NO_LIMIT
    for word, value in SETUPS[name].items():
        setup[word] = value
    taken = parameters(name)
    for parameter, wanted in given.items():
        if parameter not in taken:
            raise ValueError(f"{name}: found parameter {parameter!r}, wanted one of {', '.join(taken)}")
        setup[taken[parameter]] = lro_columns.number(parameter, wanted)
    setup[BATCH] = min(setup[BATCH], setup[PER_BUCKET])
    setup[AUDIT] = audit
    return Engine(name, setup)


@dataclass(slots=True)
class Outcome:
    """What one call delivered, in the order the stack gets it, and what became of each row it was handed.

    `closed_by[k]`: the row during whose processing packet `k` was delivered, -1 in a flush; `close[k]`: the Why of a
    packet that had been held, NONE of one passed on. `fate[i]`, `reason[i]`: Fate and Why of row `i`; the reason is
    NONE for a frame that joined. Which frames are in a packet: `frame_id`, `frame_count` and pieces of `packets`."""

    packets: FrameTrain
    closed_by: Ints
    close: Ints
    fate: Ints
    reason: Ints


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
        self._spare = ipv6.JUMBO_BYTES if setup[MAX_BYTES] > gro.MAX_PACKET_BYTES else 0  # what a header may grow by
        self._width = HEAD_WIDTH + self._spare
        self._held = Held(
            cells=np.zeros((slots, len(COLUMNS)), np.int64),
            head=np.zeros((slots, self._width), np.uint8),
            state=np.zeros((slots, len(STATE_COLUMNS)), np.int64),
            order=order,
            pieces=np.zeros((0, len(PIECE_COLUMNS) + 1), np.int64),
            members=np.zeros((0, len(COLUMNS) + 1), np.int64),
            member_head=np.zeros((0, self._width), np.uint8),
        )
        self._out = _scratch(0, 0, self._width)

    def receive(self, train: FrameTrain, payloads: Payloads, *, jiffy: int = 0, polls: Ints = _NONE) -> Outcome:
        """Take a train in, during jiffy `jiffy`; a poll ends, and flushes, before each of the rows `polls` (rising).

        The row behind the last is one: polls of [len(train)] flush at the end, in one call for 10 us instead of 14."""
        n = len(train)
        meta, head = train.meta, train.head
        if not meta.flags.c_contiguous:
            meta = np.ascontiguousarray(meta)
        if head.shape[1] != self._width or not head.flags.c_contiguous:
            head = self._fit(head)
        self._make_room(n, int(train.column("piece_count").sum()) if len(train.pieces) else n)
        self._setup[JIFFY] = jiffy
        verdict = np.empty((2, n), np.int64)
        self._ask(verdict, meta, head, train.pieces, polls, payloads)
        return self._outcome(verdict)

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
        return (self._setup, self._book, *self._held, *self._out)

    def take_in(self, train: FrameTrain, verdict: Ints, payloads: Payloads, *, jiffy: int) -> None:
        """`receive` with room reserved: `delivered` has the packets, `verdict` int64[2, n] what became of each row."""
        self._setup[JIFFY] = jiffy
        self._ask(verdict, train.meta, train.head, train.pieces, _NONE, payloads)

    def let_go(self, payloads: Payloads, *, jiffy: int, only_older: bool) -> None:
        """`flush`, or `flush_old` of jiffy `jiffy`, with room reserved: `delivered` has the packets."""
        self._setup[JIFFY] = jiffy
        self._ask_for_all(
            self._book.item(LAST_TIME_PS), Why.TIMER if only_older else Why.POLL_END, only_older, payloads
        )

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
        return TIMERS_PS.get(self.name) or None

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
        self._ask_for_all(time_ps, why, only_older, payloads)
        return self._outcome(np.empty((2, 0), np.int64))

    def _ask(self, verdict: Ints, meta: Ints, head: Bytes, pieces: Ints, polls: Ints, payloads: Payloads) -> None:
        setup, book, held, out = self._setup, self._book, self._held, self._out
        if self._seldom:
            flow_table.receive_seldom(setup, book, verdict, meta, head, pieces, polls, held, out, payloads)
        else:
            flow_table.receive(setup, book, verdict, meta, head, pieces, polls, *held, *out, *payloads)

    def _ask_for_all(self, time_ps: int, why: Why, only_older: bool, payloads: Payloads) -> None:
        setup, book, held, out = self._setup, self._book, self._held, self._out
        if self._seldom:
            flow_table.flush_seldom(setup, book, time_ps, int(why), only_older, held, out, payloads)
        else:
            flow_table.flush(setup, book, time_ps, int(why), only_older, *held, *out, *payloads)

    def _outcome(self, verdict: Ints) -> Outcome:
        packets, pieces, out = self._book.item(OUT_PACKETS), self._book.item(OUT_PIECES), self._out
        if not packets:
            return Outcome(FrameTrain(out.cells[:0], out.head[:0]), _NONE, _NONE, verdict[0], verdict[1])
        train = FrameTrain(out.cells[:packets].copy(), out.head[:packets].copy())
        if pieces:
            train.pieces = out.pieces[:pieces].copy()
        marks = out.marks[:, :packets].copy()
        return Outcome(train, marks[0], marks[1], verdict[0], verdict[1])

    def _make_room(self, frames: int, pieces: int) -> None:
        """Grow arenas and scratch for a call with so many frames; nothing grows inside compiled code."""
        held, book, out = self._held, self._book, self._out
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
        if frames + self._slots > len(out.cells) or held_pieces + 2 * pieces > len(out.pieces):
            self._out = _scratch(2 * frames + self._slots, 2 * held_pieces + 4 * pieces, self._width)

    def _fit(self, head: Bytes) -> Bytes:
        """`head` as wide as everything here; what is here grows when it must."""
        if head.shape[1] + self._spare > self._width:
            self._width = head.shape[1] + self._spare
            held = self._held
            self._held = held._replace(
                head=widened(held.head, self._width), member_head=widened(held.member_head, self._width)
            )
            self._out = _scratch(len(self._out.cells), len(self._out.pieces), self._width)
        return np.ascontiguousarray(widened(head, self._width))


def _scratch(packets: int, pieces: int, width: int) -> Delivered:
    return Delivered(
        cells=np.zeros((packets, len(COLUMNS)), np.int64),
        head=np.zeros((packets, width), np.uint8),
        pieces=np.zeros((pieces, len(PIECE_COLUMNS)), np.int64),
        marks=np.zeros((2, packets), np.int64),
        scratch=np.zeros(width, np.uint8),
    )


def _grown(arena: Ints, rows: int, link: int, free: int, book: Ints) -> Ints:
    """`arena` with `rows` rows; the new ones lead the list of free ones."""
    grown = np.zeros((rows, arena.shape[1]), np.int64)
    grown[: len(arena)] = arena
    grown[len(arena) :, link] = np.arange(len(arena) + 1, rows + 1)
    grown[-1, link] = book[free]
    book[free] = len(arena)
    return grown
