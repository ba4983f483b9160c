"""gro_flush_timeout and napi_defer_hard_irqs: when a card is polled by a timer, and when held packets go up.

Expected is what Documentation/networking/napi.rst of Linux says, "Software IRQ coalescing", and napi_complete_done() in
net/core/dev.c. Work takes no time here, so every moment is a sum of the settings.
"""

from ipaddress import ip_address

import pytest

from models.cpu.costs import Kind
from models.cpu.profiles import PROFILES
from models.memory import Memory
from models.offload.engine import make
from models.packet import Route, packet
from models.tcp.segment import ACK, Segment
from models.train import FRAME_COUNT, join
from models.units import PS_PER_US
from sim.clock import NEVER, Clock
from sim.nodes.core import Core
from sim.nodes.ledger import Ledger
from sim.nodes.napi import Napi
from sim.nodes.nic import Nic, NicSettings

TIMEOUT = 50 * PS_PER_US
TICK = 4000 * PS_PER_US  # of hz: 250


class Stack:
    """Writes down when packets come up, and of how many frames each is."""

    def __init__(self):
        self.came = []

    def hand_up(self, packets, seen, *, began_ps, core, extra):
        self.came += [(began_ps, int(frames)) for frames in packets.meta[:, FRAME_COUNT]]
        return 0


class Rig:
    """A card on a core of its own; `polls` are the moments of its polls, `armed` those at which it may interrupt."""

    def __init__(self, *, timeout_ps, defers):
        self.clock, self.stack, ledger = Clock(), Stack(), Ledger()
        settings = NicSettings(rx_ring_frames=64, rx_usecs_ps=0, rx_frames=1, rx_checksum=True)
        nic = Nic(settings=settings, hardware_lro=None, memory=Memory(queues=1), ledger=ledger, max_train_frames=None)
        self.core = Core(self.clock, profile=PROFILES["free"], measured_from_ps=0, measured_to_ps=NEVER)
        napi = Napi(
            nic=nic, core=self.core, serves=self.stack, rank_in=0, gro=make("gro"), driver_lro=None, ledger=ledger,
            hz=250, gro_flush_timeout_ps=timeout_ps, napi_defer_hard_irqs=defers, max_train_frames=None,
        )  # fmt: skip
        nic.known_ps = lambda: self.clock.now_ps
        self.polls, self.armed = [], []
        begin, arm = napi.begin, nic.arm_interrupt
        napi.begin = lambda: (self.polls.append(self.core.now_ps), begin())
        nic.arm_interrupt = lambda: (self.armed.append(self.core.now_ps), arm())
        self.core.serve(napi)
        self.nic = nic

    def run(self, times, until=40 * TIMEOUT):
        def feed():
            for n, at_ps in enumerate(times):
                yield self.clock.env.timeout(at_ps - self.clock.now_ps)
                self.nic.receive(frame(n, at_ps))

        self.clock.env.process(feed())
        self.clock.env.run(until=until)
        return self.polls, self.armed, self.stack.came


def frame(n, at_ps):
    route = Route(
        source_mac=bytes(6), destination_mac=bytes(6), source=ip_address("10.0.0.1"),
        destination=ip_address("10.0.0.2"), source_port=1, destination_port=9, stream=1,
    )  # fmt: skip
    segment = Segment(1000 + 500 * n, 1, ACK, 9, payload_bytes=500, payload_start=500 * n)
    return join([packet(segment, route, time_ps=at_ps, ident=n, frame_id=n)])


def test_without_a_timeout_a_poll_ends_with_nothing_held():
    polls, armed, came = Rig(timeout_ps=0, defers=0).run([1000, 2000])
    assert polls == armed == [1001, 2001]
    assert came == [(1001, 1), (2001, 1)]


def test_a_poll_that_holds_packets_sets_the_timer_and_still_lets_the_card_interrupt():
    """The frame that comes in between interrupts, joins, and sets the timer anew; the poll it starts finds no work."""
    polls, armed, came = Rig(timeout_ps=TIMEOUT, defers=0).run([1000, 2000])
    assert polls == armed == [1001, 2001, 2001 + TIMEOUT]
    assert came == [(2001 + TIMEOUT, 2)]


@pytest.mark.parametrize("defers", [1, 2, 5])
def test_interrupts_stay_masked_for_so_many_polls_without_work(defers):
    polls, armed, came = Rig(timeout_ps=TIMEOUT, defers=defers).run([1000, 2000])
    first = [1001 + n * TIMEOUT for n in (0, 1)]  # the second finds the second frame
    rest = [first[1] + n * TIMEOUT for n in range(1, defers + 1)]
    assert polls == first + rest
    assert armed == rest[-1:]
    assert came == [(rest[-1], 2)]  # the first poll without work and without deferral flushes all


def test_deferral_without_a_timeout_defers_nothing():
    polls, armed, came = Rig(timeout_ps=0, defers=3).run([1000, 2000])
    assert polls == armed == [1001, 2001] and came == [(1001, 1), (2001, 1)]


def test_what_is_older_than_the_tick_goes_up_although_a_timer_is_set():
    """A packet kept in one tick is old in the next: the poll that the frame of the next tick starts lets it go."""
    late = TICK + 1000
    timeout_ps = 2 * TICK
    polls, armed, came = Rig(timeout_ps=timeout_ps, defers=0).run([1000, late], until=4 * TICK)
    assert polls == armed == [1001, late + 1, late + 1 + timeout_ps]
    assert came == [(late + 1, 2)]  # it joined, and the packet is as old as its first frame


def test_each_polling_by_the_timer_is_an_interrupt_to_the_core():
    rig = Rig(timeout_ps=TIMEOUT, defers=2)
    polls, _, _ = rig.run([1000])
    assert rig.core.counts[Kind.IRQ] == rig.core.counts[Kind.NAPI_POLL] == len(polls) == 3
