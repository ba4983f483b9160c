"""A drop-tail FIFO in front of a line.

Models: departures, and the frames that find the queue full.
Leaves out: ECN marks and queues limited in bytes (room: the loop of `serve`).
Sources: departure = max(arrival, previous departure) + serialisation; the limit counts the frame in service.
Checked by: tests/models/test_queue.py against a queue of single frames; rates of docs/validation.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.compiled import njit
from models.train import HEAD_BYTES, PAYLOAD_BYTES, TAIL_BYTES, TIME_PS, Ints
from models.units import PS_PER_S
from models.wire import ethernet

DROPPED = -1
ACCEPTED, LAST_DEPARTURE = 0, 1


class Fifo(NamedTuple):
    """`departures` int64[limit]: of the last `limit` accepted frames [ps], a ring; empty: no limit. `state` int64[2]:
    frames accepted, last departure [ps]."""

    departures: Ints
    state: Ints


def fifo(limit_frames: int | None) -> Fifo:
    """An empty queue of at most `limit_frames`, the one in service included; None: as many as come."""
    return Fifo(np.full(limit_frames or 0, -1, np.int64), np.zeros(2, np.int64))


@njit
def serve(queue, rate_bps, meta, out_ps):
    """Departure [ps] of each frame of `meta` into `out_ps` int64[n], or DROPPED; returns the number of drops.

    Times must not decrease, over calls neither. A departure at t frees its place before an arrival at t."""
    drops = 0
    limit = len(queue.departures)
    for i in range(len(meta)):
        arrival = meta[i, TIME_PS]
        place = queue.state[ACCEPTED] % limit if limit else 0
        if limit and queue.departures[place] > arrival:
            out_ps[i] = DROPPED
            drops += 1
            continue
        line_bytes = ethernet.line_bytes(meta[i, HEAD_BYTES] + meta[i, PAYLOAD_BYTES] + meta[i, TAIL_BYTES])
        on_the_line = -(-line_bytes * 8 * PS_PER_S // rate_bps)
        departure = max(arrival, queue.state[LAST_DEPARTURE]) + on_the_line
        if limit:
            queue.departures[place] = departure
        queue.state[ACCEPTED] += 1
        queue.state[LAST_DEPARTURE] = departure
        out_ps[i] = departure
    return drops
