"""Where a command's answers go, looked at before minutes are spent on them: names that clash, endings, folders."""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

STANDARD = "-"
FIGURES = (".png", ".pdf", ".svg")
TABLES = (".csv", ".parquet")
A_FILE, A_FOLDER = "a file to write", "a folder to write to"
OPTIONS = ("out", "resegment", "explain", "figure", "json")


class Refused(Exception):
    """Something asked for cannot be; each of `args` is a line that says what."""


def check(args: argparse.Namespace) -> bool:
    """Whether one of the OPTIONS in `args` goes to standard output. Refused; nothing has been written then."""
    targets = {f"--{option}": getattr(args, option) for option in OPTIONS if getattr(args, option)}
    to_stdout = [option for option, target in targets.items() if target == STANDARD]
    if len(to_stdout) > 1:
        raise Refused(f"{to_stdout[0]} and {to_stdout[1]}: found standard output twice, wanted a file for one")
    _end_as_they_should(args.explain, args.figure)
    _do_not_clash(args.capture, {option: target for option, target in targets.items() if target != STANDARD})
    for target in (args.figure, args.json):
        if target and target != STANDARD:
            may_write(Path(target))
    return bool(to_stdout)


def _end_as_they_should(explain: str | None, figure: str | None) -> None:
    if explain and Path(explain).suffix.lower() not in ("", *TABLES):
        raise Refused(f"--explain: found {explain!r}, wanted a name that ends in {' or '.join(TABLES)}")
    if figure and Path(figure).suffix not in FIGURES:
        raise Refused(f"--figure: found {figure!r}, wanted a name that ends in {', '.join(FIGURES)}")


def _do_not_clash(capture: str, targets: dict[str, str]) -> None:
    """No file is to be written over the one that is read, or over another that is written."""
    seen: dict[str, str] = {}
    for option, target in targets.items():
        if _are_one(0 if capture == STANDARD else capture, target):
            raise Refused(f"{option}: found {target!r}, the capture that is read, wanted another file")
        for other, its in seen.items():
            if _are_one(its, target):
                raise Refused(f"{other} and {option}: found {target!r} twice, wanted a file for each")
        seen[option] = target


def _are_one(one: str | int, other: str) -> bool:
    """Whether both are the same file, be it there already or not; of devices and pipes it does not matter."""
    if Path(other).exists() and not Path(other).is_file():
        return False
    try:
        return os.path.samefile(one, other)
    except OSError:
        return isinstance(one, str) and Path(one).resolve() == Path(other).resolve()


@contextlib.contextmanager
def naming(place: str | Path, wanted: str) -> Iterator[None]:
    """What goes wrong with a file is told by the name of `place`."""
    try:
        yield
    except OSError as error:
        raise Refused(f"{place}: found {(error.strerror or str(error)).lower()}, wanted {wanted}") from None


def may_write(target: Path) -> None:
    """Whether it can be a file, and its folder be written to; Refused if not."""
    if target.is_dir():
        raise Refused(f"{target}: found a folder, wanted {A_FILE}")
    may_write_in(target.parent)


def may_write_in(folder: Path) -> None:
    """Tries it. Refused."""
    with naming(folder, A_FOLDER), tempfile.TemporaryFile(dir=folder):
        pass
