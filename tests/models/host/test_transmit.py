"""What a connection puts out, against packets written and sent one by one."""

from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.memory
from models.cpu.costs import Kind, work_ps
from models.cpu.profiles import PROFILES
from models.host.sockets import (
    ACKS_SENT,
    IDENT,
    PORT,
    RETRANSMITTED,
    SEND_COST,
    SENDING,
    TIMER_PS,
    Sockets,
)
from models.host.transmit import begin_to_send, is_plain, transmit
from models.memory import Memory
from models.nic.words import FLUSHED, NO_ROOM, TELL
from models.packet import Route, packet
from models.payload import SYNTHETIC
from models.queue import NEWS, Ports, join_queue, served, takes
from models.tcp.config import TcpConfig
from models.tcp.endpoint import Endpoints
from models.tcp.segment import ACK, FIN, PSH, Segment, write_words
from models.tcp.states import State
from models.train import ABSENT, FRAME_ID, HEAD_BYTES, TIME_PS
from models.units import NEVER, serialization_ps

PROFILE = PROFILES["2008-xeon-10g"]
PRICES = np.array(PROFILE.cost, np.int64)
PRICES[Kind.TX] = 12_345_678  # for a sender is free in that profile
START_PS, IDENT_FIRST, FRAME_FIRST, MSS = 1_000_000, 65_530, 50, 1000
ROUTE = Route(
    source_mac=bytes(6), destination_mac=bytes(6), source=ip_address("10.0.0.1"), destination=ip_address("10.0.0.2"),
    source_port=1, destination_port=2, stream=3,
)  # fmt: skip


