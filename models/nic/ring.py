"""A receive ring: a slot for each frame that arrives, until the driver takes it.

Models: slots taken at arrival and given back by a poll, overflow, the card's verdict on checksums, its hash.
Leaves out: descriptors that hold part of a frame; flow control; header split.
Sources: the overflow counter is `rx_missed_errors` of Linux' include/uapi/linux/if_link.h.
Checked by: tests/sim/nodes/test_port_and_nic.py against single frames.
"""

from __future__ import annotations

from models.buffer import END, KEPT, NEXT, STATE_WORDS
from models.nic.rss import hash_row
from models.offload.kernel import njit
from models.train import CSUM_STATE, FRAME_COUNT, PAYLOAD_BYTES, RX_HASH, TIME_PS

# words of a card's Buffer.state behind the Buffer's own
USED, ARRIVED, ARRIVED_BYTES, DATA_FRAMES, MISSED, MISSED_BYTES = range(STATE_WORDS, STATE_WORDS + 6)
RING_WORDS = 6


@njit
def settle(state, meta, head, before_ps, slots, csum_state):
    """Give what arrived before `before_ps` a slot of `slots`, or drop it; rows stay in order and without gaps."""
    end = state[END]
    while state[NEXT] < end and meta[state[NEXT], TIME_PS] < before_ps:
        i = state[NEXT]
        state[NEXT] += 1
        state[ARRIVED] += 1
        state[ARRIVED_BYTES] += meta[i, PAYLOAD_BYTES]
        state[DATA_FRAMES] += meta[i, PAYLOAD_BYTES] > 0
        if state[USED] >= slots:
            state[MISSED] += 1
            state[MISSED_BYTES] += meta[i, PAYLOAD_BYTES]
            continue
        state[USED] += 1
        at = state[KEPT]
        state[KEPT] += 1
        if at != i:
            for c in range(meta.shape[1]):
                meta[at, c] = meta[i, c]
            for c in range(head.shape[1]):
                head[at, c] = head[i, c]
        meta[at, CSUM_STATE] = csum_state
        meta[at, RX_HASH] = hash_row(head[at], meta[at])
    if state[NEXT] == end:  # nothing on its way: forget the rows of what was dropped
        state[NEXT] = state[END] = state[KEPT]


@njit
def give_back(state, meta, first, rows):
    """The driver takes ring rows [first, first + rows): their frames' slots are free."""
    for i in range(first, first + rows):
        state[USED] -= meta[i, FRAME_COUNT]
    state[USED] = max(state[USED], 0)
