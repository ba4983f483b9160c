"""The kernel's own GRO self-test as bursts, with the payload lengths it expects, in order of delivery.

Leaves out: what the self-test sends a second later (the end of `ip_frag6`): here a burst is one poll.
Sources: tools/testing/selftests/drivers/net/gro.c (before: selftests/net/gro.c), as collected in the project's fact
    sheet, section 7. `ip_opt` has NOPs for an option: into the timestamp of the self-test a router writes. CWR is not
    in the self-test of these editions; newer ones expect 100, 200, 200 there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from models.wire import ipv4, ipv6, tcp
from sim.kernel_check.compare import spans
from sim.kernel_check.flows import Draft, timestamps
from sim.kernel_check.frames import Ip, Tcp
from sim.kernel_check.tunnels import Tunnel

LARGE, LARGEST = 4036, {"ipv4": 919, "ipv6": 899, "ipip": 899}


class Segment(NamedTuple):
    """`at` bytes into the stream, `n_bytes` of payload, and what is changed of its TCP and outermost IP header."""

    at: int
    n_bytes: int = 100
    tcp: dict[str, Any] = {}  # noqa: RUF012 - read only
    ip: dict[str, Any] = {}  # noqa: RUF012


class Row(NamedTuple):
    """A case of the self-test: what is sent, and the payload lengths expected from `since` on and before."""

    name: str
    segments: Sequence[Segment]
    expected: Sequence[int]
    before_6_18: Sequence[int] | None = None


def _flagged(bit: int) -> list[Segment]:
    flags = {"flags": tcp.ACK_FLAG | bit}
    return [Segment(0), Segment(100), Segment(0, 0, flags), Segment(300), Segment(400)]


def _optioned(*options: bytes) -> list[Segment]:
    return [Segment(100 * k, tcp={"options": octets}) for k, octets in enumerate(options)]


def _numbered(word: int, *idents: int) -> list[Segment]:
    return [Segment(100 * k, ip={"word": word, "ident": ident}) for k, ident in enumerate(idents)]


def _second(**change: Any) -> list[Segment]:
    return [Segment(0), Segment(100, ip=change)]


_TS = b"\x08\x0a" + struct.pack(">II", 100, 0)
_PSH, _CWR = {"flags": tcp.ACK_FLAG | tcp.PSH}, {"flags": tcp.ACK_FLAG | tcp.CWR}
_EXTENSION, _OTHER = (struct.pack(">BBHI", tcp.PROTOCOL, 0, 0x0104, value) for value in (0, 1))
_FRAGMENT = {"options": struct.pack(">BBHI", tcp.PROTOCOL, 0, 0, 0), "first_extension": ipv6.FRAGMENT}

_COMMON = (
    Row("data_same", [Segment(0), Segment(100)], [200]),
    Row("data_lrg_sml", [Segment(0), Segment(100, 50)], [150]),
    Row("data_sml_lrg", [Segment(0, 50), Segment(50)], [50, 100]),
    Row("ack", [Segment(0, 0), Segment(0, 0), Segment(0, 0, {"ack": 101})], [0, 0, 0]),
    Row("flags_psh", [Segment(0), Segment(100), Segment(200, 100, _PSH), Segment(300), Segment(400)], [300, 200]),
    Row("flags_syn", _flagged(tcp.SYN), [200, 0, 200]),
    Row("flags_rst", _flagged(tcp.RST), [200, 0, 200]),
    Row("flags_urg", _flagged(tcp.URG), [200, 0, 200]),
    Row(
        "flags_cwr",
        [Segment(0), Segment(100, 100, _CWR), Segment(200, 100, _CWR), Segment(300), Segment(400)],
        [100, 100, 100, 200],
        [100, 100, 300],
    ),
    Row("tcp_csum", [Segment(0), Segment(100, tcp={"checksum_error": 1})], [100, 100]),
    Row("tcp_seq", [Segment(0), Segment(101)], [100, 100]),
    Row(
        "tcp_ts",
        _optioned(
            timestamps(0, 0),
            timestamps(0, 0),
            timestamps(100, 0),
            b"\x01" + _TS + b"\x01",
            _TS + b"\x01\x01",
        ),
        [200, 100, 100, 100],
    ),
    Row("tcp_opt", _optioned(timestamps(0, 0), timestamps(0, 0), b"\x01\x03\x03\x00"), [200, 100]),
    Row("ip_ecn", _second(tos=2), [100, 100]),
    Row("ip_tos", _second(tos=1), [100, 100]),
)
_IPV4 = (
    Row("ip_ttl", _second(ttl=7), [100, 100]),
    Row("ip_opt", [Segment(0), Segment(100, ip={"options": b"\x01\x01\x01\x01"}), Segment(200)], [100, 100, 100]),
    Row("ip_frag4", _second(word=ipv4.DF | ipv4.MF), [100, 100]),
    Row("ip_id_df1_inc", _numbered(ipv4.DF, 8, 9), [200]),
    Row("ip_id_df1_fixed", _numbered(ipv4.DF, 8, 8), [200]),
    Row("ip_id_df0_inc", _numbered(0, 8, 9), [200]),
    Row("ip_id_df0_fixed", _numbered(0, 8, 8), [200], [100, 100]),
    Row("ip_id_df1_inc_fixed", _numbered(ipv4.DF, 8, 9, 9), [200, 100]),
    Row("ip_id_df1_fixed_inc", _numbered(ipv4.DF, 8, 8, 9), [200, 100]),
)
_IPV6 = (
    Row("ip_frag6", [Segment(0), Segment(100), Segment(200, ip=_FRAGMENT)], [128, 200]),  # its TCP header is payload
    Row("ip_v6ext_same", [Segment(100 * k, ip={"options": _EXTENSION}) for k in range(2)], [200]),
    Row("ip_v6ext_diff", [Segment(100 * k, ip={"options": (_EXTENSION, _OTHER)[k]}) for k in range(2)], [100, 100]),
)


def _large(rest: int) -> tuple[Row, Row]:
    full = [Segment(LARGE * k, LARGE) for k in range(16)]
    at_most, over = ([*full, Segment(16 * LARGE, n), Segment(17 * LARGE, n)] for n in (rest, rest + 1))
    return (
        Row("large_max", at_most, [16 * LARGE + rest, rest]),
        Row("large_rem", over, [16 * LARGE, rest + 1, rest + 1]),
    )


ROWS = {
    "ipv4": (*_COMMON, *_IPV4, *_large(LARGEST["ipv4"])),
    "ipv6": (*_COMMON, *_IPV6, *_large(LARGEST["ipv6"])),
    "ipip": (*_COMMON, *_IPV4, *_large(LARGEST["ipip"])),
}


def frame(kind: str, segment: Segment) -> bytes:
    """A frame of the table over `kind` of ROWS."""
    ip = Ip(version=6 if kind == "ipv6" else 4, ttl=8)
    draft = Draft(ip, replace(Tcp(seq=100 + segment.at), **segment.tcp), segment.n_bytes)
    if kind == "ipip":
        draft.tunnel = Tunnel(kind="ip", outer=replace(ip, source=9, destination=10, **segment.ip))
    else:
        draft.ip = replace(ip, **segment.ip)
    return draft.octets()


def table() -> Iterator[tuple[str, list[bytes]]]:
    """Every case, named."""
    for kind, rows in ROWS.items():
        for row in rows:
            yield f"{row.name} over {kind}", [frame(kind, segment) for segment in row.segments]


def payload_bytes(octets: bytes) -> int:
    """Length of what is behind the headers of a packet."""
    name, start, stop = list(spans(octets))[-1]
    return stop - start if name.endswith("payload") else 0
