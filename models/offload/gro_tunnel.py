"""Linux generic receive offload: the rules of tunnels, around those of what is in them.

Models: VXLAN and Geneve over UDP, GRE with or without key and checksum, IP in IP of any two versions; the outer
    header's rules, then the tunnel's, then the inner header's.
Leaves out: a tunnel within a tunnel, which passes; tags in the inner frame; FOU, GUE and VXLAN-GPE; remote checksum
    offload. A socket is taken to be there for the ports of VXLAN and Geneve.
Sources: rules of udp_gro_receive() in net/ipv4/udp_offload.c, vxlan_gro_receive() in drivers/net/vxlan/vxlan_core.c,
    geneve_gro_receive() in drivers/net/geneve.c, gre_gro_receive() in net/ipv4/gre_offload.c, eth_gro_receive() in
    net/ethernet/eth.c, ipip_gro_receive(), sit_ip6ip6_gro_receive() and their _complete(); own words.
Checked by: tests/models/offload/test_gro_tunnel.py.

Tunnelled frames are rarer than others, so nothing here is inlined into the loop over all of them.
"""

from __future__ import annotations

from models.offload import gro_network, gro_udp
from models.offload.editions import OUTER_SUM_OF_INNER
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_STATE,
    GSO_TUNNEL,
    GSO_TYPE,
    HEAD_BYTES,
    INNER_L3,
    INNER_L4,
    INNER_PROTOCOL,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
)
from models.wire import checksum, geneve, gre, innermost, ipv4, ipv6, tcp, udp
from models.wire.octets import be32, same


@njit
def overlooks(setup, payloads, pieces, row, cells):
    """Exits that leave every held packet where it is, from the outside inwards."""
    l3, inner_l3, inner_l4 = cells[L3], cells[INNER_L3], cells[INNER_L4]
    why = gro_network.overlooks(row, l3)
    if why != Why.NONE:
        return why
    flag = gro_network.bars(row, cells, l3)
    why = tunnel_overlooks(payloads, pieces, row, cells, flag)
    if why != Why.NONE:
        return why
    why = inner_overlooks(row, inner_l3, inner_l4)
    if why != Why.NONE:
        return why
    if flag == Why.NONE:
        flag = gro_network.bars(row, cells, inner_l3)
    if cells[INNER_PROTOCOL] == udp.PROTOCOL:
        return gro_udp.overlooks(setup, payloads, pieces, row, cells, flag != Why.NONE)
    if flag == Why.NONE and cells[CSUM_STATE] == CSUM_NONE:
        return Why.NONE if checksum.transport_is_right(payloads, pieces, row, cells) else Why.CHECKSUM
    return Why.CHECKSUM if flag == Why.NONE and cells[CSUM_STATE] == CSUM_BAD else Why.NONE


@njit
def tunnel_overlooks(payloads, pieces, row, cells, flag):
    """The tunnel's own: its checksum is verified unless `flag` bars the frame anyway, then its header is read."""
    l4 = cells[L4]
    unknown = cells[CSUM_STATE] == CSUM_NONE or cells[CSUM_STATE] == CSUM_BAD
    if cells[PROTOCOL] == udp.PROTOCOL:
        if udp.checksum(row, l4) != 0 and unknown:
            if flag != Why.NONE:
                return flag  # not verified, and what is not verified is not looked into
            if cells[CSUM_STATE] == CSUM_BAD or not checksum.outer_udp_is_right(payloads, pieces, row, cells):
                return Why.CHECKSUM
        if udp.destination_port(row, l4) == geneve.PORT and geneve.is_control(row, l4 + udp.HEADER_BYTES):
            return Why.TUNNEL
    elif cells[PROTOCOL] == gre.PROTOCOL:
        if gre.flags(row, l4) & ~(gre.KEY_FLAG | gre.CHECKSUM_FLAG):  # a cut could not number frames
            return Why.TUNNEL
        if gre.flags(row, l4) & gre.CHECKSUM_FLAG and unknown and flag == Why.NONE:
            if cells[CSUM_STATE] == CSUM_BAD or not checksum.outer_gre_is_right(payloads, pieces, row, cells):
                return Why.CHECKSUM
    return Why.NONE


