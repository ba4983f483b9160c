"""The same bursts through our GRO, and through our router and segmentation behind it.

Leaves out: checksums the card vouches for: a packet socket's frames come with none, so the engine verifies in software.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.forwarding.router import Verdict, address, age, judge
from models.offload.engine import Engine
from models.offload.segment import cut, segments_of
from models.payload import Payloads, for_capture
from models.train import (
    COLUMNS,
    CSUM_PARTIAL,
    CSUM_STATE,
    FRAME_ID,
    GSO_BYTES,
    GSO_ECN,
    GSO_FRAGLIST,
    GSO_TCP4,
    GSO_TCP6,
    GSO_TYPE,
    GSO_UDP,
    HEAD_BYTES,
    HEAD_WIDTH,
    INNER_L3,
    L3,
    PAYLOAD_BYTES,
    PIECE_BYTES,
    PIECE_COUNT,
    PIECE_START,
    START,
    TAIL_BYTES,
    FrameTrain,
    join,
)
from models.wire import checksum, ethernet, innermost, ipv4, ipv6, tcp, vlan
from models.wire.dissect import dissect
from sim.kernel_check.bench import EGRESS_MAC, FINAL_MAC, MTU_BYTES, ROUTER_MAC, Packet
from sim.kernel_check.frames import get16

Bytes = NDArray[np.uint8]

VIRTIO = {GSO_TCP4: 1, GSO_TCP6: 4, GSO_UDP: 5}  # VIRTIO_NET_HDR_GSO_*, include/uapi/linux/virtio_net.h
VIRTIO_ECN = 0x80


def train_of(burst: Sequence[bytes]) -> tuple[FrameTrain, Payloads]:
    """The frames as a train, and the bytes its payloads are in."""
    data = np.frombuffer(b"".join(burst), np.uint8)
    meta = np.zeros((len(burst), len(COLUMNS)), np.int64)
    start = 0
    for cells, frame in zip(meta, burst):
        dissect(data[start : start + len(frame)], len(frame), len(frame), cells)
        cells[START] = start + cells[HEAD_BYTES]
        start += len(frame)
    meta[:, FRAME_ID] = np.arange(len(burst))
    head = np.zeros((len(burst), max(HEAD_WIDTH, int(meta[:, HEAD_BYTES].max(initial=0)))), np.uint8)
    for row, cells in zip(head, meta):
        n_bytes = cells[HEAD_BYTES]
        row[:n_bytes] = data[cells[START] - n_bytes : cells[START]]
    return FrameTrain(meta, head), for_capture(data)


def merged(engine: Engine, burst: Sequence[bytes]) -> tuple[FrameTrain, Payloads]:
    """What the engine delivers of the burst and of a flush after it, in order, and what a packet socket sees of it."""
    train, payloads = train_of(burst)
    packets = join([engine.receive(train, payloads).packets, engine.flush(payloads).packets])
    return packets[np.flatnonzero([_is_seen(row, cells) for row, cells in zip(packets.head, packets.meta)])], payloads


def _is_seen(row: Bytes, cells: NDArray[np.int64]) -> bool:
    """skb_vlan_untag(): a frame that ends before the EtherType behind its tag is dropped before anybody sees it."""
    octets = row[: cells[HEAD_BYTES]].tobytes()
    kind = get16(octets, ethernet.ETHERTYPE)
    present = cells[HEAD_BYTES] + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES]
    return not vlan.is_tag(kind) or bool(present >= ethernet.HEADER_BYTES + vlan.TAG_BYTES + 2)


def forwarded(packets: FrameTrain, payloads: Payloads, *, blind_to_extensions: bool = False) -> FrameTrain:
    """What a router sends on, to a device that cannot segment.

    The IP layer of a router changes one header, that of the packet. Frames that were chained (rx-gro-list) keep their
    own, so all but the first leave with the TTL they came with (skb_segment_list())."""
    welcome = np.array([_is_received(row, cells) for row, cells in zip(packets.head, packets.meta)], bool)
    packets = packets[np.flatnonzero(welcome)]
    packets.meta[:, TAIL_BYTES] = 0  # the network layer cuts the frame to the length of its packet
    sent = FrameTrain(packets.meta, packets.head.copy(), packets.pieces)
    verdicts = [judge(row, cells, MTU_BYTES) for row, cells in zip(sent.head, sent.meta)]
    sent = sent[np.flatnonzero(np.array(verdicts) == Verdict.FORWARDED)]
    if blind_to_extensions:
        sent = sent[np.flatnonzero([_is_good_gso(row, cells) for row, cells in zip(sent.head, sent.meta)])]
        for row, cells in zip(sent.head, sent.meta):
            _unchain(row, cells)
    chained = sent.meta[:, GSO_TYPE] & GSO_FRAGLIST != 0
    macs = np.frombuffer(FINAL_MAC + EGRESS_MAC, np.uint8)
    for i in range(len(sent)):
        address(sent.head[i], macs)
        if not chained[i]:
            age(sent.head[i], sent.meta[i, L3])
    frames = cut(sent, payloads)
    segments = [int(segments_of(cells)) for cells in sent.meta]
    for first in (np.cumsum(segments) - segments)[chained]:
        age(frames.head[first], frames.meta[first, L3])
    return frames


def _is_received(row: Bytes, cells: NDArray[np.int64]) -> bool:
    """ip_rcv_core(), ip6_rcv_core(): whether the network layer takes the packet in at all."""
    l3 = cells[L3]
    if l3 != ethernet.HEADER_BYTES or row[:6].tobytes() != ROUTER_MAC:  # a tag is for a device that is not there
        return False
    present = int(cells[HEAD_BYTES] + cells[PAYLOAD_BYTES] + cells[TAIL_BYTES] - l3)
    if row[l3] >> 4 == 6:
        return bool(ipv6.payload_length(row, l3) + ipv6.HEADER_BYTES <= present)
    length = ipv4.total_length(row, l3)
    return bool(checksum.ipv4_header_is_right(row, l3)) and ipv4.header_bytes(row, l3) <= length <= present


def _taken_for_tcp(row: Bytes, cells: NDArray[np.int64]) -> tuple[int, int]:
    """qdisc_pkt_len_init(): where the header of merged TCP over IPv6 is looked for, which is where a router left that
    mark, behind the IPv6 header and hop-by-hop options; and how long it says it is."""
    l3 = cells[L3]
    at = int(l3) + ipv6.HEADER_BYTES
    if ipv6.next_header(row, l3) == ipv6.HOP_BY_HOP:
        at += 8 * (int(row[at + 1]) + 1)
    return at, 4 * (int(row[at + tcp.OFFSET]) >> 4)


def _is_merged_tcp6(cells: NDArray[np.int64]) -> bool:
    return bool(cells[GSO_BYTES] and cells[GSO_TYPE] & GSO_TCP6 and cells[INNER_L3] < 0)


def _is_good_gso(row: Bytes, cells: NDArray[np.int64]) -> bool:
    """What has no data offset there is dropped."""
    if not _is_merged_tcp6(cells):
        return True
    at, n_bytes = _taken_for_tcp(row, cells)
    return tcp.MINIMUM_BYTES <= n_bytes <= cells[HEAD_BYTES] + cells[PAYLOAD_BYTES] - at


def _unchain(row: Bytes, cells: NDArray[np.int64]) -> None:
    """What is taken for a header is pulled into the first frame of a chain; when it was longer than that frame, the
    frames of the chain are no longer whole (tcp6_gso_segment()), and it is cut like another packet."""
    if _is_merged_tcp6(cells) and sum(_taken_for_tcp(row, cells)) > cells[HEAD_BYTES] + cells[GSO_BYTES]:
        cells[GSO_TYPE] &= ~GSO_FRAGLIST


def packets_of(packets: FrameTrain, payloads: Payloads) -> list[Packet]:
    """Every row as a packet socket would show it."""
    return [_packet(packets, i, payloads) for i in range(len(packets))]


def _packet(packets: FrameTrain, i: int, payloads: Payloads) -> Packet:
    cells = packets.meta[i]
    parts = [packets.head[i, : cells[HEAD_BYTES]].tobytes()]
    data = payloads.captured
    for piece in packets.payload_of(i):
        parts.append(data[piece[PIECE_START] : piece[PIECE_START] + piece[PIECE_BYTES]].tobytes())
    if cells[TAIL_BYTES] and cells[PIECE_COUNT] == 1:
        start = cells[START] + cells[PAYLOAD_BYTES]
        parts.append(data[start : start + cells[TAIL_BYTES]].tobytes())
    kind = 0
    if cells[GSO_BYTES]:
        kind = next((value for bit, value in VIRTIO.items() if cells[GSO_TYPE] & bit), 0)
        kind |= VIRTIO_ECN if cells[GSO_TYPE] & GSO_ECN else 0
    start = at = 0
    if cells[CSUM_STATE] == CSUM_PARTIAL:
        start, at = int(innermost.transport(cells)), int(checksum.field(cells))
    return Packet(b"".join(parts), int(cells[GSO_BYTES]), kind, start, at)
