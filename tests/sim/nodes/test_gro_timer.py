"""gro_flush_timeout and napi_defer_hard_irqs: when a card is polled by a timer, and when held packets go up.

Expected is what Documentation/networking/napi.rst of Linux says, "Software IRQ coalescing", and napi_complete_done() in
net/core/dev.c. Work takes no time here, so every moment is a sum of the settings.
"""

import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from polls import World

from models.cpu.costs import Kind
from models.cpu.profiles import PROFILES
from models.cpu.receive import IN_GRO
from models.memory import Memory
from models.nic.words import ARMED
from models.offload.engine import make
from models.packet import Route, packet
from models.queue import Ports
from models.tcp.segment import ACK, Segment
from models.train import ABSENT, FRAME_COUNT, join
from models.units import PS_PER_US
from sim.nodes.stack import Stack

TIMEOUT = 50 * PS_PER_US
TICK = 4000 * PS_PER_US  # of hz: 250
FIRST, SECOND = 10 * PS_PER_US, 20 * PS_PER_US  # frames come
SLICE = 5 * PS_PER_US  # in each of which there is at most one poll


class Above(Stack):
    """Writes down when packets come up, and of how many frames each is."""

    def __init__(self, memory):
        super().__init__(line_ends=Ports(memory, ports=0))
        self.came = []

    def take(self, packet, seen, at_ps):
        self.came.append((at_ps, int(packet.meta[0, FRAME_COUNT])))
        return ABSENT


class Rig:
    """A card on a core of its own; `polls` are the moments of its polls, `armed` those after which it may interrupt."""

    def __init__(self, *, timeout_ps, defers):
        memory = Memory(queues=1)
        self.stack = Above(memory)
        self.world = World(
            self.stack, memory, engine=make("gro"), merging=IN_GRO, profile=PROFILES["free"], late=True,
            timeout_ps=timeout_ps, defers=defers,
        )  # fmt: skip
        self.polls, self.armed = [], []
        self.world.napi.record = lambda poll: self.polls.append(poll["start_ps"])

    def run(self, times, until=40 * TIMEOUT):
        world, polls = self.world, 0
        world.run(join([frame(n, at_ps) for n, at_ps in enumerate(times)]), until=SLICE // 2)
        while world.clock.now_ps < until:
            world.clock.env.run(until=world.clock.now_ps + SLICE)
            if len(self.polls) > polls:
                polls += 1
                assert len(self.polls) == polls
                self.armed += self.polls[-1:] * int(world.nic.words[ARMED])
        return self.polls, self.armed, self.stack.came


def frame(n, at_ps):
    route = Route(
        source_mac=bytes(6), destination_mac=bytes(6), source=ip_address("10.0.0.1"),
        destination=ip_address("10.0.0.2"), source_port=1, destination_port=9, stream=1,
    )  # fmt: skip
    segment = Segment(1000 + 500 * n, 1, ACK, 9, payload_bytes=500, payload_start=500 * n)
    return packet(segment, route, time_ps=at_ps, ident=n, frame_id=n)


def test_without_a_timeout_a_poll_ends_with_nothing_held():
    polls, armed, came = Rig(timeout_ps=0, defers=0).run([FIRST, SECOND])
    assert polls == armed == [FIRST + 1, SECOND + 1]
    assert came == [(FIRST + 1, 1), (SECOND + 1, 1)]


def test_a_poll_that_holds_packets_sets_the_timer_and_still_lets_the_card_interrupt():
    """The frame that comes in between interrupts, joins, and sets the timer anew; the poll it starts finds no work."""
    polls, armed, came = Rig(timeout_ps=TIMEOUT, defers=0).run([FIRST, SECOND])
    assert polls == armed == [FIRST + 1, SECOND + 1, SECOND + 1 + TIMEOUT]
    assert came == [(SECOND + 1 + TIMEOUT, 2)]


@pytest.mark.parametrize("defers", [1, 2, 5])
def test_interrupts_stay_masked_for_so_many_polls_without_work(defers):
    polls, armed, came = Rig(timeout_ps=TIMEOUT, defers=defers).run([FIRST, SECOND])
    first = [FIRST + 1 + n * TIMEOUT for n in (0, 1)]  # the second finds the second frame
    rest = [first[1] + n * TIMEOUT for n in range(1, defers + 1)]
    assert polls == first + rest
    assert armed == rest[-1:]
    assert came == [(rest[-1], 2)]  # the first poll without work and without deferral flushes all


def test_deferral_without_a_timeout_defers_nothing():
    polls, armed, came = Rig(timeout_ps=0, defers=3).run([FIRST, SECOND])
    assert polls == armed == [FIRST + 1, SECOND + 1] and came == [(FIRST + 1, 1), (SECOND + 1, 1)]


def test_what_is_older_than_the_tick_goes_up_although_a_timer_is_set():
    """A packet kept in one tick is old in the next: the poll that the frame of the next tick starts lets it go."""
    late = TICK + FIRST
    timeout_ps = 2 * TICK
    polls, armed, came = Rig(timeout_ps=timeout_ps, defers=0).run([FIRST, late], until=4 * TICK)
    assert polls == armed == [FIRST + 1, late + 1, late + 1 + timeout_ps]
    assert came == [(late + 1, 2)]  # it joined, and the packet is as old as its first frame


def test_each_polling_by_the_timer_is_an_interrupt_to_the_core():
    rig = Rig(timeout_ps=TIMEOUT, defers=2)
    polls, _, _ = rig.run([FIRST])
    assert rig.world.core.counts[Kind.IRQ] == rig.world.core.counts[Kind.NAPI_POLL] == len(polls) == 3
