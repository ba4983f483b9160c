"""Linux generic receive offload, editions 6.1, 6.12 and 6.18: the rule book, and the rules of TCP.

Models: TCP over IPv4 and IPv6 (with extension headers), tags in the frame or stripped, input that is merged already,
    packets above 65,535 bytes (BIG TCP), TCP chained as it came (`rx-gro-list`). UDP is in `gro_udp.py`, tunnels are in
    `gro_tunnel.py`, network headers in `gro_network.py`; what differs between editions is data, `editions.py`.
Leaves out: TLS and page-pool marks, sockets that steer early demultiplexing, conntrack and tc marks; where the kernel
    puts payload (fragments or a list), which no rule of these editions looks at.
Sources: rules of net/core/gro.c, net/ipv4/tcp_offload.c and net/ipv6/tcpv6_offload.c, read in 6.1.192, 6.12.117 and
    6.18.9; the project's fact sheet, sections 1.1 to 1.9; own words.
Checked by: tests/models/offload/test_gro.py; test_gro_selftest.py, the kernel's own self-test as a table;
    test_gro_editions.py; tests/kernel/ against the running kernel.

Questions are in the order a frame meets them; rules within one are in the order of the kernel's function. What most
frames meet is inlined into the loop over them, what few meet is called.
"""

from __future__ import annotations

from models.offload import gro_network, gro_tunnel, gro_udp
from models.offload.editions import BARS_THE_HELD, BIG_IPV4, CWR_COMPARED, MERGED_STAND_STILL, TCP_FRAGLIST
from models.offload.gro_network import FIXED_FIRST, FIXED_SECOND, ONLY
from models.offload.held import (
    CHAINED,
    EDITION,
    FIXED_ID,
    FRAGLIST,
    IP_BYTES,
    MAX_BYTES,
    MSS,
    NEXT_SEQ,
    SEGMENTS,
    TCP_SOCKET,
)
from models.offload.kernel import njit
from models.offload.why import Why
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_PARTIAL,
    CSUM_STATE,
    CSUM_VERIFIED,
    GSO_BYTES,
    GSO_ECN,
    GSO_FIXED_ID,
    GSO_FIXED_ID_INNER,
    GSO_FRAGLIST,
    GSO_SEGMENTS,
    GSO_TCP4,
    GSO_TCP6,
    GSO_TYPE,
    HEAD_BYTES,
    INNER_L3,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
    RX_HASH,
    VLAN_STRIPPED,
)
from models.wire import checksum, gre, innermost, ipv4, ipv6, tcp, udp
from models.wire.ipv4 import is_ipv4
from models.wire.octets import be32, put32, same

BUCKETS = 8  # GRO_HASH_BUCKETS, include/linux/netdevice.h
HELD_PER_BUCKET = 8  # MAX_GRO_SKBS, net/core/gro.c
MAX_PACKET_BYTES = 65536  # GRO_LEGACY_MAX_SIZE, the default of gro_max_size; a packet stays below it
MAX_CHAINED = 64  # tcp_gro_receive()

ENDS_RUN = tcp.FIN | tcp.PSH  # flags that may differ: the frame that has one is the last


@njit(inline="always")
def overlooks(setup, payloads, pieces, row, cells):
    """inet_gro_receive(), ipv6_gro_receive(), tcp4_gro_receive(): exits that leave every held packet where it is."""
    l3 = cells[L3]
    if l3 < 0:
        return Why.NOT_IP
    if cells[INNER_L3] >= 0:
        return gro_tunnel.overlooks(setup, payloads, pieces, row, cells)
    if cells[PROTOCOL] != tcp.PROTOCOL:
        return overlooks_others(setup, payloads, pieces, row, cells)
    why = gro_network.overlooks(row, l3)
    if why == Why.NONE and (cells[CSUM_STATE] == CSUM_NONE or cells[CSUM_STATE] == CSUM_BAD):
        return overlooks_checksum(payloads, pieces, row, cells)
    return why


@njit
def overlooks_checksum(payloads, pieces, row, cells):
    """tcp4_gro_receive(), for a frame that the card has not verified: it is summed, unless it is barred anyway."""
    if bars(row, cells) != Why.NONE:
        return Why.NONE
    right = cells[CSUM_STATE] != CSUM_BAD and checksum.transport_is_right(payloads, pieces, row, cells)
    return Why.NONE if right else Why.CHECKSUM


