"""Linux generic receive offload: the rules of UDP.

Models: datagrams joined where somebody asked for it: a socket (UDP_GRO), `rx-udp-gro-forwarding` or, chained as they
    came, `rx-gro-list`; also inside a tunnel.
Leaves out: sockets as such. `udp_socket` is one that asked; without it, no socket is there and the packet is forwarded.
    A socket that did not ask would keep forwarding's kind from joining.
Sources: rules of udp4_gro_receive(), udp_gro_receive(), udp_gro_receive_segment(), udp4_gro_complete() and
    udp_gro_complete_segment() in net/ipv4/udp_offload.c, skb_gro_receive_list() in net/core/gro.c; own words.
Checked by: tests/models/offload/test_gro_udp.py.

A cut counts IDs up, so datagrams whose IDs stand still join but do not come back: GSO_FIXED_ID is for TCP alone.
"""

from __future__ import annotations

from models.offload import gro_network
from models.offload.editions import CHAINS_WHAT_IS_BARRED
from models.offload.held import EDITION, FRAGLIST, IP_BYTES, MAX_BYTES, MSS, SEGMENTS, UDP_FORWARDING, UDP_SOCKET
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_PARTIAL,
    CSUM_STATE,
    CSUM_VERIFIED,
    GSO_BYTES,
    GSO_FRAGLIST,
    GSO_TYPE,
    GSO_UDP,
    HEAD_BYTES,
    INNER_L3,
    L3,
    PAYLOAD_BYTES,
    TAIL_BYTES,
)
from models.wire import checksum, geneve, innermost, udp, vxlan

MAX_DATAGRAMS = 64  # UDP_GRO_CNT_MAX
LEGACY_MAX_BYTES = 65536  # GRO_LEGACY_MAX_SIZE; only TCP may be longer


@njit
def overlooks(setup, payloads, pieces, row, cells, barred):
    """What udp_gro_receive() and udp_gro_receive_segment() let pass; `barred`: the flush flag is set already."""
    l4 = innermost.transport(cells)
    port = udp.destination_port(row, l4)
    if port == vxlan.PORT or port == geneve.PORT:
        return Why.TUNNEL  # it has something in it that is not IP, or is in a tunnel itself
    if not (setup[UDP_SOCKET] or setup[UDP_FORWARDING] or setup[FRAGLIST]):
        return Why.NOT_TCP
    if not barred and (cells[CSUM_STATE] == CSUM_NONE or cells[CSUM_STATE] == CSUM_BAD):
        if cells[CSUM_STATE] == CSUM_BAD or not checksum.transport_is_right(payloads, pieces, row, cells):
            return Why.CHECKSUM
    if udp.checksum(row, l4) == 0:  # a cut would write one
        return Why.CHECKSUM
    length = udp.length(row, l4)
    if length <= udp.HEADER_BYTES:
        return Why.NO_PAYLOAD if length == udp.HEADER_BYTES else Why.MALFORMED
    return Why.NONE if length == cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES] else Why.PADDING


@njit(inline="always")
def chains(setup):
    """Whether datagrams are chained as they came (rx-gro-list): a socket that asked wants them joined."""
    return setup[FRAGLIST] != 0 and setup[UDP_SOCKET] == 0


@njit
def flush_flag(row, cells):
    """Why the frame has the flush flag; Why.NONE if it has not."""
    if cells[GSO_BYTES]:
        return Why.ALREADY_MERGED
    why = gro_network.bars(row, cells, cells[L3])
    if why == Why.NONE and cells[INNER_L3] >= 0:
        return gro_network.bars(row, cells, cells[INNER_L3])
    return why


@njit
def is_unverified(row, cells):
    """Whether the checksum is not known to be right: in software that of a frame with the flush flag is not summed."""
    unknown = cells[CSUM_STATE] == CSUM_NONE or cells[CSUM_STATE] == CSUM_BAD
    return unknown and flush_flag(row, cells) != Why.NONE


@njit
def refuses(setup, was, state, row, cells):
    """udp_gro_receive_segment(), behind the network rules."""
    if udp.length(row, innermost.transport(cells)) - udp.HEADER_BYTES > state[MSS]:  # IP may say something shorter
        return Why.SIZE
    if chains(setup):
        if was[CSUM_STATE] != cells[CSUM_STATE] or is_unverified(row, cells):
            return Why.CHECKSUM  # passes the held packet by
        if not setup[EDITION] & CHAINS_WHAT_IS_BARRED and flush_flag(row, cells) != Why.NONE:
            return flush_flag(row, cells)
        whole = cells[HEAD_BYTES] - cells[L3] + cells[PAYLOAD_BYTES]  # skb_gro_receive_list() counts the header too
        return Why.LIMIT if state[IP_BYTES] + whole >= LEGACY_MAX_BYTES else Why.NONE
    n_bytes = state[IP_BYTES] + cells[PAYLOAD_BYTES]
    return Why.LIMIT if n_bytes >= setup[MAX_BYTES] or n_bytes >= LEGACY_MAX_BYTES else Why.NONE


@njit(inline="always")
def closes(state, cells):
    """A shorter datagram is the last one; so is the sixty-fourth."""
    if cells[PAYLOAD_BYTES] < state[MSS]:
        return Why.SHORT
    return Why.LIMIT if state[SEGMENTS] >= MAX_DATAGRAMS else Why.NONE


@njit
def completes(setup, row, cells):
    """udp4_gro_complete(), udp6_gro_complete(): one length over all."""
    l3, l4 = innermost.network(cells), innermost.transport(cells)
    l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
    udp.set_length(row, l4, l4_bytes)
    cells[GSO_TYPE] |= GSO_UDP
    if chains(setup) and (not innermost.is_tunnelled(cells) or innermost.has_outer_udp(cells)):
        cells[GSO_TYPE] |= GSO_FRAGLIST
        if cells[CSUM_STATE] != CSUM_PARTIAL:
            cells[CSUM_STATE] = CSUM_VERIFIED
        return
    udp.set_checksum(row, l4, checksum.fold(checksum.pseudo(row, l3, udp.PROTOCOL, l4_bytes)))
    cells[CSUM_STATE] = CSUM_PARTIAL
