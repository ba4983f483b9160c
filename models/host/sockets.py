"""The sockets of one host as tables that compiled code works on.

Models: which connection a packet belongs to; the headers that every packet of a connection starts with; readers that
    sleep until there is something to read.
Leaves out: listening sockets; addresses (a host has one linked card): a connection is found by its ports alone.
Sources: the hash is multiplicative, Knuth, The Art of Computer Programming, section 6.4.
Checked by: tests/models/host/test_sockets.py.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from models.offload.kernel import njit
from models.packet import Route
from models.tcp.endpoint import Endpoints
from models.train import ABSENT, COLUMNS, HEAD_WIDTH, Bytes, Ints

# `words` int64[HOST_WORDS]: of the host
(
    PORT,  # number of the port its packets leave by
    TSO,  # its card cuts what is larger than a segment
    TIMER_PS,  # no timer of a connection rings before
    ACKS_SENT,  # pure ones
    READY,  # how many readers of `ready` wait for the core,
    READY_FIRST,  # and which row is the first of them
    SENDING,  # the connection whose segments are on their way down, or ABSENT
    SEND_ROW,  # the next one of them
    SEND_AT_PS,  # they go down from then on
    SEND_COST,  # work with them so far [1/10,000 cycle]
    COMES_AT_PS,  # when the packet came that the host's own code shall look at
    HOST_WORDS,
) = range(12)

# `sockets` int64[n, SOCKET_WORDS]
(
    IDENT,  # IPv4 ID of its next frame
    ASLEEP,  # its reader waits for bytes
    WOKEN,  # and has just been woken
    READING,  # bytes, in the call that runs
    READ,  # bytes, altogether
    RETRANSMITTED,  # segments
    SOCKET_WORDS,
) = range(7)
_KEY, _NUMBER = range(2)
_GOLDEN = 0x9E3779B1  # 2**32 by the golden ratio


class Tables(NamedTuple):
    """What kernels work on. `words` int64[HOST_WORDS]. `by_ports` int64[2**k, 2] finds the number of a connection,
    which is its row in `sockets` int64[n, SOCKET_WORDS], in `front_cells` and `front_heads` (its last packet), in
    `endpoints`, `sent` and `stretches`. `out` takes what a connection puts out. `ready` int64[n] is a ring: readers in
    the order in which they were woken. `frame_ids` int64[1]: number of the next frame, over all hosts, for the
    audit."""

    words: Ints
    by_ports: Ints
    sockets: Ints
    ready: Ints
    front_cells: Ints
    front_heads: Bytes
    frame_ids: Ints
    endpoints: Any
    sent: Ints
    stretches: Ints
    out: Ints


class Sockets:
    """The tables of `endpoints`, whose connections are added in their order."""

    def __init__(
        self, endpoints: Endpoints, *, words: Ints | None = None, frame_ids: Ints | None = None, tso: bool = True
    ) -> None:
        n = len(endpoints.records)
        self.endpoints = endpoints
        self.words: Ints = np.zeros(HOST_WORDS, np.int64) if words is None else words
        self.words[[PORT, TSO, SENDING]] = ABSENT, tso, ABSENT
        self.sockets: Ints = np.zeros((n, SOCKET_WORDS), np.int64)
        self.sockets[:, ASLEEP] = 1
        self._ready: Ints = np.zeros(n, np.int64)
        self._front_cells: Ints = np.zeros((n, len(COLUMNS)), np.int64)
        self._front_heads: Bytes = np.zeros((n, HEAD_WIDTH), np.uint8)
        self._by_ports: Ints = np.full((1 << (2 * n).bit_length(), 2), ABSENT, np.int64)
        self._frame_ids = np.zeros(1, np.int64) if frame_ids is None else frame_ids
        self._count = 0

    def add(self, route: Route, *, ident: int) -> int:
        """The number of one more connection. ValueError if there is one with these ports already."""
        key = route.destination_port << 16 | route.source_port
        if find(self._by_ports, key) != ABSENT:
            raise ValueError(f"found two connections from port {route.source_port} to {route.destination_port}")
        number, self._count = self._count, self._count + 1
        front = route.front()
        self._front_cells[number], self._front_heads[number] = front.meta[0], front.head[0]
        self.sockets[number, IDENT] = ident
        self._by_ports[place_of(self._by_ports, key)] = key, number
        return number

    def number_of(self, key: int) -> int:
        """The connection with ports `key`, as `find` says."""
        return int(find(self._by_ports, key))

    def send_from(self, number: int, at_ps: int) -> None:
        """What connection `number` has put out goes down from `at_ps` on, when a kernel runs next."""
        self.words[[SENDING, SEND_ROW, SEND_AT_PS, SEND_COST]] = number, 0, at_ps, 0

    @property
    def tables(self) -> Tables:
        """As they are now; they are others once `endpoints` has grown."""
        grown = self.endpoints
        return Tables(
            self.words, self._by_ports, self.sockets, self._ready, self._front_cells, self._front_heads,
            self._frame_ids, grown.records, grown.sent, grown.held, grown.out,
        )  # fmt: skip


@njit
def find(by_ports, key):
    """The number of the connection with ports `key`, the other end's << 16 | its own; ABSENT if there is none."""
    return by_ports[place_of(by_ports, key), _NUMBER]


@njit
def place_of(by_ports, key):
    """The row that `key` has in `by_ports`, or would have: there is always a free one."""
    last = len(by_ports) - 1
    place = ((key * _GOLDEN) & 0xFFFFFFFF) >> 16 & last
    while by_ports[place, _KEY] != key and by_ports[place, _NUMBER] != ABSENT:
        place = (place + 1) & last
    return place


@njit
def wake_reader(host, number):
    """Called when bytes may have become readable: a reader that sleeps gets ready."""
    mine = host.sockets[number]
    if mine[ASLEEP]:
        mine[ASLEEP], mine[WOKEN] = 0, 1
        queue_reader(host, number)


@njit
def end_call(mine):
    """The receive call of the connection with row `mine` of `sockets` returns; its bytes are read."""
    mine[READ] += mine[READING]
    mine[READING] = ABSENT


@njit
def queue_reader(host, number):
    """The core will get to this reader after those that are ready already; nobody is ready twice."""
    words = host.words
    host.ready[(words[READY_FIRST] + words[READY]) % len(host.ready)] = number
    words[READY] += 1


@njit
def next_reader(host):
    """The reader that has been ready for longest, who is no longer."""
    words = host.words
    number = host.ready[words[READY_FIRST]]
    words[READY_FIRST] = (words[READY_FIRST] + 1) % len(host.ready)
    words[READY] -= 1
    return number
