"""A host: its sockets, and of what happens to them that which is not compiled: opening, closing, timers."""

from __future__ import annotations

from models.host.sockets import (
    ACKS_SENT,
    PORT,
    READ,
    READING,
    RETRANSMITTED,
    SEND_COST,
    TIMER_PS,
    Sockets,
    end_call,
)
from models.host.transmit import transmit
from models.nic.words import FLUSHED, NO_ROOM
from models.packet import FRAMES, OTHERWISE, PORTS, Route, read_options
from models.payload import SYNTHETIC
from models.queue import Ports
from models.tcp.config import TcpConfig
from models.tcp.connection import Connection
from models.tcp.segment import segment_of
from models.tcp.states import State
from models.train import ABSENT, L4, FrameTrain
from models.units import NEVER
from sim.nodes.core import Core
from sim.nodes.ledger import Ledger
from sim.nodes.port import Port
from sim.nodes.stack import Stack


class Socket:
    """One end of a connection; the application behind it reads whatever there is."""

    def __init__(self, *, connection: Connection, flow: str) -> None:
        self.connection = connection
        self.flow = flow
        self.opens_at_ps: int | None = None
        self.closes = False  # once everything is written

    def due_ps(self) -> int:
        """When it opens, or its next timer rings [ps]."""
        if self.opens_at_ps is not None:
            return self.opens_at_ps
        timer_ps = self.connection.next_timer_ps
        return NEVER if timer_ps is None else timer_ps

    def close_after_peer(self, now_ps: int) -> None:
        """The reader has seen the end of the stream, so this side has nothing more to say either."""
        if self.connection.state is State.CLOSE_WAIT and not self.connection.readable_bytes:
            self.connection.close(now_ps)

    def ring(self, now_ps: int) -> None:
        """Opens, or times out; that it is due has been seen."""
        if self.opens_at_ps is None:
            self.connection.timer(now_ps)
            return
        self.opens_at_ps = None
        self.connection.open(now_ps)
        if self.closes:
            self.connection.close(now_ps)


class Host(Stack):
    """Takes packets from polls to sockets and segments from sockets to the port; most of it within the polls."""

    def __init__(self, *, ledger: Ledger, core: Core, line_ends: Ports, sockets: Sockets) -> None:
        super().__init__(line_ends=line_ends, sockets=sockets)
        self.ledger = ledger
        self.core = core
        self._words = memoryview(sockets.words.data)
        self._sockets: list[Socket] = []
        ledger.watch(sockets.words, {ACKS_SENT: "acks-sent"})

    def attach(self, port: Port) -> None:
        """Its packets leave by `port`."""
        self.ports.append(port)
        self._words[PORT] = port.number

    def connect(self, config: TcpConfig, route: Route, *, active: bool, flow: str, ident: int) -> Socket:
        """The socket of the host's next connection; `ident` is the IPv4 ID of its first frame."""
        number = self.sockets.add(route, ident=ident)
        connection = Connection(config, active=active, table=self.sockets.endpoints, number=number)
        names = {RETRANSMITTED: f"retransmitted/{flow}", READ: f"read/{flow}"}
        self.ledger.watch(self.sockets.sockets[number], names)
        self._sockets.append(Socket(connection=connection, flow=flow))
        return self._sockets[-1]

    def take(self, packet: FrameTrain, seen: list[int], at_ps: int) -> int:
        number = self.sockets.number_of(seen[PORTS])
        if number == ABSENT:
            self.ledger.drop("no-socket", seen[FRAMES])
            return ABSENT
        segment = segment_of(seen)
        if seen[OTHERWISE]:
            read_options(packet.head[0], packet.meta.item(0, L4), segment)
        socket = self._sockets[number]
        socket.connection.receive(segment, at_ps)
        socket.close_after_peer(at_ps)
        return number

    def first_timer_ps(self) -> int:
        return min((socket.due_ps() for socket in self._sockets), default=NEVER)

    def run_timers(self, now_ps: int) -> int:
        """Opens and times out what is due now, one socket after the other; the work done [1/10,000 cycle]."""
        cost = 0
        for number, socket in enumerate(self._sockets):
            if socket.due_ps() <= now_ps:
                at_ps = now_ps + self.core.ps(cost)
                socket.ring(at_ps)
                cost += self._send(number, at_ps)
        self._words[TIMER_PS] = self.first_timer_ps()
        return cost

    def finish_reading(self, number: int, now_ps: int) -> None:
        words, socket = self.sockets.sockets[number], self._sockets[number]
        socket.connection.read(int(words[READING]), now_ps)
        socket.close_after_peer(now_ps)
        end_call(words)
        self.sockets.send_from(number, now_ps)

    def _send(self, number: int, at_ps: int) -> int:
        """Sends what connection `number` has put out, from `at_ps` on; returns the work [1/10,000 cycle]."""
        core, ends = self.core, self.line_ends
        counts = core.counts if core.now_ps >= core.measured_from_ps else core.scrap
        self.sockets.send_from(number, at_ps)
        while True:
            status = transmit(
                self.sockets.tables, core.hz, core.prices, counts, SYNTHETIC, ends.words, ends.departures,
                *ends.memory.arrays(),
            )  # fmt: skip
            self.ports[0].tell()
            if status == FLUSHED:
                return int(self._words[SEND_COST])
            if status == NO_ROOM:
                ends.make_room(self.ports[0].number)
