"""What is above a node's cards: polls hand packets to it, which go out by its ports again, or no further."""

from __future__ import annotations

import numpy as np

from models.forwarding.router import REFUSED_BYTES, table
from models.host.sockets import Sockets
from models.queue import Ports
from models.tcp.endpoint import Endpoints
from models.train import ABSENT, FrameTrain, Ints
from models.units import NEVER
from sim.nodes.port import Port


class Stack:
    """The tables that the compiled polls of a node work on; a router's have no sockets, a host's no routes.

    `routes` int64[n, 3] is the forwarding table, `drops` int64[REFUSED_BYTES + 1] counts the frames it refused."""

    forwards = False

    def __init__(self, *, line_ends: Ports, sockets: Sockets | None = None) -> None:
        self.line_ends = line_ends
        self.ports: list[Port] = []
        self.routes: Ints = table({})
        self.drops: Ints = np.zeros(REFUSED_BYTES + 1, np.int64)
        self.sockets = sockets or Sockets(Endpoints(0))

    def take(self, packet: FrameTrain, seen: list[int], at_ps: int) -> int:
        """A packet that compiled code has no use for, with what TCP reads of it, models.packet.look(): the number of
        the connection that may have something to send from then on; ABSENT."""
        return ABSENT

    def first_timer_ps(self) -> int:
        """When the next timer rings [ps]; NEVER."""
        return NEVER

    def run_timers(self, now_ps: int) -> int:
        """What is due at `now_ps`; the work with it [1/10,000 cycle]."""
        return 0

    def finish_reading(self, number: int, now_ps: int) -> None:
        """The call of a reader returns whose connection opens or closes."""
