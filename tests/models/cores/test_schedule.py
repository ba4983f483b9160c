"""Ports with several inputs against single frames; what a line promises; how far a core may go."""

from heapq import merge

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cores.schedule import enter, first_to_act, limit_ps, next_entry_ps, promise_ps, tell
from models.cores.words import (
    CARDS,
    CORE_WORDS,
    FIRST_CARD,
    HOST,
    MEASURED_FROM,
    MEASURED_TO,
    NOW,
    ONE_BY_ONE,
    READER,
    SHORT_PORT,
    UNTIL,
    WORLD_WORDS,
)
from models.memory import Memory
from models.nic import words as nic
from models.payload import SYNTHETIC
from models.queue import FAR_CARD, NEWS, Ports, join_queue
from models.train import ABSENT, FRAME_ID, HEAD_BYTES, PAYLOAD_BYTES, TIME_PS, FrameTrain
from models.units import NEVER, serialization_ps

RATE_BPS, DELAY_PS, LIMIT_FRAMES = 8 * 10**9, 1000, 3
SHORTEST_PS = serialization_ps(wire_bytes=84, rate_bps=RATE_BPS)
NO_HOSTS = np.zeros((0, 1), np.int64)


def frames(times, *, first_id=0):
    """Frames of 100 bytes."""
    train = FrameTrain.blank(len(times))
    train.meta[:, TIME_PS] = times
    train.meta[:, [HEAD_BYTES, PAYLOAD_BYTES]] = 93, 7
    train.meta[:, FRAME_ID] = np.arange(first_id, first_id + len(times))
    return train


class Line:
    """A port of so many inputs and its line to card 0, which nobody polls."""

    def __init__(self, *, inputs=2, most=None, limit_frames=LIMIT_FRAMES):
        self.memory = Memory(queues=2)
        self.waiting, self.far = self.memory.queue(), self.memory.queue()
        self.ends = Ports(self.memory, ports=1)
        self.ends.add(
            waiting=self.waiting, far=self.far, rate_bps=RATE_BPS, delay_ps=DELAY_PS, limit_frames=limit_frames,
            inputs=inputs, most=most, far_card=0,
        )  # fmt: skip
        self.words = self.ends.words[0]
        self.world = np.zeros(WORLD_WORDS, np.int64)
        self.cards = np.zeros((1, len(nic.WORDS)), np.int64)
        self.cards[0, [nic.RING, nic.ARRIVING]] = self.far.index
        self.cards[0, [nic.RX_WAIT, nic.RX_FRAMES, nic.SETTLES, nic.ARMED, nic.INTERRUPT_AT]] = 1, 1, 1, 1, NEVER

    def send(self, train, rank=0):
        self.waiting.reserve(len(train), 0)
        join_queue(train.meta, train.head, train.pieces, SYNTHETIC, rank, self.words, *self.memory.arrays())

    def enter(self, before_ps):
        """All that may; the card's word is brought up to date."""
        while enter(before_ps, self.world, self.ends.words, self.ends.departures, *self.memory.arrays()):
            assert tell(self.ends.words, self.cards, self.memory.state, self.memory.meta)
            assert self.words[NEWS] == 0
        if self.world[SHORT_PORT] != ABSENT:
            self.ends.make_room(int(self.world[SHORT_PORT]))
            self.enter(before_ps)

    def next_entry_ps(self):
        return next_entry_ps(self.ends.words, self.memory.state, self.memory.meta, self.memory.row)

    def promise_ps(self, now_ps):
        return promise_ps(self.words, now_ps, self.memory.state, self.memory.meta, self.memory.row)

    def arrived(self):
        """(number, time at the far end)."""
        train = self.far.in_order()
        return list(zip(train.meta[:, FRAME_ID].tolist(), train.time_ps.tolist(), strict=True))


