"""Bursts through the running kernel and through ours, compared; what disagrees is sent again, for timing's sake.

Leaves out: deciding what a difference means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from models.offload.engine import Engine
from sim.kernel_check.bench import LANES, Bench, Packet, Seen
from sim.kernel_check.bursts import burst
from sim.kernel_check.compare import Difference, difference
from sim.kernel_check.flows import Shape
from sim.kernel_check.ours import forwarded, merged, packets_of

SENDINGS = 5  # a real kernel splits a burst now and then, by timing
VOID_ABOVE = 0.02  # of the bursts sent again
PATHS = ("gro", "forwarding")


@dataclass(slots=True)
class Case:
    """A burst, what our rules make of it, and how its sendings went."""

    name: str
    burst: list[bytes]
    expected: tuple[list[Packet], list[Packet]]
    sendings: int = 0
    agrees: list[bool] = field(default_factory=lambda: [False, False])
    first: list[Difference | None] = field(default_factory=lambda: [None, None])

    def compare(self, seen: Seen) -> None:
        """Book one sending."""
        self.sendings += 1
        for path, (kernel, ours) in enumerate(zip((seen.merged, seen.forwarded), self.expected)):
            differs = difference(kernel, ours)
            self.agrees[path] |= differs is None
            self.first[path] = self.first[path] or differs

    @property
    def settled(self) -> bool:
        return all(self.agrees) or self.sendings == SENDINGS


@dataclass(slots=True)
class Tally:
    """How a run went. Invariant: `agreed` of each path is at most `cases`."""

    cases: int = 0
    agreed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PATHS, 0))
    repeated: int = 0
    left_out: int = 0  # bursts this kernel is not sent, for a mistake of its own
    frames: int = 0
    packets: int = 0  # that these became, by our rules
    disagreements: list[tuple[str, str, Difference]] = field(default_factory=list)

    @property
    def void(self) -> bool:
        """Whether too many bursts had to be sent again for the rest to be believed."""
        return self.repeated > VOID_ABOVE * self.cases

    def add(self, case: Case) -> None:
        self.cases += 1
        self.frames += len(case.burst)
        self.packets += len(case.expected[0])
        for path, agrees, first in zip(PATHS, case.agrees, case.first):
            self.agreed[path] += agrees
            if not agrees and first is not None:
                self.disagreements.append((case.name, path, first))
        self.repeated += all(case.agrees) and case.sendings > 1


def prepared(
    engine: Engine, named: Iterable[tuple[str, list[bytes]]], *, blind_to_extensions: bool = False
) -> Iterator[Case]:
    """Cases with what we say of them; `engine` is empty again after each."""
    for name, sent in named:
        packets, payloads = merged(engine, sent)
        far = forwarded(packets, payloads, blind_to_extensions=blind_to_extensions)
        yield Case(name, sent, (packets_of(packets, payloads), packets_of(far, payloads)))


def check(bench: Bench, cases: Iterable[Case], tally: Tally, *, progress: Callable[[int], None] | None = None) -> None:
    """Send every case until it agrees, at most SENDINGS times, and book it."""
    coming = iter(cases)
    again: list[Case] = []
    while batch := again + list(islice(coming, LANES - len(again))):
        again = []
        for case, seen in zip(batch, bench.send([case.burst for case in batch])):
            case.compare(seen)
            if case.settled:
                tally.add(case)
            else:
                again.append(case)
        if progress:
            progress(tally.cases)


def random_bursts(seed: int, trains: range, shapes: Sequence[Shape]) -> Iterator[tuple[str, list[bytes]]]:
    """Train number k of a seed is the same in every run that knows the same shapes."""
    for k in trains:
        yield f"train {k} of seed {seed}", burst(np.random.default_rng([seed, k]), shapes)
