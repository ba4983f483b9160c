"""merge-everything: the caricature of a card's large receive offload that the literature warns of.

Models: a card that joins whatever is next in sequence on the same addresses and ports, and remembers the last header's
    ack, window and timestamps, the first one's everything else.
Leaves out: any one product. This is a caricature, kept so that the effects are seen at their plainest; the engines of
    real cards get files of their own.
Sources: none but the complaint. Limits (32 contexts, 65,535 bytes) are of the order of real cards' (fact sheet 4.1).
Checked by: tests/models/offload/test_lro_hardware.py; no published number exists for it.

SYN, FIN, RST and URG, fragments and segments without payload are left alone, or no connection would survive the card.
It verifies every checksum it is not told about, as cards do.
"""

from __future__ import annotations

import numpy as np

from models.offload.held import IP_BYTES, MAX_BYTES, MSS, NEXT_SEQ, SEGMENTS
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_STATE,
    CSUM_VERIFIED,
    GSO_BYTES,
    GSO_SEGMENTS,
    HEAD_BYTES,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
    TAIL_BYTES,
)
from models.wire import checksum, ipv4, ipv6, tcp
from models.wire.octets import be32, put16, put32, same

CONTEXTS = 32
MAX_PACKET_BYTES = 65535
NEVER = tcp.URG | tcp.RST | tcp.SYN | tcp.FIN


@njit(inline="always")
def is_ipv4(row, l3):
    return np.int64(row[l3]) >> 4 == 4


@njit(inline="always")
def overlooks(payloads, pieces, row, cells):
    """What its parser does not take for TCP with a right checksum."""
    l3 = cells[L3]
    if l3 < 0:
        return Why.NOT_IP
    if is_ipv4(row, l3) and ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
        return Why.FRAGMENT
    if cells[L4] < 0 or cells[PROTOCOL] != tcp.PROTOCOL:
        return Why.NOT_TCP
    if cells[GSO_BYTES]:
        return Why.ALREADY_MERGED
    if cells[CSUM_STATE] == CSUM_BAD or (is_ipv4(row, l3) and not checksum.ipv4_header_is_right(row, l3)):
        return Why.CHECKSUM
    if cells[CSUM_STATE] == CSUM_NONE and not checksum.transport_is_right(payloads, pieces, row, cells):
        return Why.CHECKSUM
    return Why.NONE


@njit(inline="always")
def bars(row, cells):
    """What must stay a frame of its own."""
    if cells[PAYLOAD_BYTES] == 0:
        return Why.NO_PAYLOAD
    if tcp.flags(row, cells[L4]) & NEVER:
        return Why.FLAGS
    return Why.PADDING if cells[TAIL_BYTES] or is_cut_short(row, cells) else Why.NONE


@njit(inline="always")
def is_cut_short(row, cells):
    """Whether the IP header promises more than the frame has."""
    ip_bytes = cells[HEAD_BYTES] - cells[L3] + cells[PAYLOAD_BYTES]
    if is_ipv4(row, cells[L3]):
        return ipv4.total_length(row, cells[L3]) > ip_bytes
    return ipv6.payload_length(row, cells[L3]) + ipv6.HEADER_BYTES > ip_bytes


@njit(inline="always")
def same_flow(old, was, row, cells):
    """IP version, addresses and ports."""
    l3, old_l3 = cells[L3], was[L3]
    if tcp.ports(old, was[L4]) != tcp.ports(row, cells[L4]) or is_ipv4(old, old_l3) != is_ipv4(row, l3):
        return False
    if is_ipv4(row, l3):
        start, stop = ipv4.SOURCE, ipv4.MINIMUM_BYTES
    else:
        start, stop = ipv6.SOURCE, ipv6.HEADER_BYTES
    return same(old[old_l3:], row[l3:], start, stop)


@njit(inline="always")
def refuses(setup, old, state, row, cells):
    """Next in sequence and room for it: nothing else is compared."""
    if tcp.seq(row, cells[L4]) != state[NEXT_SEQ]:
        return Why.GAP
    if state[IP_BYTES] + cells[PAYLOAD_BYTES] > setup[MAX_BYTES]:
        return Why.LIMIT
    return Why.NONE


@njit(inline="always")
def declines(row, cells):
    """What is not barred opens a context."""
    return Why.NONE


@njit(inline="always")
def joins(old, was, state, row, cells):
    """The last ack, window and timestamps; of timestamps only where both headers keep them in the usual place."""
    at, l4 = was[L4], cells[L4]
    put32(old, at + tcp.ACK, tcp.ack(row, l4))
    put16(old, at + tcp.WINDOW, tcp.window(row, l4))
    if tcp.has_aligned_timestamps(old, at) and tcp.has_aligned_timestamps(row, l4):
        for field in (tcp.MINIMUM_BYTES + 4, tcp.MINIMUM_BYTES + 8):
            put32(old, at + field, be32(row, l4 + field))
    state[MSS] = max(state[MSS], cells[PAYLOAD_BYTES])


@njit(inline="always")
def closes(state):
    """Nothing but a frame that does not fit, another flow that needs the context, or the end of the batch."""
    return Why.NONE


@njit
def completes(state, payloads, pieces, row, cells):
    """Right lengths and checksums, the longest payload as segment size, and no word on what it was."""
    cells[CSUM_STATE] = CSUM_VERIFIED
    if state[SEGMENTS] == 1:
        return
    l3 = cells[L3]
    cells[GSO_BYTES] = state[MSS]
    cells[GSO_SEGMENTS] = state[SEGMENTS]
    if is_ipv4(row, l3):
        ipv4.set_total_length(row, l3, state[IP_BYTES])
        put16(row, l3 + ipv4.CHECKSUM, checksum.ipv4_header(row, l3))
    else:
        ipv6.set_payload_length(row, l3, cells[HEAD_BYTES] - l3 - ipv6.HEADER_BYTES + cells[PAYLOAD_BYTES])
    tcp.set_checksum(row, cells[L4], checksum.transport(payloads, pieces, row, cells))
