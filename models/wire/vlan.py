"""802.1Q and 802.1ad tags in the frame.

Models: the four bytes between source address and EtherType.
Leaves out: tags the card has stripped; those are the column `vlan_stripped`.
Sources: IEEE 802.1Q-2022 clause 9.6.
Checked by: tests/models/wire/test_headers.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.wire import ethernet
from models.wire.octets import be16

TCI, INNER_ETHERTYPE, TAG_BYTES = 0, 2, 4


@njit
def is_tag(ethertype):
    return ethertype == ethernet.VLAN or ethertype == ethernet.SERVICE_VLAN


@njit
def tci(row, at):
    """Priority, drop eligibility and VLAN number of the tag whose TCI is at byte `at`."""
    return be16(row, at + TCI)
