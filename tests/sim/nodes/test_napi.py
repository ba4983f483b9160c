"""A poll against one written out: take what arrived, merge, price, hand up, take again; flush what the end flushes."""

from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cpu.costs import Kind, work_ps
from models.cpu.profiles import PROFILES
from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN, price
from models.nic.poll import BUDGET
from models.nic.rss import hash_rows
from models.offload.engine import make
from models.offload.why import Fate, Why
from models.packet import Route, packet
from models.payload import SYNTHETIC
from models.tcp.segment import ACK, PSH, Segment
from models.train import CSUM_STATE, CSUM_VERIFIED, FRAME_COUNT, RX_HASH, TIME_PS, join
from models.units import PS_PER_S
from sim.clock import Clock
from sim.nodes.core import NEVER, Core
from sim.nodes.ledger import Ledger
from sim.nodes.napi import Napi
from sim.nodes.nic import Nic, NicSettings

PROFILE = PROFILES["2008-xeon-10g"]
SLOTS = 100
STACK_WORK = 70_000  # for each packet [1/10,000 cycle]
PAYLOAD = 500


def arrivals(choices):
    """Frames of two flows, (flow, gap [100 ns], kind) each; kind: as it should be, pushed, empty, after a hole."""
    at_ps, seqs, frames = 0, [1000, 2000], []
    for n, (flow, gap, kind) in enumerate(choices):
        at_ps += gap * 100_000
        payload = 0 if kind == "empty" else PAYLOAD
        seqs[flow] += 3 if kind == "hole" else 0
        segment = Segment(seqs[flow], 1, ACK | (PSH if kind == "pushed" else 0), 9, payload_bytes=payload)
        segment.payload_start = seqs[flow]
        route = Route(
            source_mac=bytes(6), destination_mac=bytes(6), source=ip_address("10.0.0.1"),
            destination=ip_address("10.0.0.2"), source_port=flow + 1, destination_port=9, stream=flow + 1,
        )  # fmt: skip
        frames.append(packet(segment, route, time_ps=at_ps, ident=n, frame_id=n))
        seqs[flow] += payload
    train = join(frames)
    train.meta[:, CSUM_STATE] = CSUM_VERIFIED
    hash_rows(train.head, train.meta, train.meta[:, RX_HASH])
    return train


class Stack:
    """Writes down what comes up and when, and asks the same work for each packet."""

    def __init__(self):
        self.packets = []

    def hand_up(self, packets, spent, *, began_ps, core, extra):
        for k in range(len(packets)):
            at_ps = began_ps + work_ps(int(spent[k]) + extra + k * STACK_WORK, PROFILE.hz)
            self.packets.append((at_ps, packets.meta[k, FRAME_COUNT], *seen(packets, k)))
        return len(packets) * STACK_WORK


def seen(packets, k):
    pieces = packets.payload_of(k)[:, :3].tolist()
    return packets.head[k].tobytes(), pieces


