"""What may be odd about a frame: everything a rule of receive offload looks at, one function a thing.

Leaves out: an IP length that ends within the packet's own headers, which only a liar sends.
Sources: the fields that net/core/gro.c and the files it calls look at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from models.wire import ipv4, ipv6, tcp, udp
from sim.kernel_check import tunnels
from sim.kernel_check.bench import UNKNOWN_ETHERTYPE
from sim.kernel_check.dice import Dice
from sim.kernel_check.flows import OTHER_MAC, PAYLOADS, Draft, sack, timestamps, with_extension

Oddity = Callable[[Draft, Dice], None]


def _of_tcp(**choices: Sequence[Any]) -> Oddity:
    def odd(draft: Draft, dice: Dice) -> None:
        draft.tcp = replace(draft.tcp, **{name: dice.of(values) for name, values in choices.items()})

    return odd


def _of_ip(**choices: Sequence[Any]) -> Oddity:
    def odd(draft: Draft, dice: Dice) -> None:
        draft.ip = replace(draft.ip, **{name: dice.of(values) for name, values in choices.items()})

    return odd


def _flags(*bits: int) -> Oddity:
    def odd(draft: Draft, dice: Dice) -> None:
        draft.tcp = replace(draft.tcp, flags=draft.tcp.flags ^ dice.of(bits))

    return odd


def _more(field_name: str, most: int) -> Oddity:
    def odd(draft: Draft, dice: Dice) -> None:
        value = getattr(draft.tcp, field_name) + 1 + dice.below(most)
        draft.tcp = replace(draft.tcp, **{field_name: value & (0xFFFF if field_name == "window" else 0xFFFFFFFF)})

    return odd


def _urgent(draft: Draft, dice: Dice) -> None:
    if not draft.chained:
        draft.tcp = replace(draft.tcp, urgent=dice.of((1, 9)))


def _payload(draft: Draft, dice: Dice) -> None:
    n = draft.payload_bytes
    draft.payload_bytes = dice.of((0, 0, 1, n // 2, n - 1, n + 1, n + 40))


def _all_ones(draft: Draft, dice: Dice) -> None:
    draft.all_ones = draft.payload_bytes >= 2 and not draft.chained


def _gap(draft: Draft, dice: Dice) -> None:
    seq = draft.tcp.seq + dice.of((1, -1, draft.payload_bytes, -draft.payload_bytes, 1 << 31))
    draft.tcp = replace(draft.tcp, seq=seq & 0xFFFFFFFF)


def _ident(draft: Draft, dice: Dice) -> None:
    draft.ip = replace(draft.ip, ident=draft.ip.ident + dice.of((1, -1, 2, 0x8000)) & 0xFFFF)


def _dont_fragment(draft: Draft, dice: Dice) -> None:
    draft.ip = replace(draft.ip, word=draft.ip.word ^ ipv4.DF)


def _ecn(draft: Draft, dice: Dice) -> None:
    draft.ip = replace(draft.ip, tos=draft.ip.tos ^ dice.of((1, 2, 3)))


def _mac(draft: Draft, dice: Dice) -> None:
    draft.source = OTHER_MAC


def _padding(draft: Draft, dice: Dice) -> None:
    draft.tail = PAYLOADS[7 : 7 + 1 + dice.below(20)]


def _length(draft: Draft, dice: Dice) -> None:
    """An IP length that is too long, or too short but not so short that it ends within a header."""
    shorter = -dice.below(min(draft.payload_bytes, 40) + 1)
    draft.ip = replace(draft.ip, length_error=dice.of((shorter, shorter, 1, 40)))


def _cut(draft: Draft, dice: Dice) -> None:
    draft.cut_to = 14 + dice.below(60)


def _unknown(draft: Draft, dice: Dice) -> None:
    draft.kind = UNKNOWN_ETHERTYPE


def _protocol(draft: Draft) -> int:
    return udp.PROTOCOL if draft.udp is not None else tcp.PROTOCOL


def _extension(draft: Draft, dice: Dice) -> None:
    draft.ip = with_extension(draft.ip, _protocol(draft), dice)


def _fragment6(draft: Draft, dice: Dice) -> None:
    header = struct.pack(">BBHI", _protocol(draft), 0, dice.of((0, 1, 8)), 77)
    draft.ip = replace(draft.ip, options=header, first_extension=ipv6.FRAGMENT)


def _datagram_checksum(draft: Draft, dice: Dice) -> None:
    if draft.udp is not None:
        draft.udp = dice.of((replace(draft.udp, checksum_error=1), replace(draft.udp, checksum=False)))


def _datagram_length(draft: Draft, dice: Dice) -> None:
    if draft.udp is not None:
        draft.udp = replace(draft.udp, length_error=dice.of((-1, 1)))


def _outer(draft: Draft, dice: Dice) -> None:
    if draft.tunnel is not None:
        draft.tunnel = tunnels.odd(draft.tunnel, dice)


def _nested(draft: Draft, dice: Dice) -> None:
    draft.around = tunnels.tunnel(dice.of(tunnels.KINDS), dice.of((4, 6)), dice)


def _tag(draft: Draft, dice: Dice) -> None:
    if draft.tags:
        draft.tags = draft.tags[:-2] + dice.of((b"\x00\x05", b"\x20\x05", b"\x00\x09"))


LASTING: tuple[Oddity, ...] = (
    _flags(tcp.ECE, tcp.CWR),
    _of_tcp(reserved=(1, 1, 2, 8)),
    _urgent,
    _of_tcp(options=(b"", timestamps(11, 5), timestamps(10, 6), b"\x01" * 4, sack(1), sack(2))),
    _more("ack", 3000),
    _more("window", 3),
    _of_ip(ttl=(63, 64)),
    _of_ip(tos=(0, 4, 0xB8)),
    _ecn,
    _mac,
    _gap,
)
_OF_ANY: tuple[Oddity, ...] = (
    _of_ip(ttl=(63, 64)),
    _of_ip(tos=(0, 4, 0xB8)),
    _ecn,
    _mac,
    _payload,
    _payload,
    _length,
    _of_ip(first_byte_error=(0x10, 0x20)),
    _of_ip(ttl=(1, 0)),
    _padding,
    _cut,
    _unknown,
)
_OF_SEGMENTS: tuple[Oddity, ...] = (
    *LASTING,
    _flags(tcp.PSH),
    _flags(tcp.PSH, tcp.FIN, tcp.PSH | tcp.FIN),
    _flags(tcp.SYN, tcp.RST, tcp.URG, tcp.ACK_FLAG),
    _of_tcp(checksum_error=(1, 0x8000)),
    _all_ones,
    _of_tcp(offset_error=(-1, 1, 5, 10)),
)
_OF_VERSION: dict[int, tuple[Oddity, ...]] = {
    4: (
        _ident,
        _dont_fragment,
        _of_ip(word=(ipv4.MF, ipv4.MF | ipv4.DF, 5, ipv4.RESERVED, ipv4.RESERVED | ipv4.DF)),
        _of_ip(options=(b"\x01" * 4, b"\x01\x01\x01\x00")),
        _of_ip(checksum_error=(1, 0x100)),
    ),
    6: (_extension, _fragment6, _of_ip(label=(0, 1, 0xFFFFF))),
}


def oddity(draft: Draft, dice: Dice) -> Oddity:
    """One that fits the frame."""
    if draft.tunnel is not None and dice.chance(0.4):
        return _nested if dice.chance(0.1) else _outer
    if draft.tags and dice.chance(0.2):
        return _tag
    of_transport = (_datagram_checksum, _datagram_length) if draft.udp is not None else _OF_SEGMENTS
    return dice.of((*_OF_ANY, *of_transport, *_OF_VERSION[draft.ip.version]))
