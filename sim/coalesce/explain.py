"""A row for each frame: what became of it and why, by which rule, and what a merge made of it.

Rows are in the order of the frames. A frame that an engine still holds keeps back those after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.offload.engine import Outcome
from models.offload.why import Fate, Why
from models.payload import Payloads
from models.train import (
    FRAME_COUNT,
    FRAME_ID,
    GSO_BYTES,
    INNER_L3,
    INNER_L4,
    L3,
    L4,
    PAYLOAD_BYTES,
    TIME_PS,
    FrameTrain,
    Ints,
)
from models.units import PS_PER_NS
from models.wire import ipv4, tcp
from models.wire.octets import be16, put16, put32
from sim.capture import Capture
from sim.coalesce import citations
from sim.coalesce.comparison import Compared, Comparison
from sim.coalesce.fields import differences, flows
from sim.coalesce.resegment import altered_fields
from sim.coalesce.table_file import TableFile

NS_PER_S = 1_000_000_000
COLUMNS: dict[str, type] = {
    "engine": str,
    "frame": int,  # its number in the capture, as Wireshark counts
    "time": str,  # seconds since 1970, nanoseconds, as Wireshark's frame.time_epoch
    "flow": str,
    "packet": int,  # its packet's number among those that came out, as Wireshark counts in the file of --out
    "frames_in_packet": int,
    "fate": str,
    "reason": str,  # why it did not join
    "rule": str,
    "function": str,
    "differs": str,  # from the frame that would have joined: field: what would have fitted -> what it has
    "closed_by": int,  # number of the frame that completed its packet; empty if a flush did, or it was never held
    "close": str,  # why its packet was complete
    "close_function": str,
    "lost": str,  # field: as it came -> as it comes out when its packet is cut again
}
REFUSALS = (  # reasons that come from a comparison with the held packet
    Why.FLAGS, Why.CWR, Why.WINDOW, Why.ACK, Why.OPTIONS, Why.TTL, Why.TOS, Why.ECN, Why.DF, Why.IP_ID, Why.SIZE,
    Why.GAP, Why.VLAN,
)  # fmt: skip


FRAME, TIME_NS, FATE, REASON, PACKET, SIZE, CLOSED_BY, CLOSE, NUMBERS = range(9)


@dataclass(slots=True)
class _Rows:
    """Of frames that are not all out yet: `numbers` int64[n, NUMBERS], of which PACKET 0 marks those that are held."""

    numbers: Ints
    flow: list[str]
    differs: list[str]
    lost: list[str]

    def plus(self, other: _Rows) -> _Rows:
        numbers = np.concatenate([self.numbers, other.numbers])
        return _Rows(numbers, self.flow + other.flow, self.differs + other.differs, self.lost + other.lost)

    def part(self, rows: slice) -> _Rows:
        return _Rows(self.numbers[rows], self.flow[rows], self.differs[rows], self.lost[rows])


@dataclass(slots=True)
class Explained:
    """Writes what an engine did with each frame into `table`, whose columns are COLUMNS."""

    table: TableFile
    capture: Capture
    engine: str
    packets: int = 0
    _comparison: Comparison = field(default_factory=Comparison)
    _waiting: _Rows | None = None

    def add(self, train: FrameTrain, outcome: Outcome, payloads: Payloads) -> None:
        rows = self._arrived(train, outcome)
        waiting = self._waiting.plus(rows) if self._waiting is not None else rows
        self._delivered(waiting, train, outcome, self._comparison.compare(train, outcome, payloads))
        held = np.flatnonzero(waiting.numbers[:, PACKET] == 0)
        known = int(held[0]) if len(held) else len(waiting.numbers)
        self._waiting = waiting.part(slice(known, None))
        if known:
            self.table.write(self._cells(waiting.part(slice(known))))

    def _arrived(self, train: FrameTrain, outcome: Outcome) -> _Rows:
        numbers = np.zeros((len(train), NUMBERS), np.int64)
        numbers[:, FRAME] = train.meta[:, FRAME_ID] + 1
        numbers[:, TIME_NS] = self.capture.base_seconds * NS_PER_S + train.meta[:, TIME_PS] // PS_PER_NS
        numbers[:, FATE], numbers[:, REASON] = outcome.fate, outcome.reason
        return _Rows(numbers, flows(train), _refusals(train, outcome), [""] * len(train))

    def _delivered(self, waiting: _Rows, train: FrameTrain, outcome: Outcome, compared: Compared) -> None:
        """Fill in what is known of a frame once its packet is out."""
        numbers = waiting.numbers
        rows = np.searchsorted(numbers[:, FRAME], compared.came.meta[:, FRAME_ID] + 1)
        closer = np.zeros(len(outcome.closed_by), np.int64)
        held = (outcome.closed_by >= 0) & (outcome.close != Why.NONE)
        closer[held] = train.meta[outcome.closed_by[held], FRAME_ID] + 1
        numbers[rows, PACKET] = self.packets + 1 + compared.packet
        numbers[rows, SIZE] = outcome.packets.meta[compared.packet, FRAME_COUNT]
        numbers[rows, CLOSED_BY] = closer[compared.packet]
        numbers[rows, CLOSE] = outcome.close[compared.packet]
        self.packets += len(outcome.packets)
        altered = np.flatnonzero(compared.comparable & ~compared.same)
        for row, text in _losses(compared, altered):
            waiting.lost[rows[row]] += f"; {text}" if waiting.lost[rows[row]] else text

    def _cells(self, rows: _Rows) -> list[Sequence[Any]]:
        frame, time_ns, fate, reason, packet, size, closed_by, close = rows.numbers.T.tolist()
        return [
            [self.engine] * len(frame),
            frame,
            [f"{ns // NS_PER_S}.{ns % NS_PER_S:09}" for ns in time_ns],
            rows.flow,
            packet,
            size,
            [FATES[each] for each in fate],
            [LABELS[why] for why in reason],
            [citations.rule(Why(why)) for why in reason],
            [citations.function(self.engine, Why(why)) for why in reason],
            rows.differs,
            [number or None for number in closed_by],
            [LABELS[why] for why in close],
            [citations.function(self.engine, Why(why)) for why in close],
            rows.lost,
        ]


FATES = {int(fate): fate.name.lower() for fate in Fate}
LABELS = {int(why): why.label if why is not Why.NONE else "" for why in Why}


def _losses(compared: Compared, rows: Ints) -> Iterator[tuple[int, str]]:
    """(row, `field: old -> new`) of the altered frames `rows`."""
    if not len(rows):
        return
    found = differences(compared.came[rows], compared.frames[compared.piece[rows]])
    named = {each.name for each in found}
    for each in found:
        for row, old, new in zip(rows[each.rows].tolist(), each.old, each.new, strict=True):
            yield row, f"{each.name}: {old} -> {new}"
    for name, others in altered_fields(compared, rows):
        if name not in named:
            yield from ((int(row), name) for row in others)


def _refusals(train: FrameTrain, outcome: Outcome) -> list[str]:
    """For each frame that a held packet refused, the fields that do not fit it."""
    texts = [""] * len(train)
    refused = np.isin(outcome.close, REFUSALS) & (outcome.closed_by >= 0)
    refused[refused] = outcome.reason[outcome.closed_by[refused]] == outcome.close[refused]
    packets = np.flatnonzero(refused)
    if not len(packets):
        return texts
    rows = outcome.closed_by[packets]
    came = train[rows]
    wanted = _next_of(outcome.packets[packets], came, outcome.close[packets])
    for each in differences(wanted, came):
        for row, old, new in zip(rows[each.rows].tolist(), each.old, each.new, strict=True):
            texts[row] += ("; " if texts[row] else "") + f"{each.name}: {old} -> {new}"
    for row, why, packet in zip(rows.tolist(), outcome.close[packets].tolist(), packets.tolist(), strict=True):
        if why == Why.SIZE:
            size = int(outcome.packets.meta[packet, GSO_BYTES]) or int(outcome.packets.meta[packet, PAYLOAD_BYTES])
            text = f"tcp.len: at most {size} -> {int(train.meta[row, PAYLOAD_BYTES])}"
            texts[row] += ("; " if texts[row] else "") + text
    return texts


def _next_of(packets: FrameTrain, came: FrameTrain, why: Ints) -> FrameTrain:
    """The headers that would have fitted: of `packets`, with the sequence number that comes next.

    The IPv4 ID is that of the frame that came, unless it is the reason."""
    head = packets.head.copy()
    for k in range(len(packets)):
        cells, new = packets.meta[k], came.meta[k]
        inner = cells[INNER_L3] >= 0
        l3, l4 = (cells[INNER_L3], cells[INNER_L4]) if inner else (cells[L3], cells[L4])
        if l4 < 0 or l3 < 0:
            continue
        seq = int.from_bytes(head[k, l4 + tcp.SEQ : l4 + tcp.SEQ + 4].tobytes(), "big")
        put32(head[k], l4 + tcp.SEQ, (seq + int(cells[PAYLOAD_BYTES])) & 0xFFFFFFFF)
        head[k, l4 + tcp.FLAGS] &= ~np.uint8(tcp.PSH | tcp.FIN)
        head[k, l4 + tcp.FLAGS] |= came.head[k, new[L4] + tcp.FLAGS] & (tcp.PSH | tcp.FIN) if not inner else 0
        if head[k, l3] >> 4 == 4:
            ident = be16(head[k], l3 + ipv4.ID) + int(cells[FRAME_COUNT])
            if why[k] != Why.IP_ID:
                ident = be16(came.head[k], (new[INNER_L3] if inner else new[L3]) + ipv4.ID)
            put16(head[k], l3 + ipv4.ID, ident & 0xFFFF)
    return FrameTrain(packets.meta, head, packets.pieces)
