"""Frames as bytes, from the inside out: every header says what it carries, and any field of it can be made wrong.

Leaves out: what models/packet.py is for, the packets of a connection that behaves.
Sources: RFC 791, 8200, 9293, 768, 2784 and 2890 (GRE), 7348 (VXLAN), 8926 (Geneve); IEEE 802.3 and 802.1Q.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from models.wire import ethernet, ipv4, ipv6, tcp, udp

IPIP, GRE, IPV6_IN_IP = 4, 47, 41  # IP protocol numbers
GRE_CHECKSUM, GRE_KEY, GRE_SEQUENCE = 0x8000, 0x2000, 0x1000
TRANSPARENT_ETHERNET = 0x6558  # EtherType of a bridged frame inside GRE or Geneve


def ones_sum(octets: bytes) -> int:
    """The folded sum of the 16-bit words of `octets`, an odd last byte padded with zero."""
    total = int.from_bytes(octets + b"\0" if len(octets) & 1 else octets, "big")
    return total % 0xFFFF or (0xFFFF if total else 0)  # 2**16 is 1 modulo 2**16 - 1


def complemented(octets: bytes) -> int:
    return 0xFFFF - ones_sum(octets)


def get16(octets: bytes, at: int) -> int:
    """The field there; of what ends before or within it, what there is."""
    return int.from_bytes(octets[at : at + 2], "big")


def put16(octets: bytes, at: int, value: int) -> bytes:
    return octets[:at] + struct.pack(">H", value & 0xFFFF) + octets[at + 2 :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ip:
    """An IPv4 or IPv6 header. `options`: of IPv4, or the extension headers of IPv6, of which `first_extension` is the
    kind of the first; `source` and `destination` number hosts; `word`: the flags and fragment offset of IPv4."""

    version: int = 4
    source: int = 1
    destination: int = 2
    ttl: int = 64
    tos: int = 0
    ident: int = 0
    word: int = ipv4.DF
    label: int = 0
    options: bytes = b""
    first_extension: int = ipv6.DESTINATION_OPTIONS
    length_error: int = 0
    checksum_error: int = 0
    first_byte_error: int = 0

    def addresses(self) -> bytes:
        if self.version == 4:
            return bytes((10, 1, 0, self.source, 10, 2, 0, self.destination))
        network = b"\xfd\x00" + bytes(13)
        return network + bytes((self.source,)) + network + bytes((self.destination,))

    def pseudo(self, protocol: int, length: int) -> bytes:
        """The pseudo-header of a transport header and payload of `length` bytes."""
        return self.addresses() + struct.pack(">II", length, protocol)

    def over(self, protocol: int, body: bytes) -> bytes:
        """The packet with `body` in it."""
        if self.version == 4:
            length = 20 + len(self.options) + len(body) + self.length_error
            first = 0x45 + len(self.options) // 4
            words = first ^ self.first_byte_error, self.tos, length & 0xFFFF, self.ident & 0xFFFF, self.word
            header = struct.pack(">BBHHHBBH", *words, self.ttl, protocol, 0) + self.addresses() + self.options
            return put16(header, ipv4.CHECKSUM, complemented(header) ^ self.checksum_error) + body
        first = (6 << 28 | self.tos << 20 | self.label) ^ self.first_byte_error << 24
        length = len(self.options) + len(body) + self.length_error
        kind = self.first_extension if self.options else protocol
        header = struct.pack(">IHBB", first, length & 0xFFFF, kind, self.ttl) + self.addresses()
        return header + self.options + body


def extension(next_header: int, octets: bytes) -> bytes:
    """An options header of IPv6 whose content is `octets`, 6 bytes modulo 8."""
    return bytes((next_header, (len(octets) + 2) // 8 - 1)) + octets


def padding_options(n_bytes: int, fill: int = 0) -> bytes:
    """A PadN option of `n_bytes` (RFC 8200 section 4.2), which everybody skips."""
    return bytes((1, n_bytes - 2)) + bytes((fill,)) * (n_bytes - 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """A TCP header. `reserved`: the four bits before the flags, of which the last is AE; `options`: whole words."""

    source_port: int = 1500
    destination_port: int = 8000
    seq: int = 0
    ack: int = 100
    flags: int = tcp.ACK_FLAG
    reserved: int = 0
    window: int = 65535
    urgent: int = 0
    options: bytes = b""
    checksum_error: int = 0
    offset_error: int = 0

    def over(self, ip: Ip, payload: bytes) -> bytes:
        """The IP packet with this segment in it."""
        segment = self._segment(payload)
        value = complemented(ip.pseudo(tcp.PROTOCOL, len(segment)) + segment)
        return ip.over(tcp.PROTOCOL, put16(segment, tcp.CHECKSUM, value ^ self.checksum_error))

    def zeroing(self, ip: Ip, payload: bytes) -> bytes:
        """The payload, of two bytes or more, with the first two such that the checksum is 0."""
        segment = self._segment(b"\0\0" + payload[2:])
        value = complemented(ip.pseudo(tcp.PROTOCOL, len(segment)) + segment)
        return struct.pack(">H", value) + payload[2:]

    def _segment(self, payload: bytes) -> bytes:
        offset = (5 + len(self.options) // 4 + self.offset_error) & 15
        header = struct.pack(
            ">HHIIBBHHH",
            self.source_port,
            self.destination_port,
            self.seq & 0xFFFFFFFF,
            self.ack & 0xFFFFFFFF,
            offset << 4 | self.reserved,
            self.flags,
            self.window,
            0,
            self.urgent,
        )
        return header + self.options + payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Udp:
    """A UDP header; without `checksum` the field is 0, which is allowed."""

    source_port: int = 1500
    destination_port: int = 8000
    checksum: bool = True
    checksum_error: int = 0
    length_error: int = 0

    def over(self, ip: Ip, payload: bytes) -> bytes:
        """The IP packet with this datagram in it."""
        length = udp.HEADER_BYTES + len(payload) + self.length_error
        datagram = struct.pack(">HHHH", self.source_port, self.destination_port, length, 0) + payload
        if self.checksum:
            value = complemented(ip.pseudo(udp.PROTOCOL, length) + datagram) or 0xFFFF
            datagram = put16(datagram, udp.CHECKSUM, value ^ self.checksum_error)
        return ip.over(udp.PROTOCOL, datagram)


def framed(packet: bytes, *, source: bytes, destination: bytes, tags: bytes = b"", kind: int | None = None) -> bytes:
    """The Ethernet frame with an IP packet in it; `tags` with their EtherTypes in front."""
    if kind is None:
        kind = ethernet.IPV6 if packet[0] >> 4 == 6 else ethernet.IPV4
    return destination + source + tags + struct.pack(">H", kind) + packet


def tag(tci: int, kind: int = ethernet.VLAN) -> bytes:
    return struct.pack(">HH", kind, tci)


def vxlan(vni: int, flags: int = 0x08000000) -> bytes:
    return struct.pack(">II", flags, vni << 8)


def geneve(vni: int, kind: int = TRANSPARENT_ETHERNET, options: bytes = b"") -> bytes:
    return struct.pack(">BBHI", len(options) // 4, 0, kind, vni << 8) + options


def gre(kind: int, body: bytes, *, flags: int = 0, key: int = 0, sequence: int = 0, checksum_error: int = 0) -> bytes:
    """A GRE header of version 0 and what it carries."""
    header = struct.pack(">HH", flags, kind)
    if flags & GRE_CHECKSUM:
        header += bytes(4)
    if flags & GRE_KEY:
        header += struct.pack(">I", key)
    if flags & GRE_SEQUENCE:
        header += struct.pack(">I", sequence)
    if flags & GRE_CHECKSUM:
        header = put16(header, 4, complemented(header + body) ^ checksum_error)
    return header + body
