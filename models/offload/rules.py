"""Which rule book answers: the only place that knows all engines.

Models: the questions of the flow table, each answered by the book of `setup[ENGINE]`.
Leaves out: every rule.
Sources: own. The switch is an integer in compiled code, because kernels made by closures do not cache.
Checked by: tests/models/offload/test_engine.py.
"""

from __future__ import annotations

from models.offload import gro, gro_first, lro_driver, lro_hardware
from models.offload.held import ENGINE, GRO, GRO_FIRST, LRO_DRIVER
from models.offload.kernel import njit


@njit(inline="always")
def overlooks(setup, payloads, pieces, row, cells):
    """Why a frame passes without touching anything held; Why.NONE if it does not."""
    if setup[ENGINE] == GRO:
        return gro.overlooks(setup, payloads, pieces, row, cells)
    if setup[ENGINE] == GRO_FIRST:
        return gro_first.overlooks(payloads, pieces, row, cells)
    if setup[ENGINE] == LRO_DRIVER:
        return lro_driver.overlooks(payloads, pieces, row, cells)
    return lro_hardware.overlooks(payloads, pieces, row, cells)


@njit(inline="always")
def bars(setup, row, cells):
    """Why a frame may neither join nor be held, though it completes the held packet of its flow."""
    if setup[ENGINE] == GRO:
        return gro.bars(row, cells)
    if setup[ENGINE] == GRO_FIRST:
        return gro_first.bars(row, cells)
    if setup[ENGINE] == LRO_DRIVER:
        return lro_driver.bars(row, cells)
    return lro_hardware.bars(row, cells)


@njit(inline="always")
def bucket(setup, cells):
    """Which bucket the frame's flow is looked up in."""
    if setup[ENGINE] == GRO:
        return gro.bucket(cells)
    return 0


@njit(inline="always")
def same_flow(setup, old, was, row, cells):
    """Whether held packet `k` and the frame are of one flow, as far as the engine can tell."""
    if setup[ENGINE] == GRO:
        return gro.same_flow(old, was, row, cells)
    if setup[ENGINE] == GRO_FIRST:
        return gro_first.same_flow(old, was, row, cells)
    if setup[ENGINE] == LRO_DRIVER:
        return lro_driver.same_flow(old, was, row, cells)
    return lro_hardware.same_flow(old, was, row, cells)


@njit(inline="always")
def refuses(setup, old, was, state, row, cells):
    """Why the frame may not join held packet `k` of its flow; Why.NONE if it may."""
    if setup[ENGINE] == GRO:
        return gro.refuses(setup, old, was, state, row, cells)
    if setup[ENGINE] == GRO_FIRST:
        return gro_first.refuses(setup, old, state, row, cells)
    if setup[ENGINE] == LRO_DRIVER:
        return lro_driver.refuses(state, row, cells)
    return lro_hardware.refuses(setup, old, state, row, cells)


@njit(inline="always")
def asks_although_barred(setup, cells):
    """Whether a frame that is barred may still join, or pass by, the held packet of its flow."""
    return setup[ENGINE] == GRO and gro.asks_although_barred(setup, cells)


@njit(inline="always")
def passes_by(setup, cells, why):
    """Whether a frame refused for `why` goes up without completing the packet it did not join."""
    return setup[ENGINE] == GRO and gro.passes_by(cells, why)


@njit(inline="always")
def starts_after_refusal(setup):
    """Whether a frame that was refused may start the next packet of its flow."""
    return setup[ENGINE] != LRO_DRIVER


@njit(inline="always")
def declines(setup, row, cells):
    """Why a frame that found nothing to join is not held either; Why.NONE if it is held."""
    if setup[ENGINE] == GRO or setup[ENGINE] == GRO_FIRST:
        return gro.declines(row, cells)
    if setup[ENGINE] == LRO_DRIVER:
        return lro_driver.declines(row, cells)
    return lro_hardware.declines(row, cells)


@njit(inline="always")
def evicts(setup):
    """Whether a full bucket makes room for a new flow; else the new flow is not held."""
    return setup[ENGINE] != LRO_DRIVER and setup[ENGINE] != GRO_FIRST


@njit(inline="always")
def flushes_newest_first(setup):
    """The order in which a flush completes what a bucket holds."""
    return setup[ENGINE] == GRO_FIRST


@njit(inline="always")
def starts(setup, state, row, cells):
    """Fill what only this engine remembers of a new held packet; the common state is set."""
    if setup[ENGINE] == GRO:
        gro.starts(setup, state, row, cells)
    elif setup[ENGINE] == LRO_DRIVER:
        lro_driver.starts(state, row, cells)


@njit(inline="always")
def joins(setup, old, was, state, payloads, row, cells):
    """Change the held packet's header and state for the frame that joins; `segments` is still without it."""
    if setup[ENGINE] == GRO or setup[ENGINE] == GRO_FIRST:
        gro.joins(setup, old, state, row, cells)
    elif setup[ENGINE] == LRO_DRIVER:
        lro_driver.joins(old, was, state, payloads, row, cells)
    else:
        lro_hardware.joins(old, was, state, row, cells)


@njit(inline="always")
def closes(setup, state, row, cells):
    """Why held packet `k` is complete now that the frame has joined; Why.NONE if it is not."""
    if setup[ENGINE] == GRO or setup[ENGINE] == GRO_FIRST:
        return gro.closes(state, row, cells)
    if setup[ENGINE] == LRO_DRIVER:
        return lro_driver.closes(setup, state)
    return lro_hardware.closes(state)


@njit
def completes(setup, state, payloads, pieces, row, cells):
    """Write the header and the metadata of a packet on its way up."""
    if setup[ENGINE] == GRO:
        gro.completes(setup, state, row, cells)
    elif setup[ENGINE] == GRO_FIRST:
        gro_first.completes(setup, state, row, cells)
    elif setup[ENGINE] == LRO_DRIVER:
        lro_driver.completes(state, payloads, pieces, row, cells)
    else:
        lro_hardware.completes(state, payloads, pieces, row, cells)
