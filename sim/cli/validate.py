"""`run.py validate`: every mistake in scenario files, without running them."""

import argparse
import sys

from sim.cli.inputs import INPUTS_HELP, split


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Takes files and overrides, as `run` does."""
    parser.add_argument("inputs", nargs="+", metavar="FILE", help=INPUTS_HELP)


def main(args: argparse.Namespace) -> int:
    """Prints a line a file; 2 when one has a mistake, with a line for each on stderr."""
    from sim import build
    from sim.scenario import ScenarioErrors, load

    files, overrides = split(args.inputs)
    if not files:
        print("found no file, wanted a scenario such as scenarios/host.yaml", file=sys.stderr)
        return 2
    mistakes: dict[str, None] = {}  # a bad override is told once, not once a file
    for file in files:
        try:
            scenario = load(file, overrides)
        except ScenarioErrors as errors:
            mistakes |= dict.fromkeys(errors.lines)
            continue
        if unwired := build.mistakes(scenario):
            mistakes |= dict.fromkeys(unwired)
        else:
            print(f"{file}: good; variants {', '.join(scenario.variants) or 'none'}")
    for line in mistakes:
        print(line, file=sys.stderr)
    return 2 if mistakes else 0
