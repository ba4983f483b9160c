"""A queue, fed by one or several inputs, against one of single frames."""

from ipaddress import ip_address
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.memory import END, FIRST, PIECE_BASE, PIECES, Memory
from models.packet import Route, packet
from models.payload import SYNTHETIC
from models.queue import (
    ACCEPTED,
    ALWAYS,
    CAME,
    CAME_BYTES,
    DROPPED,
    DROPPED_BYTES,
    NEWS,
    OUT_BYTES,
    SHORT,
    SHORT_PIECES,
    SHORT_ROWS,
    SWITCHES,
    TIES,
    Ports,
    join_queue,
    serve,
    served,
    takes,
)
from models.tcp.segment import ACK, Segment
from models.train import (
    FIRST_PIECE,
    FRAME_ID,
    HEAD_WIDTH,
    PAYLOAD_BYTES,
    PIECE_BYTES,
    PIECE_COLUMNS,
    PIECE_COUNT,
    SOURCE,
    TIME_PS,
    FrameTrain,
)
from models.wire import ethernet

RATE_BPS = 10**10  # 800 ps a byte
DELAY_PS = 5000
ROWS = len(Memory(queues=1).meta)


class Line:
    """A port of `inputs`, and the far end of its line; a neighbour's queues lie before and between them."""

    def __init__(self, limit, *, inputs=1, most=None):
        self.memory = Memory(queues=4)
        neighbour, self.waiting, there, self.far = (self.memory.queue() for _ in range(4))
        self.ports = Ports(self.memory, ports=2)
        self.ports.add(
            waiting=neighbour, far=there, rate_bps=1, delay_ps=0, limit_frames=3, inputs=1, most=None
        )  # fmt: skip
        self.number = self.ports.add(
            waiting=self.waiting, far=self.far, rate_bps=RATE_BPS, delay_ps=DELAY_PS, limit_frames=limit,
            inputs=inputs, most=most,
        )  # fmt: skip
        self._most = most or ALWAYS

    @property
    def words(self):
        return self.ports.words[self.number]

    def join(self, train, rank=0):
        self.waiting.reserve(len(train), 2 * len(train.pieces))
        join_queue(
            train.meta, train.head, train.pieces, SYNTHETIC, rank, self.words, *self.memory.arrays()
        )  # fmt: skip

    def serve(self, before=ALWAYS):
        self.far.reserve(len(self.waiting), len(self.memory.pieces))
        return serve(self.words, self.ports.departures, before, self._most, *self.memory.arrays())

    def tries_to_send(self, train, rank=0):
        """As a host's packets go down; of what is to be told, the far end is told at once."""
        port, arrays = self.words, self.memory.arrays()
        if not takes(port, train.meta, arrays[0]):
            return False
        join_queue(train.meta, train.head, train.pieces, SYNTHETIC, rank, port, *arrays)
        self.sent = 0
        while not served(port, self.ports.departures, *arrays):
            self.sent, port[NEWS] = self.sent + port[NEWS], 0
        self.sent, port[NEWS] = self.sent + port[NEWS], 0
        return True

    def send(self, train, rank=0):
        """How many frames came through at once."""
        self.memory.widen(train.head.shape[1])
        while not self.tries_to_send(train, rank):
            self.ports.make_room(self.number)
        return self.sent

    def arrivals(self):
        """(number, departure) of what came through."""
        far = self.far.in_order()
        return list(zip(far.meta[:, FRAME_ID].tolist(), (far.time_ps - DELAY_PS).tolist(), strict=True))


def frames_of(arrivals, line_bytes, first_id=0):
    train = FrameTrain.blank(len(arrivals))
    train.meta[:, TIME_PS] = arrivals
    train.meta[:, PAYLOAD_BYTES] = np.asarray(line_bytes) - ethernet.LINE_OVERHEAD_BYTES
    train.meta[:, FRAME_ID] = np.arange(first_id, first_id + len(arrivals))
    train.meta[:, SOURCE] = 1
    return train


def slow(frames, limit):
    """One frame (arrival, number, size) at a time, with the queue as a list of departures."""
    out, inside, last = [], [], 0
    for at, number, size in frames:
        inside = [departure for departure in inside if departure > at]
        if limit is not None and len(inside) >= limit:
            continue
        last = max(at, last) + size * 800
        inside.append(last)
        out.append((number, last))
    return out


FRAMES = st.lists(st.tuples(st.integers(0, 4), st.integers(84, 90)), min_size=1, max_size=60)
LIMITS = st.sampled_from([None, 1, 2, 5])


