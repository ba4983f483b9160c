"""`run.py coalesce`: what receive offload makes of a capture, frame by frame, as one poll after the other would see it.

The capture's checksums are verified in software; where the snap length cut a frame, or it is merged already, the card
is taken to have said that they are right. A capture is known to be readable to its end before anything is written.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.units import parse_time_ps

if TYPE_CHECKING:
    from sim.capture import Capture
    from sim.coalesce import Tally

DEFAULT_ENGINES = "none,gro,lro-driver,merge-everything"


class _Refused(Exception):
    """Something asked for cannot be; the text says what."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Takes a capture, the engines, how frames are grouped into polls, and where the answer goes."""
    parser.add_argument("capture", metavar="CAPTURE", help="pcap or pcapng, also gzip; - is standard input")
    parser.add_argument("--engine", default=DEFAULT_ENGINES, metavar="NAME,...", help=f"default: {DEFAULT_ENGINES}")
    parser.add_argument("--gap", default="50us", metavar="TIME", help="a longer silence ends a poll (default: 50us)")
    parser.add_argument("--budget", default="64", metavar="N", help="frames that end a poll (default: 64)")
    parser.add_argument("--batch", choices=["all"], help="all: one poll, flushed at the end of the file")
    parser.add_argument("--mtu", default="1500", metavar="BYTES", help="longer is merged already (default: 1500)")
    parser.add_argument("--rx-hash", choices=["none", "toeplitz"], default="toeplitz", help="what the card computes")
    parser.add_argument("--out", metavar="FILE", help="write the packets as a capture; - is standard output")
    parser.add_argument("--json", metavar="FILE", help="write the counts; - is standard output")


def main(args: argparse.Namespace) -> int:
    """Prints the comparison; 2 and one line when something asked for cannot be."""
    try:
        _coalesce(args)
    except _Refused as refused:
        print(refused, file=sys.stderr)
        return 2
    return 0


def _coalesce(args: argparse.Namespace) -> None:
    from sim.capture import Capture, CaptureError
    from sim.capture_write import CaptureWriter
    from sim.coalesce import NO_LIMIT, Polls, Settings, Tally, known_engines, make, run

    names = _engines(args.engine, known_engines())
    settings = Settings(mtu_bytes=_number("mtu", args.mtu), rx_hash=args.rx_hash == "toeplitz")
    gap_ps, budget = _time("gap", args.gap), _number("budget", args.budget)
    polls = Polls(gap_ps=NO_LIMIT, budget=NO_LIMIT) if args.batch else Polls(gap_ps=gap_ps, budget=budget)
    if args.out and len(names) > 1:
        raise _Refused(f"--out: found {len(names)} engines, wanted one: choose it with --engine {names[-1]}")
    if args.out == "-" and args.json == "-":
        raise _Refused("--out and --json: found standard output twice, wanted a file for one of them")
    if args.json and args.json != "-":
        _may_write(Path(args.json))
    with _naming(args.capture, "a capture"):
        try:
            capture = Capture.open(args.capture)
        except CaptureError as error:
            raise _Refused(str(error)) from None
    tallies = [Tally(make(name)) for name in names]
    with contextlib.ExitStack() as stack, _progress(capture.frames) as progress:
        writer = None
        if args.out:
            stack.enter_context(_naming(args.out, "a file to write"))
            writer = stack.enter_context(CaptureWriter(args.out, base_seconds=capture.base_seconds))
        notes = run(capture, tallies, polls, settings, writer=writer, progress=progress)
    _print(args.capture, capture, tallies, notes, to_stderr="-" in (args.out, args.json))
    if writer is not None:
        wrong = f"{writer.wrong_ipv4} IPv4 and {writer.wrong_transport} TCP or UDP checksums in it are wrong"
        print(f"{args.out}: {writer.frames} packets; {wrong}, written as they were", file=sys.stderr)
    if args.json:
        _write_json(args.json, {"engines": [tally.as_json() for tally in tallies]})


def _engines(text: str, known: Sequence[str]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names or [text]:
        if name not in known:
            raise _Refused(f"--engine: found {name!r}, wanted one or more of {', '.join(known)}")
    return list(dict.fromkeys(names))


def _number(option: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) < 1 << 40):
        raise _Refused(f"--{option}: found {text!r}, wanted a whole number of at least 1")
    return int(text)


def _time(option: str, text: str) -> int:
    try:
        time_ps = parse_time_ps(text)
    except ValueError:
        time_ps = -1
    if not 0 <= time_ps < 1 << 62:
        raise _Refused(f"--{option}: found {text!r}, wanted a time such as 50us")
    return time_ps


@contextlib.contextmanager
def _naming(place: str, wanted: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _Refused(f"{place}: found {(error.strerror or str(error)).lower()}, wanted {wanted}") from None


def _may_write(target: Path) -> None:
    """Tries before minutes are spent on what goes there."""
    if target.is_dir():
        raise _Refused(f"{target}: found a folder, wanted a file to write")
    with _naming(str(target.parent), "a folder to write to"), tempfile.TemporaryFile(dir=target.parent):
        pass


@contextlib.contextmanager
def _progress(frames: int) -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr for a capture that takes long enough; told how many frames are done."""
    if frames < 500_000 or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bars:
        bar = bars.add_task("frames", total=frames)
        yield lambda done: bars.update(bar, completed=done)


def _print(name: str, capture: "Capture", tallies: Sequence["Tally"], notes: Sequence[str], *, to_stderr: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from sim.coalesce import lost_table, reasons_table, summary_table

    console = Console(stderr=to_stderr)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, width=160)  # a pipe has no width; 80 would break the columns
    tables = {
        f"{name}: {capture.frames} frames": summary_table(tallies),
        "frames not merged, and why": reasons_table(tallies),
        "packets completed, and why": reasons_table(tallies, closes=True),
        "lost when the packets are cut again": lost_table(tallies),
    }
    for title, (columns, rows) in tables.items():
        if not rows:
            continue
        table = Table(title=title, title_justify="left")
        for i, column in enumerate(columns):
            table.add_column(column, justify="right" if i else "left")
        for row in rows:
            table.add_row(*map(str, row))
        console.print(table)
    for note in notes:
        console.print(note, highlight=False)


def _write_json(target: str, data: object) -> None:
    from sim.results import dump, write_text

    if target == "-":
        sys.stdout.write(dump(data))
        return
    with _naming(target, "a file to write"):
        write_text(Path(target), dump(data))
