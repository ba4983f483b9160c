"""Cutting a merged packet into frames: GSO, and TSO, which is the same cut paid by the card.

Models: TCP over IPv4 and IPv6, every field by its rule, checksums exact; packets of several pieces.
Leaves out: tunnels, UDP_L4, UFO, fraglists, GSO_PARTIAL, devices that mangle IDs (TSO_MANGLEID). Type 0 (an old LRO
    packet) is cut like any other: what was lost is lost.
Sources: rules of tcp_gso_segment(), inet_gso_segment(), ipv6_gso_segment() and Documentation/networking/
    segmentation-offloads.rst, as collected in the project's fact sheet, section 2.1; own words.
Checked by: tests/models/offload/test_segment.py; with GRO, the round trip of tests/models/offload/test_lossless.py.

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
    GSO_SEGMENTS,
    GSO_TYPE,
    HEAD_BYTES,
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
from models.wire import checksum, ipv4, ipv6, tcp
from models.wire.octets import put16


def cut(packets: FrameTrain, payloads: Payloads) -> FrameTrain:
    """The train with every packet longer than its segment size cut; a checksum left partial is completed."""
    if not len(packets):
        return packets
    meta, head = np.ascontiguousarray(packets.meta), np.ascontiguousarray(packets.head)
    rows, pieces = count(meta, packets.pieces)
    if rows < 0:  # nothing to do
        return packets
    out_meta = np.empty((rows, len(COLUMNS)), np.int64)
    out_head = np.zeros((rows, head.shape[1]), np.uint8)
    out_pieces = np.empty((pieces, len(PIECE_COLUMNS)), np.int64)
    used = fill(meta, head, packets.pieces, payloads, out_meta, out_head, out_pieces)
    return FrameTrain(out_meta, out_head, out_pieces[:used])


@njit(inline="always")
def is_cut(cells):
    """Whether the packet is one to cut: TCP, with a segment size that its payload exceeds."""
    return 0 < cells[GSO_BYTES] < cells[PAYLOAD_BYTES] and cells[PROTOCOL] == tcp.PROTOCOL and cells[L4] >= 0


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
def fill(meta, head, pieces, payloads, out_meta, out_head, out_pieces):
    """Write the frames; returns how many pieces were written."""
    at, used = 0, 0
    for i in range(len(meta)):
        cells, row = meta[i], head[i]
        if not is_cut(cells):
            used = copy_packet(cells, row, pieces, payloads, out_meta[at], out_head[at], out_pieces, used)
            at += 1
            continue
        size = cells[GSO_BYTES]
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
            frame[GSO_SEGMENTS] = frame[FRAME_COUNT] = frame[PIECE_COUNT] = 1
            frame[FIRST_PIECE] = 0
            frame[CSUM_STATE] = CSUM_NONE
            if cells[PIECE_COUNT] == 1:
                frame[START] = cells[START] + start
                frame[FRAME_ID] = cells[FRAME_ID] + min(j, cells[FRAME_COUNT] - 1)
            else:
                piece, inside, used = take_pieces(pieces, piece, inside, size, frame, out_pieces, used)
            write_header(octets, row, cells, j, start, n_bytes)
            write_checksums(octets, frame, payloads, out_pieces)
            at += 1
    return used


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
    if cells[PIECE_COUNT] > 1:
        frame[FIRST_PIECE] = used
        for k in range(cells[PIECE_COUNT]):
            for c in range(out_pieces.shape[1]):
                out_pieces[used, c] = pieces[cells[FIRST_PIECE] + k, c]
            used += 1
    if cells[CSUM_STATE] == CSUM_PARTIAL and cells[L4] >= 0:
        put16(octets, checksum.field(frame), checksum.transport(payloads, out_pieces, octets, frame))
        frame[CSUM_STATE] = CSUM_NONE
    return used


@njit
def write_header(octets, row, cells, j, start, n_bytes):
    """The header of segment `j`, which carries `n_bytes` from byte `start` of the payload; checksums are stale."""
    l3, l4 = cells[L3], cells[L4]
    for c in range(cells[HEAD_BYTES]):
        octets[c] = row[c]
    if np.int64(row[l3]) >> 4 == 4:
        ipv4.set_total_length(octets, l3, cells[HEAD_BYTES] - l3 + n_bytes)
        if not cells[GSO_TYPE] & GSO_FIXED_ID:
            ipv4.set_ident(octets, l3, ipv4.ident(row, l3) + j)
    else:
        ipv6.set_payload_length(octets, l3, cells[HEAD_BYTES] - l3 - ipv6.HEADER_BYTES + n_bytes)
    tcp.set_seq(octets, l4, tcp.seq(row, l4) + start)
    flags = tcp.flags(row, l4)
    if start + n_bytes < cells[PAYLOAD_BYTES]:
        flags &= ~(tcp.FIN | tcp.PSH)
    if j and cells[GSO_TYPE] & GSO_ECN:
        flags &= ~tcp.CWR
    octets[l4 + tcp.FLAGS] = flags


@njit
def write_checksums(octets, frame, payloads, pieces):
    l3 = frame[L3]
    if np.int64(octets[l3]) >> 4 == 4:
        put16(octets, l3 + ipv4.CHECKSUM, checksum.ipv4_header(octets, l3))
    tcp.set_checksum(octets, frame[L4], checksum.transport(payloads, pieces, octets, frame))
