"""A port with two inputs against a queue of single frames; a card's moderation and its ring."""

from heapq import merge

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.memory import END, FIRST, KEPT, Memory
from models.nic.ring import give_back, settle
from models.queue import Ports
from models.train import COLUMNS, FRAME_ID, HEAD_BYTES, PAYLOAD_BYTES, TIME_PS, FrameTrain
from models.units import serialization_ps
from sim.clock import NEVER, Clock
from sim.nodes.ledger import Ledger
from sim.nodes.link import Cable
from sim.nodes.nic import Nic, NicSettings
from sim.nodes.port import Port

RATE, DELAY, LIMIT = 8 * 10**9, 1000, 3


def frames(times, *, first_id=0, size=100):
    train = FrameTrain.blank(len(times))
    train.meta[:, TIME_PS] = times
    train.meta[:, HEAD_BYTES] = size - 7
    train.meta[:, PAYLOAD_BYTES] = 7
    train.meta[:, FRAME_ID] = np.arange(first_id, first_id + len(times))
    assert train.meta.shape[1] == len(COLUMNS)
    return train


class Heard:
    """A far end that writes down what it hears of, and keeps the line to its word."""

    def __init__(self, clock, memory):
        self.clock, self.frames = clock, []
        self.arriving = memory.queue()
        self.known_ps = lambda: 0

    def announced(self, frames):
        train = self.arriving.rows(self.arriving.state[END] - frames, self.arriving.state[END])
        assert len(train) == frames > 0
        assert train.meta[0, TIME_PS] >= self.clock.now_ps  # announced no later than the first frame arrives
        self.frames += zip(train.meta[:, FRAME_ID].tolist(), train.time_ps.tolist(), strict=True)


TIMES = st.lists(st.integers(1, 40).map(lambda n: n * 50_000), min_size=1, max_size=12).map(sorted)
CUTS = st.sampled_from([None, 1, 3])


def port_and_far_end(*, inputs, cut=None):
    clock = Clock()
    memory = Memory(queues=2)
    heard = Heard(clock, memory)
    cable = Cable(delay_ps=DELAY, far_end=heard)
    ledger = Ledger()
    port = Port(
        clock, ports=Ports(memory, ports=1), rate_bps=RATE, queue_frames=LIMIT, cable=cable, inputs=inputs,
        ledger=ledger, max_train_frames=cut,
    )  # fmt: skip
    return clock, heard, port, ledger


def send(port, train, rank=0):
    port.send(train, input_rank=rank)


@given(times=TIMES, cut=CUTS)
def test_one_input_is_served_as_it_is_handed_over(times, cut):
    _, heard, port, ledger = port_and_far_end(inputs=1, cut=cut)
    for part in frames(times).cut(5):
        send(port, part)
    assert heard.frames == one_by_one([(at, 0, k) for k, at in enumerate(times)])
    assert not len(port.waiting) and ledger.counts["port/in"] == len(times)


@given(one=TIMES, other=TIMES, cut=CUTS)
def test_two_inputs_against_single_frames(one, other, cut):
    clock, heard, port, ledger = port_and_far_end(inputs=2, cut=cut)
    send(port, frames(other, first_id=100), 1)
    send(port, frames(one))
    arrivals = list(merge([(at, 0, k) for k, at in enumerate(one)], [(at, 1, 100 + k) for k, at in enumerate(other)]))
    waiting = port.waiting  # in the order in which they enter, whoever was heard first
    assert waiting.meta[:, [TIME_PS, FRAME_ID]].tolist() == [[at, number] for at, _, number in arrivals]
    assert not heard.frames
    clock.env.run(until=10**8)
    assert heard.frames == one_by_one(arrivals)
    assert not len(port.waiting)
    counts = ledger.counts
    assert counts["port/in"] == len(one) + len(other)
    assert counts["port/in"] == counts["port/out"] + counts["drop/queue-full"]
    assert counts["port/in-bytes"] == 7 * counts["port/in"]
    assert counts["port/in-bytes"] == counts["port/out-bytes"] + counts["port/dropped-bytes"]


@given(one=TIMES, other=TIMES, looks=st.lists(st.integers(0, 45).map(lambda n: n * 50_000), max_size=6).map(sorted))
def test_a_line_keeps_its_word(one, other, looks):
    """What the far end is told is known, it has heard of; each input hands over when its first frame is due."""
    clock, heard, port, _ = port_and_far_end(inputs=2)
    told = []

    def feed(times, rank):
        yield clock.env.timeout(times[0])
        send(port, frames(times, first_id=100 * rank), rank)

    def look():
        for at in looks:
            yield clock.env.timeout(at - clock.now_ps)
            told.append((heard.known_ps(), len(heard.frames)))

    for rank, times in enumerate((one, other)):
        clock.env.process(feed(times, rank))
    clock.env.process(look())
    clock.env.run(until=10**8)
    for known_ps, heard_of in told:
        assert all(at >= known_ps for _, at in heard.frames[heard_of:])
    shortest_ps = DELAY + serialization_ps(wire_bytes=84, rate_bps=RATE)
    idle = [(at, known_ps) for at, (known_ps, _) in zip(looks, told, strict=True) if at < min(one[0], other[0])]
    assert all(known_ps >= at + shortest_ps for at, known_ps in idle)


