"""Packets that a host's polls hand up, against a connection in Python that gets the same ones at the same times, and
whose answers are written and sent one by one."""

import sys
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from polls import PROFILE, FarEnd, World, Written

from models.cpu.costs import Kind, work_ps
from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN
from models.host.sockets import ACKS_SENT, ASLEEP, READY, RETRANSMITTED, Sockets
from models.host.transmit import is_plain
from models.memory import Memory
from models.nic.rss import hash_rows
from models.offload.engine import make
from models.packet import OTHERWISE, PORTS, SEEN_WORDS, Route, look, packet, read_options
from models.payload import SYNTHETIC
from models.queue import Ports, join_queue, served, takes
from models.tcp.config import TcpConfig
from models.tcp.connection import Connection
from models.tcp.endpoint import Endpoints
from models.tcp.segment import ACK, FIN, PSH, RST, SYN, Segment, segment_of
from models.train import CSUM_STATE, CSUM_VERIFIED, FRAME_ID, HEAD_BYTES, L4, RX_HASH, TIME_PS, join
from sim.nodes.host import Host, Socket
from sim.nodes.ledger import Ledger
from sim.nodes.link import Cable
from sim.nodes.port import Port

MSS, IDENT = 1000, 65_530
OURS, THEIRS = 5001, 40_000
CONFIG = TcpConfig(mss_bytes=MSS, advertised_mss=MSS + 12, initial_sequence=7000, receive_buffer_bytes=40_000,
                   tso_bytes=4 * MSS)  # fmt: skip
PEER = TcpConfig(mss_bytes=MSS, advertised_mss=MSS + 12, initial_sequence=2**32 - 3000, receive_buffer_bytes=1 << 20)
WRITTEN = 60_000  # bytes that the host has to send
ODD_FLAGS = SYN | FIN | RST
ORDINARY = ("data",) * 6 + ("pushed", "ack", "ack", "again", "hole", "old stamp", "no options")
ODD = ("syn", "fin", "rst", "sack", "stranger")
ONE = st.tuples(st.integers(0, 9), st.sampled_from(ORDINARY * 2 + ODD))
CHOICES = st.lists(ONE, min_size=1, max_size=60)


def route(own, other, *, from_peer):
    ends = [ip_address("10.0.0.1"), ip_address("10.0.0.2")]
    return Route(
        source_mac=bytes(6), destination_mac=bytes(6), source=ends[not from_peer], destination=ends[from_peer],
        source_port=own, destination_port=other, stream=1 + from_peer,
    )  # fmt: skip


OUR_ROUTE = route(OURS, THEIRS, from_peer=False)


def established(connection):
    """Open `connection` with a peer, and let it send what it may; what is on its way is forgotten."""
    peer = Connection(PEER, active=True)
    connection.open(0)
    connection.write(WRITTEN)
    peer.open(0)
    for sender, receiver in ((peer, connection), (connection, peer), (peer, connection)):
        for segment in sender.take_outgoing():
            receiver.receive(segment, 0)
    connection.take_outgoing()
    assert connection.established and connection.record.nxt > connection.record.una
    return connection


def arrivals(choices):
    """What the peer sends, (gap [1 us], kind) each."""
    at_ps, first, n_bytes, acked, frames = 10**6, (PEER.initial_sequence + 1), 0, 0, []
    for n, (gap, kind) in enumerate(choices):
        at_ps += gap * 10**6
        payload = 0 if kind in ("ack", "syn", "fin", "rst", "sack") else MSS
        acked += MSS if kind in ("ack", "data") and n % 2 else 0
        start = n_bytes - MSS if kind == "again" else n_bytes
        start += 3 * MSS if kind == "hole" else 0
        flags = ACK | {"pushed": PSH, "syn": SYN, "fin": FIN, "rst": RST}.get(kind, 0)
        segment = Segment(
            (first + start) % 2**32, (CONFIG.initial_sequence + 1 + acked) % 2**32, flags, 60_000 >> 7,
            payload_bytes=payload, payload_start=start, timestamps=kind != "no options",
            tsval=2**32 - 5 if kind == "old stamp" else n // 5, sack=((5, 6),) if kind == "sack" else (),
        )  # fmt: skip
        ports = (1 if kind == "stranger" else THEIRS, OURS)
        frames.append(packet(segment, route(*ports, from_peer=True), time_ps=at_ps, ident=n, frame_id=n))
        if kind in ("data", "pushed", "no options"):
            n_bytes += MSS
    train = join(frames)
    train.meta[:, CSUM_STATE] = CSUM_VERIFIED
    hash_rows(train.head, train.meta, train.meta[:, RX_HASH])
    return train


class Machine(Host):
    """A host with its port, which writes down what its polls could not do alone."""

    def __init__(self, *, most=None):
        self.memory = Memory(queues=3)
        ends = Ports(self.memory, ports=1)
        sockets = Sockets(Endpoints(1, capacity=1))
        super().__init__(ledger=Ledger(), core=None, line_ends=ends, sockets=sockets)  # no timer rings here
        self.far = FarEnd(self.memory)
        cable = Cable(delay_ps=1000, far_end=self.far)
        self.attach(
            Port(
                ports=ends, rate_bps=10**10, queue_frames=None, cable=cable, inputs=1, ledger=self.ledger,
                max_train_frames=most,
            )
        )  # fmt: skip
        socket = self.connect(CONFIG, OUR_ROUTE, active=False, flow="f", ident=IDENT)
        self.connection = established(socket.connection)
        self.taken = []

    def take(self, packet, seen, at_ps):
        self.taken.append((at_ps, seen[PORTS]))
        return super().take(packet, seen, at_ps)

    def sent(self):
        """All that is on the line, frame by frame."""
        train = self.far.arriving.in_order()
        return [
            (*train.meta[k, [TIME_PS, FRAME_ID]].tolist(), train.head[k, : train.meta[k, HEAD_BYTES]].tobytes(),
             train.payload_of(k)[:, :3].tolist()) for k in range(len(train))
        ]  # fmt: skip


