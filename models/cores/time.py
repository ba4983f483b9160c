"""The time of a core: where it is, when it has something to do, and which of it is counted.

Models: busy time within the measured span, also for work that is moved to later.
Leaves out: idle states and what it takes to leave them.
Sources: own.
Checked by: tests/models/cores/test_core.py.
"""

from __future__ import annotations

from models.cores.words import (
    BUSY,
    CARDS,
    FIRST_CARD,
    HOST,
    IDLE,
    MEASURED_FROM,
    MEASURED_TO,
    NOW,
    PHASE,
    READER,
    READER_ENDS,
)
from models.host.sockets import READY, TIMER_PS
from models.nic.words import INTERRUPT_AT, TIMER_AT
from models.offload.kernel import njit
from models.train import ABSENT
from models.units import NEVER


@njit
def due_ps(core, cards, hosts):
    """When an idle core has something to do next [ps], as far as is known; this may be past."""
    at_ps = NEVER
    host = core[HOST]
    if core[READER] != ABSENT:
        at_ps = core[READER_ENDS]
    elif host != ABSENT and hosts[host, READY]:
        at_ps = core[NOW]
    if host != ABSENT:
        at_ps = min(at_ps, hosts[host, TIMER_PS])
    for k in range(core[FIRST_CARD], core[FIRST_CARD] + core[CARDS]):
        at_ps = min(at_ps, cards[k, INTERRUPT_AT], cards[k, TIMER_AT])
    return at_ps


@njit
def acts_at_ps(core, cards, hosts):
    """Nothing the core does, and nothing it sends, is before this time [ps], as far as is known."""
    if core[PHASE] != IDLE:
        return core[NOW]
    return max(due_ps(core, cards, hosts), core[NOW])


@njit
def spend_until(core, end_ps):
    """Be busy from where the core is to `end_ps`, where it is from then on."""
    book(core, core[NOW], end_ps)
    core[NOW] = end_ps


@njit
def book(core, start_ps, end_ps):
    """Busy from `start_ps` to `end_ps`; from a later to an earlier time takes back."""
    low, high = core[MEASURED_FROM], core[MEASURED_TO]
    core[BUSY] += min(max(end_ps, low), high) - min(max(start_ps, low), high)
