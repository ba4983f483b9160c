"""Cutting a merged packet into frames: GSO, and TSO, which is the same cut paid by the card.

Models: TCP and UDP (a datagram per segment) over IPv4 and IPv6, alone or in a VXLAN, Geneve, GRE or IP-in-IP tunnel;
    chained frames (fraglist); packets above 65,535 bytes; every field by its rule, checksums exact; several pieces.
Leaves out: UFO, GSO_PARTIAL, remote checksum offload, devices that mangle IDs (TSO_MANGLEID). Of chained frames the
    urgent pointer without URG and checksums that are right but not canonical: the kernel has the frames themselves,
    a row only the first one's header. Type 0 (an old LRO packet) is cut like any other: what was lost is lost.
Sources: rules of tcp_gso_segment(), __udp_gso_segment(), inet_gso_segment(), ipv6_gso_segment(), gre_gso_segment(),
    __skb_udp_tunnel_segment() and Documentation/networking/segmentation-offloads.rst; fact sheet, section 2.1; own
    words.
Checked by: tests/models/offload/test_segment.py, test_segment_tunnel.py; with GRO, the round trip of test_lossless.py.

No edition asks for a parameter: what a kernel could not say when it merged is not in the packet's type. Before 4.7 no
type says that IDs stand still, before 6.18 none says it of an outer header, and so they count up.
Linux marks a CWR that all segments carry as another type (AccECN) than one that only the first carries (ECN). Here it
is the absence of GSO_ECN that keeps CWR on every segment.
"""

from __future__ import annotations

import numpy as np

from models.offload.kernel import njit
from models.payload import Payloads
from models.train import (
    COLUMNS,
    CSUM_NONE,
    CSUM_PARTIAL,
    CSUM_STATE,
    FIRST_PIECE,
    FRAME_COUNT,
    FRAME_ID,
    GSO_BYTES,
    GSO_ECN,
    GSO_FIXED_ID,
    GSO_FIXED_ID_INNER,
    GSO_FRAGLIST,
    GSO_SEGMENTS,
    GSO_TUNNEL,
    GSO_TYPE,
    GSO_UDP,
    HEAD_BYTES,
    INNER_L3,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PIECE_BYTES,
    PIECE_COLUMNS,
    PIECE_COUNT,
    PIECE_FRAME_ID,
    PIECE_FRAMES,
    PIECE_SOURCE,
    PIECE_START,
    PROTOCOL,
    SOURCE,
    START,
    FrameTrain,
)
from models.wire import checksum, innermost, ipv4, ipv6, tcp, udp
from models.wire.octets import be32, octet, put16

_NETWORK_TOO, _TRANSPORT_ONLY = np.bool_(True), np.bool_(False)  # not literals: numba compiles anew for each
_NO_EXCESS = np.int64(0)


def cut(packets: FrameTrain, payloads: Payloads) -> FrameTrain:
    """The train with every packet longer than its segment size cut; a checksum left partial is completed."""
    if not len(packets):
        return packets
    meta, head = np.ascontiguousarray(packets.meta), np.ascontiguousarray(packets.head)
    rows, pieces = count(meta, packets.pieces)
    if rows < 0:  # nothing to do
        return packets
    out_meta = np.empty((rows, len(COLUMNS)), np.int64)
    out_head = np.empty((rows, head.shape[1]), np.uint8)
    out_pieces = np.empty((pieces, len(PIECE_COLUMNS)), np.int64)
    _, used = fill(meta, head, packets.pieces, payloads, out_meta, out_head, out_pieces, 0)
    return FrameTrain(out_meta, out_head, out_pieces[:used])


@njit(inline="always")
def is_cut(cells):
    """Whether the packet is one to cut: TCP, or UDP that says so, with a segment size that its payload exceeds."""
    if not 0 < cells[GSO_BYTES] < cells[PAYLOAD_BYTES] or innermost.transport(cells) < 0:
        return False
    kind = innermost.protocol(cells)
    return kind == tcp.PROTOCOL or (kind == udp.PROTOCOL and cells[GSO_TYPE] & GSO_UDP != 0)


@njit(inline="always")
def segments_of(cells):
    """How many frames the packet is cut into."""
    return (cells[PAYLOAD_BYTES] + cells[GSO_BYTES] - 1) // cells[GSO_BYTES] if is_cut(cells) else 1


@njit
def count(meta, pieces):
    """(frames out, pieces they need at most); -1 frames if every row stays as it is."""
    rows, need = 0, 0
    changes = False
    for i in range(len(meta)):
        cells = meta[i]
        segments = segments_of(cells)
        changes |= segments > 1 or cells[CSUM_STATE] == CSUM_PARTIAL
        rows += segments
        if cells[PIECE_COUNT] > 1:
            need += cells[PIECE_COUNT] + segments
    return (rows if changes else -1), need


