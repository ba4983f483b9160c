"""A host: its sockets, and the applications that read from them."""

from __future__ import annotations

from models.cpu.costs import Kind
from models.packet import FRAMES, OTHERWISE, PORTS, SPENT, PacketWriter, Route, read_options
from models.tcp.connection import Connection
from models.tcp.segment import ACK, segment_of
from models.tcp.states import State
from models.train import L4, FrameTrain
from sim.clock import NEVER
from sim.nodes.core import Core
from sim.nodes.ledger import Ledger
from sim.nodes.port import Port


class Socket:
    """One end of a connection, with the application behind it, which reads whatever there is."""

    def __init__(self, *, host: Host, core: Core, flow: str, connection: Connection, route: Route, ident: int) -> None:
        self.connection = connection
        self.route = route
        self.writer = PacketWriter(route)
        self.flow = flow
        self.opens_at_ps: int | None = None
        self.closes = False  # once everything is written
        self.ident = ident
        self._host = host
        self._core = core
        self._asleep = True
        self._reading = 0

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

    def wake_reader(self) -> None:
        """Called when bytes may have become readable."""
        if self._asleep and self.connection.readable_bytes:
            self._asleep = False
            self._reading = -1
            self._core.wake(self)

    def begin(self) -> list[tuple[int, int]]:
        """A receive call of everything readable now; the first after a sleep pays for the wake-up."""
        woken = self._reading < 0
        self._reading = self.connection.readable_bytes
        return [(Kind.WAKE, int(woken)), (Kind.COPY, self._reading)]

    def finish(self, now_ps: int) -> int:
        """The call returns: its bytes are read. Work it caused by window updates [1/10,000 cycle]."""
        self.connection.read(self._reading, now_ps)
        self.close_after_peer(now_ps)
        self._host.ledger.add(f"read/{self.flow}", self._reading)
        cost = self._host.transmit(self, now_ps, self._core)
        self._asleep = not self.connection.readable_bytes
        self._reading = 0
        if not self._asleep:
            self._core.wake(self)
        return cost


class Host:
    """Takes packets from polls to sockets and segments from sockets to the port."""

    def __init__(self, *, ledger: Ledger, tso: bool, frame_ids: FrameIds) -> None:
        self._tso = tso
        self._frame_ids = frame_ids
        self._sockets: dict[int, Socket] = {}
        self.ledger = ledger
        self.timer_ps = 0  # no timer rings before this time
        self.port: Port | None = None
        self.core: Core | None = None

    @property
    def sockets(self) -> tuple[Socket, ...]:
        return tuple(self._sockets.values())

    def add(self, socket: Socket) -> None:
        """A socket is found by (remote port, own port)."""
        self._sockets[socket.route.destination_port << 16 | socket.route.source_port] = socket

    def hand_up(self, packets: FrameTrain, seen: list[list[int]], *, began_ps: int, core: Core, extra: int) -> int:
        """IP, TCP and the ACKs it sends, each packet at its inner time; returns the work done [1/10,000 cycle].

        `seen`: what models.packet.look() wrote of each packet, before which `extra` work was done."""
        cost = extra
        for k, words in enumerate(seen):
            cost += core.cost(Kind.STACK, 1)
            socket = self._sockets.get(words[PORTS])
            if socket is None:
                self.ledger.drop("no-socket", words[FRAMES])
                continue
            at_ps = began_ps + core.ps(words[SPENT] + cost)
            segment = segment_of(words)
            if words[OTHERWISE]:
                read_options(packets.head[k], packets.meta.item(k, L4), segment)
            socket.connection.receive(segment, at_ps)
            socket.close_after_peer(at_ps)
            cost += self.transmit(socket, at_ps, core)
            socket.wake_reader()
        return cost - extra

    def transmit(self, socket: Socket, at_ps: int, core: Core) -> int:
        """Sends what the connection has put out, from `at_ps` on; returns the work [1/10,000 cycle]."""
        cost = 0
        if (timer_ps := socket.due_ps()) < self.timer_ps:
            self.timer_ps = timer_ps
        outgoing = socket.connection.outgoing
        if not outgoing:
            return 0
        for segment in outgoing:
            pure_ack = not segment.payload_bytes and segment.flags == ACK
            self.ledger.add("acks-sent", int(pure_ack))
            cost += core.cost(Kind.ACK if pure_ack else Kind.TX, 1)
            train = socket.writer.write(
                segment, time_ps=at_ps + core.ps(cost), ident=socket.ident, frame_id=self._frame_ids.next
            )
            frames = segment.gso_segments
            if not self._tso and frames > 1:
                cost += core.cost(Kind.GSO_SEG, frames)
            socket.ident = (socket.ident + frames) & 0xFFFF
            self._frame_ids.next += frames
            if segment.retransmission:
                self.ledger.add(f"retransmitted/{socket.flow}", frames)
            assert self.port is not None
            self.port.send(train, input_rank=0)
        outgoing.clear()
        return cost

    def timer_rings(self, now_ps: int) -> bool:
        """Whether a timer or the opening of a socket is due."""
        self.timer_ps = min((socket.due_ps() for socket in self._sockets.values()), default=NEVER)
        return self.timer_ps <= now_ps

    def run_timers(self, now_ps: int) -> int:
        """Opens and times out what is due now, one socket after the other; the work done [1/10,000 cycle]."""
        assert self.core is not None
        cost = 0
        for socket in self._sockets.values():
            at_ps = now_ps + self.core.ps(cost)
            if socket.opens_at_ps is not None and socket.opens_at_ps <= now_ps:
                socket.opens_at_ps = None
                socket.connection.open(at_ps)
                if socket.closes:
                    socket.connection.close(at_ps)
            elif socket.due_ps() <= now_ps:
                socket.connection.timer(at_ps)
            cost += self.transmit(socket, at_ps, self.core)
        self.timer_ps = min((socket.due_ps() for socket in self._sockets.values()), default=NEVER)
        return cost


class FrameIds:
    """Numbers frames as they are sent, over all hosts of a run; for the audit."""

    def __init__(self) -> None:
        self.next = 0
