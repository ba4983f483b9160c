"""Polls written out, and frames for them: interrupt, take what arrived, merge, price, hand up, take again, flush what
the end flushes; and a world with one card, whose polls they are compared with."""

from ipaddress import ip_address

import numpy as np
from hypothesis import strategies as st

from models.cpu.costs import Kind, work_ps
from models.cpu.profiles import PROFILES
from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN, price
from models.nic.poll import BUDGET
from models.nic.rss import hash_rows
from models.offload.why import Fate, Why
from models.packet import Route, packet
from models.payload import SYNTHETIC
from models.tcp.segment import ACK, PSH, Segment
from models.train import ABSENT, CSUM_STATE, CSUM_VERIFIED, FRAME_COUNT, L3, L4, PROTOCOL, RX_HASH, join
from models.units import NEVER, PS_PER_S
from models.wire import ipv4
from models.wire.checksum import ipv4_header
from models.wire.octets import put16
from sim.clock import Clock
from sim.nodes.core import Core
from sim.nodes.cores import Cores
from sim.nodes.ledger import Ledger
from sim.nodes.napi import Napi
from sim.nodes.nic import Nic, NicSettings

PROFILE = PROFILES["2008-xeon-10g"]
SLOTS = 100
PAYLOAD = 500
RANK_IN = 1
END_PS = 10**11  # all is over

KINDS = ("good",) * 6 + ("pushed", "empty", "hole", "elsewhere")
CHOICES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.sampled_from(KINDS)), min_size=1, max_size=200)


def arrivals(choices, destinations=("10.0.0.2", "10.0.0.2")):
    """Frames of two flows, (flow, gap [100 ns], kind) each; kind: as it should be, pushed, empty, after a hole, with
    payload from elsewhere; at the end of its life, without a route, not IP: what only a router minds."""
    at_ps, seqs, frames = 0, [1000, 2000], []
    for n, (flow, gap, kind) in enumerate(choices):
        at_ps += gap * 100_000
        payload = 0 if kind == "empty" else PAYLOAD
        seqs[flow] += 3 if kind == "hole" else 0
        segment = Segment(seqs[flow], 1, ACK | (PSH if kind == "pushed" else 0), 9, payload_bytes=payload)
        segment.payload_start = seqs[flow] + (70_000 if kind == "elsewhere" else 0)
        destination = ip_address("10.0.0.99" if kind == "lost" else destinations[flow])
        route = Route(
            source_mac=bytes(6), destination_mac=bytes(6), source=ip_address("10.0.0.1"), destination=destination,
            source_port=flow + 1, destination_port=9, stream=flow + 1,
        )  # fmt: skip
        frame = packet(segment, route, time_ps=at_ps, ident=n, frame_id=n)
        if kind == "old":
            row, l3 = frame.head[0], frame.meta[0, L3]
            row[l3 + ipv4.TTL] = 1
            put16(row, l3 + ipv4.CHECKSUM, ipv4_header(row, l3))
        if kind == "foreign":
            frame.meta[0, [L3, L4, PROTOCOL]] = ABSENT
        frames.append(frame)
        seqs[flow] += payload
    train = join(frames)
    train.meta[:, CSUM_STATE] = CSUM_VERIFIED
    hash_rows(train.head, train.meta, train.meta[:, RX_HASH])
    return train


class FarEnd:
    """Keeps what the host sends."""

    number = ABSENT

    def __init__(self, memory):
        self.arriving = memory.queue()

    def hears_from(self, port, *, late=False):
        pass

    def announced(self, frames):
        pass


