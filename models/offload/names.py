"""The one list of engines: their names, in the order in which they are always printed, and where each runs.

Models: nothing.
Leaves out: what an engine does (`engine.py`); "none", which is no engine.
Sources: own; places as in the source each rule book cites.
Checked by: tests/models/offload/test_engine.py.

Nothing here needs numba, so that scenarios can be validated without loading it.
"""

from __future__ import annotations

from enum import IntEnum


class Place(IntEnum):
    """Where an engine runs, and who pays for it."""

    CARD = 0
    DRIVER = 1
    STACK = 2  # the kernel's, or that of the program which reads packets


PLACES = {
    "gro": Place.STACK,
    "gro-6.12": Place.STACK,
    "gro-6.1": Place.STACK,
    "gro-2.6.29": Place.STACK,
    "lro-driver": Place.DRIVER,
    "lro-s2io": Place.DRIVER,  # the card only says what is TCP
    "lro-bnx2x": Place.CARD,
    "lro-82599": Place.CARD,
    "lro-windows": Place.CARD,
    "gro-hw-mlx5": Place.CARD,
    "lro-vmxnet3": Place.CARD,  # the hypervisor, which the guest does not pay for
    "merge-everything": Place.CARD,
    "freebsd-lro": Place.DRIVER,
    "dpdk-gro": Place.STACK,
    "wireguard-go": Place.STACK,
    "gvisor": Place.STACK,
}
ENGINES = tuple(PLACES)
GRO_ENGINES = tuple(name for name, place in PLACES.items() if place is Place.STACK)  # a NIC's `gro-engine`
LINUX_GRO = ("gro", "gro-6.12", "gro-6.1")  # those that know chaining, UDP, and packets above 64 KiB
LRO_ENGINES = tuple(name for name, place in PLACES.items() if place is not Place.STACK)  # a NIC's `lro-engine`
