"""One capture through several engines at once, poll after poll.

Leaves out: everything that takes time; a poll here is a group of frames, flushed at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from models.offload.engine import Outcome
from models.payload import Payloads
from models.train import FrameTrain
from models.wire import link
from sim.capture import Capture, CaptureError
from sim.capture_bytes import Holder
from sim.capture_records import link_name
from sim.coalesce.card import Card
from sim.coalesce.polls import Polls
from sim.coalesce.tally import Tally


class Observer(Protocol):
    """Somebody who wants to know all that one engine did, in order."""

    def add(self, train: FrameTrain, outcome: Outcome, payloads: Payloads) -> None:
        """`train` was handed in, and `outcome` came of it. At the end of the capture `train` is empty."""


@dataclass(slots=True)
class Lane:
    """An engine's way through the capture: its books, and who looks on."""

    tally: Tally
    observers: list[Observer] = field(default_factory=list)


def run(
    capture: Capture,
    lanes: Sequence[Lane],
    polls: Polls,
    card: Card,
    *,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Pass the capture through the engines of all `lanes`; `progress` is told the frames read so far.

    CaptureError, OSError; what the observers raise."""
    engines: list[Holder] = [lane.tally.engine for lane in lanes]
    for chunk in capture.chunks(engines):
        if isinstance(card.settings.to, bytes) and capture.link_type != link.ETHERNET:
            found = f"a MAC address, and frames of {link_name(capture.link_type)}"
            raise CaptureError(f"--to: found {found}, wanted an IP address for these")
        train, stamps_ps = card.receive(chunk.train, chunk.stamps_ps, capture.payloads)
        starts = polls.starts(stamps_ps)
        for lane in lanes:
            outcome = lane.tally.engine.receive(train, capture.payloads, polls=starts)
            _tell(lane, train, outcome, capture.payloads)
        if progress:
            progress(capture.file.frames)
    nothing = FrameTrain.blank(0)
    for lane in lanes:
        _tell(lane, nothing, lane.tally.engine.flush(capture.payloads), capture.payloads)


def _tell(lane: Lane, train: FrameTrain, outcome: Outcome, payloads: Payloads) -> None:
    lane.tally.add(outcome)
    for observer in lane.observers:
        observer.add(train, outcome, payloads)
