"""An egress port: a queue in front of a line, fed by one or several cores."""

from __future__ import annotations

from models.queue import (
    ACCEPTED,
    CAME,
    CAME_BYTES,
    DROPPED,
    DROPPED_BYTES,
    NEWS,
    OUT_BYTES,
    SWITCHES,
    TIES,
    Ports,
)
from models.train import FrameTrain
from sim.nodes.ledger import Ledger
from sim.nodes.link import Cable, RoughCable


class Port:
    """FIFO with departures and tail drop; a merged packet is cut on its way in (models/queue.py).

    With one input nothing else can come between its frames, so they are served as they are handed over. With several,
    frames wait until all that came before is known and enter by (time, input).
    Invariant: frames in == frames out + waiting + dropped."""

    def __init__(
        self,
        *,
        ports: Ports,
        rate_bps: int,
        queue_frames: int | None,
        cable: Cable | RoughCable,
        inputs: int,
        ledger: Ledger,
        mtu_bytes: int = 0,
        cuts: bool = True,
        max_train_frames: int | None = None,
    ) -> None:
        self._waiting = ports.memory.queue()
        self._cable = cable
        self.number = ports.add(
            waiting=self._waiting,
            far=cable.arriving,
            far_card=cable.far_card,
            rate_bps=rate_bps,
            delay_ps=cable.delay_ps,
            limit_frames=queue_frames,
            inputs=inputs,
            most=max_train_frames,
            mtu_bytes=mtu_bytes,
            cuts=cuts,
        )
        cable.begins_at(self.number)
        self._words = memoryview(ports.words[self.number].data)
        ledger.watch(
            self._waiting.state,
            {
                CAME: "port/in",
                CAME_BYTES: "port/in-bytes",
                ACCEPTED: "port/out",
                OUT_BYTES: "port/out-bytes",
                DROPPED: "drop/queue-full",
                DROPPED_BYTES: "port/dropped-bytes",
                SWITCHES: "port/merged-inputs",
                TIES: "port/ties",
            },
        )

    @property
    def waiting(self) -> FrameTrain:
        """The frames that wait, in the order in which they enter."""
        return self._waiting.in_order()

    def tell(self) -> None:
        """Tell the far end of what it has been sent."""
        if news := self._words[NEWS]:
            self._words[NEWS] = 0
            self._cable.announced(news)
