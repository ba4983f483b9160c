"""What a run found, for people and as JSON; and which edition of ours stands for which kernel.

Leaves out: what is behind a difference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.offload.engine import ENGINES
from sim.kernel_check.check import PATHS, SENDINGS, VOID_ABOVE, Tally
from sim.kernel_check.probes import Offer

EDITIONS = {(6, 18): "gro", (6, 12): "gro-6.12", (6, 1): "gro-6.1"}

BLIND = (
    "forwarding: this kernel drops merged TCP over IPv6 whose extension header it takes for a TCP header with a bad "
    "data offset; counted as agreeing where it drops just that"
)

LEFT_OUT = "with a tunnel over IPv6 not sent, for a mistake of this kernel (sim/kernel_check/left_out.py)"


def version_of(release: str) -> tuple[int, int]:
    """Of a kernel `release`, as `uname -r` has it; that of the newest edition if it says none."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else max(EDITIONS)


def engine_for(release: str) -> str:
    """The engine whose edition is the newest that is not newer than kernel `release`."""
    version = version_of(release)
    known = [edition for edition, name in EDITIONS.items() if name in ENGINES]
    return EDITIONS[max((edition for edition in known if edition <= version), default=min(known))]


def edition_of(engine: str) -> str:
    return next(f"{major}.{minor}" for (major, minor), name in EDITIONS.items() if name == engine)


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run."""

    kernel: str
    engine: str
    offer: Offer
    tally: Tally
    seed: int

    @property
    def agrees(self) -> bool:
        """Whether every case agrees on both paths, and the run counts."""
        return not self.tally.disagreements and not self.tally.void

    def lines(self) -> list[str]:
        """The report, line by line."""
        tally = self.tally
        text = [
            f"kernel {self.kernel}, our edition {edition_of(self.engine)} ({self.engine})",
            f"refereed: {_listed(self.offer.names)}",
            f"not refereed here, this kernel does not merge it: {_listed(self.offer.missing)}",
            *([BLIND] if self.offer.blind_to_extensions else []),
            *([f"{tally.left_out} bursts {LEFT_OUT}"] if tally.left_out else []),
            f"{tally.cases} cases, {tally.frames} frames, {tally.packets} packets after GRO",
        ]
        for path in PATHS:
            agreed = tally.agreed[path]
            text.append(f"{path}: {agreed} of {tally.cases} agree, {_percent(agreed, tally.cases)}")
        text.append(
            f"sent more than once, up to {SENDINGS} times, until it agreed: {tally.repeated} cases, "
            f"{_percent(tally.repeated, tally.cases)}"
        )
        if tally.void:
            text.append(f"void: more than {VOID_ABOVE:.0%} of the cases depended on timing")
        if tally.disagreements:
            name, path, difference = tally.disagreements[0]
            text += [f"first disagreement: {name}, {path}", *difference.lines()]
        return text

    def as_json(self) -> dict[str, Any]:
        """The stable shape of `kernel-check --json`."""
        tally = self.tally
        return {
            "kernel": self.kernel,
            "edition": edition_of(self.engine),
            "engine": self.engine,
            "seed": self.seed,
            "cases": tally.cases,
            "frames": tally.frames,
            "packets": tally.packets,
            "agreed": dict(tally.agreed),
            "repeated": tally.repeated,
            "left_out": tally.left_out,
            "void": tally.void,
            "refereed": self.offer.names,
            "not_refereed": self.offer.missing,
            "blind_to_extensions": self.offer.blind_to_extensions,
            "disagreements": [
                {"case": name, "path": path, "fields": difference.fields()}
                for name, path, difference in tally.disagreements
            ],
        }


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


def _percent(part: int, whole: int) -> str:
    """Rounded down: what is short of all is never 100 %."""
    return f"{10_000 * part // whole / 100:.2f} %" if whole else "nothing sent"