def one_by_one(arrivals):
    """(number, time at the far end) of what a queue of single frames lets through of (time, rank, number)."""
    waiting, expected, last = [], [], 0
    for at, _, frame in arrivals:
        waiting = [departure for departure in waiting if departure > at]
        if len(waiting) < LIMIT:
            last = max(at, last) + serialization_ps(wire_bytes=100 + 24, rate_bps=RATE)
            waiting.append(last)
            expected.append((frame, last + DELAY))
    return expected


def nic(*, ring=8, usecs_ps=1000, rx_frames=3):
    settings = NicSettings(rx_ring_frames=ring, rx_usecs_ps=usecs_ps, rx_frames=rx_frames, rx_checksum=True)
    return Nic(settings=settings, hardware_lro=None, memory=Memory(queues=1), ledger=Ledger(), max_train_frames=None)


@pytest.mark.parametrize(
    ("times", "interrupt"),
    [
        ([10], 1010),  # rx-usecs after the first
        ([10, 20], 1010),
        ([10, 20, 30], 31),  # with the third
        ([10, 20, 30, 40], 31),
        ([10, 20, 1200], 1010),  # the third comes too late to matter
    ],
)
def test_moderation(times, interrupt):
    whole, single = nic(), nic()
    whole.receive(frames(times))
    for at in times:
        single.receive(frames([at]))
    assert whole.interrupt_at_ps == single.interrupt_at_ps == interrupt
    whole.mask_interrupt()
    assert whole.interrupt_at_ps == NEVER
    whole.receive(frames([5000]))
    assert whole.interrupt_at_ps == NEVER  # masked is masked, until armed
    whole.arm_interrupt()
    assert whole.interrupt_at_ps == single.interrupt_at_ps


def test_without_moderation_the_interrupt_follows_the_frame():
    card = nic(usecs_ps=0)
    card.receive(frames([10]))
    assert card.interrupt_at_ps == 11


def test_whoever_serves_the_card_hears_of_an_earlier_interrupt_and_of_nothing_else():
    card, heard = nic(), []
    card.on_arrival = lambda: heard.append(card.interrupt_at_ps)
    card.receive(frames([10]))
    card.receive(frames([20]))  # changes nothing
    card.receive(frames([30]))  # the third
    card.receive(frames([40]))
    assert heard == [1010, 31]


def take(card, *, before_ps, budget):
    """What a poll takes, by number."""
    ring, memory = card.ring, card.memory
    settle(ring.state, memory.meta, memory.head, before_ps, card.slots, card.csum_state)
    first, n = ring.state[FIRST], min(budget, ring.state[KEPT] - ring.state[FIRST])
    give_back(ring.state, memory.meta, first, n)
    ring.state[FIRST] += n
    return memory.meta[first : first + n, FRAME_ID].tolist()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_full_ring_drops_and_a_poll_gives_slots_back(at_once):
    card = nic(ring=4)
    for part in frames([10, 20, 30, 40, 50, 60]).cut(None if at_once else 1):
        card.receive(part)
    assert len(card.on_the_way) == 6 and not len(card.in_ring)
    assert take(card, before_ps=55, budget=3) == [0, 1, 2]  # 4 of 5 found a slot
    assert (card.in_ring.meta[:, FRAME_ID].tolist(), card.on_the_way.meta[:, FRAME_ID].tolist()) == ([3], [5])
    assert take(card, before_ps=60, budget=64) == [3]  # what arrives at 60 is not known at 60
    assert take(card, before_ps=61, budget=64) == [5]
    assert take(card, before_ps=10**6, budget=64) == []
    counts = card._ledger.counts
    assert (counts["nic/in"], counts["nic/in-bytes"]) == (6, 6 * 7)
    assert (counts["drop/ring-full"], counts["nic/missed-bytes"]) == (1, 7)


GAPS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


@given(gaps=GAPS, slots=st.integers(1, 6), takes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), max_size=12),
       cut=st.integers(1, 9))  # fmt: skip
def test_a_ring_against_one_of_single_frames(gaps, slots, takes, cut):
    """Frames are heard of in hand-overs of `cut`, each before its first arrives, whatever else is looked at between."""
    times, card = np.cumsum(gaps).tolist(), nic(ring=slots)
    parts = list(frames(times).cut(cut))
    ring, dropped, arrived, now = [], [], 0, 0
    for wait, budget in takes:
        now += wait
        while parts and parts[0].meta[0, TIME_PS] < now:
            card.receive(parts.pop(0))
        while arrived < len(times) and times[arrived] < now:
            (ring if len(ring) < slots else dropped).append(arrived)
            arrived += 1
        assert take(card, before_ps=now, budget=budget) == ring[:budget]
        del ring[:budget]
        assert card.in_ring.meta[:, FRAME_ID].tolist() == ring
        assert card._ledger.counts["drop/ring-full"] == len(dropped)
        assert card._ledger.counts["nic/in"] == arrived
