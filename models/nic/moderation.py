"""When a card interrupts.

Models: `rx-usecs` after the first frame, or with the last of `rx-frames`; a card with an engine of its own interrupts
    when that engine's timer rings.
Leaves out: adaptive moderation.
Sources: Linux Documentation/networking/ethtool-netlink.rst, coalescing parameters.
Checked by: tests/sim/nodes/test_nic.py.
"""

from __future__ import annotations

from models.memory import END, FIRST, KEPT, NEXT
from models.nic.words import ARMED, ARRIVING, CLOSE_AT, INTERRUPT_AT, RING, RX_FRAMES, RX_WAIT, SETTLES
from models.offload.kernel import njit
from models.train import TIME_PS
from models.units import NEVER


@njit
def interrupt_ps(card, state, meta):
    """When an armed card would interrupt [ps], as far as is known: 1 ps after the last bit of what it is for."""
    ring, coming = state[card[RING]], state[card[ARRIVING]]
    if ring[FIRST] < ring[KEPT]:
        return meta[ring[FIRST], TIME_PS] + 1
    if not card[SETTLES]:
        if card[CLOSE_AT] != NEVER:
            return card[CLOSE_AT] + 1
        return meta[coming[FIRST], TIME_PS] + card[RX_WAIT] + 1 if coming[FIRST] < coming[END] else NEVER
    first, end = coming[NEXT], coming[END]
    if first == end:
        return NEVER
    at_ps = meta[first, TIME_PS] + card[RX_WAIT]
    if end - first >= card[RX_FRAMES]:
        at_ps = min(at_ps, meta[first + card[RX_FRAMES] - 1, TIME_PS] + 1)
    return at_ps


@njit
def look_again(card, state, meta):
    """More is on the way to it."""
    if card[ARMED]:
        card[INTERRUPT_AT] = interrupt_ps(card, state, meta)


@njit
def arm(card, state, meta):
    """From now on frames may interrupt again; those that are on their way count from the first."""
    card[ARMED] = 1
    card[INTERRUPT_AT] = interrupt_ps(card, state, meta)


@njit
def mask(card):
    """No interrupt until it is armed."""
    card[ARMED] = 0
    card[INTERRUPT_AT] = NEVER
