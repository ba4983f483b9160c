"""Which core is next, and how far it may go: a discrete-event loop over the cores of all nodes.

Models: the core that acts first goes on until something could still reach it that is not known. A frame that leaves
    a card arrives no sooner than the line takes for the shortest one; so what arrives before
    max(now, last departure) + that time + delay is known, where no core acts before now.
Leaves out: everything that is not a core, a card, a host's connection or a smooth line: that is told, and acts at
    times the caller names.
Sources: Chandy and Misra, Distributed simulation, IEEE TSE 1979, for the promise of a line (its lookahead).
Checked by: tests/models/cores/test_schedule.py; tests/sim/test_exactness.py, with no core ahead of the others.
"""

from __future__ import annotations

import numpy as np

from models.compiled import njit
from models.cores.core import run
from models.cores.time import acts_at_ps
from models.cores.words import (
    CARDS,
    CLOCK,
    DUE,
    FIRST_CARD,
    LIMIT,
    MEASURED_FROM,
    MEASURED_TO,
    ONE_BY_ONE,
    REST,
    RUNS,
    SHORT_PORT,
    UNTIL,
)
from models.memory import END, FIRST, PIECE_BASE, PIECES, has_room
from models.nic import words as nic
from models.nic.moderation import look_again
from models.offload import kernel
from models.queue import (
    DELAY_PS,
    FAR,
    FAR_CARD,
    INPUTS,
    LAST_DEPARTURE,
    MOST,
    NEWS,
    SHORT,
    SHORT_PIECES,
    SHORT_ROWS,
    SMALLEST_PS,
    WAITING,
    serve,
)
from models.train import ABSENT, TIME_PS
from models.units import NEVER


@njit
def advance(world, cores, cards, hosts, desks):
    """Let cores act until UNTIL: REST, and DUE says when the next one is due. Else what the core RUNS, or a card of
    its, wants first (models/nic/words.py and models/cores/words.py); then call again."""
    while True:
        desk = desks[0]
        ports, state, meta = desk.ports, desk.state, desk.meta
        if world[RUNS] == ABSENT:
            number, now_ps = first_to_act(cores, cards, hosts)
            news = enter(
                min(now_ps, world[UNTIL]), world, ports, desk.departures, state, meta, desk.head, desk.pieces,
                desk.row, desk.rank,
            )  # fmt: skip
            if world[SHORT_PORT] != ABSENT:
                return nic.NO_ROOM
            if news:
                if not tell(ports, cards, state, meta):
                    return nic.TELL
                continue
            if now_ps >= world[UNTIL] and now_ps > world[CLOCK]:
                world[DUE] = min(now_ps, next_entry_ps(ports, state, meta, desk.row))
                return REST
            world[RUNS] = number
            cores[number, LIMIT] = limit_ps(cores[number], now_ps, world, cards, ports, state, meta, desk.row)
        status = run(cores[world[RUNS]], cards, hosts, desks)
        told = tell(ports, cards, state, meta)
        if status == REST or status == nic.WAIT:
            world[RUNS] = ABSENT
        elif status != nic.TELL:
            return status
        if not told:
            return nic.TELL


@kernel.njit
def first_to_act(cores, cards, hosts):
    """(core, time [ps]): nothing happens on any core before."""
    first, first_ps = np.int64(ABSENT), NEVER
    for k in range(len(cores)):
        at_ps = acts_at_ps(cores[k], cards, hosts)
        if at_ps < first_ps:
            first, first_ps = np.int64(k), at_ps
    return first, first_ps


@kernel.njit
def limit_ps(core, now_ps, world, cards, ports, state, meta, row):
    """All that happens to a core up to this time [ps] is known, and it may act there; nobody acts before `now_ps`."""
    if world[ONE_BY_ONE]:
        return now_ps
    at_ps = core[MEASURED_TO] - 1
    if now_ps < core[MEASURED_FROM] <= at_ps:
        at_ps = core[MEASURED_FROM] - 1
    for k in range(core[FIRST_CARD], core[FIRST_CARD] + core[CARDS]):
        if cards[k, nic.HEARD_LATE]:
            at_ps = min(at_ps, world[UNTIL])
        if cards[k, nic.LINE] != ABSENT:
            at_ps = min(at_ps, promise_ps(ports[cards[k, nic.LINE]], now_ps, state, meta, row))
    return max(at_ps, now_ps)


@kernel.njit
def promise_ps(port, now_ps, state, meta, row):
    """What arrives over the line of `port` before this time [ps] has been sent already."""
    waiting = state[port[WAITING]]
    if waiting[FIRST] < waiting[END]:
        now_ps = min(now_ps, meta[row[waiting[FIRST]], TIME_PS])
    return max(now_ps, waiting[LAST_DEPARTURE]) + port[SMALLEST_PS] + port[DELAY_PS]


@kernel.njit
def enter(before_ps, world, ports, departures, state, meta, head, pieces, row, rank):
    """Let what reached ports with several inputs before `before_ps`, which is all known, onto their lines; whether
    there was any. SHORT_PORT: a port whose far queue has no room."""
    world[SHORT_PORT] = ABSENT
    came_through = False
    for k in range(len(ports)):  # what arrives somewhere before may let a core act, whose frames then enter before
        waiting = state[ports[k, WAITING]]
        if ports[k, INPUTS] > 1 and waiting[FIRST] < waiting[END]:
            before_ps = min(before_ps, promise_ps(ports[k], before_ps, state, meta, row))
    for k in range(len(ports)):
        port = ports[k]
        waiting = state[port[WAITING]]
        if port[INPUTS] == 1 or waiting[FIRST] == waiting[END] or meta[row[waiting[FIRST]], TIME_PS] >= before_ps:
            continue
        rows, held = waiting[END] - waiting[FIRST], waiting[PIECES] - waiting[PIECE_BASE]
        if not has_room(state[port[FAR]], rows, held):
            port[SHORT], port[SHORT_ROWS], port[SHORT_PIECES] = port[FAR], rows, held
            world[SHORT_PORT] = k
            break
        port[NEWS] += serve(port, departures, before_ps, port[MOST], state, meta, head, pieces, row, rank)
        came_through = True
    return came_through


@kernel.njit
def next_entry_ps(ports, state, meta, row):
    """When the caller has to come back for what waits at ports with several inputs [ps]."""
    at_ps = NEVER
    for k in range(len(ports)):
        waiting = state[ports[k, WAITING]]
        if ports[k, INPUTS] > 1 and waiting[FIRST] < waiting[END]:
            at_ps = min(at_ps, meta[row[waiting[FIRST]], TIME_PS] + 1)
    return at_ps


@kernel.njit
def tell(ports, cards, state, meta):
    """Tell cards of what has been sent to them; False if somebody else wants to hear of it as well."""
    told_all = True
    for k in range(len(ports)):
        if ports[k, NEWS]:
            card = ports[k, FAR_CARD]
            if card == ABSENT or cards[card, nic.TAPPED]:
                told_all = False
            else:
                ports[k, NEWS] = 0
                look_again(cards[card], state, meta)
    return told_all
