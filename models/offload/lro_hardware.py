"""Large receive offload by cards, and by the one driver that works like them: the rule book that reads a row of rules.

Models: a context a flow, frames joined behind what it holds, a header that says some of it. The row of `lro_table.py`
    says what is compared and what is written.
Leaves out: any one engine; pure acknowledgements, which some cards can fold and all drivers forbid; merging of UDP.
Sources: `lro_table.py` has one in each cell.
Checked by: tests/models/offload/test_lro_hardware.py.

A card verifies every checksum: a frame nobody has looked at is verified here.
"""

from __future__ import annotations

import numpy as np

from models.offload import lro_columns as row_of
from models.offload.held import (
    IP_BYTES,
    MAX_BYTES,
    MAX_SEGMENTS,
    MSS,
    MTU_BYTES,
    NEXT_SEQ,
    SAW_TIMESTAMPS,
    SEGMENTS,
    TSVAL,
)
from models.offload.kernel import njit
from models.offload.lro_columns import Checksum, Ecn, GsoSize, Kept, Layout, Match, Options, Size
from models.offload.why import Why
from models.payload import payload_word
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_STATE,
    CSUM_VERIFIED,
    GSO_BYTES,
    GSO_SEGMENTS,
    GSO_TCP4,
    GSO_TCP6,
    GSO_TYPE,
    HEAD_BYTES,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
    SOURCE,
    START,
    TAIL_BYTES,
    VLAN_STRIPPED,
)
from models.wire import checksum, ethernet, ipv4, ipv6, tcp
from models.wire.ipv4 import is_ipv4
from models.wire.octets import be32, put16, put32, same

NO_TIMESTAMPS, MISFIT = 0, -1  # instead of a place
TIMESTAMPS_BYTES = 10  # kind, length, TSval, TSecr
BEHIND_NOPS = tcp.MINIMUM_BYTES + 2  # where the option is in the usual 12 bytes, from the start of the header
ECN_MASK = 3
CONGESTION_EXPERIENCED = 3


@njit
def overlooks(setup, payloads, pieces, row, cells):
    """What its parser does not take for TCP with a right checksum."""
    l3 = cells[L3]
    if l3 < 0 or not setup[row_of.VERSIONS] & (1 if is_ipv4(row, l3) else 2):
        return Why.NOT_IP  # a version it does not know is none
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


@njit
def bars(setup, row, cells):
    """What must stay a frame of its own."""
    l3, l4 = cells[L3], cells[L4]
    ip_bytes = cells[HEAD_BYTES] - l3 + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES]
    said = ipv4.total_length(row, l3) if is_ipv4(row, l3) else ipv6.payload_length(row, l3) + ipv6.HEADER_BYTES
    if said != ip_bytes:
        return Why.PADDING
    if cells[PAYLOAD_BYTES] == 0:
        return Why.NO_PAYLOAD
    plain = ipv4.MINIMUM_BYTES if is_ipv4(row, l3) else ipv6.HEADER_BYTES
    if setup[row_of.IP_OPTIONS] == Match.EQUAL and l4 - l3 != plain:
        return Why.IP_OPTIONS
    flags = tcp.flags(row, l4)
    if flags & ~setup[row_of.FLAGS]:
        surplus = flags & ~setup[row_of.FLAGS]
        return Why.CWR if surplus & tcp.CWR else Why.PUSH if surplus == tcp.PSH else Why.FLAGS
    if setup[row_of.NEEDS_ACK] and not flags & tcp.ACK_FLAG:
        return Why.FLAGS
    if setup[row_of.ECN] == Ecn.NOT_CE and traffic_class(row, l3) & ECN_MASK == CONGESTION_EXPERIENCED:
        return Why.ECN
    at = timestamps_at(setup, row, l4)
    if at == MISFIT or (at and setup[row_of.ZERO_TSECR] == Match.EQUAL and be32(row, l4 + at + 6) == 0):
        return Why.OPTIONS
    return Why.NONE


@njit(inline="always")
def traffic_class(row, l3):
    """ToS or traffic class: DSCP and ECN."""
    return ipv4.tos(row, l3) if is_ipv4(row, l3) else ipv6.traffic_class(row, l3)


