"""`run.py list`: each scenario with its question."""

import argparse
import sys
from pathlib import Path

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Takes a folder to look in; the project's own when none is named."""
    parser.add_argument("folder", nargs="?", type=Path, default=SCENARIOS, help="where to look (default: scenarios/)")


def main(args: argparse.Namespace) -> int:
    """Prints a line a file; 2 when the folder cannot be read."""
    from sim.scenario import question

    try:
        files = sorted(path for path in args.folder.iterdir() if path.suffix in (".yaml", ".yml"))
        width = max((len(path.name) for path in files), default=0)
        for path in files:
            print(f"{path.name:{width}}  {question(path) or '(asks nothing)'}")
    except OSError as error:
        print(f"{args.folder}: found {(error.strerror or '').lower()}, wanted a folder of scenarios", file=sys.stderr)
        return 2
    return 0