@njit
def overlooks_others(setup, payloads, pieces, row, cells):
    """What is not TCP as far as dissection got: UDP, other protocols, fragments, headers cut short."""
    l3 = cells[L3]
    protocol = ipv4.protocol(row, l3) if is_ipv4(row, l3) else ipv6.next_header(row, l3)
    if protocol == gre.PROTOCOL or protocol == ipv4.ENCAPSULATED or protocol == ipv6.ENCAPSULATED:
        return Why.TUNNEL
    if not is_ipv4(row, l3) and protocol == ipv6.FRAGMENT:
        return Why.FRAGMENT
    if protocol != tcp.PROTOCOL and protocol != udp.PROTOCOL and cells[PROTOCOL] != udp.PROTOCOL:
        return Why.NOT_TCP
    why = gro_network.overlooks(row, l3)
    if why != Why.NONE:
        return why
    if cells[L4] < 0:
        return Why.MALFORMED
    return gro_udp.overlooks(setup, payloads, pieces, row, cells, bars(row, cells) != Why.NONE)


@njit(inline="always")
def bars(row, cells):
    """The flush flag: the frame goes up, and the held packet of its flow before it."""
    if cells[GSO_BYTES] and not cells[GSO_TYPE] & (GSO_TCP4 | GSO_TCP6):  # dev_gro_receive()
        return Why.ALREADY_MERGED
    if cells[INNER_L3] >= 0:
        return gro_tunnel.bars(row, cells)
    return gro_network.bars(row, cells, cells[L3])


@njit
def bucket(cells):
    return cells[RX_HASH] & (BUCKETS - 1)


@njit(inline="always")
def same_flow(old, was, row, cells):
    """gro_list_prepare(), vlan_gro_receive(), then the address tests of the IP layers and the ports of TCP and UDP."""
    l3, l4 = cells[L3], innermost.transport(cells)
    if was[RX_HASH] != cells[RX_HASH] or was[VLAN_STRIPPED] != cells[VLAN_STRIPPED]:
        return False
    if was[L3] != l3 or innermost.transport(was) != l4 or tcp.ports(old, l4) != tcp.ports(row, l4):
        return False
    if not same(old, row, 0, l3):  # MAC header and tags in the frame
        return False
    if cells[INNER_L3] >= 0:
        return gro_tunnel.same_tunnel(old, was, row, cells)
    return gro_network.same_hosts(old, row, l3, l4)


@njit(inline="always")
def refuses(setup, old, was, state, row, cells):
    """tcp_gro_receive(): why the frame may not join the held packet of its flow."""
    if innermost.protocol(cells) != tcp.PROTOCOL:
        why = network_refuses(setup[EDITION], old, state, row, cells)
        return gro_udp.refuses(setup, was, state, row, cells) if why == Why.NONE else why
    l4 = innermost.transport(cells)
    was_word, word = be32(old, l4 + tcp.OFFSET), be32(row, l4 + tcp.OFFSET)
    if (was_word ^ word | word & tcp.CWR << 16) & ~(ENDS_RUN << 16):
        why = flags_refuse(setup[EDITION], was_word, word)
        if why != Why.NONE:
            return why
    if tcp.ack(old, l4) != tcp.ack(row, l4):
        return Why.ACK
    if not same(old, row, l4 + tcp.MINIMUM_BYTES, cells[HEAD_BYTES]):
        return Why.OPTIONS
    why = network_refuses(setup[EDITION], old, state, row, cells)
    if why != Why.NONE:
        return why
    if cells[GSO_BYTES]:
        if cells[GSO_BYTES] != state[MSS]:
            return Why.SIZE
    elif cells[PAYLOAD_BYTES] == 0:
        return Why.NO_PAYLOAD
    elif cells[PAYLOAD_BYTES] > state[MSS]:
        return Why.SIZE
    if tcp.seq(row, l4) != state[NEXT_SEQ]:
        return Why.GAP
    if setup[FRAGLIST] and state[CHAINED]:
        return chain_refuses(old, was, state, row, cells)
    n_bytes = state[IP_BYTES] + cells[PAYLOAD_BYTES]
    if n_bytes >= setup[MAX_BYTES] or (n_bytes >= MAX_PACKET_BYTES and not may_be_big(setup[EDITION], row, cells)):
        return Why.LIMIT
    return Why.NONE


@njit
def flags_refuse(edition, was, word):
    """Of the word with data offset, reserved bits, flags and window, all but FIN and PSH must be equal."""
    changed = (was ^ word) & ~(ENDS_RUN << 16)
    if word & (tcp.CWR << 16):
        return Why.CWR
    if changed & (tcp.CWR << 16) and edition & CWR_COMPARED:
        return Why.CWR
    changed &= ~(tcp.CWR << 16)
    if changed & 0x0FFF0000:
        return Why.FLAGS
    if changed >> 28:
        return Why.OPTIONS
    return Why.WINDOW if changed else Why.NONE


