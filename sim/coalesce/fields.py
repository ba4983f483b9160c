"""Header fields by the names Wireshark has for them, for many headers at once: what differs, and how to say it.

Leaves out: checksums and lengths, which follow from the rest; fields of UDP and of an outer header one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

import numpy as np
from numpy.typing import NDArray

from models.train import HEAD_BYTES, INNER_L3, INNER_L4, L3, L4, Bytes, FrameTrain, Ints
from models.wire import ipv4, ipv6, tcp

Flags = NDArray[np.bool_]
NOWHERE = -1  # the value of a field in a header that has none


class Headers:
    """The headers of a train with innermost network header at `l3`, transport header at `l4`; ABSENT without one."""

    def __init__(self, train: FrameTrain) -> None:
        self.head = train.head
        meta = train.meta
        inner = meta[:, INNER_L3] >= 0
        self.outer_l3 = np.where(inner, meta[:, L3], NOWHERE)
        self.l3 = np.where(inner, meta[:, INNER_L3], meta[:, L3])
        self.l4 = np.where(inner, meta[:, INNER_L4], meta[:, L4])
        self.stop = meta[:, HEAD_BYTES]
        version = np.where(self.l3 >= 0, self.octets(self.l3, 1) >> 4, 0)
        self.is_ipv4: Flags = version == 4
        self.is_ipv6: Flags = version == 6
        protocol = np.where(self.is_ipv4, self.octets(self.l3 + ipv4.PROTOCOL, 1), tcp.PROTOCOL)
        room = (self.l4 >= 0) & (self.l4 + tcp.MINIMUM_BYTES <= self.stop)
        self.is_tcp: Flags = room & (protocol == tcp.PROTOCOL)
        kind = self.octets(self.l4 + tcp.MINIMUM_BYTES, 4)
        whole = self.stop == self.l4 + tcp.MINIMUM_BYTES + tcp.TIMESTAMP_OPTION_BYTES
        self.has_timestamps: Flags = self.is_tcp & whole & (kind == tcp.ALIGNED_TIMESTAMPS)

    def octets(self, at: Ints, size: int) -> Ints:
        """The big-endian number of `size` bytes at byte `at` int64[n] of each header; bytes outside read as 0."""
        value = np.zeros(len(self.head), np.int64)
        rows = np.arange(len(self.head))
        width = self.head.shape[1]
        for k in range(size):
            inside = (at + k >= 0) & (at + k < width)
            value = value << 8 | np.where(inside, self.head[rows, np.clip(at + k, 0, width - 1)], 0)
        return value

    def only(self, start: Ints, stop: Ints) -> Bytes:
        """Each header moved so that byte `start` is first, zero behind `stop`."""
        width = self.head.shape[1]
        columns = start[:, None] + np.arange(width)
        inside = (columns < stop[:, None]) & (columns >= 0) & (columns < width)
        moved = np.take_along_axis(self.head, np.clip(columns, 0, width - 1), axis=1)
        return np.where(inside, moved, 0).astype(np.uint8)


Reader = Callable[[Headers], Ints]
Stretch = Callable[[Headers], tuple[Ints, Ints]]


def _of_ipv4(at: int, size: int, shift: int = 0, mask: int = -1) -> Reader:
    return lambda h: np.where(h.is_ipv4, h.octets(h.l3 + at, size) >> shift & mask, NOWHERE)


def _of_ipv6(at: int, size: int, shift: int = 0, mask: int = -1) -> Reader:
    return lambda h: np.where(h.is_ipv6, h.octets(h.l3 + at, size) >> shift & mask, NOWHERE)


def _of_tcp(at: int, size: int, shift: int = 0, mask: int = -1) -> Reader:
    return lambda h: np.where(h.is_tcp, h.octets(h.l4 + at, size) >> shift & mask, NOWHERE)


def _flag(bit: int) -> Reader:
    return lambda h: np.where(h.is_tcp, (h.octets(h.l4 + tcp.FLAGS, 1) & bit != 0).astype(np.int64), NOWHERE)


def _timestamp(at: int) -> Reader:
    return lambda h: np.where(h.has_timestamps, h.octets(h.l4 + tcp.MINIMUM_BYTES + at, 4), NOWHERE)


TSVAL_AT, TSECR_AT = 4, 8  # in the aligned option
NUMBERS: dict[str, Reader] = {
    "ip.dsfield.dscp": _of_ipv4(ipv4.TOS, 1, 2),
    "ip.dsfield.ecn": _of_ipv4(ipv4.TOS, 1, 0, 3),
    "ip.id": _of_ipv4(ipv4.ID, 2),
    "ip.flags": _of_ipv4(ipv4.FRAGMENT, 2, 13),
    "ip.frag_offset": _of_ipv4(ipv4.FRAGMENT, 2, 0, ipv4.OFFSET_MASK),
    "ip.ttl": _of_ipv4(ipv4.TTL, 1),
    "ipv6.tclass.dscp": _of_ipv6(0, 4, 22, 0x3F),
    "ipv6.tclass.ecn": _of_ipv6(0, 4, 20, 3),
    "ipv6.flow": _of_ipv6(0, 4, 0, 0xFFFFF),
    "ipv6.hlim": _of_ipv6(ipv6.HOP_LIMIT, 1),
    "tcp.seq_raw": _of_tcp(tcp.SEQ, 4),
    "tcp.ack_raw": _of_tcp(tcp.ACK, 4),
    "tcp.flags.res": _of_tcp(tcp.OFFSET, 1, 1, 7),
    "tcp.flags.ae": _of_tcp(tcp.OFFSET, 1, 0, 1),
    "tcp.flags.fin": _flag(tcp.FIN),
    "tcp.flags.syn": _flag(tcp.SYN),
    "tcp.flags.reset": _flag(tcp.RST),
    "tcp.flags.push": _flag(tcp.PSH),
    "tcp.flags.ack": _flag(tcp.ACK_FLAG),
    "tcp.flags.urg": _flag(tcp.URG),
    "tcp.flags.ece": _flag(tcp.ECE),
    "tcp.flags.cwr": _flag(tcp.CWR),
    "tcp.window_size_value": _of_tcp(tcp.WINDOW, 2),
    "tcp.urgent_pointer": _of_tcp(tcp.URGENT, 2),
    "tcp.options.timestamp.tsval": _timestamp(TSVAL_AT),
    "tcp.options.timestamp.tsecr": _timestamp(TSECR_AT),
}


def _options(h: Headers) -> tuple[Ints, Ints]:
    start = np.where(h.is_tcp, h.l4 + tcp.MINIMUM_BYTES, 0)
    return start, np.where(h.is_tcp & ~h.has_timestamps, h.stop, 0)


def _between(h: Headers) -> tuple[Ints, Ints]:
    start = np.where(h.is_ipv6, h.l3 + ipv6.HEADER_BYTES, h.l3 + ipv4.MINIMUM_BYTES)
    return start, np.where((h.l3 >= 0) & (h.l4 >= 0), h.l4, 0)


def _addresses(h: Headers) -> tuple[Ints, Ints]:
    start = np.where(h.is_ipv6, h.l3 + ipv6.SOURCE, h.l3 + ipv4.SOURCE)
    stop = np.where(h.is_ipv6, h.l3 + ipv6.HEADER_BYTES, h.l3 + ipv4.MINIMUM_BYTES)
    return start, np.where(h.l3 >= 0, stop, 0)


STRETCHES: dict[str, Stretch] = {  # bytes without a name of their own, shown in hexadecimal
    "frame.link": lambda h: (np.zeros_like(h.l3), np.where(h.outer_l3 >= 0, h.outer_l3, np.maximum(h.l3, 0))),
    "ip.outer": lambda h: (np.maximum(h.outer_l3, 0), np.where(h.outer_l3 >= 0, h.l3, 0)),
    "ip.addr": _addresses,
    "ip.options": _between,  # or extension headers
    "tcp.options": _options,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of some of the rows compared: `rows` int64[k]; `old` and `new` are what it was and is, as text."""

    name: str
    rows: Ints
    old: list[str]
    new: list[str]


