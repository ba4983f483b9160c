"""A card's moderation, and its ring against one of single frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.memory import FIRST, KEPT, Memory
from models.nic.moderation import arm, mask
from models.nic.ring import give_back, settle
from models.nic.words import CSUM, SLOTS, WORDS
from models.train import FRAME_ID, HEAD_BYTES, PAYLOAD_BYTES, TIME_PS, FrameTrain
from models.units import NEVER
from sim.nodes.ledger import Ledger
from sim.nodes.nic import Nic, NicSettings


def frames(times):
    """Frames of 100 bytes, 7 of them payload, numbered."""
    train = FrameTrain.blank(len(times))
    train.meta[:, TIME_PS] = times
    train.meta[:, [HEAD_BYTES, PAYLOAD_BYTES]] = 93, 7
    train.meta[:, FRAME_ID] = np.arange(len(times))
    return train


def nic(*, ring=8, usecs_ps=1000, rx_frames=3):
    settings = NicSettings(rx_ring_frames=ring, rx_usecs_ps=usecs_ps, rx_frames=rx_frames, rx_checksum=True)
    return Nic(
        np.zeros(len(WORDS), np.int64), settings=settings, hardware_lro=None, memory=Memory(queues=1), ledger=Ledger(),
        max_train_frames=None,
    )  # fmt: skip


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
    mask(whole.words)
    assert whole.interrupt_at_ps == NEVER
    whole.receive(frames([5000]))
    assert whole.interrupt_at_ps == NEVER  # masked is masked, until armed
    arm(whole.words, whole.memory.state, whole.memory.meta)
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
    settle(ring.state, memory.meta, memory.head, before_ps, card.words[SLOTS], card.words[CSUM])
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
