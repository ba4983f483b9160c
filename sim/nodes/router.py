"""A router: packets come up from a poll and go down to another port."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.cpu.costs import Kind
from models.forwarding.router import Verdict, forward
from models.offload.segment import cut
from models.payload import SYNTHETIC
from models.train import ABSENT, FRAME_COUNT, GSO_SEGMENTS, L3, TIME_PS, Bytes, FrameTrain
from models.wire import ipv4, ipv6
from sim.nodes.core import Core
from sim.nodes.ledger import Ledger
from sim.nodes.port import Port


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Where packets to some destinations leave; MACs uint8[6]."""

    port: Port
    source_mac: Bytes
    next_hop_mac: Bytes
    mtu_bytes: int
    tso: bool


class Router:
    """Forwards by destination address. A merged packet is cut again by the egress card, or by the core without TSO."""

    def __init__(self, *, ledger: Ledger) -> None:
        self.ledger = ledger
        self.routes: dict[bytes, Egress] = {}
        self.core_ranks: dict[Core, int] = {}

    def hand_up(self, packets: FrameTrain, spent: np.ndarray, *, began_ps: int, core: Core, extra: int) -> int:
        """Routes, rewrites and transmits each packet at its inner time; returns the work done [1/10,000 cycle]."""
        cost = 0
        for start, stop, egress in self._runs(packets):
            cost += self._forward(packets[start:stop], spent[start:stop] + (extra + cost), began_ps, core, egress)
        return cost

    def _runs(self, packets: FrameTrain) -> list[tuple[int, int, Egress | None]]:
        """Stretches of packets that leave by the same egress; None: no route."""
        runs: list[tuple[int, int, Egress | None]] = []
        for k, l3 in enumerate(packets.meta[:, L3].tolist()):
            egress = None if l3 == ABSENT else self.routes.get(_destination(packets.head[k], l3))
            if runs and runs[-1][2] is egress:
                runs[-1] = (runs[-1][0], k + 1, egress)
            else:
                runs.append((k, k + 1, egress))
        return runs

    def _forward(self, packets: FrameTrain, spent: np.ndarray, began_ps: int, core: Core, egress: Egress | None) -> int:
        n = len(packets)
        per_packet = np.full(n, core.cost(Kind.FWD, n) // n, np.int64)
        if egress is None:
            self.ledger.drop("no-route", int(packets.meta[:, FRAME_COUNT].sum()))
            return int(per_packet.sum())
        meta, head = packets.meta.copy(), packets.head.copy()
        verdicts = np.empty(n, np.int64)
        forward(head, meta, verdicts, egress.source_mac, egress.next_hop_mac, egress.mtu_bytes)
        goes = verdicts == Verdict.FORWARDED
        if not egress.tso:
            segments = np.where(goes & (meta[:, GSO_SEGMENTS] > 1), meta[:, GSO_SEGMENTS], 0)
            core.cost(Kind.GSO_SEG, int(segments.sum()))
            per_packet += segments * core.profile.cost[Kind.GSO_SEG]
        after = np.cumsum(per_packet)
        meta[:, TIME_PS] = [began_ps + core.ps(cost) for cost in (spent + after).tolist()]
        if not goes.all():
            for verdict in Verdict:
                if verdict != Verdict.FORWARDED:
                    self.ledger.drop(verdict.label, int(meta[verdicts == verdict, FRAME_COUNT].sum()))
            meta, head = meta[goes], head[goes]
        if len(meta):
            frames = cut(FrameTrain(meta, head, packets.pieces), SYNTHETIC)
            egress.port.send(frames, input_rank=self.core_ranks[core])
        return int(after[-1])

    def next_timer_ps(self) -> int | None:
        """A router has no timers."""
        return None

    def run_timers(self) -> int:
        """Nothing to run, no work."""
        return 0


def _destination(row: Bytes, l3: int) -> bytes:
    if row[l3] >> 4 == 4:
        return row[l3 + ipv4.DESTINATION : l3 + ipv4.MINIMUM_BYTES].tobytes()
    return row[l3 + ipv6.DESTINATION : l3 + ipv6.HEADER_BYTES].tobytes()
