"""`run.py kernel-check`: the running Linux kernel as referee of our GRO, our router and our segmentation.

Needs root on Linux; works in network namespaces of its own, which are gone when the process is.
"""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator

from sim.cli.targets import A_FILE, STANDARD, Refused, naming

DEFAULT_TRAINS = 2000
CANNOT = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Takes how many random trains, from which seed, and where the answer goes."""
    parser.add_argument("--trains", type=_whole, default=DEFAULT_TRAINS, metavar="N", help=f"default: {DEFAULT_TRAINS}")
    parser.add_argument("--seed", type=_whole, default=1, metavar="N", help="of the random trains (default: 1)")
    parser.add_argument("--json", metavar="FILE", help="write the counts; - is standard output")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:20]) < 1 << 40):
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a whole number")
    return int(text)


def main(args: argparse.Namespace) -> int:
    """Prints the report; 1 when kernel and model disagree or the run is void, 3 where there is no referee."""
    from sim.kernel_check.namespace import Unavailable
    from sim.kernel_check.run import referee
    from sim.results import dump
    from sim.whole_file import WholeFile

    with contextlib.ExitStack() as stack:
        try:
            with naming(args.json, A_FILE):
                whole = WholeFile(args.json) if args.json else None
        except Refused as refused:
            print(refused, file=sys.stderr)
            return 2
        if whole is not None:
            stack.callback(whole.abandon)  # what is closed by then stays
        try:
            with _progress(args.trains) as progress:
                report = referee(args.trains, args.seed, progress=progress)
        except Unavailable as missing:
            print(f"kernel-check: {missing}", file=sys.stderr)
            return CANNOT
        print("\n".join(report.lines()), file=sys.stderr if args.json == STANDARD else sys.stdout)
        if whole is not None:
            whole.file.write(dump(report.as_json()).encode())
            whole.close()
    return 0 if report.agrees else 1


@contextlib.contextmanager
def _progress(trains: int) -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr; told how many cases are done."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bars:
        bar = bars.add_task("trains", total=trains)
        yield lambda done: bars.update(bar, completed=done)