def differences(old: FrameTrain, new: FrameTrain) -> list[Difference]:
    """What differs between the headers of row i of `old` and row i of `new`, field by field."""
    was, now = Headers(old), Headers(new)
    found = []
    for name, read in NUMBERS.items():
        before, after = read(was), read(now)
        rows = np.flatnonzero(before != after)
        if len(rows):
            found.append(Difference(name, rows, _numbers(name, before[rows]), _numbers(name, after[rows])))
    for name, stretch in STRETCHES.items():
        (start, stop), (start_now, stop_now) = stretch(was), stretch(now)
        before_bytes, after_bytes = was.only(start, stop), now.only(start_now, stop_now)
        width = min(before_bytes.shape[1], after_bytes.shape[1])
        unequal = (before_bytes[:, :width] != after_bytes[:, :width]).any(axis=1)
        length, length_now = np.maximum(stop - start, 0), np.maximum(stop_now - start_now, 0)
        rows = np.flatnonzero(unequal | (length != length_now))
        if len(rows):
            texts = [
                [octets[i, : n[i]].tobytes().hex() for i in rows]
                for octets, n in ((before_bytes, length), (after_bytes, length_now))
            ]
            found.append(Difference(name, rows, *texts))
    return found


def _numbers(name: str, values: Ints) -> list[str]:
    form = "{:#06x}" if name == "ip.id" else "{}"
    return ["absent" if value == NOWHERE else form.format(value) for value in values.tolist()]


def flows(train: FrameTrain) -> list[str]:
    """Each row's flow, as `10.0.0.1:80 > 10.0.0.2:5000`; without ports if there are none, empty without IP."""
    headers = Headers(train)
    start, stop = _addresses(headers)
    keys = np.zeros((len(train), FLOW_BYTES), np.uint8)
    keys[:, : 2 * IPV6_BYTES] = headers.only(start, stop)[:, : 2 * IPV6_BYTES]
    for k in range(PORTS_BYTES):
        keys[:, 2 * IPV6_BYTES + k] = np.where(headers.l4 >= 0, headers.octets(headers.l4 + k, 1), 0)
    keys[:, -2] = headers.is_ipv4 + 2 * headers.is_ipv6
    keys[:, -1] = headers.l4 >= 0
    return [_flow(key.tobytes()) for key in keys]


IPV6_BYTES, PORTS_BYTES = 16, 4
FLOW_BYTES = 2 * IPV6_BYTES + PORTS_BYTES + 2


@functools.lru_cache(maxsize=1 << 16)
def _flow(key: bytes) -> str:
    if not key[-2]:
        return ""
    n_bytes = 4 if key[-2] == 1 else IPV6_BYTES
    ends = []
    for side in (0, 1):
        address = str(ip_address(key[side * n_bytes : (side + 1) * n_bytes]))
        port = int.from_bytes(key[2 * IPV6_BYTES + 2 * side :][:2], "big")
        shown = f"[{address}]" if ":" in address and key[-1] else address
        ends.append(f"{shown}:{port}" if key[-1] else address)
    return " > ".join(ends)
