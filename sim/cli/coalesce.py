"""`run.py coalesce`: what receive offload makes of a capture, frame by frame, as one poll after the other would see it.

The capture is read once, so it may be a pipe without end. A file that is written gets its name when it is whole; if the
capture turns out to be broken, there is none.
"""

import argparse
import contextlib
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.units import parse_time_ps
from sim.cli import targets
from sim.cli.targets import A_FILE, STANDARD, Refused, naming

if TYPE_CHECKING:
    from sim.capture import Capture
    from sim.capture_write import CaptureWriter
    from sim.coalesce.card import Address
    from sim.coalesce.table_file import TableFile
    from sim.coalesce.tally import Tally

DEFAULT_ENGINES = "none,gro,lro-driver,merge-everything"
MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", re.IGNORECASE)
QUIET_S = 1.0  # a capture done before that needs no bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Takes a capture, the engines, how frames are grouped into polls, and where the answer goes."""
    parser.add_argument("capture", metavar="CAPTURE", help="pcap or pcapng, also gzip; - is standard input")
    parser.add_argument("--engine", default=DEFAULT_ENGINES, metavar="NAME,...", help=f"default: {DEFAULT_ENGINES}")
    parser.add_argument("--gap", default="50us", metavar="TIME", help="a longer silence ends a poll (default: 50us)")
    parser.add_argument("--budget", default="64", metavar="N", help="frames that end a poll (default: 64)")
    parser.add_argument("--batch", choices=["all"], help="all: one poll, flushed at the end of the file")
    parser.add_argument("--to", default="both", metavar="ADDRESS", help="MAC or IP of the receiver (default: both)")
    parser.add_argument("--mtu", default="1500", metavar="BYTES", help="longer is merged already (default: 1500)")
    parser.add_argument(
        "--checksum",
        choices=["card", "verify"],
        default="verify",
        help="card: all are right; verify: summed (default)",
    )
    parser.add_argument("--rx-hash", choices=["none", "toeplitz"], default="toeplitz", help="what the card computes")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PARAMETER=VALUE",
        help="of each engine that has it, as in docs/engines.md: rx_udp_gro_forwarding=on, psh=closes (repeatable)",
    )
    parser.add_argument("--out", metavar="FILE", help="write the packets as a capture; - is standard output")
    parser.add_argument("--resegment", metavar="FILE", help="write the packets cut again, and compare; - likewise")
    parser.add_argument("--explain", metavar="FILE", help="write a row for each frame, as .csv or .parquet")
    parser.add_argument("--figure", metavar="FILE", help="draw what came out, as .png, .pdf or .svg")
    parser.add_argument("--json", metavar="FILE", help="write the counts; - is standard output")


def main(args: argparse.Namespace) -> int:
    """Prints the comparison; 2 and one line when something asked for cannot be."""
    try:
        _coalesce(args)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 2
    return 0


def _coalesce(args: argparse.Namespace) -> None:
    from sim.capture import Capture, CaptureError
    from sim.coalesce.card import Card, Settings
    from sim.coalesce.explain import Explained
    from sim.coalesce.passage import Lane, run
    from sim.coalesce.polls import NO_LIMIT, Polls
    from sim.coalesce.resegment import PacketsOut, Resegmented
    from sim.coalesce.settings import given
    from sim.coalesce.tally import Tally, known_engines, make

    names = _engines(args.engine, known_engines())
    try:
        chosen = given(names, args.set)
    except ValueError as error:
        raise Refused(str(error)) from None
    card = Card(
        Settings(
            mtu_bytes=_number("mtu", args.mtu),
            rx_hash=args.rx_hash == "toeplitz",
            verifies=args.checksum == "verify",
            to=_address(args.to),
        )
    )
    gap_ps, budget = _time("gap", args.gap), _number("budget", args.budget)
    polls = Polls(gap_ps=NO_LIMIT, budget=NO_LIMIT) if args.batch else Polls(gap_ps=gap_ps, budget=budget)
    to_stdout = targets.check(args)
    for name in ("out", "resegment"):
        if getattr(args, name) and len(names) > 1:
            raise Refused(f"--{name}: found {len(names)} engines, wanted one: choose it with --engine {names[-1]}")
    lanes = [Lane(Tally(make(name, chosen[name])), []) for name in names]
    resegmented = None
    writer = None
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming(args.capture, "a capture"))
        try:
            capture = stack.enter_context(Capture.open(args.capture))
            if args.out:
                writer = stack.enter_context(_written(args.out))
                lanes[0].observers.append(PacketsOut(writer, capture))
            if args.resegment:
                resegmented = Resegmented(stack.enter_context(_written(args.resegment)), capture)
                lanes[0].observers.append(resegmented)
            if args.explain:
                table = stack.enter_context(_table(args.explain))
                for lane in lanes:
                    lane.observers.append(Explained(table, capture, lane.tally.engine.name))
            with _progress(capture) as progress, _first_interrupt_ends_the_capture(args.capture):
                run(capture, lanes, polls, card, progress=progress)
        except CaptureError as error:
            raise Refused(str(error)) from None
    tallies = [lane.tally for lane in lanes]
    _print(args.capture, capture.file.frames, tallies, card.notes, to_stderr=to_stdout)
    if writer is not None:
        wrong = f"{writer.wrong_ipv4} IPv4 and {writer.wrong_transport} TCP or UDP checksums in it are wrong"
        print(f"{args.out}: {writer.frames} packets; {wrong}, written as they were", file=sys.stderr)
    if resegmented is not None:
        print(resegmented.summary(args.resegment), file=sys.stderr)
    if args.figure:
        engines = [tally.as_json() | {"merge_sizes": tally.merge_sizes} for tally in tallies]
        _draw(args.figure, {"name": f"{Path(args.capture).name}: {capture.file.frames:,} frames", "engines": engines})
    if args.json:
        said = {"set": args.set} if args.set else {}
        _write_json(args.json, {"engines": [tally.as_json() for tally in tallies]} | said)


