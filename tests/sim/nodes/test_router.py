"""A router's polls against polls written out, whose packets are judged, rewritten, cut and sent by hand, one by one."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from polls import KINDS, PROFILE, RANK_IN, World, Written, arrivals

import models.memory
from models.cpu.costs import Kind, work_ps
from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN
from models.forwarding.router import REFUSED_BYTES, Verdict, address, age, judge
from models.memory import END, Memory
from models.offload.engine import make
from models.offload.segment import cut as cut_packets
from models.payload import SYNTHETIC
from models.queue import ALWAYS, NEWS, Ports, join_queue, serve, served, takes
from models.train import ABSENT, FRAME_COUNT, FRAME_ID, GSO_SEGMENTS, HEAD_BYTES, L3, TIME_PS
from models.wire import ipv4
from sim.clock import Clock
from sim.nodes.ledger import Ledger
from sim.nodes.link import Cable
from sim.nodes.port import Port
from sim.nodes.router import Router

DESTINATIONS = ("10.0.0.2", "10.0.1.2")
PACKED = tuple(bytes(int(octet) for octet in address.split(".")) for address in DESTINATIONS)
MACS = (bytes(range(12)), bytes(range(20, 32)))
CUTS = (True, False)  # the card of the first port does it, on the second the core
KINDS = (*KINDS, "old", "lost", "foreign")
CHOICES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.sampled_from(KINDS)), min_size=1, max_size=200)
SMALL = 2  # rows of a queue, to begin with


class FarEnd:
    """Counts what it is told of, in time."""

    number = ABSENT  # it wants to hear of it

    def __init__(self, memory):
        self.clock, self.arriving, self.told = Clock(), memory.queue(), 0

    def hears_from(self, port):
        pass

    def announced(self, frames):
        assert frames > 0
        first = self.arriving.words[END] - frames
        assert self.arriving.memory.meta[first, TIME_PS] >= self.clock.now_ps
        self.told += frames


class Ways:
    """A router with two ports: a short queue behind one core, and one that two cores feed, in front of slow lines."""

    def __init__(self, *, most=None, rows=1 << 14):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(models.memory, "_ROWS", rows)
            self.memory = Memory(queues=5)
        self.line_ends, self.ledger = Ports(self.memory, ports=2), Ledger()
        self.router = Router(ledger=self.ledger, line_ends=self.line_ends)
        self.far = [FarEnd(self.memory) for _ in DESTINATIONS]
        for k, far in enumerate(self.far):
            cable = Cable(delay_ps=1000, far_end=far)
            port = Port(
                ports=self.line_ends, rate_bps=3 * 10**8, queue_frames=5 + k, cable=cable, inputs=1 + k,
                mtu_bytes=1500, cuts=CUTS[k], max_train_frames=most, ledger=self.ledger,
            )  # fmt: skip
            self.router.attach(port, macs=MACS[k])
            self.router.route(PACKED[k], port)
        self.rooms_made = 0
        make_room = self.line_ends.make_room

        def counted(port):
            self.rooms_made += 1
            make_room(port)

        self.line_ends.make_room = counted

    def sent(self):
        """All that left by either port, frame by frame."""
        assert all(far.told == len(far.arriving) for far in self.far)
        assert not any(len(port.waiting) for port in self.router.ports)
        trains = [far.arriving.in_order() for far in self.far]
        return [
            [(*train.meta[k, [TIME_PS, FRAME_ID]].tolist(), head_of(train, k),
              train.payload_of(k)[:, :3].tolist()) for k in range(len(train))]
            for train in trains
        ]  # fmt: skip


def head_of(train, k):
    """Without the room behind it, of which some engines need more, and which is empty."""
    n_bytes = train.meta[k, HEAD_BYTES]
    assert not train.head[k, n_bytes:].any()
    return train.head[k, :n_bytes].tobytes()


class ByHand:
    """The same for whole packets, one after the other."""

    def __init__(self, ways):
        self.ways, self.drops, self.counts = ways, Counter(), Counter()

    def hand_up(self, packets, spent, began_ps):
        work = 0
        for k in range(len(packets)):
            work += self._pass_on(packets[k : k + 1].packed(), began_ps, int(spent[k]) + work)
        return work

    def _pass_on(self, packet, began_ps, before):
        row, cells = packet.head[0], packet.meta[0]
        way, verdict = None, Verdict.NOT_IP
        if cells[L3] != ABSENT:
            at = cells[L3] + ipv4.DESTINATION
            destination = row[at : at + 4].tobytes()
            verdict = Verdict.NO_ROUTE
            if destination in PACKED:
                way = PACKED.index(destination)
                verdict = Verdict(judge(row, cells, 1500))
        self.counts[Kind.FWD] += 1
        work = PROFILE.cost[Kind.FWD]
        if verdict is not Verdict.FORWARDED:
            self.drops[verdict] += int(cells[FRAME_COUNT])
            return work
        if not CUTS[way] and cells[GSO_SEGMENTS] > 1:
            self.counts[Kind.GSO_SEG] += int(cells[GSO_SEGMENTS])
            work += PROFILE.cost[Kind.GSO_SEG] * int(cells[GSO_SEGMENTS])
        number = self.ways.router.ports[way].number
        address(row, self.ways.line_ends.macs[number])
        age(row, cells[L3])
        cells[TIME_PS] = began_ps + work_ps(before + work, PROFILE.hz)
        self._send(cut_packets(packet, SYNTHETIC), number)
        return work

    def _send(self, frames, number):
        """They enter the queue, and where nobody else sends, leave it at once."""
        ends = self.ways.line_ends
        port = ends.words[number]
        while not takes(port, frames.meta, ends.memory.state):
            ends.make_room(number)
        join_queue(frames.meta, frames.head, frames.pieces, SYNTHETIC, RANK_IN, port, *ends.memory.arrays())
        assert served(port, ends.departures, *ends.memory.arrays())

    def finish(self):
        """What waits where two cores may send enters, now that all is known; the far ends hear of everything."""
        ends = self.ways.line_ends
        for port, far in zip(self.ways.router.ports, self.ways.far, strict=True):
            far.arriving.reserve(len(port.waiting), len(ends.memory.pieces))
            words = ends.words[port.number]
            words[NEWS] += serve(words, ends.departures, ALWAYS, ALWAYS, *ends.memory.arrays())
            port.tell()


ENGINES = pytest.mark.parametrize(
    ("name", "merging", "hz"),
    [
        (None, PLAIN, 250),
        ("gro", IN_GRO, 250),
        ("gro", IN_GRO, 100_000),
        ("wireguard-go", IN_GRO, 250),
        ("lro-driver", IN_DRIVER_LRO, 250),
    ],
)


def compared(choices, name, merging, hz, most, rows, **moderation):
    """The ways of a router that was polled, after comparing them with those of one that was not."""
    train = arrivals(choices, DESTINATIONS)
    engines = [make(name) if name else None for _ in range(2)]
    by_hand = ByHand(Ways())
    written = Written(train, engines[0], merging, hz, by_hand.hand_up, **moderation).run()
    by_hand.finish()
    ways = Ways(most=most, rows=rows)
    world = World(
        ways.router, ways.memory, engine=engines[1], merging=merging, hz=hz, cut=most, ledger=ways.ledger,
        ports=ways.router.ports, **moderation,
    )  # fmt: skip
    for far in ways.far:
        far.clock = world.clock
    world.run(train)
    assert world.core.now_ps == written.now_ps
    assert ways.sent() == by_hand.ways.sent()
    assert {Verdict(k): n for k, n in enumerate(ways.router.drops[:REFUSED_BYTES].tolist()) if n} == by_hand.drops
    for kind, count in by_hand.counts.items():
        written.counts[kind] += count
    assert world.core.counts.tolist() == written.counts.tolist()
    for name in ("port/in", "port/in-bytes", "port/out", "drop/queue-full", "port/dropped-bytes"):
        assert ways.ledger.counts[name] == by_hand.ways.ledger.counts[name]
    return ways


@pytest.mark.parametrize(("most", "rows"), [(None, 1 << 14), (None, SMALL), (1, SMALL), (7, 1 << 14)])
@ENGINES
@given(choices=CHOICES, usecs=st.integers(0, 300), rx_frames=st.integers(1, 99))
def test_against_packets_passed_on_by_hand(name, merging, hz, most, rows, choices, usecs, rx_frames):
    compared(choices, name, merging, hz, most, rows, usecs_ps=usecs * 100_000, rx_frames=rx_frames)


@pytest.mark.parametrize("most", [None, 1])
@ENGINES
def test_the_polls_above_do_run_out_of_room_and_refuse_for_every_reason(name, merging, hz, most):
    kinds = ["good", "good", "elsewhere", "old", "lost", "foreign", "good", "elsewhere", "good", "good"] * 15
    choices = [(k // 5 % 2, 1, kind) for k, kind in enumerate(kinds)]
    ways = compared(choices, name, merging, hz, most, SMALL, usecs_ps=3_000_000, rx_frames=99)
    assert ways.rooms_made > 1
    assert ways.ledger.counts["drop/queue-full"] or merging == IN_DRIVER_LRO  # of which nearly all is refused
    old = Verdict.LRO_GUARD if merging == IN_DRIVER_LRO else Verdict.TTL_EXPIRED  # driver LRO does not look at the TTL
    expected = {Verdict.NOT_IP, Verdict.NO_ROUTE, old}
    assert {Verdict(k) for k, n in enumerate(ways.router.drops[:REFUSED_BYTES].tolist()) if n} == expected
