"""Two lists of packets, the kernel's and ours: are they the same, and if not, which fields of which packet differ?

Leaves out: how a checksum that is left to the card was left: both are completed first; of a packet of which the kernel
    says no more than its octets, all the rest.
Sources: the headers as models/wire has them; checksum_start and checksum_offset of virtio_net_hdr.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.wire import ethernet, ipv4, ipv6, tcp, udp, vlan
from sim.kernel_check import frames
from sim.kernel_check.bench import UNTOLD, Packet
from sim.kernel_check.frames import complemented, get16, put16

Span = tuple[str, int, int]

VXLAN_PORT, GENEVE_PORT = 4789, 6081
DUMPED_BYTES = 112
VXLAN_BYTES, GENEVE_BYTES, GRE_BYTES = 8, 8, 4


def completed(packet: Packet) -> Packet:
    """The packet with the checksum that was left to the card filled in."""
    if packet.checksum_at in (0, UNTOLD):
        return packet
    octets = packet.octets
    value = complemented(octets[packet.checksum_from :])
    if packet.checksum_at - packet.checksum_from == udp.CHECKSUM:
        value = value or 0xFFFF
    return packet._replace(octets=put16(octets, packet.checksum_at, value), checksum_from=0, checksum_at=0)


def told(kernel: Packet, ours: Packet) -> Packet:
    """The kernel's packet, with what it does not say of it as we say it."""
    if kernel.gso_bytes != UNTOLD:
        return kernel
    packet = kernel._replace(gso_bytes=ours.gso_bytes, gso_type=ours.gso_type)
    if kernel.checksum_at == UNTOLD and ours.checksum_at:
        return packet._replace(checksum_from=ours.checksum_from, checksum_at=ours.checksum_at)
    return packet


@dataclass(frozen=True, slots=True)
class Difference:
    """The first packet that differs; None on the side that has no more packets."""

    place: int
    kernel: Packet | None
    ours: Packet | None
    kernel_packets: int
    our_packets: int

    def fields(self) -> list[str]:
        """Names of what differs."""
        if self.kernel is None or self.ours is None:
            return ["number of packets"]
        names = [] if self.kernel.gso_bytes == self.ours.gso_bytes else ["gso_size"]
        names += [] if self.kernel.gso_type == self.ours.gso_type else ["gso_type"]
        names += [] if self.kernel.checksum_at == self.ours.checksum_at else ["whether a checksum is left to the card"]
        names += [] if len(self.kernel.octets) == len(self.ours.octets) else ["length"]
        for name, start, stop in spans(self.kernel.octets):
            until = None if stop == len(self.kernel.octets) else stop  # what one has behind it differs, too
            if self.kernel.octets[start:until] != self.ours.octets[start:until]:
                names.append(name)
        return names

    def lines(self) -> list[str]:
        """The difference for people: what it is in one line, then both packets as hex dumps."""
        text = [
            f"packet {self.place}: {', '.join(self.fields())} (the kernel delivered {self.kernel_packets} packets, "
            f"we {self.our_packets})"
        ]
        for who, packet, other in (("kernel", self.kernel, self.ours), ("ours", self.ours, self.kernel)):
            if packet is None:
                text.append(f"{who}: no such packet")
                continue
            text.append(
                f"{who}: {len(packet.octets)} bytes, gso_size {packet.gso_bytes}, gso_type {packet.gso_type:#x}"
            )
            text += dump(packet.octets, other.octets if other else packet.octets)
        return text


def difference(kernel: Sequence[Packet], ours: Sequence[Packet]) -> Difference | None:
    """The first packet, in order of delivery, that is not the same; None if all are."""
    known = [*map(told, kernel, ours), *kernel[len(ours) :]]
    left, right = [completed(packet) for packet in known], [completed(packet) for packet in ours]
    if left == right:
        return None
    same = 0
    while same < min(len(left), len(right)) and left[same] == right[same]:
        same += 1
    theirs, mine = (side[same] if same < len(side) else None for side in (left, right))
    return Difference(same, theirs, mine, len(kernel), len(ours))


def dump(octets: bytes, other: bytes) -> list[str]:
    """Hex, 16 bytes a line, `*` behind a byte that differs from `other`'s: the headers, and the first difference."""
    differs = next((k for k in range(len(octets)) if octets[k : k + 1] != other[k : k + 1]), 0)
    lines = []
    for start in sorted({*range(0, min(len(octets), DUMPED_BYTES), 16), differs & ~15}):
        row = range(start, min(start + 16, len(octets)))
        cells = (f"{octets[k]:02x}{' ' if octets[k : k + 1] == other[k : k + 1] else '*'}" for k in row)
        lines.append(f"  {start:05x}  {''.join(cells)}".rstrip())
    return lines


def spans(octets: bytes, prefix: str = "") -> Iterator[Span]:
    """(name, start, stop) of every header field of a frame and of what it carries."""
    yield prefix + "destination MAC", ethernet.DESTINATION, ethernet.SOURCE
    yield prefix + "source MAC", ethernet.SOURCE, ethernet.ETHERTYPE
    at = ethernet.ETHERTYPE
    kind = get16(octets, at)
    while vlan.is_tag(kind):
        yield prefix + "VLAN tag", at, at + vlan.TAG_BYTES
        at += vlan.TAG_BYTES
        kind = get16(octets, at)
    yield prefix + "EtherType", at, at + 2
    if kind in (ethernet.IPV4, ethernet.IPV6):
        yield from _ip(octets, at + 2, prefix)
    else:
        yield prefix + "payload", at + 2, len(octets)


