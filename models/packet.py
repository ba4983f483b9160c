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
from models.wire import ethernet, tcp
from models.wire.checksum import fold
from models.wire.octets import be32

Address = IPv4Address | IPv6Address
TTL = 64
_SYN = tcp.SYN
_TCP = struct.Struct("!IIBBHHH")  # from the sequence number on
_IPV4 = struct.Struct("!6H")
_IPV6 = struct.Struct("!IHBB")
_STAMPS = struct.Struct("!III")


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

    @property
    def address_sum(self) -> int:
        """Sum of the 16-bit words of both addresses, for the checksum of the network header."""
        return sum(struct.unpack(f"!{len(self.source.packed)}H", self.source.packed + self.destination.packed))

    @property
    def ip_bytes(self) -> int:
        """Length of the network header [bytes]."""
        return 20 if self.source.version == 4 else 40


class PacketWriter:
    """Writes the packets of one direction of a connection, one after the other, into the one row of `train`.

    They are what a host's stack hands down: not yet cut, with a partial checksum still to be completed."""

    def __init__(self, route: Route) -> None:
        self.train = FrameTrain.blank(1)
        self._row = memoryview(self.train.head[0])
        cells = self._cells = memoryview(self.train.meta[0])
        self._is_ipv4 = route.source.version == 4
        self._l4 = ethernet.HEADER_BYTES + route.ip_bytes
        self._head_bytes = 0
        self._address_sum = route.address_sum
        kind = ethernet.IPV4 if self._is_ipv4 else ethernet.IPV6
        front = route.destination_mac + route.source_mac + kind.to_bytes(2, "big")
        front += bytes(route.ip_bytes - 2 * len(route.source.packed)) + route.source.packed + route.destination.packed
        front += struct.pack("!HH", route.source_port, route.destination_port)
        self._row[: len(front)] = front
        cells[L3], cells[L4], cells[PROTOCOL] = ethernet.HEADER_BYTES, self._l4, tcp.PROTOCOL
        cells[SOURCE], cells[CSUM_STATE] = route.stream, CSUM_PARTIAL
        self._gso_type = GSO_TCP4 if self._is_ipv4 else GSO_TCP6

    def write(self, segment: Segment, *, time_ps: int, ident: int, frame_id: int) -> FrameTrain:
        """`train`, until the next call. `ident` is the IPv4 ID of its first frame; `frame_id` the number of its first
        frame, for the audit."""
        row, cells, l4 = self._row, self._cells, self._l4
        at = l4 + tcp.MINIMUM_BYTES
        if segment.timestamps and not segment.flags & _SYN and not segment.sack:
            _STAMPS.pack_into(row, at, tcp.ALIGNED_TIMESTAMPS, segment.tsval, segment.tsecr)
            end = at + _STAMPS.size
        else:
            options = _options(segment)
            end = at + len(options)
            row[at:end] = options
        if end < self._head_bytes:
            row[end : self._head_bytes] = bytes(self._head_bytes - end)
        self._head_bytes = end
        length = end - l4 + segment.payload_bytes
        if self._is_ipv4:
            length = min(length + 20, 65535)
            total = 0x8500 + length + (ident & 0xFFFF) + (TTL << 8 | tcp.PROTOCOL) + self._address_sum
            _IPV4.pack_into(
                row, ethernet.HEADER_BYTES, 0x4500, length, ident & 0xFFFF, 0x4000, TTL << 8 | tcp.PROTOCOL,
                0xFFFF - fold(total),
            )  # fmt: skip
        else:
            _IPV6.pack_into(row, ethernet.HEADER_BYTES, 6 << 28, min(length, 65535), tcp.PROTOCOL, TTL)
        _TCP.pack_into(
            row, l4 + tcp.SEQ, segment.seq, segment.ack, (end - l4) << 2, segment.flags, segment.window, 0, 0
        )
        segments = -(-segment.payload_bytes // segment.gso_bytes) if segment.gso_bytes else 1
        cells[TIME_PS], cells[HEAD_BYTES], cells[FRAME_ID] = time_ps, end, frame_id
        cells[PAYLOAD_BYTES], cells[START] = segment.payload_bytes, segment.payload_start
        cells[FRAME_COUNT] = cells[GSO_SEGMENTS] = max(segments, 1)
        cells[GSO_BYTES], cells[GSO_TYPE] = (segment.gso_bytes, self._gso_type) if segments > 1 else (0, 0)
        return self.train


def packet(segment: Segment, route: Route, *, time_ps: int, ident: int, frame_id: int) -> FrameTrain:
    """One row that a PacketWriter of its own has written."""
    return PacketWriter(route).write(segment, time_ps=time_ps, ident=ident, frame_id=frame_id)


# what `look` writes of each received packet, behind the words of its segment
(
    PORTS,  # source << 16 | destination; ABSENT: not TCP, so there is no segment
    OTHERWISE,  # 1: there are options in another form than two NOPs and timestamps, still to be read
    SPENT,  # work done when the packet comes up [1/10,000 cycle]
    FRAMES,
    SEEN_WORDS,
) = range(seg.SEGMENT_WORDS, seg.SEGMENT_WORDS + 5)


@njit
def look(meta, head, packets, spent, seen):
    """Write what TCP reads of the first `packets` received packets to `seen` int64[packets, SEEN_WORDS]."""
    for k in range(packets):
        cells, row, words = meta[k], head[k], seen[k]
        words[PORTS] = ABSENT
        words[SPENT], words[FRAMES] = spent[k], cells[FRAME_COUNT]
        if cells[PROTOCOL] != tcp.PROTOCOL or cells[L4] < 0:
            continue
        l4 = cells[L4]
        words[PORTS], words[seg.SEQ], words[seg.ACK_SEQ] = tcp.ports(row, l4), tcp.seq(row, l4), tcp.ack(row, l4)
        words[seg.FLAGS], words[seg.WINDOW] = tcp.flags(row, l4), tcp.window(row, l4)
        words[seg.PAYLOAD_BYTES], words[seg.PAYLOAD_START] = cells[PAYLOAD_BYTES], cells[START]
        words[seg.GSO_BYTES], words[seg.GSO_SEGMENTS] = cells[GSO_BYTES], cells[GSO_SEGMENTS]
        at, n_bytes = l4 + tcp.MINIMUM_BYTES, cells[HEAD_BYTES] - l4 - tcp.MINIMUM_BYTES
        stamped = n_bytes == tcp.TIMESTAMP_OPTION_BYTES and be32(row, at) == tcp.ALIGNED_TIMESTAMPS
        words[seg.STAMPED], words[OTHERWISE] = stamped, n_bytes > 0 and not stamped
        words[seg.TSVAL], words[seg.TSECR] = 0, 0
        if stamped:
            words[seg.TSVAL], words[seg.TSECR] = be32(row, at + 4), be32(row, at + 8)
        words[seg.MSS], words[seg.WINDOW_SCALE] = 0, -1
        words[seg.SACK_PERMITTED], words[seg.SACKS], words[seg.RETRANSMISSION] = 0, 0, 0


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


def _options(segment: Segment) -> bytes:
    stamps = b""
    if segment.timestamps:
        stamps = struct.pack("!BBII", tcp.OPTION_TIMESTAMPS, 10, segment.tsval, segment.tsecr)
    if segment.flags & _SYN:
        options = struct.pack("!BBH", tcp.OPTION_MSS, 4, segment.mss) if segment.mss else b""
        if segment.sack_permitted:
            options += bytes((tcp.OPTION_SACK_PERMITTED, 2)) + stamps
        else:
            options += b"\x01\x01" * bool(stamps) + stamps
        if segment.window_scale >= 0:
            options += bytes((tcp.OPTION_NOP, tcp.OPTION_WINDOW_SCALE, 3, segment.window_scale))
        return options + b"\x01" * (-len(options) % 4)
    options = b"\x01\x01" + stamps if stamps else b""
    if segment.sack:
        options += bytes((1, 1, tcp.OPTION_SACK, 2 + 8 * len(segment.sack)))
        options += b"".join(struct.pack("!II", *block) for block in segment.sack)
    return options
