"""Captured payload that an engine still holds, copied out of a buffer that is to be used again.

Models: nothing.
Leaves out: who reads the capture, and when it lets go of what it read (`sim/capture_bytes.py`).
Sources: own.
Checked by: tests/sim/coalesce/test_passage.py: captures through windows of every size give the same packets.
"""

from __future__ import annotations

from models.offload.held import FIRST_PIECE_SLOT, NEXT_PIECE
from models.offload.kernel import njit
from models.payload import copy_octets
from models.train import ABSENT, CAPTURED, PAYLOAD_BYTES, PIECE_BYTES, PIECE_SOURCE, PIECE_START, SOURCE, START


@njit
def move_held(held_cells, state, order, held_pieces, old, new, at):
    """Copy what held packets have of `old` uint8[...] to `new` from byte `at` on, point them there; the place behind.

    `order` is that of `Held`. Bytes that a snap length had cut off are whatever follows in `old`."""
    for bucket in range(len(order)):
        for p in range(1, 1 + order[bucket, 0]):
            k = order[bucket, p]
            slot = state[k, FIRST_PIECE_SLOT]
            if slot == ABSENT and held_cells[k, SOURCE] == CAPTURED:
                start, n_bytes = held_cells[k, START], held_cells[k, PAYLOAD_BYTES]
                held_cells[k, START] = at
                at = move(old, start, n_bytes, new, at)
            while slot != ABSENT:
                piece = held_pieces[slot]
                if piece[PIECE_SOURCE] == CAPTURED:
                    start = piece[PIECE_START]
                    piece[PIECE_START] = at
                    at = move(old, start, piece[PIECE_BYTES], new, at)
                slot = piece[NEXT_PIECE]
    return at


@njit
def move(old, start, n_bytes, new, at):
    copy_octets(old, start, min(n_bytes, len(old) - start), new, at)
    return at + n_bytes
