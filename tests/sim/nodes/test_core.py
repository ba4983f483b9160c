"""A reader is preempted by a poll, ends later by as much, and only then takes effect; a core runs ahead of the clock
only as far as all is known that can reach it, and not past an end of measuring."""

import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from polls import FarEnd

from models.cores.words import READER, READER_ENDS
from models.cpu.costs import Kind, work_ps
from models.cpu.profiles import PROFILES
from models.host.sockets import READ, TIMER_PS, Sockets, wake_reader
from models.memory import Memory
from models.packet import Route, packet
from models.queue import Ports
from models.tcp.config import TcpConfig
from models.tcp.connection import Connection
from models.tcp.endpoint import Endpoints
from models.tcp.segment import ACK, Segment
from models.train import ABSENT, join
from models.units import NEVER, serialization_ps
from sim.clock import Clock
from sim.nodes.core import Core
from sim.nodes.cores import Cores
from sim.nodes.host import Host
from sim.nodes.ledger import Ledger
from sim.nodes.link import Cable
from sim.nodes.napi import Napi
from sim.nodes.nic import Nic, NicSettings
from sim.nodes.port import Port

PROFILE = PROFILES["2008-xeon-10g"]
BYTES = 1000  # that the reader reads
RATE_BPS, DELAY_PS = 10**12, 1000


def ps(*kinds, of_bytes=0):
    return work_ps(sum(PROFILE.cost[kind] for kind in kinds) + of_bytes * PROFILE.cost[Kind.COPY], PROFILE.hz)


READER_PS = ps(Kind.WAKE, of_bytes=BYTES)
FRAME_PS = ps(Kind.DRV, Kind.SKB, Kind.STACK)
POLL_PS = ps(Kind.IRQ, Kind.NAPI_POLL, Kind.DRV, Kind.SKB, Kind.STACK)  # of a frame that is for nobody
ACK_PS = ps(Kind.ACK)
FIRST = READER_PS // 4


def route(own, other, *, swapped=False):
    ends = [ip_address("10.0.0.1"), ip_address("10.0.0.2")]
    source, destination = ends[::-1] if swapped else ends
    return Route(
        source_mac=bytes(6), destination_mac=bytes(6), source=source, destination=destination, source_port=own,
        destination_port=other, stream=1,
    )  # fmt: skip