@njit(inline="always")
def network_refuses(edition, old, state, row, cells):
    """gro_receive_network_flush()."""
    if cells[INNER_L3] >= 0:
        return gro_tunnel.refuses(edition, old, state, row, cells)
    return gro_network.refuses(edition, old, state, row, cells[L3], ONLY)


@njit
def chain_refuses(old, was, state, row, cells):
    """tcp_gro_receive() for a packet of chained frames: what a chain cannot restore must be equal too."""
    l4 = innermost.transport(cells)
    changed = tcp.flags(old, l4) ^ tcp.flags(row, l4)
    if changed & tcp.CWR:  # of the first one; before 6.18 a packet that is no chain may begin with it
        return Why.CWR
    if changed & ENDS_RUN:
        return Why.FLAGS
    if was[CSUM_STATE] != cells[CSUM_STATE]:
        return Why.CHECKSUM
    if cells[GSO_BYTES]:
        return Why.ALREADY_MERGED
    whole = cells[HEAD_BYTES] - cells[L3] + cells[PAYLOAD_BYTES]  # skb_gro_receive_list() counts the header too
    return Why.LIMIT if state[SEGMENTS] >= MAX_CHAINED or state[IP_BYTES] + whole >= MAX_PACKET_BYTES else Why.NONE


@njit
def may_be_big(edition, row, cells):
    """skb_gro_receive(): above 65,535 bytes only TCP that is in no tunnel, and what the edition knows of it."""
    l3 = cells[L3]
    if cells[INNER_L3] >= 0:
        return False
    return edition & BIG_IPV4 != 0 or (not is_ipv4(row, l3) and ipv6.next_header(row, l3) == tcp.PROTOCOL)


@njit
def asks_although_barred(setup, cells):
    """udp_gro_receive_segment() asks more of a datagram to chain before, or without, looking at its flush flag."""
    if setup[EDITION] & BARS_THE_HELD:
        return False
    return setup[FRAGLIST] != 0 and innermost.protocol(cells) == udp.PROTOCOL and gro_udp.chains(setup)


@njit
def passes_by(cells, why):
    """udp_gro_receive_segment(): a datagram that may not be chained for its checksum leaves the held packet alone."""
    return why == Why.CHECKSUM and innermost.protocol(cells) == udp.PROTOCOL


@njit(inline="always")
def declines(row, cells):
    """tcp_gro_receive(), out_check_final, for a frame that did not join: it is its whole run. UDP is always held."""
    if innermost.protocol(cells) == udp.PROTOCOL:
        return Why.NONE
    flags = tcp.flags(row, innermost.transport(cells))
    if cells[GSO_BYTES] and cells[PAYLOAD_BYTES] != cells[GSO_SEGMENTS] * cells[GSO_BYTES]:
        return Why.SHORT
    if cells[PAYLOAD_BYTES] == 0:
        return Why.FLAGS if flags & (tcp.URG | tcp.RST | tcp.SYN) else Why.FIN if flags & tcp.FIN else Why.NO_PAYLOAD
    return closing_flags(flags)


@njit
def closing_flags(flags):
    """Why a segment with these flags is the last of its run; Why.NONE if it need not be."""
    if flags & (tcp.URG | tcp.RST | tcp.SYN):
        return Why.FLAGS
    if flags & tcp.FIN:
        return Why.FIN
    return Why.PUSH if flags & tcp.PSH else Why.NONE


@njit
def starts(setup, state, row, cells):
    """What is remembered of a new packet beyond the common state."""
    state[CHAINED] = 0
    if setup[FRAGLIST] or cells[GSO_BYTES]:
        starts_unusual(setup, state, row, cells)


@njit
def starts_unusual(setup, state, row, cells):
    """tcp4_check_fraglist_gro(); inet_gro_receive() of 6.1 for a packet that came merged."""
    if setup[FRAGLIST] and not cells[GSO_BYTES] and innermost.protocol(cells) == tcp.PROTOCOL:
        state[CHAINED] = setup[TCP_SOCKET] == 0 and setup[EDITION] & TCP_FRAGLIST != 0
    if cells[GSO_BYTES] and setup[EDITION] & MERGED_STAND_STILL:
        l3 = innermost.network(cells)
        if is_ipv4(row, l3) and ipv4.fragment(row, l3) & ipv4.DF:
            state[FIXED_ID] = FIXED_FIRST


@njit(inline="always")
def joins(setup, old, state, row, cells):
    """The second segment decides whether IDs stand still; FIN and PSH go into the header that is kept."""
    if state[SEGMENTS] == 1:
        decides_id(setup[EDITION], old, state, row, cells)
    if innermost.protocol(cells) == tcp.PROTOCOL:
        l4 = innermost.transport(cells)
        old[l4 + tcp.FLAGS] = tcp.flags(old, l4) | (tcp.flags(row, l4) & ENDS_RUN)


