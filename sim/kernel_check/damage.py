"""Bursts that Linux joins and does not give back as they were: what our cut must get wrong in the same way.

Leaves out: what only some modes of the device join; random bursts have it.
Sources: docs/validation.md, "What Linux itself does not give back", with the functions that do it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from models.wire import ipv4, tcp
from sim.kernel_check.flows import Draft, Shape
from sim.kernel_check.frames import GRE_CHECKSUM, Ip, Tcp, get16
from sim.kernel_check.tunnels import Tunnel


def damage(offered: Collection[Shape]) -> Iterator[tuple[str, list[bytes]]]:
    """Every case, named, of the shapes that this kernel merges."""
    yield "urgent pointers that differ", _sent(Tcp(), Tcp(urgent=7))
    yield "a TCP checksum of 0xFFFF", [_frame(0), _frame(1, all_ones=True)]
    last = Ip(ident=_all_ones_ident(), checksum_error=0xFFFF)
    before = replace(last, ident=last.ident - 1, checksum_error=0)
    yield "an IPv4 checksum of 0xFFFF", [_frame(0, ip=before), _frame(1, ip=last)]
    for shape in offered:
        if not shape.tunnel or shape.datagrams:
            continue
        name = f"{shape.tunnel} over IPv{shape.outer}, IPv{shape.version} inside"
        for outer in (0, 1):
            for inner in (0, 1):
                yield f"{name}, IDs {outer} and {inner} on", _tunnelled(shape, outer, inner, (100, 100, 100))
        if shape.tunnel in ("gre", "gretap"):
            yield f"{name}, GRE checksums", _tunnelled(shape, 1, 1, (100, 100, 50), GRE_CHECKSUM)


def _frame(number: int, *, ip: Ip | None = None, all_ones: bool = False) -> bytes:
    return Draft(ip or Ip(ident=number), Tcp(seq=100 * number), 100, all_ones=all_ones).octets()


def _sent(*headers: Tcp) -> list[bytes]:
    return [Draft(Ip(ident=k), replace(header, seq=100 * k), 100).octets() for k, header in enumerate(headers)]


def _tunnelled(shape: Shape, outer: int, inner: int, sizes: tuple[int, ...], gre_flags: int = 0) -> list[bytes]:
    """IDs of the outer and the inner header go on by so much from frame to frame."""
    around = Ip(version=shape.outer, source=9, destination=10)
    made = []
    for k, n_bytes in enumerate(sizes):
        draft = Draft(Ip(version=shape.version, ident=10 + inner * k), Tcp(seq=100 * k), n_bytes)
        draft.tunnel = Tunnel(kind=shape.tunnel, outer=replace(around, ident=50 + outer * k), gre_flags=gre_flags)
        made.append(draft.octets())
    return made


def _all_ones_ident() -> int:
    """The ID with which the header of a frame with 100 bytes of payload has a checksum of 0."""
    bare = Ip(ident=0).over(tcp.PROTOCOL, bytes(tcp.MINIMUM_BYTES + 100))[: ipv4.MINIMUM_BYTES]
    return get16(bare, ipv4.CHECKSUM)