class World:
    """A host with one connection, whose card interrupts at `interrupts_ps`, each time for a frame that is for nobody.

    `late`: what comes is heard of when it arrives; `one_by_one`: no core runs ahead."""

    def __init__(self, *interrupts_ps, late=False, one_by_one=False, measured=(0, 10**12)):
        self.clock, memory, self.ledger = Clock(), Memory(queues=3), Ledger()
        ends = Ports(memory, ports=1)
        self.cores = Cores(self.clock, cores=1, cards=1, hosts=1, line_ends=ends, one_by_one=one_by_one)
        self.words = self.cores.words[0]
        self.core = Core(
            self.words, profile=PROFILE, first_card=0, cards=1, measured_from_ps=measured[0], measured_to_ps=measured[1]
        )
        self.core.run_host(0)
        sockets = Sockets(Endpoints(1), words=self.cores.hosts[0])
        self.host = Host(ledger=self.ledger, core=self.core, line_ends=ends, sockets=sockets)
        settings = NicSettings(rx_ring_frames=256, rx_usecs_ps=0, rx_frames=1, rx_checksum=True)
        self.nic = Nic(
            self.cores.cards[0], settings=settings, hardware_lro=None, memory=memory, ledger=self.ledger,
            max_train_frames=None,
        )  # fmt: skip
        self.napi = Napi(
            nic=self.nic, core=self.core, serves=self.host, rank_in=0, gro=None, driver_lro=None, ledger=self.ledger,
            hz=250, max_train_frames=None,
        )  # fmt: skip
        self.cores.serve(self.napi)
        self.far = FarEnd(memory)
        port = Port(
            ports=ends, rate_bps=RATE_BPS, queue_frames=None, cable=Cable(delay_ps=DELAY_PS, far_end=self.far),
            inputs=1, ledger=self.ledger,
        )  # fmt: skip
        self.cores.add(port)
        self.host.attach(port)
        self._connect()
        self.polls = []  # (start, where the clock was)
        self.napi.record = lambda poll: self.polls.append((poll["start_ps"], self.clock.now_ps))
        frames = [
            packet(Segment(1, 1, ACK, 9), route(1, 9), time_ps=at_ps - 1, ident=n, frame_id=n)
            for n, at_ps in enumerate(interrupts_ps)
        ]
        if late:
            self.nic.hears_from(ABSENT, late=True)
            self.clock.env.process(self._feed(frames))
        elif frames:
            self.nic.receive(join(frames))
        self.cores.start()

    def _feed(self, frames):
        for frame in frames:
            yield self.clock.env.timeout(int(frame.time_ps[0]) - self.clock.now_ps)
            self.nic.receive(frame)

    def _connect(self):
        """Established, with BYTES that are received, acknowledged and not yet read."""
        self.peer = Connection(TcpConfig(), active=True)
        config = TcpConfig(receive_buffer_bytes=1 << 20)
        socket = self.host.connect(config, route(5001, 40_000, swapped=True), active=False, flow="f", ident=0)
        self.connection = socket.connection
        self.connection.open(0)
        self.peer.open(0)
        self.peer.write(BYTES)
        for _ in range(2):
            for segment in self.peer.take_outgoing():
                self.connection.receive(segment, 0)
            for segment in self.connection.take_outgoing():
                self.peer.receive(segment, 0)
        assert self.connection.readable_bytes == BYTES and self.connection.next_timer_ps is None

    def wake(self):
        wake_reader(self.host.sockets.tables, 0)
        return self

    @property
    def read(self):
        return int(self.host.sockets.sockets[0, READ])

    def run(self, until=10**9):
        self.clock.env.run(until=until)
        return self


AHEAD = pytest.mark.parametrize(("late", "one_by_one"), [(False, False), (True, False), (False, True), (True, True)])


@AHEAD
@pytest.mark.parametrize(
    ("interrupts_ps", "later_ps", "preemptions"),
    [
        ((), 0, 0),
        ((FIRST,), POLL_PS, 1),
        ((FIRST, FIRST + POLL_PS + 50_000), 2 * POLL_PS, 2),
        ((FIRST, FIRST + 50_000), POLL_PS + FRAME_PS, 1),  # the second frame is taken by the poll that runs
        ((READER_PS + 1,), 0, 0),
    ],
)
def test_preemption(interrupts_ps, later_ps, preemptions, late, one_by_one):
    world = World(*interrupts_ps, late=late, one_by_one=one_by_one).wake().run()
    assert world.read == BYTES and world.words[READER] == ABSENT
    assert (world.words[READER_ENDS], world.core.preemptions) == (READER_PS + later_ps, preemptions)
    assert world.core.busy_ps == READER_PS + (later_ps or POLL_PS * len(interrupts_ps))
    assert world.core.counts[[Kind.WAKE, Kind.COPY]].tolist() == [1, BYTES]
    assert world.ledger.counts["drop/no-socket"] == len(interrupts_ps)


@pytest.mark.parametrize("after_ps", [-1, 1])
def test_a_call_takes_effect_when_it_returns(after_ps):
    """Whoever else acts before, and may look at the host then, sees nothing of it."""
    world = World(FIRST, late=True).wake()
    world.run(until=READER_PS + POLL_PS + after_ps)
    assert world.read == (BYTES if after_ps > 0 else 0)
    assert world.run().read == BYTES


