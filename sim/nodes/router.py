"""A router: packets come up from a poll and go down to another port."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.cpu.costs import Kind
from models.forwarding.router import (
    BEGAN_PS,
    FRAMES,
    HZ,
    PRICE,
    RUN_WORDS,
    SEGMENT_PRICE,
    SEGMENTS,
    SPENT,
    Verdict,
    forward,
)
from models.train import ABSENT, FRAME_COUNT, L3, Bytes, FrameTrain, Ints
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
        self._run = np.zeros(RUN_WORDS, np.int64)
        self._words = memoryview(self._run.data)
        self._drops = np.zeros(len(Verdict), np.int64)
        ledger.watch(self._drops, {v: f"drop/{v.label}" for v in Verdict if v != Verdict.FORWARDED})

    def hand_up(self, packets: FrameTrain, spent: Ints, *, began_ps: int, core: Core, extra: int) -> int:
        """Routes, rewrites and transmits each packet at its inner time; returns the work done [1/10,000 cycle]."""
        words = self._words
        words[BEGAN_PS], words[HZ], words[SPENT] = began_ps, core.hz, extra
        for start, stop, egress in self._runs(packets):
            words[PRICE] = core.cost(Kind.FWD, stop - start) // (stop - start)
            if egress is None:
                self.ledger.drop("no-route", int(packets.meta[start:stop, FRAME_COUNT].sum()))
                words[SPENT] += words[PRICE] * (stop - start)
                continue
            words[SEGMENT_PRICE] = 0 if egress.tso else core.profile.cost[Kind.GSO_SEG]
            meta, head = packets.meta[start:stop], packets.head[start:stop]
            kept = forward(
                self._run, meta, head, spent[start:stop], self._drops, egress.source_mac, egress.next_hop_mac,
                egress.mtu_bytes,
            )  # fmt: skip
            if words[SEGMENTS]:
                core.cost(Kind.GSO_SEG, words[SEGMENTS])
            if kept:
                leaving = FrameTrain(meta[:kept], head[:kept], packets.pieces)
                egress.port.send(leaving, frames=words[FRAMES], input_rank=self.core_ranks[core])
        return words[SPENT] - extra

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


def _destination(row: Bytes, l3: int) -> bytes:
    if row[l3] >> 4 == 4:
        return row[l3 + ipv4.DESTINATION : l3 + ipv4.MINIMUM_BYTES].tobytes()
    return row[l3 + ipv6.DESTINATION : l3 + ipv6.HEADER_BYTES].tobytes()
