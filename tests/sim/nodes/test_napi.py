"""A poll of a host against one written out, with every engine that may be in it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from polls import CHOICES, PROFILE, World, Written, arrivals

from models.cpu.costs import Kind, work_ps
from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN
from models.memory import Memory
from models.offload.engine import make
from models.packet import FRAMES, PORTS
from models.queue import Ports
from models.train import ABSENT, FRAME_COUNT, HEAD_BYTES, TIME_PS
from sim.nodes.stack import Stack


class Above(Stack):
    """Writes down what comes up and when; the core does Kind.STACK for each packet."""

    def __init__(self, memory):
        super().__init__(line_ends=Ports(memory, ports=0))
        self.packets = []

    def take(self, packet, seen, at_ps):
        assert seen[PORTS] & 0xFFFF == 9
        assert seen[FRAMES] == packet.meta[0, FRAME_COUNT]
        self.packets.append((at_ps, *described(packet, 0)))
        return ABSENT


class ByHand:
    """The same for the packets of polls written out."""

    def __init__(self):
        self.packets = []

    def hand_up(self, packets, spent, began_ps):
        work = 0
        for k in range(len(packets)):
            work += PROFILE.cost[Kind.STACK]
            self.packets.append((began_ps + work_ps(int(spent[k]) + work, PROFILE.hz), *described(packets, k)))
        return work


def described(packets, k):
    head = packets.head[k, : packets.meta[k, HEAD_BYTES]].tobytes()
    return packets.meta[k, FRAME_COUNT], head, packets.payload_of(k)[:, :3].tolist()


CUTS = pytest.mark.parametrize("cut", [None, 1, 7])
ENGINES = pytest.mark.parametrize(
    ("name", "merging", "hz"),
    [
        (None, PLAIN, 250),
        ("gro", IN_GRO, 250),
        ("gro", IN_GRO, 100_000),
        ("gro-2.6.29", IN_GRO, 100_000),
        ("gvisor", IN_GRO, 250),
        ("wireguard-go", IN_GRO, 250),
        ("dpdk-gro", IN_GRO, 250),
        ("lro-driver", IN_DRIVER_LRO, 250),
        ("lro-s2io", IN_DRIVER_LRO, 250),
        ("freebsd-lro", IN_DRIVER_LRO, 250),
    ],
)


@CUTS
@ENGINES
@given(choices=CHOICES, usecs=st.integers(0, 300), rx_frames=st.integers(1, 99), late=st.booleans())
def test_against_polls_written_out(name, merging, hz, cut, choices, usecs, rx_frames, late):
    same(arrivals(choices), name, merging, hz, cut, usecs_ps=usecs * 100_000, rx_frames=rx_frames, late=late)


@CUTS
@ENGINES
def test_polls_that_use_up_their_budget_and_a_ring_that_overflows(name, merging, hz, cut):
    """Two flows whose frames have all come before the first poll."""
    train = arrivals([(k % 2, k % 9 == 0, "good") for k in range(300)])
    world = same(train, name, merging, hz, cut, usecs_ps=10_000_000, rx_frames=1000)
    assert world.core.counts[Kind.NAPI_POLL] == 2 and world.core.counts[Kind.IRQ] == 1
    assert world.ledger.counts["drop/ring-full"] == 200


@CUTS
@ENGINES
@pytest.mark.parametrize("late", [False, True])
def test_a_poll_that_is_shown_is_the_same_poll(name, merging, hz, cut, late):
    """Whoever records polls gets every one of them, with each frame once, and what becomes of them is what it was."""
    train = arrivals([(k % 2, 2 * (k % 3), "pushed" if k % 7 == 0 else "good") for k in range(150)])
    same(train, name, merging, hz, cut, usecs_ps=3_000_000, rx_frames=40, late=late, shown=True)


@CUTS
@pytest.mark.parametrize(
    ("name", "hz", "held"),
    [
        ("gro", 250, [0, 0]),  # all goes up
        ("gro", 1000, [1, 0]),  # what this tick of 1 ms saw stays
        ("gro", 100_000, [0, 0]),  # the poll outlasts a tick of 10 us
        ("gro-2.6.29", 250, [1, 0]),
    ],
)
def test_what_a_poll_that_used_its_budget_keeps(name, hz, held, cut):
    """64 frames of one flow, and one behind them for the next poll."""
    train = arrivals([(0, 0, "good")] * 65)
    train.meta[:, TIME_PS] = 10_000_000 + np.arange(65)
    memory, engine, kept = Memory(queues=1), make(name), []
    world = World(
        Above(memory), memory, engine=engine, merging=IN_GRO, hz=hz, cut=cut, slots=65, usecs_ps=200, rx_frames=99
    )
    world.napi.record = lambda poll: kept.append((len(poll["frames"]), engine.held_packets))
    world.run(train)
    assert kept == list(zip([64, 1], held, strict=True))


def same(train, name, merging, hz, cut, *, late=False, shown=False, **moderation):
    """The world in which `train` was polled, after comparing it with polls written out."""
    engines = [make(name) if name else None for _ in range(2)]
    by_hand = ByHand()
    written = Written(train, engines[0], merging, hz, by_hand.hand_up, **moderation).run()
    memory, polls = Memory(queues=1), []
    above = Above(memory)
    world = World(above, memory, engine=engines[1], merging=merging, hz=hz, cut=cut, late=late, **moderation)
    if shown:
        world.napi.record = polls.append
    world.run(train)
    core, ledger = world.core, world.ledger
    assert above.packets == by_hand.packets
    written.counts[Kind.STACK] += len(by_hand.packets)
    assert core.counts.tolist() == written.counts.tolist()
    assert core.now_ps == written.now_ps
    assert core.busy_ps == sum(end_ps - start_ps for start_ps, end_ps in written.polls)
    assert (ledger.booked == written.ledger.booked).all()
    assert ledger.counts["drop/ring-full"] == written.missed
    assert sorted(ledger.merge_sizes.elements()) == sorted(written.merge_sizes)
    if shown:
        assert [(poll["start_ps"], poll["end_ps"]) for poll in polls] == written.polls
        assert sum(len(poll["frames"]) for poll in polls) == len(train) - written.missed
        packets = [packet for poll in polls for packet in poll["packets"]]
        assert [packet["segments"] for packet in packets] == [segments for _, segments, _, _ in above.packets]
        assert [packet["time_ps"] for packet in packets] == written.times
    return world
