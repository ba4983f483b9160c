"""Counts of work to cycles and time.

Models: a piece of work is a count per kind (packets, bytes, interrupts); its cost is the sum of count times price, and
    becomes picoseconds once, rounded up.
Leaves out: caches, memory bandwidth, clock scaling, hyper-threads; a price is the same in every state of the machine.
Sources: the linear per-packet and per-byte model common to the papers named in profiles.py.
Checked by: tests/models/cpu/test_costs.py against exact fractions; the prices by tests/models/cpu/test_profiles.py.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from models.compiled import njit
from models.units import PS_PER_S

if TYPE_CHECKING:
    from models.cpu.profiles import Profile

COST_PER_CYCLE = 10_000  # costs are whole numbers of 1/10,000 cycle, fine enough for a price per byte
PS_PER_S_BY_COST = PS_PER_S // COST_PER_CYCLE


class Kind(IntEnum):
    """A kind of work: the index into counts and prices; the lower-case name is the key in results."""

    IRQ = 0  # each hardware interrupt
    NAPI_POLL = 1  # each poll
    DRV = 2  # driver receive: descriptor, DMA unmap, refill; each frame or hardware-merged packet
    GRO_INSPECT = 3  # each packet GRO looks at, merged or not
    GRO_MERGE = 4  # each packet it joins to a held one
    LRO_INSPECT = 5  # each frame driver LRO looks at
    FRAG = 6  # page and descriptor of each frame that becomes part of an LRO packet
    SKB = 7  # each sk_buff allocated and freed
    STACK = 8  # each packet through IP, TCP and socket
    ACK = 9  # each ACK built and sent
    WAKE = 10  # each wake-up of the application with its receive call
    COPY = 11  # each byte copied to the application
    PAGE = 12  # each byte of page allocation and recycling
    CSUM = 13  # each byte summed in software
    FWD = 14  # each packet routed and transmitted
    BRIDGE = 15  # each packet bridged and transmitted
    CONNTRACK = 16  # each packet through connection tracking
    GSO_SEG = 17  # each segment cut in software
    FRAGLIST_SEG = 18  # each segment unchained from a frag list
    VHOP = 19  # each packet handed to a guest
    VFRAG = 20  # each wire segment copied to a guest
    TX = 21  # each packet a host's stack hands to its card


KINDS: tuple[str, ...] = tuple(kind.name.lower() for kind in Kind)


def work(counts: Sequence[int], profile: "Profile") -> int:
    """Cost [1/10,000 cycle] of `counts`, one count per Kind in its order.

    Raises ValueError when there are more or fewer counts than kinds."""
    return sum(count * price for count, price in zip(counts, profile.cost, strict=True))


def work_ps(cost: int, hz: int) -> int:
    """Time [ps] a core at `hz` [cycles/s] needs for `cost` [1/10,000 cycle], rounded up.

    Whole seconds are split off first, so that int64 holds every step where it is compiled: the rest is below
    hz * 10**8 < 2**63 for any clock below 90 GHz."""
    seconds = cost // hz
    return seconds * PS_PER_S_BY_COST + -(-(cost - seconds * hz) * PS_PER_S_BY_COST // hz)


work_ps_compiled = njit(work_ps)  # for kernels; arguments and result are int64
