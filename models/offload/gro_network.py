"""Linux generic receive offload: the rules of IPv4 and IPv6, the same for the only header and both of a tunnel.

Models: what leaves early, what is barred, what is one flow, what may differ: of one network header.
Leaves out: which of a frame's headers are asked about; `gro.py` and `gro_tunnel.py` know.
Sources: rules of inet_gro_receive() in net/ipv4/af_inet.c, ipv6_gro_receive() in net/ipv6/ip6_offload.c,
    inet_gro_flush() and ipv6_gro_flush() in include/net/gro.h; fact sheet sections 1.3 and 1.4; own words.
Checked by: tests/models/offload/test_gro.py, test_gro_editions.py, test_gro_tunnel.py.
"""

from __future__ import annotations

import numpy as np

from models.offload.editions import FIXED_ID_WITHOUT_DF, ONE_FIXED_BIT, OUTER_ID
from models.offload.held import FIXED_ID, SEGMENTS
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import HEAD_BYTES, PAYLOAD_BYTES, TAIL_BYTES
from models.wire import checksum, ipv4, ipv6
from models.wire.ipv4 import is_ipv4
from models.wire.octets import put16, same

WHOLE_FIRST_BYTE = 0x45  # version 4, header of five words
FLOW_LABEL_AND_VERSION = 0xF00FFFFF
ECN_BITS = 3  # of ToS and traffic class, RFC 3168 section 5
ONLY, OUTER, INNER = (np.int64(layer) for layer in range(3))  # which network header of the frame it is
FIXED_FIRST, FIXED_SECOND = 1, 2  # bits of FIXED_ID: the outer or only header's IDs stand still; the inner one's do


@njit
def inet_overlooks(row, l3):
    """inet_gro_receive(): exits that leave every held packet where it is."""
    if np.int64(row[l3]) != WHOLE_FIRST_BYTE:
        return Why.IP_OPTIONS
    if ipv4.fragment(row, l3) & (ipv4.MF | ipv4.OFFSET_MASK):
        return Why.FRAGMENT
    return Why.NONE if checksum.ipv4_header_is_right(row, l3) else Why.CHECKSUM


@njit(inline="always")
def overlooks(row, l3):
    """The early exits of either version. IPv6 has none: ipv6_gro_receive() reads every extension header."""
    return inet_overlooks(row, l3) if is_ipv4(row, l3) else Why.NONE


@njit
def bars(row, cells, l3):
    """The flush flag: the frame goes up, and the held packet of its flow before it."""
    ip_bytes = cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES]
    if is_ipv4(row, l3):
        if ipv4.total_length(row, l3) != ip_bytes:
            return Why.PADDING
        return Why.DF if ipv4.fragment(row, l3) & ~ipv4.DF else Why.NONE
    return Why.PADDING if ipv6.payload_length(row, l3) + ipv6.HEADER_BYTES != ip_bytes else Why.NONE


@njit(inline="always")
def same_hosts(old, row, l3, l4):
    """Whether the headers at `l3`, with extension headers up to `l4`, are of one flow."""
    if not is_ipv4(row, l3):
        return same_hosts6(old, row, l3, l4)
    if ipv4.protocol(old, l3) != ipv4.protocol(row, l3) or ipv4.source(old, l3) != ipv4.source(row, l3):
        return False
    return ipv4.destination(old, l3) == ipv4.destination(row, l3)


@njit
def same_hosts6(old, row, l3, l4):
    """ipv6_gro_receive(): the traffic class may differ, it is no part of the flow."""
    if (ipv6.flow_word(old, l3) ^ ipv6.flow_word(row, l3)) & FLOW_LABEL_AND_VERSION:
        return False
    if ipv6.next_header(old, l3) != ipv6.next_header(row, l3):
        return False
    return same(old, row, l3 + ipv6.SOURCE, l4)  # addresses, then extension headers byte by byte


@njit(inline="always")
def refuses(edition, old, state, row, l3, layer):
    """__gro_receive_network_flush(): why the header at `l3` may not follow that of the held packet."""
    if is_ipv4(row, l3):
        return inet_refuses(edition, old, state, row, l3, layer)
    return ipv6_refuses(old, row, l3)


@njit
def ipv6_refuses(old, row, l3):
    """ipv6_gro_flush()."""
    changed = ipv6.traffic_class(old, l3) ^ ipv6.traffic_class(row, l3)
    if changed:
        return Why.TOS if changed & ~ECN_BITS else Why.ECN
    return Why.TTL if ipv6.hop_limit(old, l3) != ipv6.hop_limit(row, l3) else Why.NONE


@njit(inline="always")
def inet_refuses(edition, old, state, row, l3, layer):
    """inet_gro_flush()."""
    df = ipv4.fragment(row, l3) & ipv4.DF
    changed = (ipv4.fragment(old, l3) & ipv4.DF) ^ df
    if changed | (ipv4.ttl(old, l3) ^ ipv4.ttl(row, l3)) | (ipv4.tos(old, l3) ^ ipv4.tos(row, l3)):
        return differs(old, row, l3)
    if ignores_id(edition, df, layer):
        return Why.NONE
    step = (ipv4.ident(row, l3) - ipv4.ident(old, l3)) & 0xFFFF
    if state[SEGMENTS] == 1 and step == 0 and may_stand_still(edition, df):
        return Why.NONE  # the second segment decides: fixed from here on, see decides_id()
    fixed = state[FIXED_ID] & fixed_bit(edition, layer)
    return Why.NONE if step == (0 if fixed else state[SEGMENTS] & 0xFFFF) else Why.IP_ID


@njit
def differs(old, row, l3):
    """Which of the fields that must be equal is not."""
    if ipv4.ttl(old, l3) != ipv4.ttl(row, l3):
        return Why.TTL
    changed = ipv4.tos(old, l3) ^ ipv4.tos(row, l3)
    if changed:
        return Why.TOS if changed & ~ECN_BITS else Why.ECN
    return Why.DF


@njit
def ignores_id(edition, df, layer):
    """To 6.17, an outer header that may not be fragmented can have any ID."""
    return layer == OUTER and df != 0 and not edition & OUTER_ID


@njit
def may_stand_still(edition, df):
    return df != 0 or edition & FIXED_ID_WITHOUT_DF != 0


@njit
def fixed_bit(edition, layer):
    """Which bit of FIXED_ID says that the IDs of the header stand still; 0: none does, they must count up."""
    if edition & OUTER_ID:
        return FIXED_SECOND if layer == INNER else FIXED_FIRST
    if layer == OUTER and not edition & ONE_FIXED_BIT:
        return 0
    return FIXED_FIRST


@njit
def decides_id(edition, old, state, row, l3, layer):
    """The second segment decides whether the IDs of the IPv4 header at `l3` stand still."""
    df = ipv4.fragment(row, l3) & ipv4.DF
    if ipv4.ident(row, l3) == ipv4.ident(old, l3) and may_stand_still(edition, df):
        if not ignores_id(edition, df, layer):
            state[FIXED_ID] |= fixed_bit(edition, layer)


@njit(inline="always")
def completes(row, cells, l3):
    """inet_gro_complete(), ipv6_gro_complete(): the length of all there is; above 65,535 bytes IPv4 has 0."""
    n_bytes = cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES]
    if is_ipv4(row, l3):
        ipv4.set_total_length(row, l3, n_bytes if n_bytes <= 0xFFFF else 0)
        put16(row, l3 + ipv4.CHECKSUM, checksum.ipv4_header(row, l3))
    else:
        ipv6.set_payload_length(row, l3, n_bytes - ipv6.HEADER_BYTES)