def segment(kind, n):
    """The n-th that a connection puts out."""
    payload = {"ack": 0, "fin": 0, "small": 10, "whole": MSS, "large": 3 * MSS + 1, "again": 2 * MSS}[kind]
    return Segment(
        1 + n * 10_000, 7, ACK | {"fin": FIN, "large": PSH}.get(kind, 0), 99, payload_bytes=payload,
        payload_start=n * 10_000 if payload else 0, gso_bytes=MSS if payload > MSS else 0,
        gso_segments=max(-(-payload // MSS), 1), timestamps=n % 2 == 0, tsval=n, tsecr=3 * n,
        sack=((5, 6), (8, 9)) if kind == "ack" and n % 3 == 0 else (), retransmission=kind == "again",
    )  # fmt: skip


BURSTS = st.lists(st.sampled_from(["ack", "fin", "small", "whole", "large", "again"]), min_size=1, max_size=12)


class Line:
    """A host's port, and the far end of its line."""

    def __init__(self, *, most=None, rows=256, rate_bps=10**10):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(models.memory, "_ROWS", rows)
            self.memory = Memory(queues=2)
        self.ends = Ports(self.memory, ports=1)
        waiting, self.far = self.memory.queue(), self.memory.queue()
        self.ends.add(
            waiting=waiting, far=self.far, rate_bps=rate_bps, delay_ps=1000, limit_frames=None, inputs=1, most=most
        )
        self.words = self.ends.words[0]

    def arrived(self):
        train = self.far.in_order()
        return [
            (*train.meta[k, [TIME_PS, FRAME_ID]].tolist(), train.head[k, : train.meta[k, HEAD_BYTES]].tobytes(),
             train.payload_of(k)[:, :3].tolist()) for k in range(len(train))
        ]  # fmt: skip


def by_hand(segments, *, tso):
    """The line after packets were written and sent one by one; what that was, and what it cost."""
    line, counts, cost = Line(rows=1024), np.zeros(len(PRICES), np.int64), 0
    ident, frame = IDENT_FIRST, FRAME_FIRST
    for one in segments:
        kind = Kind.TX if one.payload_bytes or one.flags & FIN else Kind.ACK
        counts[kind] += 1
        cost += int(PRICES[kind])
        at_ps = START_PS + work_ps(cost, PROFILE.hz)
        train = packet(one, ROUTE, time_ps=at_ps, ident=ident, frame_id=frame)
        assert takes(line.words, train.meta, line.memory.state)
        join_queue(train.meta, train.head, train.pieces, SYNTHETIC, 0, line.words, *line.memory.arrays())
        assert served(line.words, line.ends.departures, *line.memory.arrays())
        if not tso and one.gso_segments > 1:
            counts[Kind.GSO_SEG] += one.gso_segments
            cost += int(PRICES[Kind.GSO_SEG]) * one.gso_segments
        ident, frame = (ident + one.gso_segments) % 65536, frame + one.gso_segments
    return line, counts, cost, ident, frame


class Sender:
    """A host with one connection, which has put out `segments`."""

    def __init__(self, segments, *, tso):
        self.sockets = Sockets(Endpoints(1), tso=tso)
        self.sockets.endpoints.begin(0, TcpConfig())
        self.sockets.add(ROUTE, ident=IDENT_FIRST)
        self.host = host = self.sockets.tables
        host.words[[PORT, TIMER_PS]], host.frame_ids[0] = (0, NEVER), FRAME_FIRST
        for k, one in enumerate(segments):
            write_words(one, host.out[k])
        host.endpoints[0].out_rows = len(segments)
        self.counts, self.statuses = np.zeros(len(PRICES), np.int64), []

    def send(self, line):
        """Call until all is sent, doing each time what is wanted."""
        begin_to_send(self.host, 0, START_PS)
        told = 0
        while not self.statuses or self.statuses[-1] != FLUSHED:
            status = transmit(
                self.host, PROFILE.hz, PRICES, self.counts, SYNTHETIC, line.ends.words, line.ends.departures,
                *line.memory.arrays(),
            )  # fmt: skip
            self.statuses.append(status)
            if status == NO_ROOM:
                line.ends.make_room(0)
            told, line.words[NEWS] = told + line.words[NEWS], 0
            assert told == len(line.far)  # nothing is at the far end that it has not been told of
        return self


def same(kinds, *, tso, most, rows):
    segments = [segment(kind, n) for n, kind in enumerate(kinds)]
    expected, counts, cost, ident, frame = by_hand(segments, tso=tso)
    line = Line(most=most, rows=rows)
    sender = Sender(segments, tso=tso).send(line)
    host = sender.host
    assert line.arrived() == expected.arrived()
    assert sender.counts.tolist() == counts.tolist()
    assert (host.words[SEND_COST], host.sockets[0, IDENT], host.frame_ids[0]) == (cost, ident, frame)
    assert host.words[ACKS_SENT] == counts[Kind.ACK]
    assert host.sockets[0, RETRANSMITTED] == sum(one.gso_segments for one in segments if one.retransmission)
    assert host.words[SENDING] == ABSENT and host.endpoints[0].out_rows == 0
    return sender


@pytest.mark.parametrize("tso", [True, False])
@given(kinds=BURSTS, most=st.sampled_from([None, 1, 3]), rows=st.sampled_from([1, 4, 256]))
def test_a_burst_against_packets_one_by_one(tso, kinds, most, rows):
    same(kinds, tso=tso, most=most, rows=rows)


@pytest.mark.parametrize(
    ("most", "rows", "statuses"),
    [
        (None, 256, {FLUSHED}),
        (None, 1, {NO_ROOM, FLUSHED}),
        (1, 256, {TELL, FLUSHED}),
        (1, 1, {TELL, NO_ROOM, FLUSHED}),
    ],
)
def test_the_bursts_above_are_interrupted_for_either_reason(most, rows, statuses):
    sender = same(["large", "ack", "again", "large", "fin"], tso=False, most=most, rows=rows)
    assert set(sender.statuses) == statuses


@pytest.mark.parametrize("tso", [True, False])
def test_each_packet_goes_down_when_the_work_before_it_is_done(tso):
    """Without TSO the cutting of a packet is done after it and before the next; the line is never busy here."""
    line = Line(rate_bps=10**13)
    Sender([segment("large", 0), segment("ack", 1)], tso=tso).send(line)
    first_ps, second_ps = line.far.in_order().time_ps[[0, 4]]
    cut = 0 if tso else 4 * PRICES[Kind.GSO_SEG]
    costs = PRICES[Kind.TX], PRICES[Kind.TX] + cut + PRICES[Kind.ACK]
    for at_ps, cost, frame_bytes in zip((first_ps, second_ps), costs, (14 + 52 + MSS, 60), strict=True):
        on_the_line_ps = serialization_ps(wire_bytes=frame_bytes + 24, rate_bps=10**13)
        assert at_ps == START_PS + work_ps(int(cost), PROFILE.hz) + on_the_line_ps + 1000


@pytest.mark.parametrize(("before", "rto", "after"), [(NEVER, 5, 5), (3, 5, 3), (NEVER, NEVER, NEVER)])
def test_the_host_knows_of_the_timer_that_a_packet_set(before, rto, after):
    sender = Sender([segment("whole", 0)], tso=True)
    sender.host.words[TIMER_PS], sender.host.endpoints[0].rto_at = before, rto
    assert sender.send(Line()).host.words[TIMER_PS] == after


def test_a_connection_is_compiled_between_opening_and_closing_after_its_peer():
    table = Endpoints(1)
    table.begin(0, TcpConfig())
    plain = set()
    for state in State:
        table.records[0].state = state
        if is_plain(table.records[0]):
            plain.add(state)
    assert plain == {State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK}