@njit
def decides_id(edition, old, state, row, cells):
    if cells[INNER_L3] >= 0:
        gro_tunnel.decides_id(edition, old, state, row, cells)
    elif is_ipv4(row, cells[L3]):
        gro_network.decides_id(edition, old, state, row, cells[L3], ONLY)


@njit(inline="always")
def closes(state, row, cells):
    """tcp_gro_receive(), out_check_final, for a frame that joined."""
    if innermost.protocol(cells) == udp.PROTOCOL:
        return gro_udp.closes(state, cells)
    why = closing_flags(tcp.flags(row, innermost.transport(cells)))
    if why != Why.NONE:
        return why
    if cells[GSO_BYTES]:
        return Why.SHORT if cells[PAYLOAD_BYTES] != cells[GSO_SEGMENTS] * cells[GSO_BYTES] else Why.NONE
    return Why.SHORT if cells[PAYLOAD_BYTES] < state[MSS] else Why.NONE


@njit
def completes(setup, state, row, cells):
    """gro_complete() and, from the outside inwards, those of the headers: one segment goes up as it came."""
    if state[SEGMENTS] == 1:
        return
    cells[GSO_BYTES] = state[MSS]
    cells[GSO_SEGMENTS] = state[SEGMENTS]
    if cells[INNER_L3] >= 0:
        gro_tunnel.completes(setup[EDITION], row, cells)
    l3 = innermost.network(cells)
    if not is_ipv4(row, l3) and cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES] - ipv6.HEADER_BYTES > 0xFFFF:
        inserts_jumbo(row, cells, l3)
    else:
        gro_network.completes(row, cells, l3)
    if innermost.protocol(cells) == udp.PROTOCOL:
        gro_udp.completes(setup, row, cells)
    else:
        tcp_completes(setup[EDITION], state, row, cells)


@njit
def tcp_completes(edition, state, row, cells):
    """tcp4_gro_complete(), tcp6_gro_complete(), tcp_gro_complete(). IDs are of IPv4, so TCP over IPv6 names none."""
    l3, l4 = innermost.network(cells), innermost.transport(cells)
    cells[GSO_TYPE] |= GSO_TCP4 if is_ipv4(row, l3) else GSO_TCP6
    if state[CHAINED]:
        cells[GSO_TYPE] |= GSO_FRAGLIST
        if cells[CSUM_STATE] != CSUM_PARTIAL:
            cells[CSUM_STATE] = CSUM_VERIFIED
        return
    if is_ipv4(row, l3):
        if cells[INNER_L3] < 0:
            cells[GSO_TYPE] |= GSO_FIXED_ID if state[FIXED_ID] else 0
        else:
            inner = gro_network.fixed_bit(edition, gro_network.INNER)
            cells[GSO_TYPE] |= GSO_FIXED_ID if inner == FIXED_SECOND and state[FIXED_ID] & FIXED_FIRST else 0
            if cells[PROTOCOL] == udp.PROTOCOL or cells[PROTOCOL] == gre.PROTOCOL:
                inner = FIXED_FIRST  # 6.18: __skb_udp_tunnel_segment(), gre_gso_segment() count layers from 0 again,
                # so that a cut asks the outer header's bit for the inner header too
            cells[GSO_TYPE] |= GSO_FIXED_ID_INNER if state[FIXED_ID] & inner else 0
    if tcp.flags(row, l4) & tcp.CWR and not edition & CWR_COMPARED:
        cells[GSO_TYPE] |= GSO_ECN
    l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
    tcp.set_checksum(row, l4, checksum.fold(checksum.pseudo(row, l3, tcp.PROTOCOL, l4_bytes)))
    cells[CSUM_STATE] = CSUM_PARTIAL


@njit
def inserts_jumbo(row, cells, l3):
    """ipv6_gro_complete(): above 65,535 bytes a hop-by-hop header says the length. `row` has room for it."""
    at = l3 + ipv6.HEADER_BYTES
    for k in range(cells[HEAD_BYTES] - 1, at - 1, -1):
        row[k + ipv6.JUMBO_BYTES] = row[k]
    cells[HEAD_BYTES] += ipv6.JUMBO_BYTES
    cells[L4] += ipv6.JUMBO_BYTES
    row[at], row[at + 1] = row[l3 + ipv6.NEXT_HEADER], 0
    row[at + 2], row[at + 3] = ipv6.JUMBO_OPTION >> 8, ipv6.JUMBO_OPTION & 0xFF
    put32(row, at + 4, cells[HEAD_BYTES] - at + cells[PAYLOAD_BYTES])
    row[l3 + ipv6.NEXT_HEADER] = ipv6.HOP_BY_HOP
    ipv6.set_payload_length(row, l3, 0)
