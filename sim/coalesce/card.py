"""What the card did before anybody looked at a frame, as far as a capture leaves it to be assumed.

Leaves out: checksums inside tunnels, which the engine that wants them verifies itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.nic.rss import hash_rows
from models.payload import Payloads, octets_sum
from models.train import (
    ABSENT,
    CSUM_BAD,
    CSUM_STATE,
    CSUM_VERIFIED,
    GSO_BYTES,
    GSO_SEGMENTS,
    HEAD_BYTES,
    INNER_L3,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PROTOCOL,
    RX_HASH,
    START,
    Bytes,
    FrameTrain,
    Ints,
)
from models.wire import checksum, ipv4, ipv6, tcp, udp
from models.wire.octets import be16

Address = IPv4Address | IPv6Address
MAC_BYTES = 6
PAIRS = 4096  # of addresses, remembered to see whether both directions are there


@dataclass(frozen=True, slots=True)
class Settings:
    """What is assumed of the card, and what the capture is assumed to be.

    `mtu_bytes`: what is longer was merged before the capture. `rx_hash`: the card computes a hash. `verifies`: a
    checksum is right if it is; else the card is believed to have said so. `to`: only frames to this MAC (6 bytes) or
    IP address are received; None: all."""

    mtu_bytes: int = 1500
    rx_hash: bool = True
    verifies: bool = True
    to: bytes | Address | None = None


@dataclass(slots=True)
class Card:
    """Counts what it had to assume; `notes` says it."""

    settings: Settings
    snapped: int = 0
    merged: int = 0
    to_others: int = 0
    unfinished: int = 0  # checksums that are only begun: of the pseudo-header
    _pairs: Ints = field(default_factory=lambda: np.zeros((PAIRS, 2), np.int64))

    def receive(self, train: FrameTrain, stamps_ps: Ints, payloads: Payloads) -> tuple[FrameTrain, Ints]:
        """The frames that are received, with the card's columns filled in, and their times; `train` is written to."""
        if self.settings.to is not None:
            mine = _is_to(train, self.settings.to)
            self.to_others += int(len(train) - mine.sum())
            train, stamps_ps = train[mine], stamps_ps[mine]
        meta = train.meta
        snapped, merged = _look(meta, self.settings.mtu_bytes)
        self.snapped += snapped
        self.merged += merged
        if self.settings.verifies:
            self.unfinished += _verify(payloads.captured, train.head, meta)
        else:
            meta[:, CSUM_STATE] = CSUM_VERIFIED
        if self.settings.rx_hash:
            hash_rows(train.head, meta, meta[:, RX_HASH])
        if self.settings.to is None:
            _see_directions(train.head, meta, self._pairs)
        return train, stamps_ps

    @property
    def saw_both_directions(self) -> bool:
        return bool((self._pairs[:, 1] == 3).any())

    @property
    def notes(self) -> list[str]:
        """What the user should know of it, a line each."""
        notes = []
        if self.snapped:
            notes.append(
                f"{self.snapped} frames are cut by the snap length: their checksums count as verified by the card"
            )
        if self.merged:
            mtu = self.settings.mtu_bytes
            notes.append(f"{self.merged} packets are longer than the MTU of {mtu}: merged before the capture")
        if self.unfinished:
            what = f"{self.unfinished} checksums are only begun, as a sender leaves them to its card"
            notes.append(f"{what}: --checksum card takes them as right")
        if self.to_others:
            notes.append(f"{self.to_others} frames to others are left out")
        if self.saw_both_directions:
            notes.append("both directions are in the capture and count as received; --to MAC or IP takes one side's")
        return notes


def _is_to(train: FrameTrain, to: bytes | Address) -> NDArray[np.bool_]:
    if isinstance(to, bytes):
        return (train.head[:, :MAC_BYTES] == np.frombuffer(to, np.uint8)).all(axis=1)
    wanted = np.frombuffer(to.packed, np.uint8)
    return _has_destination(train.head, train.meta, to.version, wanted)


