"""One core: interrupts and polls first, then timers, then the application.

Models: softirq, which nothing preempts, and in it polls until no card has anything due; a poll that used its budget
    goes to the end of the line; timers of connections between polls; then readers, one after the other, whom a softirq
    preempts, and who end later by as much.
Leaves out: ksoftirqd and its share against applications, other processes, wake-ups on another core.
Sources: Linux kernel/softirq.c, net/core/dev.c, net_rx_action(), for the order.
Checked by: tests/models/cores/test_core.py; tests/sim/test_exactness.py.
"""

from __future__ import annotations

import numpy as np

from models.compiled import njit
from models.cores.readers import go_on_returning, start_reader
from models.cores.time import book, due_ps, spend_until
from models.cores.words import (
    BEGAN,
    CARDS,
    FIRST_CARD,
    HOST,
    IDLE,
    INTERRUPTS,
    LIMIT,
    NEXT_READER,
    NOW,
    PHASE,
    POLLED,
    POLLING,
    POLLS,
    PREEMPTIONS,
    READER,
    READER_ENDS,
    READERS,
    RECORDED,
    REST,
    RETURNING,
    RING_TIMERS,
    TICKETS,
    TIMERS,
    WANTS_MORE,
)
from models.host.sockets import READY, TIMER_PS
from models.nic import words as nic
from models.nic.desk import poll_at
from models.nic.moderation import arm, mask
from models.offload import kernel
from models.train import ABSENT
from models.units import NEVER


@njit(inline="always")  # there is one caller, and LLVM would optimise all of it for each
def run(core, cards, hosts, desks):
    """Go on until nothing is due within LIMIT: REST; WAIT if the core is beyond it; else what is wanted first."""
    while True:
        if core[PHASE] == IDLE:
            at_ps = due_ps(core, cards, hosts)
            if at_ps > core[LIMIT]:
                return REST
            core[NOW] = core[BEGAN] = max(core[NOW], at_ps)
            if core[READER] != ABSENT:
                book(core, core[READER_ENDS], core[NOW])  # its rest is not done now, but after the softirq
            core[PHASE] = INTERRUPTS
        if core[PHASE] == INTERRUPTS:
            core[POLLS] = next_card(core, cards)
            core[PHASE] = TIMERS
            if core[POLLS] != ABSENT:
                begin_poll(core, cards[core[POLLS]])
                core[PHASE] = POLLING
        if core[PHASE] == POLLING:
            card = cards[core[POLLS]]
            card[nic.LIMIT] = core[LIMIT]
            status = poll_at(desks[core[POLLS]])
            spend_until(core, card[nic.NOW])
            if status != nic.FLUSHED:
                return status
            end_poll(core, card)
            core[PHASE] = TIMERS
            if card[nic.SHOWS]:
                return RECORDED
        if core[PHASE] == TIMERS:
            if core[NOW] > core[LIMIT]:
                return nic.WAIT
            core[PHASE] = POLLED
            if core[HOST] != ABSENT and hosts[core[HOST], TIMER_PS] <= core[NOW]:
                return RING_TIMERS
        if core[PHASE] == POLLED:
            if core[NOW] > core[LIMIT]:
                return nic.WAIT
            core[PHASE] = READERS
            if core[POLLS] != ABSENT:
                desk = desks[core[POLLS]]
                line_up_or_arm(core, cards[core[POLLS]], desk.state, desk.meta)
                core[PHASE] = INTERRUPTS
                continue
        if core[PHASE] == READERS:
            core[PHASE] = NEXT_READER
            if core[READER] != ABSENT:
                stolen_ps = core[NOW] - core[BEGAN]
                core[READER_ENDS] += stolen_ps
                book(core, core[NOW], core[READER_ENDS])
                core[PREEMPTIONS] += stolen_ps > 0
                core[PHASE] = IDLE
                if core[READER_ENDS] <= core[NOW]:
                    core[PHASE] = RETURNING
        if core[PHASE] == RETURNING:
            status = go_on_returning(core, desks[core[FIRST_CARD]])
            if status != REST:
                return status
            core[PHASE] = NEXT_READER
        if core[PHASE] == NEXT_READER:
            core[PHASE] = IDLE
            if core[HOST] != ABSENT and hosts[core[HOST], READY]:
                start_reader(core, desks[core[FIRST_CARD]])


@kernel.njit
def next_card(core, cards):
    """The card to be polled next, after all that interrupt now have lined up; ABSENT if there is none."""
    first = np.int64(ABSENT)
    for k in range(core[FIRST_CARD], core[FIRST_CARD] + core[CARDS]):
        card = cards[k]
        rings = card[nic.TIMER_AT] <= core[NOW]  # an interrupt as well; it does nothing to a card that is in line
        if rings:
            card[nic.TIMER_AT] = NEVER
        if card[nic.INTERRUPT_AT] <= core[NOW] or (rings and not card[nic.TICKET]):
            mask(card)
            card[nic.INTERRUPTED] = 1
            line_up(core, card)
        if card[nic.TICKET] and (first == ABSENT or card[nic.TICKET] < cards[first, nic.TICKET]):
            first = np.int64(k)
    return first


@kernel.njit
def line_up(core, card):
    """The card is polled after those that are in line."""
    core[TICKETS] += 1
    card[nic.TICKET] = core[TICKETS]


@kernel.njit
def begin_poll(core, card):
    """A poll with a whole budget, where the core is."""
    card[nic.TICKET] = 0
    card[nic.NOW] = card[nic.BEGAN_AT] = core[NOW]
    card[nic.BEGINS] = 1


@kernel.njit
def end_poll(core, card):
    """What the poll leaves for later: more of itself, or a timer."""
    core[WANTS_MORE] = card[nic.LEFT] == 0
    if card[nic.TIMER_AT] <= core[NOW]:
        card[nic.TIMER_AT] = NEVER  # it rang while the card was polled anyway
    if card[nic.TIMER]:
        card[nic.TIMER_AT] = core[NOW] + card[nic.TIMER]


@kernel.njit
def line_up_or_arm(core, card, state, meta):
    """After a poll the card waits for its next one, or may interrupt again, unless a timer polls it."""
    if core[WANTS_MORE]:
        line_up(core, card)
    elif not card[nic.MASKED]:
        arm(card, state, meta)