def _named(prefix: str, at: int, marks: Sequence[tuple[int, str]], end: int) -> Iterator[Span]:
    """Fields that follow one another: (offset, name) of each, and where the last one ends."""
    ends = [offset for offset, _ in marks[1:]] + [end - at]
    for (offset, name), stop in zip(marks, ends):
        if stop > offset:
            yield prefix + name, at + offset, at + stop


_IPV4 = (
    (0, "IP version and header length"),
    (ipv4.TOS, "TOS"),
    (ipv4.TOTAL_LENGTH, "total length"),
    (ipv4.ID, "IP ID"),
    (ipv4.FRAGMENT, "flags and fragment offset"),
    (ipv4.TTL, "TTL"),
    (ipv4.PROTOCOL, "protocol"),
    (ipv4.CHECKSUM, "IP checksum"),
    (ipv4.SOURCE, "source address"),
    (ipv4.DESTINATION, "destination address"),
    (ipv4.MINIMUM_BYTES, "IP options"),
)
_IPV6 = (
    (0, "version, traffic class and flow label"),
    (ipv6.PAYLOAD_LENGTH, "payload length"),
    (ipv6.NEXT_HEADER, "next header"),
    (ipv6.HOP_LIMIT, "hop limit"),
    (ipv6.SOURCE, "source address"),
    (ipv6.DESTINATION, "destination address"),
    (ipv6.HEADER_BYTES, "extension headers"),
)
_TCP = (
    (tcp.SOURCE_PORT, "source port"),
    (tcp.DESTINATION_PORT, "destination port"),
    (tcp.SEQ, "sequence number"),
    (tcp.ACK, "acknowledgment number"),
    (tcp.OFFSET, "data offset and reserved bits"),
    (tcp.FLAGS, "TCP flags"),
    (tcp.WINDOW, "window"),
    (tcp.CHECKSUM, "TCP checksum"),
    (tcp.URGENT, "urgent pointer"),
    (tcp.MINIMUM_BYTES, "TCP options"),
)
_UDP = (
    (udp.SOURCE_PORT, "UDP source port"),
    (udp.DESTINATION_PORT, "UDP destination port"),
    (udp.LENGTH, "UDP length"),
    (udp.CHECKSUM, "UDP checksum"),
)


def _ip(octets: bytes, l3: int, prefix: str) -> Iterator[Span]:
    if len(octets) < l3 + ipv4.MINIMUM_BYTES:
        yield prefix + "payload", l3, len(octets)
        return
    fragment = 0
    if octets[l3] >> 4 == 4:
        l4 = l3 + (octets[l3] & 15) * 4
        kind = octets[l3 + ipv4.PROTOCOL]
        fragment = get16(octets, l3 + ipv4.FRAGMENT) & ipv4.OFFSET_MASK
        yield from _named(prefix, l3, _IPV4, l4)
    else:
        l4, kind = l3 + ipv6.HEADER_BYTES, octets[l3 + ipv6.NEXT_HEADER]
        while ipv6.is_extension(kind) and l4 + 8 <= len(octets):
            kind, l4 = octets[l4], l4 + 8 * (octets[l4 + 1] + 1)
        yield from _named(prefix, l3, _IPV6, l4)
    if fragment or len(octets) < l4 + udp.HEADER_BYTES:
        yield prefix + "payload", l4, len(octets)
    elif kind == tcp.PROTOCOL and len(octets) >= l4 + tcp.MINIMUM_BYTES:
        end = min(len(octets), l4 + max(tcp.MINIMUM_BYTES, (octets[l4 + tcp.OFFSET] >> 4) * 4))
        yield from _named(prefix, l4, _TCP, end)
        yield prefix + "payload", end, len(octets)
    elif kind == udp.PROTOCOL:
        yield from _udp(octets, l4, prefix)
    elif kind == frames.GRE:
        yield from _gre(octets, l4, prefix)
    elif kind in (frames.IPIP, frames.IPV6_IN_IP):
        yield from _ip(octets, l4, prefix + "inner ")
    else:
        yield prefix + "payload", l4, len(octets)


def _udp(octets: bytes, l4: int, prefix: str) -> Iterator[Span]:
    at = l4 + udp.HEADER_BYTES
    yield from _named(prefix, l4, _UDP, at)
    port = get16(octets, l4 + udp.DESTINATION_PORT)
    if port == VXLAN_PORT and len(octets) > at + VXLAN_BYTES + ethernet.HEADER_BYTES:
        yield prefix + "VXLAN header", at, at + VXLAN_BYTES
        yield from _shifted(octets, at + VXLAN_BYTES, prefix)
    elif port == GENEVE_PORT and len(octets) > at + GENEVE_BYTES + ethernet.HEADER_BYTES:
        end = at + GENEVE_BYTES + (octets[at] & 63) * 4
        yield prefix + "Geneve header", at, end
        yield from _shifted(octets, end, prefix)
    else:
        yield prefix + "payload", at, len(octets)


def _gre(octets: bytes, l4: int, prefix: str) -> Iterator[Span]:
    flags, kind = (get16(octets, l4 + k) for k in (0, 2))
    bits = (frames.GRE_CHECKSUM, frames.GRE_KEY, frames.GRE_SEQUENCE)
    end = l4 + GRE_BYTES + 4 * sum(1 for bit in bits if flags & bit)
    yield prefix + "GRE header", l4, end
    if kind == frames.TRANSPARENT_ETHERNET:
        yield from _shifted(octets, end, prefix)
    elif kind in (ethernet.IPV4, ethernet.IPV6):
        yield from _ip(octets, end, prefix + "inner ")
    else:
        yield prefix + "payload", end, len(octets)


def _shifted(octets: bytes, at: int, prefix: str) -> Iterator[Span]:
    for name, start, stop in spans(octets[at:], prefix + "inner "):
        yield name, start + at, stop + at
