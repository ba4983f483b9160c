"""Frames per second of the receive offload engines and of the cut: in-memory trains, warm cache, one core.

python benchmarks/engines.py [--repeats 30]
Trains of 64 frames of 8 flows, taken in turn, one poll each; 1448 bytes of payload, timestamps, the card's checksum
verdict and hash unless said. Each figure is the median of the repeats, in CPU time so that a busy machine does not
count, beside the ratio to a bare loop over the same trains that reads the same header fields and does nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.compiled import njit
from models.nic.rss import hash_rows
from models.offload.engine import make
from models.offload.segment import cut
from models.packet import Route, packet
from models.payload import SYNTHETIC, Payloads, for_capture
from models.tcp.segment import ACK, Segment
from models.train import (
    CAPTURED,
    CSUM_NONE,
    CSUM_STATE,
    CSUM_VERIFIED,
    L3,
    L4,
    RX_HASH,
    SOURCE,
    START,
    FrameTrain,
    join,
)
from models.wire import checksum, ipv4, tcp

FRAMES, FLOWS, TRAINS, ROUNDS, PAYLOAD = 64, 8, 16, 20, 1448  # 16 trains stay in a core's cache


@njit
def bare(meta, head):
    """Read what a merge compares of every frame; the sum only keeps the compiler from leaving it out."""
    total = 0
    for i in range(len(meta)):
        row, l3, l4 = head[i], meta[i, L3], meta[i, L4]
        total += ipv4.source(row, l3) ^ ipv4.destination(row, l3) ^ tcp.ports(row, l4)
        total += ipv4.total_length(row, l3) ^ ipv4.ident(row, l3) ^ ipv4.fragment(row, l3)
        total += ipv4.ttl(row, l3) ^ ipv4.tos(row, l3) ^ tcp.flags(row, l4) ^ tcp.header_bytes(row, l4)
        total += tcp.seq(row, l4) ^ tcp.ack(row, l4) ^ tcp.window(row, l4) ^ tcp.tsval(row, l4) ^ tcp.tsecr(row, l4)
    return total


@dataclass(frozen=True, slots=True)
class Load:
    """Trains to run an engine over, and where their payload bytes are."""

    trains: list[FrameTrain]
    payloads: Payloads


def frames(first: int) -> FrameTrain:
    """One train: FRAMES frames of FLOWS flows in turn, each flow going on where its last train ended."""
    rows = []
    for i in range(FRAMES):
        flow, nth = i % FLOWS, (first + i) // FLOWS
        route = Route(
            source_mac=bytes(5) + b"\x01",
            destination_mac=bytes(5) + b"\x02",
            source=IPv4Address("10.0.0.1"),
            destination=IPv4Address("10.0.0.2"),
            source_port=40000 + flow,
            destination_port=443,
            stream=1 + flow,
        )
        segment = Segment(
            nth * PAYLOAD, 1, ACK, 501, payload_bytes=PAYLOAD, payload_start=nth * PAYLOAD,
            timestamps=True, tsval=7, tsecr=7,
        )  # fmt: skip
        rows.append(packet(segment, route, time_ps=1000 * i, ident=nth, frame_id=first + i))
    train = cut(join(rows), SYNTHETIC)
    train.meta[:, CSUM_STATE] = CSUM_VERIFIED
    hash_rows(train.head, train.meta, train.meta[:, RX_HASH])
    return train


def loads() -> tuple[Load, Load]:
    """The trains with the card's verdict, and the same with their bytes in a capture and nobody's word on checksums."""
    trains = [frames(k * FRAMES) for k in range(TRAINS)]
    captured = np.random.default_rng(1).integers(0, 256, FRAMES * PAYLOAD, np.uint8)
    payloads = for_capture(captured)
    unverified = []
    for train in trains:
        meta, head = train.meta.copy(), train.head.copy()
        meta[:, CSUM_STATE], meta[:, SOURCE] = CSUM_NONE, CAPTURED
        meta[:, START] = np.arange(FRAMES) * PAYLOAD
        for i in range(FRAMES):
            value = checksum.transport(payloads, train.pieces, head[i], meta[i])
            tcp.set_checksum(head[i], meta[i, L4], value)
        unverified.append(FrameTrain(meta, head, train.pieces))
    return Load(trains, SYNTHETIC), Load(unverified, payloads)


def per_second(work: Callable[[], int], repeats: int) -> float:
    """Median over the repeats of what `work` says it did, per second; its first run, which compiles, is not counted."""
    done = ROUNDS * work()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        for _ in range(ROUNDS):
            work()
        times.append(time.process_time() - began)
    return done / statistics.median(times)


def through(name: str, load: Load, *, together: int = 1) -> Callable[[], int]:
    """Take every train in, a poll each, `together` of them a call."""
    engine = make(name)
    parts = [join(load.trains[k : k + together]) for k in range(0, TRAINS, together)]
    polls = np.arange(1, together + 1) * FRAMES

    def work() -> int:
        for part in parts:
            engine.receive(part, load.payloads, polls=polls)
        return TRAINS * FRAMES

    return work


def cutting(load: Load) -> Callable[[], int]:
    """Cut what GRO makes of every train."""
    engine, polls = make("gro"), np.array([FRAMES])
    merged = [engine.receive(train, load.payloads, polls=polls).packets for train in load.trains]

    def work() -> int:
        return sum(len(cut(packets, load.payloads)) for packets in merged)

    return work


def reading(load: Load) -> Callable[[], int]:
    def work() -> int:
        for train in load.trains:
            bare(train.meta, train.head)
        return TRAINS * FRAMES

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30, help="runs over all trains, of which the median counts")
    repeats = parser.parse_args().repeats
    verified, unverified = loads()
    base = per_second(reading(verified), repeats)
    print(f"bare loop: {base:,.0f} frames/s")
    for label, work in (
        ("gro", through("gro", verified)),
        ("gro, 16 polls a call", through("gro", verified, together=16)),
        ("lro-driver", through("lro-driver", verified)),
        ("gro, software verifies 1448 captured bytes", through("gro", unverified)),
        ("cut (GSO), output", cutting(verified)),
    ):
        rate = per_second(work, repeats)
        print(f"{label}: {rate:,.0f} frames/s, {base / rate:.1f} times a bare loop's time")


if __name__ == "__main__":
    main()