class Written:
    """The same polls, with whole takes of a list and `Engine.receive`, and the interrupts between them.

    Packets go up to `hand_up(packets, spent, began_ps)`, which gives the work that this was."""

    def __init__(self, train, engine, merging, hz, hand_up, *, slots=SLOTS, usecs_ps=0, rx_frames=1):
        self._hand_up_to = hand_up
        self._train, self._engine, self._merging, self._hz = train, engine, merging, hz
        self._slots, self._wait_ps, self._rx_frames = slots, max(usecs_ps, 1), rx_frames
        self._ring, self._next = [], 0
        self.ledger, self.now_ps, self.missed = Ledger(), 0, 0
        self.counts = np.zeros(len(PROFILE.cost), np.int64)
        self.merge_sizes = []
        self.polls = []  # (start, end)
        self.times = []  # when driver and engine were through with each packet

    def run(self):
        """Until nothing comes any more."""
        while self._next < len(self._train):
            at_ps = self._train.time_ps[self._next :][:1].item() + self._wait_ps
            if full := self._train.time_ps[self._next :][self._rx_frames - 1 : self._rx_frames].tolist():
                at_ps = min(at_ps, full[0] + 1)
            self.now_ps = max(self.now_ps, at_ps)
            wants_more = self._poll(interrupted=True)
            while wants_more:
                wants_more = self._poll(interrupted=False)
        return self

    def _poll(self, *, interrupted):
        start_ps, cost, left = self.now_ps, 0, BUDGET
        for kind in (Kind.NAPI_POLL, Kind.IRQ)[: 1 + interrupted]:
            cost += PROFILE.cost[kind]
            self.counts[kind] += 1
        while left:
            while self._next < len(self._train) and self._train.time_ps[self._next] < self.now_ps:
                if len(self._ring) < self._slots:
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
        self.polls.append((start_ps, self.now_ps))
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
        self.times += [self.now_ps + work_ps(cost, PROFILE.hz) for cost in spent.tolist()]
        return self._hand_up_to(packets, spent, self.now_ps)

    def _jiffy(self):
        return self.now_ps * self._hz // PS_PER_S


class World:
    """One card on a core of its own, whose polls are those of `serves`; `ports` are of the same node.

    All that comes to it is known, unless `late`: then it is heard of when it arrives."""

    def __init__(
        self, serves, memory, *, engine=None, merging=PLAIN, hz=250, cut=None, ledger=None, slots=SLOTS, usecs_ps=0,
        rx_frames=1, ports=(), profile=PROFILE, late=False, timeout_ps=0, defers=0,
    ):  # fmt: skip
        self.clock, self.ledger, self._cut, self._late = Clock(), ledger or Ledger(), cut, late
        self.cores = Cores(self.clock, cores=1, cards=1, hosts=0, line_ends=serves.line_ends, one_by_one=False)
        self.core = Core(
            self.cores.words[0], profile=profile, first_card=0, cards=1, measured_from_ps=0, measured_to_ps=NEVER
        )
        settings = NicSettings(rx_ring_frames=slots, rx_usecs_ps=usecs_ps, rx_frames=rx_frames, rx_checksum=True)
        self.nic = Nic(
            self.cores.cards[0], settings=settings, hardware_lro=None, memory=memory, ledger=self.ledger,
            max_train_frames=cut,
        )  # fmt: skip
        if late:
            self.nic.hears_from(ABSENT, late=True)
        gro, driver_lro = (engine if merging == place else None for place in (IN_GRO, IN_DRIVER_LRO))
        self.napi = Napi(
            nic=self.nic, core=self.core, serves=serves, rank_in=RANK_IN, gro=gro, driver_lro=driver_lro,
            ledger=self.ledger, hz=hz, gro_flush_timeout_ps=timeout_ps, napi_defer_hard_irqs=defers,
            max_train_frames=cut,
        )  # fmt: skip
        self.cores.serve(self.napi)
        for port in ports:
            self.cores.add(port)

    def run(self, train, until=END_PS):
        """Let the frames of `train` come, and whatever follows from it happen."""
        if self._late:
            self.clock.env.process(self._feed(train))
        else:
            for part in train.cut(self._cut):
                self.nic.receive(part)
        self.cores.start()
        self.clock.env.run(until=until)
        return self

    def _feed(self, train):
        for frame in train.cut(1):
            yield self.clock.env.timeout(frame.time_ps.item() - self.clock.now_ps)
            self.nic.receive(frame)