def one_by_one(arrivals):
    """What a queue of single frames lets through of (time, rank, number)."""
    waiting, expected, last = [], [], 0
    for at, _, frame in arrivals:
        waiting = [departure for departure in waiting if departure > at]
        if len(waiting) < LIMIT_FRAMES:
            last = max(at, last) + serialization_ps(wire_bytes=100 + 24, rate_bps=RATE_BPS)
            waiting.append(last)
            expected.append((frame, last + DELAY_PS))
    return expected


TIMES = st.lists(st.integers(1, 40).map(lambda n: n * 50_000), min_size=1, max_size=12).map(sorted)
LOOKS = st.lists(st.integers(0, 45).map(lambda n: n * 50_000), max_size=6).map(sorted)


@given(one=TIMES, other=TIMES, looks=LOOKS, most=st.sampled_from([None, 1, 3]))
def test_two_inputs_against_single_frames(one, other, looks, most):
    """All frames are heard of at once; at each look those that came before it enter, in order of (time, input)."""
    line = Line(most=most)
    line.send(frames(other, first_id=100), 1)
    line.send(frames(one))
    arrivals = list(merge([(at, 0, k) for k, at in enumerate(one)], [(at, 1, 100 + k) for k, at in enumerate(other)]))
    for before_ps in looks:
        line.enter(before_ps)
        left = [at for at, _, _ in arrivals if at >= before_ps]
        assert line.waiting.in_order().time_ps.tolist() == left
        assert line.arrived() == one_by_one(arrivals[: len(arrivals) - len(left)])
        assert line.next_entry_ps() == (left[0] + 1 if left else NEVER)
    line.enter(10**9)
    assert line.arrived() == one_by_one(arrivals)


@given(one=TIMES, other=TIMES, looks=LOOKS)
def test_a_line_keeps_its_word(one, other, looks):
    """What it promised has been sent: nothing arrives before that time later on. Each input hands over when its first
    frame is due, so all cores act at or after the look."""
    line, inputs, promised_ps = Line(), [(one[0], 0, one), (other[0], 1, other)], 0
    for now_ps in looks:
        for first_ps, rank, times in [entry for entry in inputs if entry[0] < now_ps]:
            line.send(frames(times, first_id=100 * rank), rank)
            inputs.remove((first_ps, rank, times))
        before = len(line.far)
        line.enter(now_ps)
        assert all(at_ps >= promised_ps for _, at_ps in line.arrived()[before:])
        assert line.promise_ps(now_ps) >= promised_ps
        promised_ps = line.promise_ps(now_ps)
        assert promised_ps >= now_ps + SHORTEST_PS + DELAY_PS  # there is always so much room
    for _, rank, times in inputs:
        line.send(frames(times, first_id=100 * rank), rank)
    before = len(line.far)
    line.enter(10**9)
    assert all(at_ps >= promised_ps for _, at_ps in line.arrived()[before:])


def test_a_busy_line_promises_more_than_an_idle_one():
    line = Line()
    assert line.promise_ps(500) == 500 + SHORTEST_PS + DELAY_PS
    line.send(frames([400, 400]))
    line.enter(500)
    last_ps = line.arrived()[-1][1] - DELAY_PS
    assert line.promise_ps(500) == last_ps + SHORTEST_PS + DELAY_PS
    assert line.promise_ps(10 * last_ps) == 10 * last_ps + SHORTEST_PS + DELAY_PS


def test_what_waits_may_leave_before_anybody_acts():
    line = Line()
    line.send(frames([700]))
    assert line.promise_ps(900) == 700 + SHORTEST_PS + DELAY_PS


def test_a_port_with_one_input_does_not_wait_for_anybody():
    line = Line(inputs=1)
    line.send(frames([10]))
    line.enter(10**9)
    assert not line.arrived() and line.next_entry_ps() == NEVER  # its sender serves it, in models/queue.py


