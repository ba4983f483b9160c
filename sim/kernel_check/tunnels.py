"""Tunnels around a flow's packets: what each puts in front, what of it changes from frame to frame, what may be odd.

Leaves out: tags inside a tunnel.
Sources: the headers are those of sim/kernel_check/frames.py; the oddities follow the fields that the tunnels' GRO
    functions look at (net/ipv4/gre_offload.c, udp_offload.c, drivers/net/vxlan, net/ethernet/eth.c).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from models.wire import ethernet, geneve, gre, ipv4, ipv6, vxlan
from sim.kernel_check import frames
from sim.kernel_check.dice import Dice
from sim.kernel_check.frames import Ip, Udp, framed

INNER_SOURCE, INNER_DESTINATION = bytes.fromhex("02a000000011"), bytes.fromhex("02a000000012")
KINDS = ("vxlan", "gre", "gretap", "ip")  # those that may be around another one; Geneve may be unknown to the kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """The headers around an IP packet; `number` is the VNI or the key, `gre_flags` which words a GRE header has."""

    kind: str
    outer: Ip
    source_port: int = 40000
    checksum: bool = False
    checksum_error: int = 0
    number: int = 7
    gre_flags: int = 0
    word: int = 0  # what else is in the header: VXLAN's flags, Geneve's options, bits
    inner_source: bytes = INNER_SOURCE

    def around(self, packet: bytes) -> bytes:
        """The outer IP packet with `packet` in it."""
        kind = ethernet.IPV6 if packet[0] >> 4 == 6 else ethernet.IPV4
        if self.kind == "ip":
            return self.outer.over(ipv6.ENCAPSULATED if kind == ethernet.IPV6 else ipv4.ENCAPSULATED, packet)
        if self.kind == "gre":
            return self.outer.over(gre.PROTOCOL, self._gre(kind, packet))
        bridged = framed(packet, source=self.inner_source, destination=INNER_DESTINATION)
        if self.kind == "gretap":
            return self.outer.over(gre.PROTOCOL, self._gre(frames.TRANSPARENT_ETHERNET, bridged))
        port, header = vxlan.PORT, frames.vxlan(self.number, 0x08000000 | self.word)
        if self.kind == "geneve":
            port, header = (
                geneve.PORT,
                frames.geneve(self.number, options=self.word.to_bytes(4, "big") * bool(self.word)),
            )
        head = Udp(source_port=self.source_port, destination_port=port, checksum=self.checksum)
        return replace(head, checksum_error=self.checksum_error).over(self.outer, header + bridged)

    def _gre(self, kind: int, body: bytes) -> bytes:
        return frames.gre(kind, body, flags=self.gre_flags, key=self.number, checksum_error=self.checksum_error)

    def moved_on(self, ident: int) -> Tunnel:
        return replace(self, outer=replace(self.outer, ident=ident & 0xFFFF))


def tunnel(kind: str, version: int, dice: Dice) -> Tunnel:
    """A tunnel of that kind over IP of that version, with what it has for all its frames."""
    outer = Ip(
        version=version,
        source=9,
        destination=10,
        ttl=dice.of((64, 3)),
        tos=dice.of((0, 0, 2)),
        ident=dice.of((0, 1, 0xFFFE)),
        word=dice.of((ipv4.DF, 0)),
    )
    flags = dice.of((0, 0, frames.GRE_KEY, frames.GRE_CHECKSUM, frames.GRE_KEY | frames.GRE_CHECKSUM))
    return Tunnel(kind=kind, outer=outer, checksum=dice.chance(0.4), gre_flags=flags)


def odd(tunnel: Tunnel, dice: Dice) -> Tunnel:
    """Something odd about the outer headers of one frame."""
    outer = tunnel.outer
    changes: list[dict[str, Any]] = [
        {"outer": replace(outer, ttl=outer.ttl - 1)},
        {"outer": replace(outer, tos=outer.tos ^ dice.of((1, 2, 4)))},
        {"outer": replace(outer, word=outer.word ^ ipv4.DF)},
        {"outer": replace(outer, ident=outer.ident + dice.of((1, -1, 5)) & 0xFFFF)},
        {"outer": replace(outer, destination=11)},
        {"outer": replace(outer, checksum_error=1)},
        {"number": 8},
        {"checksum_error": 1},
    ]
    if tunnel.kind in ("gre", "gretap"):
        changes.append({"gre_flags": tunnel.gre_flags ^ dice.of((frames.GRE_KEY, frames.GRE_CHECKSUM))})
        changes.append({"gre_flags": tunnel.gre_flags | frames.GRE_SEQUENCE})
    if tunnel.kind in ("vxlan", "geneve"):
        changes += [{"source_port": 40001}, {"checksum": not tunnel.checksum}, {"word": 1}]
    if tunnel.kind in ("vxlan", "geneve", "gretap"):
        changes.append({"inner_source": INNER_DESTINATION})
    return replace(tunnel, **dice.of(changes))
