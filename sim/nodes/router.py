"""A router: packets come up from a poll and go down to another port, within the poll's own loop."""

from __future__ import annotations

import numpy as np

from models.forwarding.router import REFUSED_BYTES, Verdict, table
from models.queue import Ports
from models.train import Bytes, Ints
from sim.nodes.ledger import Ledger
from sim.nodes.port import Port


class Router:
    """Forwards by destination address. A merged packet is cut again by the egress card, or by the core without TSO.

    `routes` int64[n, 3] is the forwarding table, `drops` int64[REFUSED_BYTES + 1] counts frames
    by verdict, and the payload of all that were refused."""

    def __init__(self, *, ledger: Ledger, ports: Ports) -> None:
        self.ledger = ledger
        self.routes: Ints = table({})
        self.drops: Ints = np.zeros(REFUSED_BYTES + 1, np.int64)
        self.ports: list[Port] = []
        self._ports = ports
        self._egress: dict[bytes, int] = {}
        ledger.watch(self.drops, {v: f"drop/{v.label}" for v in Verdict if v != Verdict.FORWARDED})
        ledger.watch(self.drops, {REFUSED_BYTES: "router/refused-bytes"})

    def add(self, port: Port, *, macs: bytes) -> None:
        """One more way out; `macs`: destination and source of the frames that leave there."""
        self.ports.append(port)
        self._ports.macs[port.number] = np.frombuffer(macs, np.uint8)

    def route(self, address: bytes, port: Port) -> None:
        """Packets to the host `address`, 4 or 16 bytes, leave by `port`."""
        self._egress[address] = port.number
        self.routes = table(self._egress)

    def make_room(self, port: int) -> None:
        """Give the queues of port number `port` the room that a poll's kernel has found missing."""
        self._ports.make_room(port)

    @property
    def tables(self) -> tuple[Ints, Ints, Ints, Bytes, Ints]:
        """What a poll's kernel needs to forward: routes, drops, and the ports' words, MACs and departures."""
        ports = self._ports
        return self.routes, self.drops, ports.words, ports.macs, ports.departures
