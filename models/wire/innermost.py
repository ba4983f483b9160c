"""Where the TCP or UDP packet is that receive offload would merge: in the tunnel, if there is one.

Models: the choice between the outer and the inner columns of a dissected frame.
Leaves out: a tunnel within a tunnel; `dissect` takes one apart.
Sources: own.
Checked by: tests/models/wire/test_tunnels.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.train import INNER_L3, INNER_L4, INNER_PROTOCOL, L3, L4, PROTOCOL
from models.wire import udp


@njit
def is_tunnelled(cells):
    return cells[INNER_L3] >= 0


@njit
def network(cells):
    """Where the innermost network header starts; ABSENT if there is none at all."""
    return cells[INNER_L3] if cells[INNER_L3] >= 0 else cells[L3]


@njit
def transport(cells):
    """Where the innermost transport header starts; ABSENT if the innermost network header has none behind it."""
    return cells[INNER_L4] if cells[INNER_L3] >= 0 else cells[L4]


@njit
def protocol(cells):
    """IP protocol of the header at `transport`."""
    return cells[INNER_PROTOCOL] if cells[INNER_L3] >= 0 else cells[PROTOCOL]


@njit
def has_outer_udp(cells):
    """Whether the tunnel is one over UDP, whose header has a checksum over everything in it."""
    return cells[INNER_L3] >= 0 and cells[PROTOCOL] == udp.PROTOCOL
