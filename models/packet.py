"""Between TCP's view of a packet and its bytes.

Models: the headers Linux writes for a connected socket: Ethernet, IPv4 with DF and a counting ID or IPv6, TCP with
    timestamps aligned by two NOPs, SYN options.
Leaves out: IP options, tags, ECN bits (they come with DCTCP).
Sources: RFC 9293 section 3.1; RFC 7323 appendix A; RFC 2018; Linux's order of SYN options as seen in captures.
Checked by: tests/models/test_packet.py; tshark on captures a run writes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import numpy as np

from models.offload.kernel import njit
from models.tcp import segment as seg
from models.tcp.segment import Segment
from models.train import (
    ABSENT,
    CSUM_PARTIAL,
    CSUM_STATE,
    FRAME_COUNT,
    FRAME_ID,
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
    TIME_PS,
    Bytes,
    FrameTrain,
)
from models.wire import ethernet, ipv4, ipv6, tcp
from models.wire.checksum import ipv4_header
from models.wire.octets import be32, put16, put32

Address = IPv4Address | IPv6Address
TTL = 64
_SYN = tcp.SYN
_TWO_NOPS = tcp.OPTION_NOP << 8 | tcp.OPTION_NOP


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What all packets of one direction of a connection share. `stream` numbers its synthetic payload."""

    source_mac: bytes
    destination_mac: bytes
    source: Address
    destination: Address
    source_port: int
    destination_port: int
    stream: int

    def front(self) -> FrameTrain:
        """A row with what all these packets have in common, for `write`.

        They are what a host's stack hands down: not yet cut, with a partial checksum still to be completed."""
        is_ipv4 = self.source.version == 4
        network = struct.pack("!HHHHBBH", 0x4500, 0, 0, 0x4000, TTL, tcp.PROTOCOL, 0)
        if not is_ipv4:
            network = struct.pack("!IHBB", 6 << 28, 0, tcp.PROTOCOL, TTL)
        network += self.source.packed + self.destination.packed
        front = self.destination_mac + self.source_mac + struct.pack("!H", ethernet.IPV4 if is_ipv4 else ethernet.IPV6)
        l4 = len(front) + len(network)
        front += network + struct.pack("!HH", self.source_port, self.destination_port)
        train = FrameTrain.blank(1)
        train.head[0, : len(front)] = np.frombuffer(front, np.uint8)
        train.meta[0, [L3, L4, PROTOCOL]] = ethernet.HEADER_BYTES, l4, tcp.PROTOCOL
        train.meta[0, [SOURCE, CSUM_STATE]] = self.stream, CSUM_PARTIAL
        return train


def packet(segment: Segment, route: Route, *, time_ps: int, ident: int, frame_id: int) -> FrameTrain:
    """One row, written for itself. `ident`, `frame_id`: as `write` says."""
    train, words = route.front(), np.zeros(seg.SEGMENT_WORDS, np.int64)
    seg.write_words(segment, words)
    write(train.meta[0], train.head[0], words, time_ps, ident, frame_id)
    return train