@njit
def fill(meta, head, pieces, payloads, out_meta, out_head, out_pieces, used):
    """Write the frames, and their pieces behind the first `used`; (frames, pieces) that there are.

    Rows of `out_head` may be wider than those of `head`."""
    at = 0
    for i in range(len(meta)):
        cells, row = meta[i], head[i]
        if not is_cut(cells):
            used = copy_packet(cells, row, pieces, payloads, out_meta[at], out_head[at], out_pieces, used)
            at += 1
            continue
        size, gap, excess = cells[GSO_BYTES], jumbo_bytes(row, cells), outer_excess(row, cells)
        piece, inside = cells[FIRST_PIECE], 0  # where in the pieces the next segment starts
        for j in range(segments_of(cells)):
            start = j * size
            n_bytes = min(size, cells[PAYLOAD_BYTES] - start)
            frame, octets = out_meta[at], out_head[at]
            for c in range(len(cells)):
                frame[c] = cells[c]
            frame[PAYLOAD_BYTES] = n_bytes
            frame[MISSING_BYTES] = max(0, min(n_bytes, cells[MISSING_BYTES] - (cells[PAYLOAD_BYTES] - start - n_bytes)))
            frame[GSO_BYTES] = frame[GSO_TYPE] = 0
            frame[HEAD_BYTES] -= gap
            frame[L4] -= gap
            frame[GSO_SEGMENTS] = frame[FRAME_COUNT] = frame[PIECE_COUNT] = 1
            frame[FIRST_PIECE] = 0
            frame[CSUM_STATE] = CSUM_NONE
            if cells[PIECE_COUNT] == 1:
                frame[START] = cells[START] + start
                frame[FRAME_ID] = cells[FRAME_ID] + min(j, cells[FRAME_COUNT] - 1)
            else:
                piece, inside, used = take_pieces(pieces, piece, inside, size, frame, out_pieces, used)
            write_header(octets, row, cells, gap, j, start, n_bytes)
            for c in range(frame[HEAD_BYTES], len(octets)):
                octets[c] = 0
            write_checksums(octets, frame, payloads, out_pieces, excess, _NETWORK_TOO)
            at += 1
    return at, used


