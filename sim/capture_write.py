"""Captures out: trains as a classic pcap file with nanoseconds, payload bytes and all.

What a packet lacks on its way through a stack is completed, as the card would do on sending: a partial checksum, a tag
the card had stripped. A checksum that is wrong is written as it is, and counted.
Leaves out: the payload of merged packets whose frames a snap length had cut: of these the file has the headers, and
the length they had.
Source: draft-ietf-opsawg-pcap. Checked by: tests/sim/test_capture_write.py, tshark where it is installed.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.payload import Payloads, copy_octets, copy_payload, octets_sum
from models.train import (
    ABSENT,
    CAPTURED,
    CSUM_PARTIAL,
    CSUM_STATE,
    FIRST_PIECE,
    FRAME_COUNT,
    HEAD_BYTES,
    INNER_L3,
    L3,
    L4,
    MISSING_BYTES,
    PAYLOAD_BYTES,
    PIECE_BYTES,
    PIECE_COUNT,
    PIECE_SOURCE,
    PIECE_START,
    SOURCE,
    START,
    TAIL_BYTES,
    TIME_PS,
    VLAN_STRIPPED,
    FrameTrain,
)
from models.units import PS_PER_NS, PS_PER_S
from models.wire import checksum, ethernet, innermost, ipv4, link, tcp, udp, vlan
from models.wire.octets import put16
from sim.behind import Behind
from sim.room_ahead import RoomAhead
from sim.whole_file import WholeFile

MAGIC_NANOSECONDS, VERSION, SNAP_BYTES = 0xA1B23C4D, (2, 4), 0x40000  # snap length: libpcap's largest
RECORD_BYTES = 16
BUFFER_BYTES = 1 << 20
TCI_MASK = 0xFFFF

WRONG_IPV4, WRONG_TRANSPORT = range(2)

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@njit(inline="always")
def _put_little32(out: Bytes, at: int, value: int) -> None:
    for k in range(4):
        out[at + k] = (value >> (8 * k)) & 0xFF


@njit(nogil=True, _nrt=False)
def _encode(
    meta: Ints, head: Bytes, pieces: Ints, payloads: Payloads, base_seconds: int, row: int, out: Bytes, wrong: Ints
) -> tuple[int, int]:
    """Write records from `row` on until `out` is full; (next row, bytes written).

    (row, 0): not even this one fits. `wrong` int64[2] counts wrong checksums."""
    at = 0
    for i in range(row, len(meta)):
        cells = meta[i]
        head_bytes = cells[HEAD_BYTES]
        tag_bytes = vlan.TAG_BYTES if cells[VLAN_STRIPPED] else 0
        original = tag_bytes + head_bytes + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES]
        payload = cells[PAYLOAD_BYTES]
        if cells[MISSING_BYTES] > 0:
            payload = payload - cells[MISSING_BYTES] if cells[FRAME_COUNT] == 1 else 0
        tail = cells[TAIL_BYTES] if cells[MISSING_BYTES] == 0 else 0
        captured = tag_bytes + head_bytes + payload + tail
        if at + RECORD_BYTES + captured > len(out):
            return i, at
        seconds = cells[TIME_PS] // PS_PER_S
        _put_little32(out, at, base_seconds + seconds)
        _put_little32(out, at + 4, (cells[TIME_PS] - seconds * PS_PER_S) // PS_PER_NS)
        _put_little32(out, at + 8, captured)
        _put_little32(out, at + 12, original)
        at += RECORD_BYTES
        frame = at + tag_bytes  # where byte 0 of `head` would be, had no tag been put in front of its EtherType
        copy_octets(head[i], 0, head_bytes, out, frame)
        if tag_bytes:
            for k in range(ethernet.ETHERTYPE):
                out[at + k] = head[i, k]
            put16(out, at + ethernet.ETHERTYPE, ethernet.VLAN)
            put16(out, at + ethernet.ETHERTYPE + 2, cells[VLAN_STRIPPED] & TCI_MASK)
        body = frame + head_bytes
        if cells[PIECE_COUNT] == 1:
            copy_payload(payloads, cells[SOURCE], cells[START], payload, out, body)
        elif payload:
            place = body
            for k in range(cells[FIRST_PIECE], cells[FIRST_PIECE] + cells[PIECE_COUNT]):
                n_bytes = pieces[k, PIECE_BYTES]
                copy_payload(payloads, pieces[k, PIECE_SOURCE], pieces[k, PIECE_START], n_bytes, out, place)
                place += n_bytes
        if cells[PIECE_COUNT] == 1 and cells[SOURCE] == CAPTURED:  # padding need not be zeros
            copy_payload(payloads, CAPTURED, cells[START] + cells[PAYLOAD_BYTES], tail, out, body + payload)
        else:
            for k in range(tail):
                out[body + payload + k] = 0
        _checksums(head[i], cells, out[frame : body + payload], wrong)
        at += captured
    return len(meta), at


@njit(_nrt=False)
def _checksums(row: Bytes, cells: Ints, packet: Bytes, wrong: Ints) -> None:
    """Complete the checksums of `packet`, one frame as written up to its padding, if partial; count wrong ones."""
    for l3 in (cells[L3], cells[INNER_L3]):
        if l3 != ABSENT and ipv4.is_ipv4(row, l3) and not checksum.ipv4_header_is_right(row, l3):
            wrong[WRONG_IPV4] += 1
    if cells[MISSING_BYTES] > 0:
        return
    l3, l4, protocol = innermost.network(cells), innermost.transport(cells), innermost.protocol(cells)
    if l4 != ABSENT and (protocol == tcp.PROTOCOL or protocol == udp.PROTOCOL):
        if cells[CSUM_STATE] == CSUM_PARTIAL:
            at = checksum.field(cells)
            put16(packet, at, 0)
            value = 0xFFFF - checksum.fold(_segment_sum(packet, l3, l4, protocol))
            put16(packet, at, 0xFFFF if value == 0 and protocol == udp.PROTOCOL else value)
        else:
            wrong[WRONG_TRANSPORT] += not _segment_is_right(packet, l3, l4, protocol)
    if innermost.has_outer_udp(cells):
        l3, l4 = cells[L3], cells[L4]
        if cells[CSUM_STATE] == CSUM_PARTIAL and udp.checksum(packet, l4) != 0:
            udp.set_checksum(packet, l4, 0)
            udp.set_checksum(packet, l4, (0xFFFF - checksum.fold(_segment_sum(packet, l3, l4, udp.PROTOCOL))) or 0xFFFF)
        wrong[WRONG_TRANSPORT] += not _segment_is_right(packet, l3, l4, udp.PROTOCOL)


@njit(_nrt=False)
def _segment_sum(packet: Bytes, l3: int, l4: int, protocol: int) -> int:
    """Sum over pseudo-header and `packet` from `l4` to its end; not folded."""
    total: int = checksum.pseudo(packet, l3, protocol, len(packet) - l4) + octets_sum(packet, l4, len(packet))
    return total


@njit(_nrt=False)
def _segment_is_right(packet: Bytes, l3: int, l4: int, protocol: int) -> bool:
    if protocol == udp.PROTOCOL and udp.checksum(packet, l4) == 0:
        return True
    right: bool = checksum.fold(_segment_sum(packet, l3, l4, protocol)) == 0xFFFF
    return right


class CaptureWriter:
    """Writes frames to a capture file; as a context manager it keeps the file only if no exception passes through.

    `base_seconds` since 1970 is the time 0 of the trains, `link_type` what their heads start with; to be set before the
    first of them. `wrong_ipv4`, `wrong_transport`: how many headers and segments were written with a checksum that does
    not verify."""

    def __init__(self, path: Path | str) -> None:
        """OSError when the file cannot be made."""
        self.frames = 0
        self.base_seconds = 0
        self.link_type = link.ETHERNET
        self._begun = False
        self._wrong = np.zeros(2, np.int64)
        self._written = 0  # bytes
        self._buffer = np.zeros(BUFFER_BYTES, np.uint8)
        self._whole = WholeFile(path)
        self._room = RoomAhead(self._whole.file) if self._whole.is_new else None
        self._behind = Behind()

    @property
    def wrong_ipv4(self) -> int:
        return int(self._wrong[WRONG_IPV4])

    @property
    def wrong_transport(self) -> int:
        return int(self._wrong[WRONG_TRANSPORT])

    def write(self, train: FrameTrain, payloads: Payloads) -> None:
        """Append all frames of `train`, in its order. OSError."""
        self.write_behind(train, payloads)
        self._behind.settle()

    def write_behind(self, train: FrameTrain, payloads: Payloads) -> None:
        """Append all frames of `train`, which nobody changes any more, while the caller goes on: `payloads` must keep
        its bytes until the next call, whatever it is of, or until `settle`. OSError, also of the call before."""
        self.frames += len(train)
        self._begin()
        meta, head, pieces, base_seconds = train.meta, train.head, train.pieces, self.base_seconds
        self._behind.put(lambda: self._append(meta, head, pieces, payloads, base_seconds))

    def settle(self) -> None:
        """Wait until the payload of all frames has been read. OSError."""
        self._behind.settle()

    def close(self) -> None:
        """Finish the file and give it its name. OSError; then nothing is left of it."""
        try:
            self._begin()
            self._behind.finish()
            if self._room is not None:
                self._room.give_back(self._written)
        except OSError:
            self._whole.abandon()
            raise
        self._whole.close()

    def abandon(self) -> None:
        """Leave no trace of the file, or of one that was to be replaced."""
        self._behind.stop()
        self._whole.abandon()

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        version, sub_version = VERSION
        header = np.array([MAGIC_NANOSECONDS, sub_version << 16 | version, 0, 0, SNAP_BYTES, self.link_type], "<u4")
        self._behind.put(lambda: self._put(header.view(np.uint8)))

    def _append(self, meta: Ints, head: Bytes, pieces: Ints, payloads: Payloads, base_seconds: int) -> None:
        row = 0
        while row < len(meta):
            row, used = _encode(meta, head, pieces, payloads, base_seconds, row, self._buffer, self._wrong)
            if used:
                self._put(self._buffer[:used])
            else:  # one packet larger than the buffer
                self._buffer = np.zeros(2 * len(self._buffer), np.uint8)

    def _put(self, octets: Bytes) -> None:
        if self._room is not None:
            self._room.take(self._written + len(octets))
        file = self._whole.file
        file.write(octets.data)
        file.flush()  # somebody may be waiting at the other end of a pipe
        self._written += len(octets)

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