@given(frames=FRAMES, limit=LIMITS, cut=st.integers(1, 7), most=st.sampled_from([1, 3, None]))
def test_against_single_frames_however_cut(frames, limit, cut, most):
    arrivals = np.cumsum([gap * 16_800 for gap, _ in frames])
    sizes = np.array([size for _, size in frames])
    line, train = Line(limit, most=most), frames_of(arrivals, sizes)
    for part in train.cut(cut):
        line.send(part)
        while len(line.waiting):
            line.serve()
    expected = slow(zip(arrivals.tolist(), range(len(frames)), sizes.tolist(), strict=True), limit)
    assert line.arrivals() == expected
    payload = (sizes - ethernet.LINE_OVERHEAD_BYTES).tolist()
    through = sum(payload[number] for number, _ in expected)
    state = line.waiting.state
    assert (state[CAME], state[CAME_BYTES]) == (len(frames), sum(payload))
    assert (state[ACCEPTED], state[OUT_BYTES]) == (len(expected), through)
    assert (state[DROPPED], state[DROPPED_BYTES]) == (len(frames) - len(expected), sum(payload) - through)


@given(inputs=st.lists(FRAMES, min_size=2, max_size=3), limit=LIMITS, cut=st.integers(1, 7), data=st.data())
def test_inputs_enter_by_time_and_rank_whoever_was_heard_first(inputs, limit, cut, data):
    line = Line(limit, inputs=len(inputs))
    parts, everything = [], []
    for rank, frames in enumerate(inputs):
        arrivals, sizes = np.cumsum([gap * 16_800 for gap, _ in frames]), [size for _, size in frames]
        parts.append(list(frames_of(arrivals, sizes, first_id=100 * rank).cut(cut)))
        numbers = range(100 * rank, 100 * rank + len(frames))
        everything += [(at, rank, n, size) for at, n, size in zip(arrivals.tolist(), numbers, sizes, strict=True)]
    everything.sort()
    known = 0
    while any(parts):  # inputs are heard in any order; what arrives before all that is still to be heard of is served
        rank = data.draw(st.sampled_from([rank for rank, rest in enumerate(parts) if rest]))
        line.join(parts[rank].pop(0), rank)
        known = min((rest[0].meta[0, TIME_PS] for rest in parts if rest), default=ALWAYS)
        line.serve(known)
        assert not len(line.waiting) or line.waiting.in_order().meta[0, TIME_PS] >= known
    assert line.arrivals() == slow([(at, number, size) for at, _, number, size in everything], limit)
    pairs = list(pairwise([(0, 0, -1, 0), *everything]))
    assert line.waiting.state[SWITCHES] == sum(one[1] != other[1] for one, other in pairs)
    assert line.waiting.state[TIES] == sum(one[1] != other[1] and one[0] == other[0] for one, other in pairs)


def test_a_departure_frees_its_place_before_an_arrival_at_the_same_time():
    line = Line(1)
    line.send(frames_of([0, 84 * 800], [84, 84]))
    assert line.waiting.state[DROPPED] == 0 and len(line.arrivals()) == 2


def test_what_enters_at_a_time_is_not_served_before_it():
    line = Line(None)
    line.join(frames_of([10, 20, 30], [84, 84, 84]))
    assert line.serve(20) == 1 and line.serve(20) == 0 and line.serve(31) == 2


def test_line_rate_of_full_frames():
    line = Line(None)
    assert line.send(frames_of(np.zeros(1000), np.full(1000, 1538))) == 1000
    assert line.arrivals()[-1] == (999, 1000 * 1_230_400)  # 812,743.8 frames a second


def test_a_packet_of_pieces_waits_and_arrives_as_frames_whose_payload_is_the_same():
    """Two frames of 1000 bytes from pieces of 700 and 1300: the first one needs both."""
    route = Route(
        source_mac=bytes(6), destination_mac=bytes(6), source=ip_address("10.0.0.1"),
        destination=ip_address("10.0.0.2"), source_port=1, destination_port=2, stream=1,
    )  # fmt: skip
    merged = packet(Segment(1, 1, ACK, 9, payload_bytes=2000, gso_bytes=1000), route, time_ps=10, ident=1, frame_id=0)
    merged.pieces = np.array([[1, 50, 700, 0, 1], [2, 900, 1300, 1, 1]])
    merged.meta[0, [PIECE_COUNT, FIRST_PIECE]] = 2, 0
    line = Line(None)
    line.far.append(train_of_pieces(1, 77))  # somebody else's, there already
    assert line.send(merged) == 2
    there = line.far.in_order()
    assert there.payload_bytes.tolist()[1:] == [1000, 1000]
    parts = [piece[:3].tolist() for i in (1, 2) for piece in there.payload_of(i)]
    assert parts == [[1, 50, 700], [2, 900, 300], [2, 1200, 1000]]
    assert (there.payload_of(0) == 77).all()


