"""Which command is meant. A command's file is imported when it is called for: `--help` shall not wait for numba."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

COMMANDS = {
    "run": "simulate scenarios, compare their variants, write results and figures",
    "list": "show the scenarios and the question each asks",
    "validate": "check scenario files without running them",
    "coalesce": "show what receive offload makes of a capture",
    "kernel-check": "compare our GRO, router and segmentation with the running Linux kernel (root)",
}
USAGE_ERROR = 2


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without its usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message}; {self.prog} --help has all there is\n")


def main(argv: Sequence[str]) -> int:
    """Runs the command in `argv` [without the program's name]; returns the exit status.

    0: done; 1: done, and the answer is no; 2: something asked for cannot be; 3: this machine cannot; 130:
    interrupted. Raises SystemExit as argparse does.
    """
    parser = _Parser(prog="run.py", description="A discrete-event simulator of TCP receive offload (LRO and GRO).")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    command = next((word for word in argv if not word.startswith("-")), None)
    for name, about in COMMANDS.items():
        own = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        if name == command:
            module = importlib.import_module(f"sim.cli.{name.replace('-', '_')}")
            module.add_arguments(own)
    args, rest = parser.parse_known_args(argv)
    if rest:  # argparse gives up on positionals that stand behind an option
        if not hasattr(args, "inputs") or any(word.startswith("-") and word != "-" for word in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        args.inputs += rest
    try:
        return int(module.main(args))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
