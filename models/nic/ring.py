"""A receive ring: a slot for each frame that arrives, until the driver takes it.

Models: slots taken at arrival and given back by a poll, overflow, the card's verdict on checksums, its hash.
Leaves out: descriptors that hold part of a frame; flow control; header split.
Sources: the overflow counter is `rx_missed_errors` of Linux' include/uapi/linux/if_link.h.
Checked by: tests/sim/nodes/test_nic.py against single frames.
"""

from __future__ import annotations

from models.memory import END, KEPT, NEXT, OWN
from models.nic.rss import hash_row
from models.offload.kernel import njit
from models.train import CSUM_STATE, FRAME_COUNT, PAYLOAD_BYTES, RX_HASH, TIME_PS

# a card's own words of its queue's state
USED, ARRIVED, ARRIVED_BYTES, DATA_FRAMES, MISSED, MISSED_BYTES = range(OWN, OWN + 6)


@njit
def settle(mine, meta, head, before_ps, slots, csum_state):
    """Give what arrived before `before_ps` a slot of `slots`, or drop it; rows stay in order and without gaps."""
    end = mine[END]
    while mine[NEXT] < end and meta[mine[NEXT], TIME_PS] < before_ps:
        i = mine[NEXT]
        mine[NEXT] += 1
        mine[ARRIVED] += 1
        mine[ARRIVED_BYTES] += meta[i, PAYLOAD_BYTES]
        mine[DATA_FRAMES] += meta[i, PAYLOAD_BYTES] > 0
        if mine[USED] >= slots:
            mine[MISSED] += 1
            mine[MISSED_BYTES] += meta[i, PAYLOAD_BYTES]
            continue
        mine[USED] += 1
        at = mine[KEPT]
        mine[KEPT] += 1
        if at != i:
            for c in range(meta.shape[1]):
                meta[at, c] = meta[i, c]
            for c in range(head.shape[1]):
                head[at, c] = head[i, c]
        meta[at, CSUM_STATE] = csum_state
        meta[at, RX_HASH] = hash_row(head[at], meta[at])
    if mine[NEXT] == end:  # nothing on its way: forget the rows of what was dropped
        mine[NEXT] = mine[END] = mine[KEPT]


@njit
def give_back(mine, meta, first, rows):
    """The driver takes ring rows [first, first + rows): their frames' slots are free."""
    for i in range(first, first + rows):
        mine[USED] -= meta[i, FRAME_COUNT]
    mine[USED] = max(mine[USED], 0)