@njit
def timestamps_at(setup, row, l4):
    """Where the timestamps option starts, from the start of the TCP header; NO_TIMESTAMPS, or MISFIT."""
    rule, stop = setup[row_of.OPTIONS], tcp.header_bytes(row, l4)
    if stop == tcp.MINIMUM_BYTES:
        return NO_TIMESTAMPS
    aligned = tcp.has_aligned_timestamps(row, l4)
    if aligned:
        return BEHIND_NOPS
    if rule == Options.ANY:
        return NO_TIMESTAMPS
    if rule == Options.ALIGNED:
        return MISFIT
    if rule == Options.AFTER_NOPS and stop != tcp.MINIMUM_BYTES + tcp.TIMESTAMP_OPTION_BYTES:
        return MISFIT
    at, found = tcp.MINIMUM_BYTES, NO_TIMESTAMPS
    while at < stop:
        kind = np.int64(row[l4 + at])
        if kind == tcp.OPTION_NOP:
            at += 1
        elif kind == tcp.OPTION_TIMESTAMPS and found == NO_TIMESTAMPS:
            if at + TIMESTAMPS_BYTES > stop or np.int64(row[l4 + at + 1]) != TIMESTAMPS_BYTES:
                return MISFIT
            found = at
            if rule == Options.AFTER_NOPS:
                return found
            at += TIMESTAMPS_BYTES
        elif kind == tcp.OPTION_END and rule == Options.TIMESTAMPS:
            return found
        else:
            return MISFIT
    return MISFIT if rule == Options.AFTER_NOPS else found


@njit
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


@njit
def refuses(setup, old, was, state, row, cells):
    """Why the frame may not join held packet `old` of its flow, in the order of the row."""
    l4 = cells[L4]
    if tcp.seq(row, l4) != state[NEXT_SEQ]:
        return Why.GAP
    why = link_refuses(setup, old, was, row, cells)
    if why != Why.NONE:
        return why
    why = network_refuses(setup, old, was, row, cells)
    if why != Why.NONE:
        return why
    if refuses_number(setup[row_of.ACK], tcp.ack(old, was[L4]), tcp.ack(row, l4)):
        return Why.ACK
    if setup[row_of.WINDOW] == Match.EQUAL and tcp.window(old, was[L4]) != tcp.window(row, l4):
        return Why.WINDOW
    at = timestamps_at(setup, row, l4)
    if setup[row_of.LAYOUT] == Layout.EQUAL:
        if at != timestamps_at(setup, old, was[L4]) or tcp.header_bytes(row, l4) != tcp.header_bytes(old, was[L4]):
            return Why.OPTIONS
    if at and refuses_number(setup[row_of.TSVAL], state[TSVAL], be32(row, l4 + at + 2)):
        return Why.OPTIONS
    if setup[row_of.SIZE] == Size.NOT_LONGER and cells[PAYLOAD_BYTES] > state[MSS]:
        return Why.SIZE
    ip_bytes = state[IP_BYTES] + cells[PAYLOAD_BYTES]
    if ip_bytes > setup[MAX_BYTES] or was[L3] + ip_bytes > setup[row_of.MAX_FRAME_BYTES]:
        return Why.LIMIT
    return Why.NONE


@njit(inline="always")
def refuses_number(rule, held, new):
    """Whether `new`, of 32 bits, is not what `rule` wants after `held`."""
    if rule == Match.EQUAL:
        return held != new
    if rule == Match.NOT_OLDER:
        return (new - held) & 0x80000000 != 0
    return rule == Match.NOT_SMALLER and new < held


@njit
def link_refuses(setup, old, was, row, cells):
    """MAC addresses, then tags: stripped, and in the frame."""
    if setup[row_of.MAC] == Match.EQUAL and not same(old, row, 0, ethernet.ETHERTYPE):
        return Why.VLAN
    if setup[row_of.VLAN] == Match.EQUAL:
        if was[VLAN_STRIPPED] != cells[VLAN_STRIPPED] or was[L3] != cells[L3]:
            return Why.VLAN
        if not same(old, row, ethernet.ETHERTYPE, cells[L3]):
            return Why.VLAN
    return Why.NONE


@njit
def network_refuses(setup, old, was, row, cells):
    """ECN with its TCP flags, DSCP, TTL, DF."""
    l3, old_l3 = cells[L3], was[L3]
    changed = traffic_class(old, old_l3) ^ traffic_class(row, l3)
    flags = tcp.flags(old, was[L4]) ^ tcp.flags(row, cells[L4])
    if setup[row_of.ECN] == Ecn.EQUAL and (changed & ECN_MASK or flags & (tcp.ECE | tcp.CWR)):
        return Why.ECN
    if setup[row_of.DSCP] == Match.EQUAL and changed & ~ECN_MASK:
        return Why.TOS
    if setup[row_of.TTL] == Match.EQUAL and hops(old, old_l3) != hops(row, l3):
        return Why.TTL
    if setup[row_of.DF] == Match.EQUAL and is_ipv4(row, l3):
        if ipv4.fragment(old, old_l3) != ipv4.fragment(row, l3):
            return Why.DF
    return Why.NONE


@njit(inline="always")
def hops(row, l3):
    return ipv4.ttl(row, l3) if is_ipv4(row, l3) else ipv6.hop_limit(row, l3)