@njit
def take_pieces(pieces, piece, inside, size, frame, out_pieces, used):
    """Give `frame` the stretch of its length that starts `inside` piece `piece`; (next piece, inside it, used)."""
    left = frame[PAYLOAD_BYTES]
    first, frames = used, 0
    while left:
        n_bytes = min(left, pieces[piece, PIECE_BYTES] - inside)
        out = out_pieces[used]
        out[PIECE_SOURCE] = pieces[piece, PIECE_SOURCE]
        out[PIECE_START] = pieces[piece, PIECE_START] + inside
        out[PIECE_BYTES] = n_bytes
        out[PIECE_FRAME_ID] = pieces[piece, PIECE_FRAME_ID] + min(inside // size, pieces[piece, PIECE_FRAMES] - 1)
        out[PIECE_FRAMES] = 1
        used, frames, left, inside = used + 1, frames + 1, left - n_bytes, inside + n_bytes
        if inside == pieces[piece, PIECE_BYTES]:
            piece, inside = piece + 1, 0
    frame[SOURCE] = out_pieces[first, PIECE_SOURCE]
    frame[START] = out_pieces[first, PIECE_START]
    frame[FRAME_ID] = out_pieces[first, PIECE_FRAME_ID]
    if frames == 1:
        return piece, inside, first
    frame[FIRST_PIECE], frame[PIECE_COUNT], frame[FRAME_COUNT] = first, frames, frames
    return piece, inside, used


@njit
def copy_packet(cells, row, pieces, payloads, frame, octets, out_pieces, used):
    """A packet that is not cut, as it is but for a partial checksum; returns `used` pieces."""
    for c in range(len(cells)):
        frame[c] = cells[c]
    for c in range(len(row)):
        octets[c] = row[c]
    for c in range(len(row), len(octets)):
        octets[c] = 0
    if cells[PIECE_COUNT] > 1:
        frame[FIRST_PIECE] = used
        for k in range(cells[PIECE_COUNT]):
            for c in range(out_pieces.shape[1]):
                out_pieces[used, c] = pieces[cells[FIRST_PIECE] + k, c]
            used += 1
    if cells[CSUM_STATE] == CSUM_PARTIAL and innermost.transport(cells) >= 0:
        write_checksums(octets, frame, payloads, out_pieces, _NO_EXCESS, _TRANSPORT_ONLY)
        frame[CSUM_STATE] = CSUM_NONE
    return used


@njit
def jumbo_bytes(row, cells):
    """Length of the hop-by-hop header that GRO has put in front of TCP to say how long the packet is; 0 if none.

    ipv6_has_hopopt_jumbo(), Linux 6.0 to 6.19: IPv6 outside tunnels, above 65,535 bytes, that one option."""
    at = cells[L3] + ipv6.HEADER_BYTES
    if cells[HEAD_BYTES] - at + cells[PAYLOAD_BYTES] <= 0xFFFF or octet(row, cells[L3]) >> 4 != 6:
        return 0
    if cells[PROTOCOL] != tcp.PROTOCOL or cells[L4] != at + ipv6.JUMBO_BYTES:
        return 0
    if ipv6.next_header(row, cells[L3]) != ipv6.HOP_BY_HOP or be32(row, at) != tcp.PROTOCOL << 24 | ipv6.JUMBO_OPTION:
        return 0
    return ipv6.JUMBO_BYTES


@njit
def write_header(octets, row, cells, gap, j, start, n_bytes):
    """The header of segment `j`, which carries `n_bytes` from byte `start` of the payload; checksums are stale.

    `gap` is the packet's `jumbo_bytes`."""
    kind = cells[GSO_TYPE]
    head_bytes = cells[HEAD_BYTES] - gap
    front = cells[L3] + ipv6.HEADER_BYTES if gap else head_bytes
    for c in range(front):
        octets[c] = row[c]
    for c in range(front, head_bytes):
        octets[c] = row[c + gap]
    if gap:
        octets[cells[L3] + ipv6.NEXT_HEADER] = tcp.PROTOCOL
    stop, l4 = head_bytes + n_bytes, innermost.transport(cells) - gap
    write_network(octets, cells[L3], stop, j, kind & GSO_FIXED_ID != 0)
    if cells[INNER_L3] >= 0:
        if cells[PROTOCOL] == udp.PROTOCOL:
            udp.set_length(octets, cells[L4], stop - cells[L4])
        write_network(octets, cells[INNER_L3], stop, j, kind & GSO_FIXED_ID_INNER != 0)
    if innermost.protocol(cells) == udp.PROTOCOL:
        udp.set_length(octets, l4, stop - l4)
    else:
        write_tcp(octets, l4, cells, j, start, n_bytes)


@njit(inline="always")
def write_network(octets, l3, stop, j, fixed):
    """Length and ID of the network header at `l3` of segment `j`, whose last byte is before `stop`."""
    if ipv4.is_ipv4(octets, l3):
        ipv4.set_total_length(octets, l3, stop - l3)
        if not fixed:
            ipv4.set_ident(octets, l3, ipv4.ident(octets, l3) + j)
    else:
        ipv6.set_payload_length(octets, l3, stop - l3 - ipv6.HEADER_BYTES)


@njit(inline="always")
def write_tcp(octets, l4, cells, j, start, n_bytes):
    """Sequence number and flags of segment `j`; of chained frames all have the same flags."""
    tcp.set_seq(octets, l4, tcp.seq(octets, l4) + start)
    kind, flags = cells[GSO_TYPE], tcp.flags(octets, l4)
    if start + n_bytes < cells[PAYLOAD_BYTES] and not kind & GSO_FRAGLIST:
        flags &= ~(tcp.FIN | tcp.PSH)
    if j and kind & GSO_ECN:
        flags &= ~tcp.CWR
    octets[l4 + tcp.FLAGS] = flags


@njit
def outer_excess(row, cells):
    """By how much the sum that GRO left of the outer UDP checksum is not that over the pseudo-header: nothing, but in
    editions with OUTER_SUM_OF_INNER. A cut does not sum addresses again (__skb_udp_tunnel_segment())."""
    l4 = cells[L4]
    if not cells[GSO_TYPE] & GSO_TUNNEL or not innermost.has_outer_udp(cells) or udp.checksum(row, l4) == 0:
        return 0
    l4_bytes = cells[HEAD_BYTES] - l4 + cells[PAYLOAD_BYTES]
    right = checksum.fold(checksum.pseudo(row, cells[L3], udp.PROTOCOL, l4_bytes))
    return (udp.checksum(row, l4) - right) % 0xFFFF


@njit
def write_checksums(octets, frame, payloads, pieces, excess, network_too):
    """From the inside outwards. A UDP tunnel without a checksum stays so, and GRE keeps the one it has.

    The kernel's GRO says SKB_GSO_GRE of a GRE tunnel, never SKB_GSO_GRE_CSUM (gre_gro_complete()), so nothing asks for
    a new checksum when such a packet is cut, and all segments carry the first one's: wrong for a last one of another
    length only, because what is in the tunnel has checksums of its own and sums to its length."""
    if network_too:
        if ipv4.is_ipv4(octets, frame[L3]):
            put16(octets, frame[L3] + ipv4.CHECKSUM, checksum.ipv4_header(octets, frame[L3]))
        if frame[INNER_L3] >= 0 and ipv4.is_ipv4(octets, frame[INNER_L3]):
            put16(octets, frame[INNER_L3] + ipv4.CHECKSUM, checksum.ipv4_header(octets, frame[INNER_L3]))
    put16(octets, checksum.field(frame), checksum.transport(payloads, pieces, octets, frame))
    if innermost.has_outer_udp(frame) and udp.checksum(octets, frame[L4]) != 0:
        right = checksum.outer_udp(payloads, pieces, octets, frame)
        value = 0xFFFF - checksum.fold(0xFFFF - right + excess)
        udp.set_checksum(octets, frame[L4], value if value else 0xFFFF)