@njit
def inner_overlooks(row, l3, l4):
    """The inner header's early exits; an absent `l4` is a fragment, a second tunnel, or nothing that is merged."""
    if gro_network.is_ipv4(row, l3):
        protocol = ipv4.protocol(row, l3)
    else:
        protocol = ipv6.next_header(row, l3)
    if protocol == gre.PROTOCOL or protocol == ipv4.ENCAPSULATED or protocol == ipv6.ENCAPSULATED:
        return Why.TUNNEL
    if protocol == ipv6.FRAGMENT and not gro_network.is_ipv4(row, l3):
        return Why.FRAGMENT
    if protocol != tcp.PROTOCOL and protocol != udp.PROTOCOL and l4 < 0:
        return Why.NOT_TCP
    why = gro_network.overlooks(row, l3)
    return Why.MALFORMED if why == Why.NONE and l4 < 0 else why


@njit
def bars(row, cells):
    """The flush flag of either network header."""
    why = gro_network.bars(row, cells, cells[L3])
    return gro_network.bars(row, cells, cells[INNER_L3]) if why == Why.NONE else why


@njit
def same_tunnel(old, was, row, cells):
    """Whether outer hosts, tunnel, inner MAC addresses and inner hosts are the held packet's."""
    l3, l4, inner_l3 = cells[L3], cells[L4], cells[INNER_L3]
    if was[INNER_L3] != inner_l3 or was[L4] != l4 or not gro_network.same_hosts(old, row, l3, l4):
        return False
    at = l4
    if cells[PROTOCOL] == udp.PROTOCOL:
        if udp.ports(old, l4) != udp.ports(row, l4) or (udp.checksum(old, l4) == 0) != (udp.checksum(row, l4) == 0):
            return False
        at += udp.HEADER_BYTES
    elif cells[PROTOCOL] == gre.PROTOCOL:
        if be32(old, l4) != be32(row, l4):  # flags and protocol type
            return False
        # with a checksum, the kernel's "key" is the word of that; frames of one length share it, as what they carry
        # has right checksums
        if gre.flags(row, l4) & gre.KEY_FLAG and be32(old, l4 + gre.OPTIONAL) != be32(row, l4 + gre.OPTIONAL):
            return False
        at += gre.header_bytes(row, l4)
    return same(old, row, at, inner_l3) and gro_network.same_hosts(old, row, inner_l3, cells[INNER_L4])


@njit
def refuses(edition, old, state, row, cells):
    """gro_receive_network_flush(): the outer header's rule, then the inner one's."""
    why = gro_network.refuses(edition, old, state, row, cells[L3], gro_network.OUTER)
    if why != Why.NONE:
        return why
    return gro_network.refuses(edition, old, state, row, cells[INNER_L3], gro_network.INNER)


@njit
def decides_id(edition, old, state, row, cells):
    """The second segment decides for both headers."""
    if gro_network.is_ipv4(row, cells[L3]):
        gro_network.decides_id(edition, old, state, row, cells[L3], gro_network.OUTER)
    if gro_network.is_ipv4(row, cells[INNER_L3]):
        gro_network.decides_id(edition, old, state, row, cells[INNER_L3], gro_network.INNER)


@njit
def completes(edition, row, cells):
    """Outer lengths, and the outer UDP checksum as a sum over its pseudo-header, which a cut completes."""
    l3, l4 = cells[L3], cells[L4]
    cells[GSO_TYPE] |= GSO_TUNNEL
    gro_network.completes(row, cells, l3)
    if innermost.has_outer_udp(cells):
        l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
        udp.set_length(row, l4, l4_bytes)
        if udp.checksum(row, l4) != 0:
            udp.set_checksum(row, l4, checksum.fold(outer_pseudo(edition, row, cells, l4_bytes)))


@njit
def outer_pseudo(edition, row, cells, l4_bytes):
    """Sum over the pseudo-header of the outer UDP checksum; where the inner header is taken for the outer one, over
    what is at the places of the addresses there, of which nothing behind the headers is known here."""
    l3 = cells[L3]
    if not edition & OUTER_SUM_OF_INNER:
        return checksum.pseudo(row, l3, udp.PROTOCOL, l4_bytes)
    inner_l3 = cells[INNER_L3]
    if gro_network.is_ipv4(row, l3):
        addresses = checksum.words(row, inner_l3 + ipv4.SOURCE, inner_l3 + ipv4.MINIMUM_BYTES)
    else:
        end = min(inner_l3 + ipv6.HEADER_BYTES, cells[HEAD_BYTES])
        addresses = checksum.words(row, inner_l3 + ipv6.SOURCE, end)
    return addresses + udp.PROTOCOL + l4_bytes