@njit
def _has_destination(head: Bytes, meta: Ints, version: int, wanted: Bytes) -> NDArray[np.bool_]:
    found = np.zeros(len(meta), np.bool_)
    at = ipv4.DESTINATION if version == 4 else ipv6.DESTINATION
    for i in range(len(meta)):
        l3 = meta[i, L3]
        if l3 == ABSENT or np.int64(head[i, l3]) >> 4 != version:
            continue
        same = True
        for k in range(len(wanted)):
            same &= head[i, l3 + at + k] == wanted[k]
        found[i] = same
    return found


@njit(nogil=True, _nrt=False)
def _look(meta: Ints, mtu_bytes: int) -> tuple[int, int]:
    """How many frames are cut by the snap length, and how many packets are longer than the MTU; these are marked as
    merged by somebody who does not say how."""
    snapped = merged = 0
    for i in range(len(meta)):
        cells = meta[i]
        snapped += cells[MISSING_BYTES] > 0
        network_bytes = cells[HEAD_BYTES] - cells[L3]  # of headers
        if cells[L4] != ABSENT and network_bytes + cells[PAYLOAD_BYTES] > mtu_bytes:
            merged += 1
            cells[GSO_BYTES] = max(1, mtu_bytes - network_bytes)
            cells[GSO_SEGMENTS] = -(-cells[PAYLOAD_BYTES] // cells[GSO_BYTES])
    return snapped, merged


@njit(nogil=True, _nrt=False)
def _verify(captured: Bytes, head: Bytes, meta: Ints) -> int:
    """Set the state of the TCP and UDP checksums that can be summed up; returns how many are only begun.

    The frames are as they were read: header and payload are one stretch of `captured`. The card is believed to have
    verified those cut by the snap length or merged before."""
    begun = 0
    for i in range(len(meta)):
        cells, row = meta[i], head[i]
        if cells[MISSING_BYTES] > 0 or cells[GSO_BYTES] > 0:
            cells[CSUM_STATE] = CSUM_VERIFIED
            continue
        if cells[L4] == ABSENT or cells[INNER_L3] != ABSENT:
            continue
        if cells[PROTOCOL] != tcp.PROTOCOL and cells[PROTOCOL] != udp.PROTOCOL:
            continue
        field = be16(row, checksum.field(cells))
        stop = cells[START] + cells[PAYLOAD_BYTES]
        start = cells[START] - cells[HEAD_BYTES] + cells[L4]
        pseudo = checksum.pseudo(row, cells[L3], cells[PROTOCOL], stop - start)
        absent = cells[PROTOCOL] == udp.PROTOCOL and field == 0
        if absent or checksum.fold(pseudo + octets_sum(captured, start, stop)) == 0xFFFF:
            cells[CSUM_STATE] = CSUM_VERIFIED
        else:
            cells[CSUM_STATE] = CSUM_BAD
            begun += field == checksum.fold(pseudo)
    return begun


@njit(nogil=True, _nrt=False)
def _see_directions(head: Bytes, meta: Ints, pairs: Ints) -> None:
    """Note in `pairs` int64[PAIRS, 2] (addresses mixed into one number, directions seen as bits) who sent TCP data."""
    for i in range(len(meta)):
        cells, row = meta[i], head[i]
        if cells[L4] == ABSENT or cells[PROTOCOL] != tcp.PROTOCOL:
            continue
        l3 = cells[L3]
        is_ipv4 = ipv4.is_ipv4(row, l3)
        n_bytes = 4 if is_ipv4 else 16
        at = l3 + ipv4.SOURCE if is_ipv4 else l3 + ipv6.SOURCE
        one = two = np.int64(0)
        for k in range(n_bytes):
            one = (one * 1_000_003 + np.int64(row[at + k])) & 0xFFFFFFFFFF
            two = (two * 1_000_003 + np.int64(row[at + n_bytes + k])) & 0xFFFFFFFFFF
        pair = (one ^ two) | 1
        slot = pair % PAIRS
        if pairs[slot, 0] == 0:
            pairs[slot, 0] = pair
        if pairs[slot, 0] == pair:
            pairs[slot, 1] |= 1 if one < two else 2
