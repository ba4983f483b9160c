"""The questions of `rules.py` for engines that few frames meet: called, where Linux GRO and inet_lro are inlined.

Models: the questions of the flow table, answered by the book of `setup[ENGINE]`.
Leaves out: every rule.
Sources: measured. With these books inlined too, the flow table takes minutes to compile; a call costs some 10 ns.
Checked by: tests/models/offload/test_engine.py.
"""

from __future__ import annotations

from models.offload import dpdk_gro, freebsd_lro, gro, gro_first, gvisor, lro_columns, lro_hardware, wireguard_go
from models.offload.held import DPDK_GRO, ENGINE, FREEBSD_LRO, GRO_FIRST, GVISOR, LRO_HARDWARE, WIREGUARD_GO
from models.offload.kernel import njit
from models.offload.why import Why


@njit
def overlooks(setup, payloads, pieces, row, cells):
    if setup[ENGINE] == LRO_HARDWARE:
        return lro_hardware.overlooks(setup, payloads, pieces, row, cells)
    if setup[ENGINE] == GRO_FIRST:
        return gro_first.overlooks(payloads, pieces, row, cells)
    if setup[ENGINE] == FREEBSD_LRO:
        return freebsd_lro.overlooks(payloads, pieces, row, cells)
    return gvisor.overlooks(payloads, pieces, row, cells)


@njit
def bars(setup, row, cells):
    if setup[ENGINE] == LRO_HARDWARE:
        return lro_hardware.bars(setup, row, cells)
    if setup[ENGINE] == GRO_FIRST:
        return gro_first.bars(row, cells)
    return Why.NONE


@njit
def bucket(setup, row, cells):
    return gvisor.bucket(row, cells) if setup[ENGINE] == GVISOR else 0


@njit
def same_flow(setup, old, was, row, cells):
    if setup[ENGINE] == LRO_HARDWARE:
        return lro_hardware.same_flow(old, was, row, cells)
    if setup[ENGINE] == GRO_FIRST:
        return gro_first.same_flow(old, was, row, cells)
    if setup[ENGINE] == FREEBSD_LRO:
        return freebsd_lro.same_flow(old, was, row, cells)
    return gvisor.same_flow(old, was, row, cells)


@njit
def refuses(setup, old, was, state, row, cells):
    if setup[ENGINE] == LRO_HARDWARE:
        return lro_hardware.refuses(setup, old, was, state, row, cells)
    if setup[ENGINE] == GRO_FIRST:
        return gro_first.refuses(setup, old, state, row, cells)
    if setup[ENGINE] == FREEBSD_LRO:
        return freebsd_lro.refuses(setup, old, was, state, row, cells)
    return gvisor.refuses(setup, old, was, state, row, cells)


@njit
def starts_after_refusal(setup):
    return setup[ENGINE] != LRO_HARDWARE or setup[lro_columns.MISFIT] == lro_columns.Fallback.STARTS


@njit
def declines(setup, row, cells):
    if setup[ENGINE] == GRO_FIRST:
        return gro.declines(row, cells)
    if setup[ENGINE] == GVISOR:
        return gvisor.declines(row, cells)
    return Why.NONE


@njit
def evicts(setup):
    if setup[ENGINE] == LRO_HARDWARE:
        return setup[lro_columns.FULL] == lro_columns.Full.EVICTS
    return setup[ENGINE] == GVISOR


@njit
def flushes_newest_first(setup):
    return setup[ENGINE] == GRO_FIRST


@njit
def clears(setup):
    return setup[ENGINE] == FREEBSD_LRO


@njit
def starts(setup, mine, state, row, cells):
    if setup[ENGINE] == LRO_HARDWARE:
        lro_hardware.starts(setup, state, row, cells)
    elif setup[ENGINE] == FREEBSD_LRO:
        freebsd_lro.starts(mine, state, row, cells)
    elif setup[ENGINE] == DPDK_GRO:
        dpdk_gro.starts(mine, state, row, cells)


@njit
def joins(setup, old, was, state, payloads, row, cells):
    if setup[ENGINE] == LRO_HARDWARE:
        lro_hardware.joins(setup, old, was, state, payloads, row, cells)
    elif setup[ENGINE] == GRO_FIRST:
        gro.joins(setup, old, state, row, cells)
    elif setup[ENGINE] == FREEBSD_LRO:
        freebsd_lro.joins(old, was, state, row, cells)
    else:
        gvisor.joins(old, was, row, cells)


@njit
def closes(setup, state, row, cells):
    if setup[ENGINE] == LRO_HARDWARE:
        return lro_hardware.closes(setup, state, row, cells)
    if setup[ENGINE] == GRO_FIRST:
        return gro.closes(state, row, cells)
    if setup[ENGINE] == GVISOR:
        return gvisor.closes(state, row, cells)
    return Why.NONE


@njit
def completes(setup, state, payloads, pieces, row, cells):
    if setup[ENGINE] == LRO_HARDWARE:
        lro_hardware.completes(setup, state, payloads, pieces, row, cells)
    elif setup[ENGINE] == GRO_FIRST:
        gro_first.completes(setup, state, row, cells)
    elif setup[ENGINE] == FREEBSD_LRO:
        freebsd_lro.completes(state, row, cells)
    elif setup[ENGINE] == DPDK_GRO:
        dpdk_gro.completes(state, row, cells)
    elif setup[ENGINE] == WIREGUARD_GO:
        wireguard_go.completes(state, row, cells)
    else:
        gvisor.completes(state, row, cells)