class ByHand:
    """Whole packets, one after the other, to a connection in Python; its answers to a line that nobody polls."""

    def __init__(self):
        self.machine = Machine()
        self.socket = Socket(connection=established(Connection(CONFIG, active=False)), flow="f")
        self.counts, self.taken, self.acks, self.again = np.zeros(len(PROFILE.cost), np.int64), [], 0, 0
        self.ident, self.frame = IDENT, 0

    def hand_up(self, packets, spent, began_ps):
        work = 0
        for k in range(len(packets)):
            seen = np.zeros(SEEN_WORDS, np.int64)
            look(packets.meta[k], packets.head[k], seen)
            self.counts[Kind.STACK] += 1
            work += PROFILE.cost[Kind.STACK]
            at_ps = began_ps + work_ps(int(spent[k]) + work, PROFILE.hz)
            connection, is_ours = self.socket.connection, seen[PORTS] == THEIRS << 16 | OURS
            segment = segment_of(seen.tolist())
            odd = seen[OTHERWISE] or segment.flags & ODD_FLAGS or not is_plain(connection.record)
            if not is_ours or odd:
                self.taken.append((at_ps, int(seen[PORTS])))
            if is_ours:
                if seen[OTHERWISE]:
                    read_options(packets.head[k], packets.meta.item(k, L4), segment)
                connection.receive(segment, at_ps)
                self.socket.close_after_peer(at_ps)
                work += self._send(connection.take_outgoing(), at_ps)
        return work

    def _send(self, segments, at_ps):
        cost, ends = 0, self.machine.line_ends
        for segment in segments:
            kind = Kind.TX if segment.payload_bytes or segment.flags != ACK else Kind.ACK
            self.counts[kind] += 1
            self.acks += kind is Kind.ACK
            cost += PROFILE.cost[kind]
            down_ps = at_ps + work_ps(cost, PROFILE.hz)
            train = packet(segment, OUR_ROUTE, time_ps=down_ps, ident=self.ident, frame_id=self.frame)
            while not takes(ends.words[0], train.meta, ends.memory.state):
                ends.make_room(0)
            join_queue(train.meta, train.head, train.pieces, SYNTHETIC, 0, ends.words[0], *ends.memory.arrays())
            assert served(ends.words[0], ends.departures, *ends.memory.arrays())
            self.ident, self.frame = (self.ident + segment.gso_segments) % 65536, self.frame + segment.gso_segments
            self.again += segment.retransmission * segment.gso_segments
        return cost


def compared(choices, name, merging, most, *, late=False, usecs_ps=20 * 10**6):
    """The host that was polled, after comparing it with what was done by hand."""
    train, by_hand = arrivals(choices), ByHand()
    engines = [make(name) if name else None for _ in range(2)]
    written = Written(train, engines[0], merging, 250, by_hand.hand_up, usecs_ps=usecs_ps, rx_frames=8).run()
    machine = Machine(most=most)
    world = World(
        machine, machine.memory, engine=engines[1], merging=merging, cut=most, ledger=machine.ledger,
        ports=machine.ports, late=late, usecs_ps=usecs_ps, rx_frames=8,
    ).run(train)  # fmt: skip
    assert machine.taken == by_hand.taken
    assert machine.sent() == by_hand.machine.sent()
    assert world.core.now_ps == written.now_ps
    assert world.core.counts.tolist() == (written.counts + by_hand.counts).tolist()
    assert machine.connection.record.tolist() == by_hand.socket.connection.record.tolist()
    assert machine.sockets.words[ACKS_SENT] == by_hand.acks
    assert machine.sockets.sockets[0, RETRANSMITTED] == by_hand.again
    readable = by_hand.socket.connection.readable_bytes > 0  # the reader is woken once; on this core nobody reads
    assert machine.sockets.words[READY] == readable == (not machine.sockets.sockets[0, ASLEEP])
    return machine


ENGINES = pytest.mark.parametrize(
    ("name", "merging"), [(None, PLAIN), ("gro", IN_GRO), ("lro-driver", IN_DRIVER_LRO), ("gvisor", IN_GRO)]
)


@ENGINES
@pytest.mark.parametrize("most", [None, 1])
@settings(max_examples=settings().max_examples // 2)
@given(choices=CHOICES, late=st.booleans())
def test_against_a_connection_in_python(name, merging, most, choices, late):
    compared(choices, name, merging, most, late=late)


@ENGINES
def test_ordinary_packets_are_nobody_elses_business(name, merging):
    machine = compared([(1, ORDINARY[k % len(ORDINARY)]) for k in range(100)], name, merging, None)
    assert not machine.taken and len(machine.sent()) > 20


@pytest.mark.parametrize("kind", ODD)
def test_odd_packets_go_to_the_hosts_own_code(kind):
    machine = compared([(1, "data"), (1, kind), (1, "data")], None, PLAIN, None)
    others = {"fin": 2, "rst": 2}.get(kind, 1)  # after FIN or RST the connection is not plain
    assert len(machine.taken) == others
    assert machine.ledger.counts["drop/no-socket"] == (kind == "stranger")