@AHEAD
@pytest.mark.parametrize("end_ps", [FIRST // 2, FIRST + POLL_PS // 2, FIRST + POLL_PS, READER_PS + POLL_PS - 1])
def test_busy_time_counts_only_what_was_measured(late, one_by_one, end_ps):
    """A preempted reader that goes on after the end is not booked whole."""
    start_ps = 1000
    world = World(FIRST, late=late, one_by_one=one_by_one, measured=(start_ps, end_ps)).wake().run()
    assert world.core.busy_ps == end_ps - start_ps
    assert world.core.counts[Kind.WAKE] == 0  # the call began before


@AHEAD
def test_a_poll_starts_where_the_last_one_ended_wherever_the_clock_is(late, one_by_one):
    world = World(*[10**6 + 1] * 150, late=late, one_by_one=one_by_one).run()
    polls = [ps(Kind.NAPI_POLL, *(Kind.IRQ,) * first, *(Kind.DRV, Kind.SKB, Kind.STACK) * 64) for first in (1, 0)]
    starts = [10**6 + 1, 10**6 + 1 + polls[0], 10**6 + 1 + sum(polls)]
    assert [start_ps for start_ps, _ in world.polls] == starts
    assert all(clock_ps <= start_ps for start_ps, clock_ps in world.polls)
    assert world.core.counts[[Kind.IRQ, Kind.NAPI_POLL]].tolist() == [1, 3]


TIMES = (10**7, 2 * 10**7, 6 * 10**7)  # of interrupts
BETWEEN = 4 * 10**7


def test_interrupts_that_are_known_cost_no_event():
    """The card knows everything: all three polls are over before the clock is asked again."""
    world = World(*TIMES).run(until=TIMES[0] + 1)
    assert [start_ps for start_ps, _ in world.polls] == list(TIMES)
    assert world.core.now_ps == TIMES[2] + POLL_PS


def test_what_somebody_may_still_tell_is_waited_for():
    world = World(*TIMES, late=True).run(until=TIMES[1] - 1)
    assert [start_ps for start_ps, _ in world.polls] == [TIMES[0]]
    assert world.core.now_ps == TIMES[0] + POLL_PS


@pytest.mark.parametrize("edge", ["start", "end"])
def test_it_does_not_run_past_an_end_of_measuring(edge):
    """Whoever looks at the books there finds what was done up to then, and nothing else."""
    measured = (BETWEEN, 10**12) if edge == "start" else (0, BETWEEN)
    world = World(*TIMES, measured=measured)
    for until_ps in (TIMES[0] + 1, BETWEEN):
        world.run(until=until_ps)
        assert [start_ps for start_ps, _ in world.polls] == list(TIMES[:2])
        assert world.core.busy_ps == (0 if edge == "start" else 2 * POLL_PS)
    world.run()
    assert [start_ps for start_ps, _ in world.polls] == list(TIMES)
    assert world.core.counts[Kind.NAPI_POLL] == (1 if edge == "start" else 3)


def test_work_before_measuring_is_not_counted():
    world = World(*TIMES[:1], measured=(BETWEEN, 10**12))
    assert world.core.cost(Kind.WAKE, 2) == 2 * PROFILE.cost[Kind.WAKE] and not world.core.counts.any()
    world.run(until=BETWEEN)
    assert world.core.scrap[[Kind.WAKE, Kind.NAPI_POLL]].tolist() == [2, 1]
    assert not world.core.counts.any() and world.core.busy_ps == 0


@AHEAD
@pytest.mark.parametrize(
    ("at_ps", "rings_ps", "in_poll"),
    [
        (400_000, 400_000, 0),
        (500_000, 500_000 + POLL_PS, 1),  # the interrupt comes first
        (900_000, 500_000 + POLL_PS, 1),
        (30_000_000, 30_000_000, 0),
    ],
)
def test_a_timer_rings_in_time_but_not_within_a_poll(at_ps, rings_ps, in_poll, late, one_by_one):
    """A delayed ACK, which leaves when the work with it is done; a poll that waits for it starts later."""
    world = World(500_000, late=late, one_by_one=one_by_one)
    world.connection.record.delayed_at = at_ps
    world.host.sockets.words[TIMER_PS] = at_ps
    world.run()
    down_ps = world.far.arriving.in_order().time_ps - DELAY_PS - serialization_ps(wire_bytes=90, rate_bps=RATE_BPS)
    assert (down_ps.tolist(), world.core.timers_in_polls) == ([rings_ps + ACK_PS], in_poll)
    assert world.core.busy_ps == POLL_PS + ACK_PS
    assert world.host.sockets.words[TIMER_PS] == NEVER
