"""A router: packets come up from a poll and go down to another port, within the poll's own loop."""

from __future__ import annotations

import numpy as np

from models.forwarding.router import REFUSED_BYTES, Verdict, table
from models.queue import Ports
from sim.nodes.ledger import Ledger
from sim.nodes.port import Port
from sim.nodes.stack import Stack


class Router(Stack):
    """Forwards by destination address. A merged packet is cut again by the egress card, or by the core without TSO."""

    forwards = True

    def __init__(self, *, ledger: Ledger, line_ends: Ports) -> None:
        super().__init__(line_ends=line_ends)
        self.ledger = ledger
        self._egress: dict[bytes, int] = {}
        ledger.watch(self.drops, {v: f"drop/{v.label}" for v in Verdict if v != Verdict.FORWARDED})
        ledger.watch(self.drops, {REFUSED_BYTES: "router/refused-bytes"})

    def attach(self, port: Port, *, macs: bytes) -> None:
        """One more way out; `macs`: destination and source of the frames that leave there."""
        self.ports.append(port)
        self.line_ends.macs[port.number] = np.frombuffer(macs, np.uint8)

    def route(self, address: bytes, port: Port) -> None:
        """Packets to the host `address`, 4 or 16 bytes, leave by `port`."""
        self._egress[address] = port.number
        self.routes = table(self._egress)
