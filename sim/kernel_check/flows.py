"""Flows that send: each next frame continues the last one, until something is done to it.

Leaves out: what may be done to it (`oddities.py`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

import numpy as np

from models.wire import ethernet, ipv4, ipv6, tcp, udp
from sim.kernel_check import tunnels
from sim.kernel_check.bench import ROUTER_MAC, SENDER_MAC
from sim.kernel_check.dice import Dice
from sim.kernel_check.frames import Ip, Tcp, Udp, extension, framed, padding_options, tag
from sim.kernel_check.tunnels import Tunnel

OTHER_MAC = SENDER_MAC[:5] + b"\x77"
PAYLOADS = np.random.Generator(np.random.PCG64(20040304)).bytes(1 << 17)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the frames of a flow consist of; `tunnel` over IP of version `outer`, `tags` in the frame.

    `chained`: the kernel may chain them, and a model that keeps one header of a packet does not give back an urgent
    pointer that nothing reads."""

    version: int
    tunnel: str = ""
    outer: int = 4
    tags: int = 0
    datagrams: bool = False
    chained: bool = False


@dataclass(slots=True)
class Draft:
    """A frame before it is bytes. `udp` in place of `tcp` where it is given."""

    ip: Ip
    tcp: Tcp
    payload_bytes: int
    udp: Udp | None = None
    tunnel: Tunnel | None = None
    around: Tunnel | None = None  # a second one
    tags: bytes = b""
    source: bytes = SENDER_MAC
    kind: int | None = None
    tail: bytes = b""
    cut_to: int | None = None
    chained: bool = False
    all_ones: bool = False  # the TCP checksum would be 0, and is sent as 0xFFFF, which verifies just as well

    def octets(self) -> bytes:
        start = self.tcp.seq & 0xFFFF
        payload = PAYLOADS[start : start + self.payload_bytes]
        if self.all_ones:
            payload = self.tcp.zeroing(self.ip, payload)
            packet = replace(self.tcp, checksum_error=0xFFFF).over(self.ip, payload)
        else:
            packet = (self.udp or self.tcp).over(self.ip, payload)
        if self.tunnel is not None:
            packet = self.tunnel.around(packet)
        if self.around is not None:
            packet = self.around.around(packet)
        frame = framed(packet, source=self.source, destination=ROUTER_MAC, tags=self.tags, kind=self.kind)
        return (frame + self.tail)[: self.cut_to]


@dataclass(slots=True)
class Flow:
    """A sender. A step of None: the IDs of that header are random; else how far it goes from frame to frame."""

    next: Draft
    ident_step: int | None
    outer_ident_step: int | None = 1
    last: bytes = field(default=b"")

    def draft(self) -> Draft:
        """The frame that would go next, to be changed."""
        return replace(self.next)

    def send(self, draft: Draft, dice: Dice, *, lasting: bool = False) -> bytes:
        """The frame as bytes; `lasting`: what has been changed in it stays for those that follow."""
        if lasting:
            self.next = replace(draft, payload_bytes=self.next.payload_bytes)
        now = self.next
        now.tcp = replace(now.tcp, seq=draft.tcp.seq + draft.payload_bytes & 0xFFFFFFFF)
        if now.ip.version == 4:
            now.ip = replace(now.ip, ident=_stepped(now.ip.ident, self.ident_step, dice))
        if now.tunnel is not None and now.tunnel.outer.version == 4:
            ident = _stepped(now.tunnel.outer.ident, self.outer_ident_step, dice)
            now.tunnel = replace(now.tunnel, outer=replace(now.tunnel.outer, ident=ident))
        self.last = draft.octets()
        return self.last


def _stepped(ident: int, step: int | None, dice: Dice) -> int:
    return dice.below(1 << 16) if step is None else ident + step & 0xFFFF


def flow(shape: Shape, number: int, size: int | None, dice: Dice) -> Flow:
    """Flow `number` of a burst, with payloads of `size` bytes or of a size drawn."""
    ip = Ip(
        version=shape.version,
        destination=2 + (number & 1),
        ttl=dice.of((64, 64, 2, 255)),
        tos=dice.of((0, 0, 0, 1, 2, 0x28)),
        ident=dice.of((0, 1, 0xFFF0, 0xFFFE)),
        word=dice.of((ipv4.DF, ipv4.DF, 0)),
    )
    if ip.version == 6 and dice.chance(0.2):
        ip = replace(ip, label=0x12345)
    protocol = udp.PROTOCOL if shape.datagrams else tcp.PROTOCOL
    if ip.version == 6 and dice.chance(0.15):
        ip = with_extension(ip, protocol, dice)
    segment = Tcp(
        source_port=1500 + number,
        seq=dice.of((100, 0, 0xFFFFFF00, dice.below(1 << 32))),
        window=dice.of((65535, 502)),
        flags=tcp.ACK_FLAG | dice.of((0, 0, 0, 0, 0, tcp.ECE, tcp.CWR)),
        options=dice.of((b"", timestamps(10, 5), timestamps(10, 5), sack(1))),
        urgent=dice.of((0, 0, 0, 7)),
    )
    steps = (0, 1, 1, 1, 1, 2, None)
    draft = Draft(ip, segment, size or dice.of((1, 8, 100, 100, 101, 536, 1400)))
    draft.chained = shape.chained
    if shape.datagrams:
        draft.udp = Udp(source_port=1500 + number, checksum=dice.chance(0.9))
    if shape.tunnel:
        draft.tunnel = tunnels.tunnel(shape.tunnel, shape.outer, dice)
    if shape.tags:
        kind = ethernet.SERVICE_VLAN if shape.tags == 2 else ethernet.VLAN
        draft.tags = tag(dice.of((5, 0x2005)), kind) + tag(6) * (shape.tags - 1)
    return Flow(draft, dice.of(steps), dice.of(steps))


def timestamps(tsval: int, tsecr: int) -> bytes:
    """The option in its usual form, 12 bytes."""
    return struct.pack(">BBBBII", 1, 1, tcp.OPTION_TIMESTAMPS, 10, tsval, tsecr)


def sack(blocks: int) -> bytes:
    return struct.pack(">BBBB", 1, 1, tcp.OPTION_SACK, 2 + 8 * blocks) + struct.pack(">II", 1000, 2000) * blocks


def with_extension(ip: Ip, protocol: int, dice: Dice) -> Ip:
    """An IPv6 header with an extension header before `protocol`."""
    kind = dice.of((ipv6.DESTINATION_OPTIONS, ipv6.DESTINATION_OPTIONS, ipv6.HOP_BY_HOP))
    padding = padding_options(6)
    if kind == ipv6.DESTINATION_OPTIONS:  # a router drops hop-by-hop padding that is not 0, or longer than it must be
        padding = padding_options(dice.of((6, 14)), dice.below(2))
    return replace(ip, options=extension(protocol, padding), first_extension=kind)
