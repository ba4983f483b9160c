"""A queue, fed by one or several inputs, against one of single frames."""

from ipaddress import ip_address
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.buffer import END, FIRST, PIECES, Buffer
from models.packet import Route, packet
from models.payload import SYNTHETIC
from models.queue import (
    ACCEPTED,
    ALWAYS,
    CAME,
    CAME_BYTES,
    DROPPED,
    DROPPED_BYTES,
    OUT_BYTES,
    SWITCHES,
    TIES,
    Waiting,
    departures,
    join_queue,
    pass_through,
    serve,
)
from models.tcp.segment import ACK, Segment
from models.train import (
    FIRST_PIECE,
    FRAME_ID,
    HEAD_WIDTH,
    PAYLOAD_BYTES,
    PIECE_COUNT,
    SOURCE,
    TIME_PS,
    FrameTrain,
)
from models.wire import ethernet

RATE_BPS = 10**10  # 800 ps a byte
DELAY_PS = 5000


class Line:
    """A queue of `inputs` and the far end of its line."""

    def __init__(self, limit, *, inputs=1, most=ALWAYS):
        self.waiting, self.far, self.departed = Waiting(), Buffer(), departures(limit)
        self._inputs, self._most = inputs, most

    def _memory(self):
        waiting, far = self.waiting, self.far
        own = waiting.state, waiting.meta, waiting.head, waiting.pieces, waiting.row, waiting.rank
        return own, (far.state, far.meta, far.head, far.pieces)

    def join(self, train, rank=0):
        self.waiting.reserve(len(train), 2 * len(train.pieces), train.head.shape[1])
        own, _ = self._memory()
        return join_queue(train.meta, train.head, train.pieces, *SYNTHETIC, rank, self._inputs, *own)

    def serve(self, before=ALWAYS):
        self.far.reserve(len(self.waiting), len(self.waiting.pieces), self.waiting.head.shape[1])
        own, there = self._memory()
        return serve(self.departed, RATE_BPS, DELAY_PS, before, self._most, *own, *there)

    def pass_through(self, train, frames):
        self.waiting.reserve(frames, 2 * len(train.pieces), train.head.shape[1])
        self.far.reserve(frames + len(self.waiting), len(self.waiting.pieces), self.waiting.head.shape[1])
        own, there = self._memory()
        return pass_through(
            train.meta, train.head, train.pieces, *SYNTHETIC, self.departed, RATE_BPS, DELAY_PS, self._most, *own,
            *there,
        )  # fmt: skip

    def arrivals(self):
        """(number, departure) of what came through."""
        far = self.far.rows(0, self.far.state[END])
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


@given(frames=FRAMES, limit=LIMITS, cut=st.integers(1, 7), most=st.sampled_from([1, 3, ALWAYS]))
def test_against_single_frames_however_cut(frames, limit, cut, most):
    arrivals = np.cumsum([gap * 16_800 for gap, _ in frames])
    sizes = np.array([size for _, size in frames])
    line, train = Line(limit, most=most), frames_of(arrivals, sizes)
    for part in train.cut(cut):
        line.pass_through(part, len(part))
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
        assert not len(line.waiting) or line.waiting.meta[line.waiting.row[line.waiting.state[FIRST]], TIME_PS] >= known
    assert line.arrivals() == slow([(at, number, size) for at, _, number, size in everything], limit)
    pairs = list(pairwise([(0, 0, -1, 0), *everything]))
    assert line.waiting.state[SWITCHES] == sum(one[1] != other[1] for one, other in pairs)
    assert line.waiting.state[TIES] == sum(one[1] != other[1] and one[0] == other[0] for one, other in pairs)


def test_a_departure_frees_its_place_before_an_arrival_at_the_same_time():
    line = Line(1)
    line.pass_through(frames_of([0, 84 * 800], [84, 84]), 2)
    assert line.waiting.state[DROPPED] == 0 and len(line.arrivals()) == 2


def test_what_enters_at_a_time_is_not_served_before_it():
    line = Line(None)
    line.join(frames_of([10, 20, 30], [84, 84, 84]))
    assert line.serve(20) == 1 and line.serve(20) == 0 and line.serve(31) == 2


def test_line_rate_of_full_frames():
    line = Line(None)
    line.pass_through(frames_of(np.zeros(1000), np.full(1000, 1538)), 1000)
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
    line.far.append(frames_of([0], [100]))
    line.far.reserve(0, 3)
    line.far.pieces[0], line.far.state[PIECES] = 77, 1  # somebody else's, there already
    assert line.pass_through(merged, 2) == 2
    there = line.far.rows(1, 3)
    assert there.payload_bytes.tolist() == [1000, 1000]
    parts = [piece[:3].tolist() for i in (0, 1) for piece in there.payload_of(i)]
    assert parts == [[1, 50, 700], [2, 900, 300], [2, 1200, 1000]]
    assert (line.far.pieces[0] == 77).all()


def test_a_wider_far_end_reads_zeros_behind_the_head():
    line = Line(None)
    line.far.reserve(0, width=200)
    line.far.head[:] = 9
    train = frames_of([10], [100])
    train.head[:] = 5
    line.pass_through(train, 1)
    assert (line.far.head[0, :HEAD_WIDTH] == 5).all() and not line.far.head[0, HEAD_WIDTH:].any()
