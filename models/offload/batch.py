"""The mechanism of engines that merge a batch of packets at hand, and hold nothing beyond it.

Models: a batch as a line of packets: several of one flow, each open to frames in front and behind, none delivered
    before the batch ends. Its end is a flush, or the number of frames the program takes at once.
Leaves out: every rule; engines that hold packets back for others to come (`flow_table.py`).
Sources: own; handleGRO() of wireguard-go and rte_gro_reassemble_burst() of DPDK.
Checked by: tests/models/offload/test_engine.py, test_dpdk_gro.py and test_wireguard_go.py.

The line is bucket 0. The two engines differ in it: wireguard-go writes packets out in the order in which their first
frame came, those it does not merge among them; DPDK first those it does not merge, then flow after flow.
"""

from __future__ import annotations

import numpy as np

from models.offload import dpdk_gro, wireguard_go
from models.offload.held import (
    BATCH,
    BATCHED,
    DONE,
    DPDK_GRO,
    ENGINE,
    MARKS,
    NEXT_SEQ,
    PASSED_ON,
    SEGMENTS,
    WRONG_CHECKSUM,
)
from models.offload.kernel import njit
from models.offload.packets import deliver, hold, join, join_in_front, passes
from models.offload.why import Fate, Why
from models.train import ABSENT, L4, PROTOCOL, TIME_PS
from models.wire import tcp, udp

LINE = 0
SELDOM = True  # see rules.py


@njit
def take(setup, held, i, cells, row, pieces, payloads, out, book):
    """One frame's fate and why."""
    if book[BATCHED] == setup[BATCH]:
        flush(setup, held, cells[TIME_PS], i, np.int64(Why.POLL_END), payloads, out, book)
    book[BATCHED] += 1
    if setup[ENGINE] == DPDK_GRO:
        return take_into_flow(setup, held, i, cells, row, pieces, payloads, out, book)
    return take_into_line(setup, held, cells, row, pieces, payloads, book)


@njit
def take_into_flow(setup, held, i, cells, row, pieces, payloads, out, book):
    """DPDK: the flow's packets are asked from the oldest on; a new one goes behind them, or behind one that is full."""
    why = dpdk_gro.overlooks(row, cells)
    if why != Why.NONE:
        passes(setup, i, cells, row, pieces, out, book)
        return Fate.PASSED, why
    why = Why.FIRST
    behind = ABSENT
    for p in range(held.order[LINE, 0]):
        k = held.order[LINE, 1 + p]
        mine, old, state = held.cells[k], held.head[k], held.state[k]
        if not dpdk_gro.same_flow(old, mine, row, cells):
            continue
        behind = p
        why = dpdk_gro.refuses(setup, old, state, row, cells)
        if why == Why.NONE:
            dpdk_gro.joins(state, row, cells)
            if tcp.seq(row, cells[L4]) == state[NEXT_SEQ]:
                append(setup, held, k, row, cells, pieces, book)
            else:
                join_in_front(setup, held, k, row, cells, pieces, book)
            return Fate.JOINED, Why.NONE
        if why == Why.LIMIT:
            break
    start(setup, held, row, cells, pieces, book)
    if behind != ABSENT:
        move_last(held, behind + 1)
    return Fate.STARTED, why


@njit
def append(setup, held, k, row, cells, pieces, book):
    """The frame joins behind what held packet `k` has."""
    join(setup, held, held.cells[k], held.state[k], row, cells, pieces, book)


@njit
def start(setup, held, row, cells, pieces, book):
    """The frame becomes the line's last packet; returns its slot."""
    return hold(SELDOM, setup, held, LINE, row, cells, pieces, book)


@njit
def move_last(held, place):
    """The line's last packet to `place`."""
    last = held.order[LINE, 0]
    k = held.order[LINE, last]
    for p in range(last, place + 1, -1):
        held.order[LINE, p] = held.order[LINE, p - 1]
    held.order[LINE, place + 1] = k


@njit
def take_into_line(setup, held, cells, row, pieces, payloads, book):
    """wireguard-go: the flow's packets are asked from the newest on, of UDP only that one."""
    why = wireguard_go.overlooks(setup, row, cells)
    if why != Why.NONE:
        return wait(setup, held, cells, row, pieces, book, why)
    marks = wireguard_go.marks(payloads, pieces, row, cells)
    is_udp = cells[PROTOCOL] == udp.PROTOCOL
    reason = Why.FIRST
    for p in range(held.order[LINE, 0], 0, -1):
        k = held.order[LINE, p]
        mine, old, state = held.cells[k], held.head[k], held.state[k]
        if state[DONE] or not wireguard_go.same_flow(old, mine, row, cells):
            continue
        why = wireguard_go.refuses(setup, old, mine, state, row, cells)
        if why == Why.NONE and state[SEGMENTS] == 1 and state[MARKS] & WRONG_CHECKSUM:
            why = Why.CHECKSUM
            state[DONE] = why  # nothing will join it
        elif why == Why.NONE and marks & WRONG_CHECKSUM:
            if not is_udp:
                return wait(setup, held, cells, row, pieces, book, Why.CHECKSUM)
            why = Why.CHECKSUM
        if why == Why.NONE:
            in_front = not is_udp and tcp.seq(row, cells[L4]) != state[NEXT_SEQ]
            wireguard_go.joins(old, mine, state, row, cells, in_front)
            if in_front:
                join_in_front(setup, held, k, row, cells, pieces, book)
            else:
                append(setup, held, k, row, cells, pieces, book)
            return Fate.JOINED, Why.NONE
        if reason == Why.FIRST:
            reason = why
        if is_udp:
            break
    k = start(setup, held, row, cells, pieces, book)
    held.state[k, MARKS] = marks
    return Fate.STARTED, reason


@njit
def wait(setup, held, cells, row, pieces, book, why):
    """The frame is written as it is, in its turn."""
    k = start(setup, held, row, cells, pieces, book)
    held.state[k, DONE] = PASSED_ON
    held.state[k, SEGMENTS] = 1
    return Fate.PASSED, why


@njit
def flush(setup, held, time_ps, by, why, payloads, out, book):
    """Deliver the line and begin a batch, if the engine works in batches."""
    if not setup[BATCH]:
        return
    book[BATCHED] = 0
    while held.order[LINE, 0]:
        done = held.state[held.order[LINE, 1], DONE]
        close = 0 if done == PASSED_ON else done if done else why
        deliver(SELDOM, setup, held, LINE, 0, time_ps, by, close, payloads, out, book)