def test_without_room_at_the_far_end_nothing_enters():
    line = Line(limit_frames=None)
    rows = len(line.memory.meta) // 2
    line.far.append(frames([1] * rows))
    line.send(frames([10, 20]))
    assert not enter(100, line.world, line.ends.words, line.ends.departures, *line.memory.arrays())
    assert (line.world[SHORT_PORT], len(line.waiting), len(line.far)) == (0, 2, rows)
    line.enter(100)
    assert (line.world[SHORT_PORT], len(line.waiting), len(line.far)) == (ABSENT, 0, rows + 2)


@pytest.mark.parametrize(
    ("far_card", "tapped", "is_told", "interrupt_at"),
    [(0, 0, True, 51), (0, 1, False, NEVER), (ABSENT, 0, False, NEVER)],  # a rough cable, or a capture, is told first
)
def test_cards_are_told_here_and_others_by_the_caller(far_card, tapped, is_told, interrupt_at):
    line = Line()
    line.words[NEWS] = 1
    line.words[FAR_CARD], line.cards[0, nic.TAPPED] = far_card, tapped
    line.far.append(frames([50]))
    assert tell(line.ends.words, line.cards, line.memory.state, line.memory.meta) == is_told
    assert (line.words[NEWS], line.cards[0, nic.INTERRUPT_AT]) == (not is_told, interrupt_at)


NOW_PS = 10_000


@pytest.mark.parametrize(
    ("core_words", "card_words", "one_at_a_time", "limit"),
    [
        ({}, {}, 0, 10**12 - 1),  # all is known
        ({}, {}, 1, NOW_PS),
        ({MEASURED_FROM: 20_000}, {}, 0, 20_000 - 1),
        ({MEASURED_FROM: NOW_PS}, {}, 0, 10**12 - 1),
        ({MEASURED_TO: 30_000}, {}, 0, 30_000 - 1),
        ({MEASURED_TO: 30_000, MEASURED_FROM: 20_000}, {}, 0, 20_000 - 1),
        ({MEASURED_TO: 5_000}, {}, 0, NOW_PS),  # after the end it goes from one thing to the next
        ({}, {nic.HEARD_LATE: 1}, 0, 15_000),  # until somebody else acts
        ({}, {nic.LINE: 0}, 0, NOW_PS + SHORTEST_PS + DELAY_PS),
        ({}, {nic.LINE: 0, nic.HEARD_LATE: 1}, 0, 15_000),
        ({CARDS: 0}, {nic.LINE: 0, nic.HEARD_LATE: 1}, 0, 10**12 - 1),  # another core's card
    ],
)
def test_how_far_a_core_may_go(core_words, card_words, one_at_a_time, limit):
    line, core = Line(), np.zeros(CORE_WORDS, np.int64)
    core[[CARDS, MEASURED_TO]] = 1, 10**12
    line.world[[ONE_BY_ONE, UNTIL]] = one_at_a_time, 15_000
    line.cards[0, nic.LINE] = ABSENT
    for row, values in ((core, core_words), (line.cards[0], card_words)):
        for word, value in values.items():
            row[word] = value
    memory = line.memory
    got = limit_ps(core, NOW_PS, line.world, line.cards, line.ends.words, memory.state, memory.meta, memory.row)
    assert got == limit


@given(acts=st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_the_core_that_acts_first_is_next_and_of_several_the_first(acts):
    cores, cards = np.zeros((len(acts), CORE_WORDS), np.int64), np.zeros((len(acts), len(nic.WORDS)), np.int64)
    cores[:, FIRST_CARD], cores[:, CARDS], cores[:, NOW] = np.arange(len(acts)), 1, 2
    cores[:, [HOST, READER]], cards[:, nic.TIMER_AT], cards[:, nic.INTERRUPT_AT] = ABSENT, NEVER, acts
    at = [max(2, act) for act in acts]  # not before where it is
    assert first_to_act(cores, cards, NO_HOSTS) == (at.index(min(at)), min(at))
