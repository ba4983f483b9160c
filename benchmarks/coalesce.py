"""How fast `coalesce` puts a capture through Linux GRO: frames per second, and from file to file against `cp`.

python benchmarks/coalesce.py [--megabytes 300] [--folder FOLDER]

The capture is made here: 8 flows in bursts of 64 frames, with right checksums, which are verified. Kernels are warm;
each case takes the best of several rounds, in which `cp` and `coalesce` take turns on the same file in the page cache,
to a name that is free and to one that the other has just written.
Memory is the largest resident set of a process of its own.
"""

import argparse
import contextlib
import io
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.payload import SYNTHETIC
from models.train import (
    CSUM_PARTIAL,
    CSUM_STATE,
    HEAD_BYTES,
    L3,
    L4,
    PAYLOAD_BYTES,
    PROTOCOL,
    SOURCE,
    START,
    TIME_PS,
    FrameTrain,
)
from models.units import PS_PER_NS, PS_PER_US
from models.wire import checksum, ethernet, ipv4, tcp
from sim.capture_write import CaptureWriter

ROOT = Path(__file__).resolve().parents[1]
FLOWS, BURST = 8, 64
HEADER = bytes.fromhex(
    "020000000001020000000002 0800 4500000000004000 40060000 0a000001 0a000002"
    "00010002 00000000 00000001 8010 0100 0000 0000 0101080a 00000001 00000002"
)
AT_ONCE = 1 << 14
ROUNDS = 5


def frames(first: int, count: int, payload_bytes: int) -> FrameTrain:
    """Frames `first` and on of an endless capture: 10 Gb/s within a burst, 100 us of silence after it."""
    number = np.arange(first, first + count)
    flow, turn = number % FLOWS, number // FLOWS
    train = FrameTrain.blank(count)
    train.head[:, : len(HEADER)] = np.frombuffer(HEADER, np.uint8)
    l3, l4 = ethernet.HEADER_BYTES, ethernet.HEADER_BYTES + ipv4.MINIMUM_BYTES
    put(train.head, l3 + ipv4.TOTAL_LENGTH, 2, np.full(count, len(HEADER) - l3 + payload_bytes))
    put(train.head, l3 + ipv4.ID, 2, turn)
    put(train.head, l4 + tcp.SOURCE_PORT, 2, 1024 + flow)
    put(train.head, l4 + tcp.SEQ, 4, turn * payload_bytes)
    for row in train.head:
        put(row[None], l3 + ipv4.CHECKSUM, 2, np.array([checksum.ipv4_header(row, l3)]))
    meta = train.meta
    meta[:, TIME_PS] = number * 1230 * PS_PER_NS + number // BURST * 100 * PS_PER_US
    meta[:, [HEAD_BYTES, L3, L4, PROTOCOL]] = len(HEADER), l3, l4, tcp.PROTOCOL
    meta[:, PAYLOAD_BYTES], meta[:, CSUM_STATE] = payload_bytes, CSUM_PARTIAL
    meta[:, SOURCE], meta[:, START] = 1 + flow, turn * payload_bytes
    return train


def put(head: np.ndarray, at: int, size: int, values: np.ndarray) -> None:
    for k in range(size):
        head[:, at + k] = values >> 8 * (size - 1 - k) & 0xFF


def make(path: Path, megabytes: int, payload_bytes: int) -> int:
    """Write a capture of about that size; returns how many frames it has."""
    count = megabytes * 1_000_000 // (16 + len(HEADER) + payload_bytes)
    with CaptureWriter(path) as writer:
        writer.base_seconds = 1_700_000_000
        for first in range(0, count, AT_ONCE):
            writer.write(frames(first, min(AT_ONCE, count - first), payload_bytes), SYNTHETIC)
    return count


def seconds(*words: str) -> tuple[float, float]:
    """Wall and CPU time [s] of `run.py coalesce` with these words, start-up not counted."""
    from sim.cli import coalesce

    parser = argparse.ArgumentParser()
    coalesce.add_arguments(parser)
    args = parser.parse_args(words)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        start, start_cpu = time.perf_counter(), time.process_time()
        if coalesce.main(args) != 0:
            raise SystemExit(f"coalesce {' '.join(words)} failed")
        return time.perf_counter() - start, time.process_time() - start_cpu


def cp_seconds(source: Path, target: Path) -> tuple[float, float]:
    """Wall and CPU time [s] of `cp`."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["cp", source, target], check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def through_seconds(source: Path, target: Path) -> tuple[float, float]:
    """Wall and CPU time [s] of `coalesce` with Linux GRO."""
    return seconds(str(source), "--engine", "gro", "--out", str(target))


def best(times: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The least wall time and the least CPU time."""
    wall, cpu = zip(*times, strict=True)
    return min(wall), min(cpu)


def process(*words: str) -> tuple[float, int]:
    """(wall time [s], largest resident set [MiB]) of the whole command as a user starts it."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from run import main; main({words!r})\n"
    code += "print(*(line for line in open('/proc/self/status') if line.startswith('VmHWM')), file=sys.stderr)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, int(re.findall(r"\d+", done.stderr)[-1]) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=300, help="size of the capture of full-size frames")
    parser.add_argument("--folder", type=Path, help="where the captures are written (default: a temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        full, heads, out = folder / "full.pcap", folder / "heads.pcap", folder / "out.pcap"
        count = make(full, args.megabytes, 1448)
        few = make(heads, max(1, args.megabytes // 4), 0)
        seconds(str(full), "--engine", "gro", "--out", "/dev/null")  # compiles
        for name, path, n in (("full-size", full, count), ("header-only", heads, few)):
            wall, cpu = best(seconds(str(path), "--engine", "gro", "--out", "/dev/null") for _ in range(ROUNDS))
            print(f"{name} frames, --out /dev/null: {n / wall:,.0f} frames/s; {n / cpu:,.0f} per second of CPU")
        for label, replaces in (("file to new file", False), ("file over file", True)):
            copies, throughs = [], []
            for _ in range(ROUNDS):
                for times, measure in ((copies, cp_seconds), (throughs, through_seconds)):
                    if not replaces:
                        out.unlink(missing_ok=True)
                    times.append(measure(full, out))
            (copy, copy_cpu), (through, cpu) = best(copies), best(throughs)
            print(f"{label}: {count / through:,.0f} frames/s; {copy / through:.2f} of cp", end=" ")
            print(f"({copy:.3f} s, {copy_cpu:.3f} of CPU, against {through:.3f} s, {cpu:.3f} of CPU in two threads)")
        whole, memory_mib = process("coalesce", str(full), "--engine", "gro", "--out", str(out))
        print(f"the whole command: {whole:.2f} s, {memory_mib} MiB at most, for a capture of {args.megabytes} MB")


if __name__ == "__main__":
    main()