def _engines(text: str, known: Sequence[str]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names or [text]:
        if name not in known:
            raise Refused(f"--engine: found {name!r}, wanted one or more of {', '.join(known)}")
    return list(dict.fromkeys(names))


def _number(option: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) < 1 << 40):
        raise Refused(f"--{option}: found {text!r}, wanted a whole number of at least 1")
    return int(text)


def _address(text: str) -> "bytes | Address | None":
    if text == "both":
        return None
    if MAC.fullmatch(text):
        return bytes.fromhex(text.replace(":", "").replace("-", ""))
    try:
        return ip_address(text)
    except ValueError:
        raise Refused(f"--to: found {text!r}, wanted both, a MAC address or an IP address") from None


def _time(option: str, text: str) -> int:
    try:
        time_ps = parse_time_ps(text)
    except ValueError:
        time_ps = -1
    if not 0 <= time_ps < 1 << 62:
        raise Refused(f"--{option}: found {text!r}, wanted a time such as 50us")
    return time_ps


@contextlib.contextmanager
def _written(target: str) -> Iterator["CaptureWriter"]:
    """A capture to write to; what goes wrong with it is told by its own name, not by that of the capture read."""
    from sim.capture_write import CaptureWriter

    with naming(target, A_FILE), CaptureWriter(target) as writer:
        yield writer


@contextlib.contextmanager
def _table(target: str) -> Iterator["TableFile"]:
    from sim.coalesce.explain import COLUMNS
    from sim.coalesce.table_file import TableFile

    with naming(target, A_FILE):
        try:
            table = TableFile(target, COLUMNS)
        except ImportError:
            raise Refused(f"--explain: found {target!r} but no pyarrow, which writes Parquet, wanted .csv") from None
        with table:
            yield table


@contextlib.contextmanager
def _first_interrupt_ends_the_capture(source: str) -> Iterator[None]:
    """Ctrl-C reaches tcpdump at the other end of the pipe too, which then ends it: what it sent is still counted.

    The second one interrupts."""
    if source != STANDARD or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, lambda *_: signal.signal(signal.SIGINT, before))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _progress(capture: "Capture") -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr for a capture that takes long enough; told how many frames are done."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    file, started = capture.file, time.monotonic()
    columns = (BarColumn(), TextColumn("{task.fields[frames]:,} frames"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("", total=file.total or None, frames=0, visible=False)

        def show(frames: int) -> None:
            bars.update(bar, completed=file.taken, frames=frames, visible=time.monotonic() - started > QUIET_S)

        yield show


def _print(name: str, frames: int, tallies: Sequence["Tally"], notes: Sequence[str], *, to_stderr: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from sim.coalesce.tally import lost_table, reasons_table, summary_table

    console = Console(stderr=to_stderr)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, width=160)  # a pipe has no width; 80 would break the columns
    tables = {
        f"{name}: {frames} frames": summary_table(tallies),
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


def _draw(target: str, report: Mapping[str, Any]) -> None:
    from sim.plots import coalesced, style
    from sim.whole_file import WholeFile

    with naming(target, A_FILE), WholeFile(target) as file:
        style.save_as(coalesced.draw(report), file, Path(target).suffix)


def _write_json(target: str, data: object) -> None:
    from sim.results import dump, write_text

    if target == STANDARD:
        sys.stdout.write(dump(data))
        return
    with naming(target, A_FILE):
        write_text(Path(target), dump(data))
