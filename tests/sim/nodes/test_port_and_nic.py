"""A port with two inputs against a queue of single frames; a card's moderation and its ring."""

from heapq import merge

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.train import COLUMNS, FRAME_ID, HEAD_BYTES, TIME_PS, FrameTrain
from models.units import serialization_ps
from sim.clock import Clock
from sim.nodes.ledger import Ledger
from sim.nodes.link import Cable
from sim.nodes.nic import Nic, NicSettings
from sim.nodes.port import Port

RATE, DELAY, LIMIT = 8 * 10**9, 1000, 3


def frames(times, *, first_id=0, size=100):
    train = FrameTrain.blank(len(times))
    train.meta[:, TIME_PS] = times
    train.meta[:, HEAD_BYTES] = size
    train.meta[:, FRAME_ID] = np.arange(first_id, first_id + len(times))
    assert train.meta.shape[1] == len(COLUMNS)
    return train


class Heard:
    def __init__(self, clock):
        self.clock, self.frames = clock, []

    def receive(self, train):
        assert train.meta[0, TIME_PS] >= self.clock.now_ps  # announced no later than the first frame arrives
        self.frames += zip(train.meta[:, FRAME_ID].tolist(), train.time_ps.tolist(), strict=True)


TIMES = st.lists(st.integers(1, 40).map(lambda n: n * 50_000), min_size=1, max_size=12).map(sorted)


@given(one=TIMES, other=TIMES)
def test_two_inputs_against_single_frames(one, other):
    clock = Clock()
    heard = Heard(clock)
    cable = Cable(delay_ps=DELAY, far_end=heard, max_train_frames=None)
    port = Port(clock, rate_bps=RATE, queue_frames=LIMIT, cable=cable, inputs=2, ledger=(ledger := Ledger()))
    port.send(frames(other, first_id=100), input_rank=1)
    port.send(frames(one), input_rank=0)
    clock.env.run(until=10**8)
    waiting, expected, last = [], [], 0
    arrivals = merge(
        [(at, 0, k) for k, at in enumerate(one)],
        [(at, 1, 100 + k) for k, at in enumerate(other)],
    )
    for at, _, frame in arrivals:
        waiting = [departure for departure in waiting if departure > at]
        if len(waiting) < LIMIT:
            last = max(at, last) + serialization_ps(wire_bytes=100 + 24, rate_bps=RATE)
            waiting.append(last)
            expected.append((frame, last + DELAY))
    assert heard.frames == expected
    assert ledger.counts["port/in"] == len(one) + len(other)
    assert ledger.counts["port/in"] == ledger.counts["port/out"] + ledger.counts["drop/queue-full"]


def nic(*, ring=8, usecs_ps=1000, rx_frames=3):
    settings = NicSettings(rx_ring_frames=ring, rx_usecs_ps=usecs_ps, rx_frames=rx_frames, rx_checksum=True)
    return Nic(settings=settings, hardware_lro=None, ledger=Ledger(), max_train_frames=None)


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
    assert whole.interrupt_at_ps() == single.interrupt_at_ps() == interrupt
    whole.mask_interrupt()
    assert whole.interrupt_at_ps() is None


def test_without_moderation_the_interrupt_follows_the_frame():
    card = nic(usecs_ps=0)
    card.receive(frames([10]))
    assert card.interrupt_at_ps() == 11


def test_a_full_ring_drops_and_a_poll_gives_slots_back():
    card = nic(ring=4)
    card.receive(frames([10, 20, 30, 40, 50, 60]))
    taken = card.take(before_ps=55, budget=3)
    assert taken is not None and taken.meta[:, FRAME_ID].tolist() == [0, 1, 2]  # 4 of 5 found a slot
    taken = card.take(before_ps=60, budget=64)
    assert taken is not None and taken.meta[:, FRAME_ID].tolist() == [3]  # what arrives at 60 is not known at 60
    taken = card.take(before_ps=61, budget=64)
    assert taken is not None and taken.meta[:, FRAME_ID].tolist() == [5]
    assert card.take(before_ps=10**6, budget=64) is None
    assert card._ledger.counts["drop/ring-full"] == 1 and card._ledger.counts["nic/in"] == 6
