"""The packets of an engine, cut again, beside the frames they were made of.

Independent of the engines' own audit (models/offload/losses.py): it compares the frames a cut really makes, all header
bytes of them. Payload is compared by where it stands in the packet, since merging only points at it.
Checked by: tests/sim/coalesce/test_comparison.py, against the audit of every engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.offload.engine import Outcome
from models.offload.segment import cut
from models.payload import Payloads
from models.train import (
    FIRST_PIECE,
    FRAME_COUNT,
    FRAME_ID,
    GSO_BYTES,
    HEAD_BYTES,
    PAYLOAD_BYTES,
    PIECE_COUNT,
    PIECE_FRAME_ID,
    PIECE_FRAMES,
    TAIL_BYTES,
    Bytes,
    FrameTrain,
    Ints,
    join,
)


@dataclass(frozen=True, slots=True)
class Compared:
    """What one outcome delivered. `packets`, `frames`: trains of what came out, and of what a cut makes of it.

    The rest has a row for each frame that came and is in `packets`, in their order: `came`, the frames; `packet`
    int64[n], the row of its packet; `piece` int64[n], the row of `frames` that has its first byte; `moved` bool[n],
    whether it begins or ends elsewhere, padding included; `same` bool[n], whether it is back, byte for byte;
    `comparable` bool[n], false for what was merged before it came."""

    packets: FrameTrain
    frames: FrameTrain
    came: FrameTrain
    packet: Ints
    piece: Ints
    moved: NDArray[np.bool_]
    same: NDArray[np.bool_]

    @property
    def comparable(self) -> NDArray[np.bool_]:
        return self.came.meta[:, GSO_BYTES] == 0


class Comparison:
    """Remembers the frames that are held, to compare them when they are delivered."""

    def __init__(self) -> None:
        self._waiting = FrameTrain.blank(0)

    def compare(self, train: FrameTrain, outcome: Outcome, payloads: Payloads) -> Compared:
        """`train` was handed to the engine, and `outcome` came of it."""
        waiting = join([self._waiting, train]) if len(self._waiting) else train
        packets = outcome.packets
        packet, frame_id = members(packets.meta, packets.pieces)
        rows = np.searchsorted(waiting.meta[:, FRAME_ID], frame_id)
        came = waiting[rows]
        frames = cut(_as_merged_here(packets), payloads)
        piece = np.zeros(len(came), np.int64)
        moved = np.zeros(len(came), np.bool_)
        same = np.zeros(len(came), np.bool_)
        _pair(packets.meta, frames.meta, frames.head, came.meta, came.head, packet, piece, moved, same)
        left = np.ones(len(waiting), np.bool_)
        left[rows] = False
        self._waiting = waiting[left]
        return Compared(packets, frames, came, packet, piece, moved, same)


def members(meta: Ints, pieces: Ints) -> tuple[Ints, Ints]:
    """(row of the packet, `frame_id`) of each frame in packets with rows `meta`, in the order they are in them."""
    packet = np.repeat(np.arange(len(meta)), meta[:, FRAME_COUNT])
    frame_id = np.empty(len(packet), np.int64)
    _members(meta, pieces, frame_id)
    return packet, frame_id


@njit
def _members(meta: Ints, pieces: Ints, frame_id: Ints) -> None:
    at = 0
    for i in range(len(meta)):
        if meta[i, PIECE_COUNT] == 1:
            for k in range(meta[i, FRAME_COUNT]):
                frame_id[at] = meta[i, FRAME_ID] + k
                at += 1
            continue
        for p in range(meta[i, FIRST_PIECE], meta[i, FIRST_PIECE] + meta[i, PIECE_COUNT]):
            for k in range(pieces[p, PIECE_FRAMES]):
                frame_id[at] = pieces[p, PIECE_FRAME_ID] + k
                at += 1


def _as_merged_here(packets: FrameTrain) -> FrameTrain:
    """Without the marks of packets that came merged: of these nobody knows how to cut them."""
    alone = (packets.meta[:, FRAME_COUNT] == 1) & (packets.meta[:, GSO_BYTES] > 0)
    if not alone.any():
        return packets
    meta = packets.meta.copy()
    meta[alone, GSO_BYTES] = 0
    return FrameTrain(meta, packets.head, packets.pieces)


@njit
def _pair(
    packets: Ints,
    cuts: Ints,
    cut_head: Bytes,
    came: Ints,
    came_head: Bytes,
    packet: Ints,
    piece: Ints,
    moved: NDArray[np.bool_],
    same: NDArray[np.bool_],
) -> None:
    """Find for each frame that came the cut one that covers its first byte; frames of a packet are consecutive."""
    first, i = 0, 0  # of the packet's rows in `cuts` and `came`
    for p in range(len(packets)):
        left, last = packets[p, PAYLOAD_BYTES], first
        while left > cuts[last, PAYLOAD_BYTES] > 0:
            left -= cuts[last, PAYLOAD_BYTES]
            last += 1
        k, k_start, start = first, 0, 0
        while i < len(came) and packet[i] == p:
            while k < last and k_start + cuts[k, PAYLOAD_BYTES] <= start:
                k_start += cuts[k, PAYLOAD_BYTES]
                k += 1
            piece[i] = k
            n_bytes = came[i, PAYLOAD_BYTES]
            moved[i] = k_start != start or cuts[k, PAYLOAD_BYTES] != n_bytes
            moved[i] |= came[i, TAIL_BYTES] != cuts[k, TAIL_BYTES]
            is_same = not moved[i] and came[i, HEAD_BYTES] == cuts[k, HEAD_BYTES]
            if is_same:
                for c in range(came[i, HEAD_BYTES]):
                    is_same &= came_head[i, c] == cut_head[k, c]
            same[i] = is_same
            start += n_bytes
            i += 1
        first = last + 1