class Written:
    """The same polls, with whole takes of a list and `Engine.receive`."""

    def __init__(self, train, engine, merging, hz):
        self._train, self._engine, self._merging, self._hz = train, engine, merging, hz
        self._ring, self._next = [], 0
        self.stack, self.ledger, self.now_ps, self.missed = Stack(), Ledger(), 0, 0
        self.counts = np.zeros(len(PROFILE.cost), np.int64)
        self.merge_sizes = []

    def poll(self, start_ps):
        self.now_ps = max(self.now_ps, start_ps)
        cost, left = PROFILE.cost[Kind.NAPI_POLL], BUDGET
        self.counts[Kind.NAPI_POLL] += 1
        while left:
            while self._next < len(self._train) and self._train.time_ps[self._next] < self.now_ps:
                if len(self._ring) < SLOTS:
                    self._ring.append(self._next)
                else:
                    self.missed += 1
                self._next += 1
            rows = self._ring[:left]
            if not rows:
                break
            del self._ring[:left]
            left -= len(rows)
            cost = self._take(self._train[np.array(rows)], cost)
            self.now_ps += work_ps(cost, PROFILE.hz)
            cost = 0
        cost += self._flush(used_up=not left)
        if self._engine is not None:
            self.ledger.balance(self._engine)
        self.now_ps += work_ps(cost, PROFILE.hz)
        return not left

    def _take(self, frames, cost):
        after = np.empty(len(frames), np.int64)
        if self._engine is None:
            packets, closed_by, fate = frames, np.arange(len(frames)), np.full(len(frames), Fate.PASSED)
            self.ledger.booked[0, Fate.PASSED] += len(frames)
            self.ledger.booked[1, Why.OFF] += len(frames)
        else:
            outcome = self._engine.receive(frames, SYNTHETIC, jiffy=self._jiffy())
            self.ledger.outcome(self._engine, outcome)
            packets, closed_by, fate = outcome.packets, outcome.closed_by, outcome.fate
        prices = np.array(PROFILE.cost, np.int64)
        total = price(frames.meta, fate, self._merging, False, prices, self.counts, cost, after)
        return int(total) + self._hand_up(packets, after[closed_by])

    def _flush(self, *, used_up):
        engine = self._engine
        if engine is None or not engine.held_packets or (used_up and engine.outlives_full_polls):
            return 0
        if used_up and self._merging == IN_GRO and self._hz >= 1000:
            outcome = engine.flush_old(SYNTHETIC, jiffy=self._jiffy())
        else:
            outcome = engine.flush(SYNTHETIC)
        self.ledger.outcome(engine, outcome)
        return self._hand_up(outcome.packets, np.zeros(len(outcome.packets), np.int64))

    def _hand_up(self, packets, spent):
        self.merge_sizes += packets.meta[packets.payload_bytes > 0, FRAME_COUNT].tolist()
        return self.stack.hand_up(packets, spent, began_ps=self.now_ps, core=None, extra=0)

    def _jiffy(self):
        return self.now_ps * self._hz // PS_PER_S


def polled(train, starts_ps, engine, merging, hz, cut, slots=SLOTS):
    """(Napi's stack, ledger, core, whether each poll wants more)."""
    settings = NicSettings(rx_ring_frames=slots, rx_usecs_ps=0, rx_frames=1, rx_checksum=True)
    ledger, stack = Ledger(), Stack()
    nic = Nic(settings=settings, hardware_lro=None, ledger=ledger, max_train_frames=cut)
    core = Core(Clock(), profile=PROFILE, measured_from_ps=0, measured_to_ps=NEVER)
    gro, driver_lro = (engine if merging == place else None for place in (IN_GRO, IN_DRIVER_LRO))
    napi = Napi(
        nic=nic, core=core, stack=stack, gro=gro, driver_lro=driver_lro, ledger=ledger, hz=hz, max_train_frames=cut
    )
    for part in train.cut(cut):
        nic.receive(part)
    core.limit_ps = NEVER  # all is known
    wants_more = []
    for start_ps in starts_ps:
        core.now_ps = max(core.now_ps, start_ps)
        napi.begin()
        assert napi.go_on()
        wants_more.append(napi.wants_more)
    return stack, ledger, core, wants_more


KINDS = ("good",) * 6 + ("pushed", "empty", "hole")
CHOICES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.sampled_from(KINDS)), min_size=1, max_size=200)


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
        _, _, _, wants_more = polled(train, [10_000_200] * polls, engine, IN_GRO, hz, cut, slots=65)
        kept.append(engine.held_packets)
    assert wants_more == [True, False]
    assert kept == held


def same(train, starts_ps, name, merging, hz, cut):
    """The ledger, and whether each poll wants more, of both ways to poll."""
    engines = [make(name) if name else None for _ in range(2)]
    written = Written(train, engines[0], merging, hz)
    wanted_more = [written.poll(start_ps) for start_ps in starts_ps]
    stack, ledger, core, wants_more = polled(train, starts_ps, engines[1], merging, hz, cut)
    assert wants_more == wanted_more
    assert stack.packets == written.stack.packets
    assert core.now_ps == written.now_ps
    assert core.counts.tolist() == written.counts.tolist()
    assert (ledger.booked == written.ledger.booked).all()
    assert ledger.counts["drop/ring-full"] == written.missed
    assert sorted(ledger.merge_sizes.elements()) == sorted(written.merge_sizes)
    return ledger, wants_more