@njit
def write(cells, row, segment, time_ps, ident, frame_id):
    """Make a packet of a connection, or its front, the one that `segment` int64[SEGMENT_WORDS] describes.

    `ident` is the IPv4 ID of its first frame; `frame_id` the number of its first frame, for the audit."""
    l3, l4 = cells[L3], cells[L4]
    end = write_options(row, l4 + tcp.MINIMUM_BYTES, segment)
    for k in range(end, cells[HEAD_BYTES]):
        row[k] = 0
    payload_bytes, gso_bytes = segment[seg.PAYLOAD_BYTES], segment[seg.GSO_BYTES]
    length = end - l4 + payload_bytes
    is_ipv4 = ipv4.is_ipv4(row, l3)
    if is_ipv4:
        put16(row, l3 + ipv4.TOTAL_LENGTH, min(length + ipv4.MINIMUM_BYTES, 65535))
        put16(row, l3 + ipv4.ID, ident)
        put16(row, l3 + ipv4.CHECKSUM, ipv4_header(row, l3))
    else:
        put16(row, l3 + ipv6.PAYLOAD_LENGTH, min(length, 65535))
    put32(row, l4 + tcp.SEQ, segment[seg.SEQ])
    put32(row, l4 + tcp.ACK, segment[seg.ACK_SEQ])
    row[l4 + tcp.OFFSET] = (end - l4) << 2
    row[l4 + tcp.FLAGS] = segment[seg.FLAGS]
    put16(row, l4 + tcp.WINDOW, segment[seg.WINDOW])
    segments = -(-payload_bytes // gso_bytes) if gso_bytes else 1
    cells[TIME_PS], cells[HEAD_BYTES], cells[FRAME_ID] = time_ps, end, frame_id
    cells[PAYLOAD_BYTES], cells[START] = payload_bytes, segment[seg.PAYLOAD_START]
    cells[FRAME_COUNT] = cells[GSO_SEGMENTS] = max(segments, 1)
    cells[GSO_BYTES] = cells[GSO_TYPE] = 0
    if segments > 1:
        cells[GSO_BYTES], cells[GSO_TYPE] = gso_bytes, GSO_TCP4 if is_ipv4 else GSO_TCP6


@njit
def write_options(row, at, segment):
    """The TCP options of `segment` from `at` on; where they end."""
    stamped, first = segment[seg.STAMPED] != 0, at
    if segment[seg.FLAGS] & _SYN:
        if segment[seg.MSS]:
            put16(row, at, tcp.OPTION_MSS << 8 | 4)
            put16(row, at + 2, segment[seg.MSS])
            at += 4
        if segment[seg.SACK_PERMITTED]:
            put16(row, at, tcp.OPTION_SACK_PERMITTED << 8 | 2)
            at += 2
        elif stamped:
            put16(row, at, _TWO_NOPS)
            at += 2
        if stamped:
            at = write_stamps(row, at, segment)
        if segment[seg.WINDOW_SCALE] >= 0:
            put16(row, at, tcp.OPTION_NOP << 8 | tcp.OPTION_WINDOW_SCALE)
            put16(row, at + 2, 3 << 8 | segment[seg.WINDOW_SCALE])
            at += 4
        while (at - first) % 4:
            row[at] = tcp.OPTION_NOP
            at += 1
        return at
    if stamped:
        put16(row, at, _TWO_NOPS)
        at = write_stamps(row, at + 2, segment)
    blocks = segment[seg.SACKS]
    if blocks:
        put16(row, at, _TWO_NOPS)
        put16(row, at + 2, tcp.OPTION_SACK << 8 | (2 + 8 * blocks))
        at += 4
        for k in range(2 * blocks):
            put32(row, at, segment[seg.SACK_EDGES + k])
            at += 4
    return at


@njit
def write_stamps(row, at, segment):
    """The timestamps option; where it ends."""
    put16(row, at, tcp.OPTION_TIMESTAMPS << 8 | 10)
    put32(row, at + 2, segment[seg.TSVAL])
    put32(row, at + 6, segment[seg.TSECR])
    return at + 10


# what `look` writes of each received packet behind its words as a segment
(
    PORTS,  # source << 16 | destination; ABSENT: not TCP
    OTHERWISE,  # 1: there are options in another form than two NOPs and timestamps
    FRAMES,
    SEEN_WORDS,
) = range(seg.SEGMENT_WORDS, seg.SEGMENT_WORDS + 4)


@njit
def look(cells, row, words):
    """Write what TCP reads of one packet to `words` int64[SEEN_WORDS]."""
    words[PORTS] = ABSENT
    words[FRAMES] = cells[FRAME_COUNT]
    if cells[PROTOCOL] != tcp.PROTOCOL or cells[L4] < 0:
        return
    l4 = cells[L4]
    words[PORTS], words[seg.SEQ], words[seg.ACK_SEQ] = tcp.ports(row, l4), tcp.seq(row, l4), tcp.ack(row, l4)
    words[seg.FLAGS], words[seg.WINDOW] = tcp.flags(row, l4), tcp.window(row, l4)
    words[seg.PAYLOAD_BYTES], words[seg.PAYLOAD_START] = cells[PAYLOAD_BYTES], cells[START]
    words[seg.GSO_BYTES], words[seg.GSO_SEGMENTS] = cells[GSO_BYTES], cells[GSO_SEGMENTS]
    at, n_bytes = l4 + tcp.MINIMUM_BYTES, cells[HEAD_BYTES] - l4 - tcp.MINIMUM_BYTES
    words[seg.STAMPED] = n_bytes == tcp.TIMESTAMP_OPTION_BYTES and be32(row, at) == tcp.ALIGNED_TIMESTAMPS
    words[OTHERWISE] = n_bytes > 0 and not words[seg.STAMPED]
    words[seg.TSVAL] = words[seg.TSECR] = 0
    if words[seg.STAMPED]:
        words[seg.TSVAL], words[seg.TSECR] = be32(row, at + 4), be32(row, at + 8)
    words[seg.MSS], words[seg.WINDOW_SCALE], words[seg.SACK_PERMITTED], words[seg.SACKS] = 0, -1, 0, 0
    words[seg.RETRANSMISSION] = 0


def read_options(row: Bytes, l4: int, segment: Segment) -> None:
    """Read the TCP options in a packet's head uint8[width], whose TCP header starts at `l4`, whatever their form."""
    options = row[l4 + tcp.MINIMUM_BYTES : l4 + int(tcp.header_bytes(row, l4))].tobytes()
    at = 0
    while at < len(options) and options[at] != tcp.OPTION_END:
        kind = options[at]
        if kind == tcp.OPTION_NOP:
            at += 1
            continue
        if at + 2 > len(options) or options[at + 1] < 2 or at + options[at + 1] > len(options):
            return  # RFC 9293 section 3.1: an option that does not fit ends the list
        length = options[at + 1]
        value = options[at + 2 : at + length]
        if kind == tcp.OPTION_TIMESTAMPS and length == 10:
            segment.timestamps = True
            segment.tsval, segment.tsecr = struct.unpack("!II", value)
        elif kind == tcp.OPTION_MSS and length == 4:
            segment.mss = int.from_bytes(value, "big")
        elif kind == tcp.OPTION_WINDOW_SCALE and length == 3:
            segment.window_scale = value[0]
        elif kind == tcp.OPTION_SACK_PERMITTED:
            segment.sack_permitted = True
        elif kind == tcp.OPTION_SACK and (length - 2) % 8 == 0:
            edges = struct.unpack(f"!{(length - 2) // 4}I", value)
            segment.sack = tuple(zip(edges[0::2], edges[1::2], strict=True))
        at += length