def train_of_pieces(rows, value):
    """Rows of two pieces each, full of `value`."""
    train = frames_of(np.zeros(rows), np.full(rows, 100))
    train.meta[:, PIECE_COUNT], train.meta[:, FIRST_PIECE] = 2, 2 * np.arange(rows)
    train.pieces = np.full((2 * rows, len(PIECE_COLUMNS)), value, np.int64)
    return train


def test_pieces_of_frames_that_have_left_are_forgotten_with_the_last_of_them():
    line = Line(None)
    for value in range(5):
        line.send(train_of_pieces(3, value))
        assert not len(line.waiting) and line.waiting.state[PIECES] == line.waiting.state[PIECE_BASE]
    there = line.far.in_order()
    assert [there.payload_of(i)[:, 0].tolist() for i in range(15)] == [[i // 3] * 2 for i in range(15)]


def test_frames_that_were_wider_before_read_zeros_behind_the_head():
    line = Line(None)
    wide = frames_of([10], [100])
    wide.head = np.full((1, 200), 9, np.uint8)
    line.send(wide)
    line.far.state[FIRST] = line.far.state[END]
    train = frames_of([10], [100])
    train.head[:] = 5
    line.send(train)
    assert (line.far.in_order().head[0, :HEAD_WIDTH] == 5).all() and not line.far.in_order().head[0, HEAD_WIDTH:].any()


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("full", ["waiting", "far", "neither"])
def test_without_room_nothing_is_done_and_what_is_short_is_said(full, inputs):
    """With several inputs nothing goes to the far end yet, so there may be no room there."""
    line = Line(None, inputs=inputs)
    queue = getattr(line, full, None)
    if queue is not None:
        queue.append(frames_of(np.zeros(ROWS - 2), np.full(ROWS - 2, 100)))
    memory, train = line.memory, frames_of([10, 20, 30], [100, 100, 100])
    before = [array.copy() for array in memory.arrays()]
    fits = full == "neither" or (full == "far" and inputs == 2)
    assert line.tries_to_send(train) == fits
    if not fits:
        assert line.words[[SHORT, SHORT_ROWS, SHORT_PIECES]].tolist() == [queue.index, 3, 0]
        assert line.words[NEWS] == 0
        assert all((now == then).all() for now, then in zip(memory.arrays(), before, strict=True))
        while not line.tries_to_send(train):
            line.ports.make_room(line.number)
    waits = 3 + ROWS - 2 if full == "waiting" else 3
    assert (line.sent, len(line.waiting)) == ((waits, 0) if inputs == 1 else (0, waits))  # with one, all goes


@given(
    packets=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 400)), min_size=1, max_size=12),
    rank=st.integers(0, 1),
    limit=LIMITS,
)
def test_room_is_always_enough_whatever_is_cut_and_however_little_there_was(packets, rank, limit):
    """Merged packets of (segments, payload of each) from pieces of odd lengths, each sent as soon as there is room."""
    route = Route(
        source_mac=bytes(6), destination_mac=bytes(6), source=ip_address("10.0.0.1"),
        destination=ip_address("10.0.0.2"), source_port=1, destination_port=2, stream=1,
    )  # fmt: skip
    line, payload, frames = Line(limit), 0, 0
    for k, (segments, size) in enumerate(packets):
        n = segments * size
        merged = packet(Segment(1, 1, ACK, 9, payload_bytes=n, gso_bytes=size), route, time_ps=k, ident=1, frame_id=k)
        lengths = [length for length in (n // 3, n // 3, n - 2 * (n // 3)) if length]
        merged.pieces = np.array([[1, 1000 * j, length, k, 1] for j, length in enumerate(lengths)])
        merged.meta[0, [PIECE_COUNT, FIRST_PIECE]] = len(lengths), 0
        line.send(merged, rank)
        payload, frames = payload + n, frames + segments
    state, there = line.waiting.state, line.far.in_order()
    assert (state[CAME], state[CAME_BYTES]) == (frames, payload)
    assert len(there) == state[ACCEPTED] and there.payload_bytes.sum() == state[OUT_BYTES]
    assert state[ACCEPTED] + state[DROPPED] == frames
    for i in range(len(there)):
        assert there.payload_of(i)[:, PIECE_BYTES].sum() == there.payload_bytes[i]
