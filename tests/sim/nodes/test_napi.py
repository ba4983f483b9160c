"""A poll of a host against one written out, with every engine that may be in it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from polls import CHOICES, PROFILE, Written, arrivals, polled

from models.cpu.costs import work_ps
from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN
from models.memory import Memory
from models.offload.engine import make
from models.packet import FRAMES, PORTS, SPENT
from models.train import FRAME_COUNT, TIME_PS
from sim.nodes.ledger import Ledger

STACK_WORK = 70_000  # for each packet [1/10,000 cycle]


class Stack:
    """Writes down what comes up and when, and asks the same work for each packet."""

    def __init__(self):
        self.packets = []

    def hand_up(self, packets, seen, *, began_ps, core, extra):
        assert [words[FRAMES] for words in seen] == packets.meta[:, FRAME_COUNT].tolist()
        assert all(words[PORTS] & 0xFFFF == 9 for words in seen)
        return self.write(packets, [words[SPENT] + extra for words in seen], began_ps)

    def write(self, packets, spent, began_ps):
        for k in range(len(packets)):
            at_ps = began_ps + work_ps(int(spent[k]) + k * STACK_WORK, PROFILE.hz)
            pieces = packets.payload_of(k)[:, :3].tolist()
            self.packets.append((at_ps, packets.meta[k, FRAME_COUNT], packets.head[k].tobytes(), pieces))
        return len(packets) * STACK_WORK


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
@given(choices=CHOICES, starts=st.lists(st.integers(1, 900), min_size=1, max_size=8).map(sorted))
def test_against_polls_written_out(name, merging, hz, cut, choices, starts):
    same(arrivals(choices), [start * 100_000 for start in starts], name, merging, hz, cut)


@CUTS
@ENGINES
def test_polls_that_use_up_their_budget_and_a_ring_that_overflows(name, merging, hz, cut):
    """Two flows whose frames have all come before the first of three polls."""
    train = arrivals([(k % 2, k % 9 == 0, "good") for k in range(300)])
    ledger, wants_more = same(train, [10_000_000] * 3, name, merging, hz, cut)
    assert wants_more[0] and ledger.counts["drop/ring-full"]


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
    kept = []
    for polls in (1, 2):
        engine = make(name)
        _, wants_more = polled(
            Stack(), Memory(queues=1), train, [10_000_200] * polls, engine, IN_GRO, hz, cut, Ledger(), slots=65
        )
        kept.append(engine.held_packets)
    assert wants_more == [True, False]
    assert kept == held


def same(train, starts_ps, name, merging, hz, cut):
    """The ledger, and whether each poll wants more, of both ways to poll."""
    engines = [make(name) if name else None for _ in range(2)]
    above = Stack()
    written = Written(train, engines[0], merging, hz, above.write)
    wanted_more = [written.poll(start_ps) for start_ps in starts_ps]
    stack, ledger = Stack(), Ledger()
    core, wants_more = polled(stack, Memory(queues=1), train, starts_ps, engines[1], merging, hz, cut, ledger)
    assert wants_more == wanted_more
    assert stack.packets == above.packets
    assert core.now_ps == written.now_ps
    assert core.counts.tolist() == written.counts.tolist()
    assert (ledger.booked == written.ledger.booked).all()
    assert ledger.counts["drop/ring-full"] == written.missed
    assert sorted(ledger.merge_sizes.elements()) == sorted(written.merge_sizes)
    return ledger, wants_more
