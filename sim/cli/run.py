"""`run.py run`: simulates the variants of scenarios, compares them, writes `results/<scenario>/`.

What a variant gave is saved when it ends, so a later crash or Ctrl-C takes nothing away; nothing is simulated before
every file, override and place to write has been looked at.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sim.cli.inputs import INPUTS_HELP, split
from sim.cli.targets import A_FOLDER, STANDARD, Refused, may_write, may_write_in, naming

if TYPE_CHECKING:
    from sim.results import Finished, RunResult
    from sim.scenario import Scenario

Progress = Callable[[float], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Takes files, overrides, and where what goes."""
    parser.add_argument("inputs", nargs="+", metavar="FILE|PATH=VALUE", help=INPUTS_HELP)
    parser.add_argument("--variant", metavar="NAME", help="run only this variant")
    parser.add_argument("--out", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    parser.add_argument("--json", metavar="FILE", help="write the metrics there too; - is standard output")
    parser.add_argument("--pcap", action="store_true", help="write what each NIC and each stack saw")
    parser.add_argument("--no-plots", action="store_true", help="draw no figures")
    parser.add_argument("--quiet", action="store_true", help="no progress, no table")


def main(args: argparse.Namespace) -> int:
    """Runs everything; 2 and one line a mistake when something asked for cannot be."""
    try:
        scenarios = _scenarios(args)
        _may_write(args)
        reports = _run_all(scenarios, args)
        if args.json:
            _write_json(args.json, reports[0] if len(reports) == 1 else reports)
    except Refused as refused:
        for line in refused.args:
            print(line, file=sys.stderr)
        return 2
    return 0


def _scenarios(args: argparse.Namespace) -> list["Scenario"]:
    from sim import build
    from sim.scenario import ScenarioErrors, load, variant

    files, overrides = split(args.inputs)
    if not files:
        raise Refused("found no file, wanted a scenario such as scenarios/host.yaml")
    scenarios: dict[str, Scenario] = {}
    mistakes: dict[str, None] = {}  # a bad override is told once, not once a file
    for file in files:
        try:
            scenario = load(file, overrides)
            if args.variant is not None:
                variant(scenario, args.variant)
            if scenario.name in scenarios:
                mistakes[f"{file}: name: found {scenario.name!r} again, wanted a name for each scenario"] = None
            scenarios[scenario.name] = scenario
            mistakes |= dict.fromkeys(build.mistakes(scenario))
        except ScenarioErrors as errors:
            mistakes |= dict.fromkeys(errors.lines)
    if mistakes:
        raise Refused(*mistakes)
    return list(scenarios.values())


def _may_write(args: argparse.Namespace) -> None:
    """Tries the places to write before minutes are spent on what goes there."""
    if args.json and args.json != STANDARD:
        may_write(Path(args.json))
    with naming(args.out, A_FOLDER):
        args.out.mkdir(parents=True, exist_ok=True)
    may_write_in(args.out)


def _names(scenario: "Scenario", args: argparse.Namespace) -> list[str]:
    return [args.variant] if args.variant is not None else list(scenario.variants) or ["base"]


def _run_all(scenarios: Sequence["Scenario"], args: argparse.Namespace) -> list[dict[str, object]]:
    from sim import warm
    from sim.scenario import variant

    resolved = [{name: variant(scenario, name) for name in _names(scenario, args)} for scenario in scenarios]
    if warm.is_needed():
        with _progress("compiling, this once", quiet=args.quiet):
            warm.compile_for(each for variants in resolved for each in variants.values())
    return [_run(scenario, variants, args) for scenario, variants in zip(scenarios, resolved, strict=True)]


def _run(scenario: "Scenario", variants: dict[str, "Scenario"], args: argparse.Namespace) -> dict[str, object]:
    """Runs these variants of one scenario and leaves its folder; the report for `--json`."""
    from sim import results
    from sim.execute import execute

    finished: list[Finished] = []
    with contextlib.ExitStack() as stack:
        captures = None
        if args.pcap:
            with naming(args.out, A_FOLDER):
                prefix = f".{scenario.name}.pcap."
                captures = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=args.out)))
        for name, resolved in variants.items():
            pcap_dir = captures / name if captures else None
            if pcap_dir:
                pcap_dir.mkdir()
            with _progress(f"{scenario.name} {name}", quiet=args.quiet) as progress:
                result = execute(resolved, variant=name, progress=progress, pcap_dir=pcap_dir)
            finished.append(results.Finished(resolved, result))
            figures = None if args.no_plots or len(finished) < len(variants) else _figures(quiet=args.quiet)
            with naming(args.out, A_FOLDER):
                place = results.write(args.out, finished, figures=figures, captures=captures)
    if not args.quiet:
        _print_table(scenario, [each.result for each in finished], place, to_stderr=args.json == STANDARD)
    return results.report([each.result for each in finished])


def _figures(*, quiet: bool) -> Callable[[Path], object]:
    def draw(folder: Path) -> None:
        with _progress("figures", quiet=quiet):
            from sim.plots import draw_all

            draw_all(folder)

    return draw


@contextlib.contextmanager
def _progress(about: str, *, quiet: bool) -> Iterator[Progress | None]:
    """A bar on stderr for what takes a share from 0 to 1; None when nobody looks."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task(about, total=1.0)
        yield lambda share: bars.update(bar, completed=share)
        bars.update(bar, completed=1.0)


def _print_table(scenario: "Scenario", done: Sequence["RunResult"], place: Path, *, to_stderr: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from sim.metrics import COLUMNS, comparison

    title = f"{scenario.name}: counts and CPU at {scenario.observe}, seed {scenario.seed}"
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if i else "left")
    for row in comparison([result.as_json() for result in done], observe=scenario.observe):
        table.add_row(*row)
    console = Console(stderr=to_stderr)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, width=160)  # a pipe has no width; 80 would break the columns
    console.print(table)
    for result in done:
        for file, counts in result.captures.items():
            if wrong := counts["wrong_ipv4"] + counts["wrong_transport"]:
                about = f"{result.variant}/{file}: {wrong} wrong checksums, written as they are"
                console.print(about, highlight=False)
    console.print(f"saved in {place}", highlight=False)


def _write_json(target: str, data: object) -> None:
    from sim.results import dump, write_text

    if target == STANDARD:
        sys.stdout.write(dump(data))
        return
    with naming(Path(target).parent, A_FOLDER):
        write_text(Path(target), dump(data))
