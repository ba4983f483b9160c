"""Which rule book answers: Linux GRO and inet_lro here, the others in `more_rules.py`.

Models: the questions of the flow table, each answered by the book of `setup[ENGINE]`.
Leaves out: every rule.
Sources: own. The switch is an integer in compiled code, because kernels made by closures do not cache. `seldom` is
    None for the two engines here and True for the others, both constants of an entry into the flow table: numba
    leaves out branches on constants, so neither kernel has the other's books in it.
Checked by: tests/models/offload/test_engine.py.
"""

from __future__ import annotations

from models.offload import gro, lro_driver, more_rules
from models.offload.held import BUCKETS, ENGINE, GRO
from models.offload.kernel import njit


@njit(inline="always")
def overlooks(seldom, setup, payloads, pieces, row, cells):
    """Why a frame passes without touching anything held; Why.NONE if it does not."""
    if seldom is not None:
        return more_rules.overlooks(setup, payloads, pieces, row, cells)
    if setup[ENGINE] == GRO:
        return gro.overlooks(setup, payloads, pieces, row, cells)
    return lro_driver.overlooks(payloads, pieces, row, cells)


@njit(inline="always")
def bars(seldom, setup, row, cells):
    """Why a frame may neither join nor be held, though it completes the held packet of its flow."""
    if seldom is not None:
        return more_rules.bars(setup, row, cells)
    if setup[ENGINE] == GRO:
        return gro.bars(row, cells)
    return lro_driver.bars(row, cells)


@njit(inline="always")
def bucket(seldom, setup, row, cells):
    """Which bucket the frame's flow is looked up in."""
    if seldom is not None:
        return more_rules.bucket(setup, row, cells)
    return gro.bucket(cells) & (setup[BUCKETS] - 1) if setup[ENGINE] == GRO else 0


@njit(inline="always")
def same_flow(seldom, setup, old, was, row, cells):
    """Whether held packet `k` and the frame are of one flow, as far as the engine can tell."""
    if seldom is not None:
        return more_rules.same_flow(setup, old, was, row, cells)
    if setup[ENGINE] == GRO:
        return gro.same_flow(old, was, row, cells)
    return lro_driver.same_flow(old, was, row, cells)


@njit(inline="always")
def refuses(seldom, setup, old, was, state, row, cells):
    """Why the frame may not join held packet `k` of its flow; Why.NONE if it may."""
    if seldom is not None:
        return more_rules.refuses(setup, old, was, state, row, cells)
    if setup[ENGINE] == GRO:
        return gro.refuses(setup, old, was, state, row, cells)
    return lro_driver.refuses(setup, state, row, cells)


@njit(inline="always")
def asks_although_barred(seldom, setup, cells):
    """Whether a frame that is barred may still join, or pass by, the held packet of its flow."""
    if seldom is not None:
        return False
    return setup[ENGINE] == GRO and gro.asks_although_barred(setup, cells)


@njit(inline="always")
def passes_by(seldom, setup, cells, why):
    """Whether a frame refused for `why` goes up without completing the packet it did not join."""
    if seldom is not None:
        return False
    return setup[ENGINE] == GRO and gro.passes_by(cells, why)


@njit(inline="always")
def starts_after_refusal(seldom, setup):
    """Whether a frame that was refused may start the next packet of its flow."""
    if seldom is not None:
        return more_rules.starts_after_refusal(setup)
    return setup[ENGINE] == GRO


@njit(inline="always")
def declines(seldom, setup, row, cells):
    """Why a frame that found nothing to join is not held either; Why.NONE if it is held."""
    if seldom is not None:
        return more_rules.declines(setup, row, cells)
    if setup[ENGINE] == GRO:
        return gro.declines(row, cells)
    return lro_driver.declines(row, cells)


@njit(inline="always")
def evicts(seldom, setup):
    """Whether a full bucket makes room for a new flow; else the new flow is not held."""
    if seldom is not None:
        return more_rules.evicts(setup)
    return setup[ENGINE] == GRO


@njit(inline="always")
def flushes_newest_first(seldom, setup):
    """The order in which a flush completes what a bucket holds."""
    if seldom is not None:
        return more_rules.flushes_newest_first(setup)
    return False


@njit(inline="always")
def clears(seldom, setup):
    """Whether everything held goes up before a frame that goes up alone."""
    if seldom is not None:
        return more_rules.clears(setup)
    return False


@njit(inline="always")
def starts(seldom, setup, mine, state, row, cells):
    """Fill what only this engine remembers of a new held packet; the common state is set."""
    if seldom is not None:
        more_rules.starts(setup, mine, state, row, cells)
    elif setup[ENGINE] == GRO:
        gro.starts(setup, state, row, cells)
    else:
        lro_driver.starts(setup, mine, state, row, cells)


@njit(inline="always")
def joins(seldom, setup, old, was, state, payloads, row, cells):
    """Change the held packet's header and state for the frame that joins; `segments` is still without it."""
    if seldom is not None:
        more_rules.joins(setup, old, was, state, payloads, row, cells)
    elif setup[ENGINE] == GRO:
        gro.joins(setup, old, state, row, cells)
    else:
        lro_driver.joins(setup, old, was, state, payloads, row, cells)


@njit(inline="always")
def closes(seldom, setup, state, row, cells):
    """Why held packet `k` is complete now that the frame has joined; Why.NONE if it is not."""
    if seldom is not None:
        return more_rules.closes(setup, state, row, cells)
    if setup[ENGINE] == GRO:
        return gro.closes(state, row, cells)
    return lro_driver.closes(setup, state)


@njit(inline="always")
def completes(seldom, setup, state, payloads, pieces, row, cells):
    """Write the header and the metadata of a packet on its way up."""
    if seldom is not None:
        more_rules.completes(setup, state, payloads, pieces, row, cells)
    elif setup[ENGINE] == GRO:
        gro.completes(setup, state, row, cells)
    else:
        lro_driver.completes(state, row, cells)
