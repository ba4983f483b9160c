"""The merged packets cut again: the frames that come of it, and how many are what they were."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from models.offload.engine import Outcome
from models.payload import Payloads
from models.train import FrameTrain
from sim.capture import Capture
from sim.capture_write import CaptureWriter
from sim.coalesce.comparison import Compared, Comparison
from sim.coalesce.fields import differences

BOUNDARY = "boundary"  # the frame begins or ends elsewhere, its padding included
CHECKSUM = "checksum"  # nothing else differs: a checksum that no sum gives, or the frame came with a wrong one


def _as_captured(writer: CaptureWriter, capture: Capture) -> None:
    """Gives what is written the time and link type of what was read; both are known once there are frames."""
    writer.base_seconds, writer.link_type = capture.base_seconds, capture.link_type


@dataclass(slots=True)
class PacketsOut:
    """Writes the packets an engine delivers, while the next chunk of the capture is read."""

    writer: CaptureWriter
    capture: Capture

    def __post_init__(self) -> None:
        self.capture.file.before_reuse(self.writer.settle)

    def add(self, train: FrameTrain, outcome: Outcome, payloads: Payloads) -> None:
        _as_captured(self.writer, self.capture)
        self.writer.write_behind(outcome.packets, payloads)


@dataclass(slots=True)
class Resegmented:
    """Writes what a cut makes of the packets an engine delivers, and compares.

    Invariant: frames in == identical + altered + not compared + those the engine holds."""

    writer: CaptureWriter
    capture: Capture
    identical: int = 0
    altered: int = 0
    not_compared: int = 0  # merged before they came
    fields: Counter[str] = field(default_factory=Counter)  # in how many altered frames each differs
    _comparison: Comparison = field(default_factory=Comparison)

    def add(self, train: FrameTrain, outcome: Outcome, payloads: Payloads) -> None:
        compared = self._comparison.compare(train, outcome, payloads)
        _as_captured(self.writer, self.capture)
        self.writer.write(compared.frames, payloads)
        altered = compared.comparable & ~compared.same
        self.identical += int((compared.comparable & compared.same).sum())
        self.altered += int(altered.sum())
        self.not_compared += int((~compared.comparable).sum())
        for name, rows in altered_fields(compared, np.flatnonzero(altered)):
            self.fields[name] += len(rows)

    def summary(self, name: str) -> str:
        """One line: the file `name`, what is in it, and what did not come back."""
        total = self.identical + self.altered
        line = f"{name}: {self.writer.frames} frames; {self.identical} of {total} came back byte for byte"
        if self.fields:
            lost = ", ".join(f"{field} {count}" for field, count in self.fields.most_common())
            line += f"; in the others differ: {lost}"
        if self.not_compared:
            line += f"; {self.not_compared} were merged before and are left as they are"
        return line


def altered_fields(compared: Compared, rows: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """(field, those of the altered frames `rows` in which it differs), BOUNDARY and CHECKSUM among the fields."""
    if not len(rows):
        return []
    found = differences(compared.came[rows], compared.frames[compared.piece[rows]])
    named = [(each.name, rows[each.rows]) for each in found]
    moved = rows[compared.moved[rows]]
    if len(moved):
        named.append((BOUNDARY, moved))
    rest = np.setdiff1d(rows, np.concatenate([each for _, each in named])) if named else rows
    if len(rest):
        named.append((CHECKSUM, rest))
    return named
