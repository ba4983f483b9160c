"""Ethernet header and what a frame costs on the line.

Models: DIX framing, minimum size, preamble, FCS and gap.
Leaves out: 802.3 length fields (not IP, so passed through), the FCS value itself.
Sources: IEEE 802.3-2022 clauses 3 and 4.
Checked by: tests/models/wire/test_headers.py; published-numbers table in docs/validation.md.
"""

from __future__ import annotations

from models.compiled import njit
from models.wire.octets import be16

DESTINATION, SOURCE, ETHERTYPE, HEADER_BYTES = 0, 6, 12, 14
IPV4, IPV6, VLAN, SERVICE_VLAN = 0x0800, 0x86DD, 0x8100, 0x88A8
MINIMUM_BYTES = 60  # without FCS
LINE_OVERHEAD_BYTES = 4 + 8 + 12  # FCS, preamble with SFD, inter-frame gap


@njit
def ethertype(row, at):
    """The EtherType field at byte `at`, where a MAC header or a VLAN tag keeps it."""
    return be16(row, at)


@njit
def line_bytes(frame_bytes):
    """Bytes of line time a frame of `frame_bytes` (no FCS) takes: padded, with FCS, preamble and gap."""
    return max(frame_bytes, MINIMUM_BYTES) + LINE_OVERHEAD_BYTES