@njit
def starts(setup, state, row, cells):
    """Note the timestamps; a BLIND engine takes the words that would be theirs in the usual place."""
    l4 = cells[L4]
    at = timestamps_at(setup, row, l4)
    if at:
        state[SAW_TIMESTAMPS] = at
        state[TSVAL] = be32(row, l4 + (BEHIND_NOPS if setup[row_of.LAYOUT] == Layout.BLIND else at) + 2)


@njit
def joins(setup, old, was, state, payloads, row, cells):
    """Write into the header that is kept what the row says; of timestamps only where both frames have them."""
    at, l4 = was[L4], cells[L4]
    if setup[row_of.ACK_AND_WINDOW] == Kept.LAST:
        put32(old, at + tcp.ACK, tcp.ack(row, l4))
        put16(old, at + tcp.WINDOW, tcp.window(row, l4))
    if setup[row_of.PSH_WRITTEN] == Kept.ORED:
        old[at + tcp.FLAGS] = tcp.flags(old, at) | (tcp.flags(row, l4) & tcp.PSH)
    if setup[row_of.TTL_WRITTEN] == Kept.MINIMUM:
        byte = was[L3] + (ipv4.TTL if is_ipv4(row, cells[L3]) else ipv6.HOP_LIMIT)
        old[byte] = min(hops(old, was[L3]), hops(row, cells[L3]))
    mine, theirs = state[SAW_TIMESTAMPS], timestamps_at(setup, row, l4)
    if mine and setup[row_of.LAYOUT] == Layout.BLIND:
        if theirs:
            tsval, tsecr = be32(row, l4 + BEHIND_NOPS + 2), be32(row, l4 + BEHIND_NOPS + 6)
        else:
            tsval = payload_word(payloads, cells[SOURCE], cells[START], cells[PAYLOAD_BYTES], 4)
            tsecr = payload_word(payloads, cells[SOURCE], cells[START], cells[PAYLOAD_BYTES], 8)
        write_timestamps(setup, old, state, at + BEHIND_NOPS, tsval, tsecr)
    elif mine and theirs:
        write_timestamps(setup, old, state, at + mine, be32(row, l4 + theirs + 2), be32(row, l4 + theirs + 6))
    if setup[row_of.GSO_SIZE] == GsoSize.LARGEST:
        state[MSS] = max(state[MSS], cells[PAYLOAD_BYTES])


@njit
def write_timestamps(setup, old, state, at, tsval, tsecr):
    state[TSVAL] = tsval
    if setup[row_of.TSVAL_WRITTEN] == Kept.LAST:
        put32(old, at + 2, tsval)
    if setup[row_of.TSECR_WRITTEN] == Kept.LAST:
        put32(old, at + 6, tsecr)


@njit
def closes(setup, state, row, cells):
    """Why the packet is complete now that the frame has joined."""
    if state[SEGMENTS] >= setup[MAX_SEGMENTS]:
        return Why.LIMIT
    if (state[SEGMENTS] + 1) * setup[MTU_BYTES] > setup[row_of.MAX_BYTES_IN_MTUS]:
        return Why.LIMIT
    if setup[row_of.PSH] and tcp.flags(row, cells[L4]) & tcp.PSH:
        return Why.PUSH
    if setup[row_of.SIZE] == Size.NOT_LONGER and cells[PAYLOAD_BYTES] < state[MSS]:
        return Why.SHORT
    return Why.NONE


@njit
def completes(setup, state, payloads, pieces, row, cells):
    """Lengths, checksums, and what the driver says of the packet."""
    cells[CSUM_STATE] = CSUM_VERIFIED
    l3, l4 = cells[L3], cells[L4]
    if state[SEGMENTS] == 1:
        if setup[row_of.LONE]:
            put16(row, l4 + tcp.WINDOW, 0)
        return
    frames, payload = state[SEGMENTS], cells[PAYLOAD_BYTES]
    if setup[row_of.GSO_SIZE] == GsoSize.AVERAGE:
        cells[GSO_BYTES] = (payload + frames - 1) // frames
    elif setup[row_of.GSO_SIZE] != GsoSize.NONE:
        cells[GSO_BYTES] = state[MSS]
    if setup[row_of.GSO_SEGS]:
        cells[GSO_SEGMENTS] = frames
    if setup[row_of.GSO_TYPE]:
        cells[GSO_TYPE] = GSO_TCP4 if is_ipv4(row, l3) else GSO_TCP6
    if is_ipv4(row, l3):
        ipv4.set_total_length(row, l3, state[IP_BYTES])
        put16(row, l3 + ipv4.CHECKSUM, checksum.ipv4_header(row, l3))
    else:
        ipv6.set_payload_length(row, l3, state[IP_BYTES] - ipv6.HEADER_BYTES)
    if setup[row_of.CHECKSUM] == Checksum.VALID:
        tcp.set_checksum(row, l4, checksum.transport(payloads, pieces, row, cells))
