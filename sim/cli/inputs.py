"""What stands behind a command: scenario files, and overrides told from them by their `=`."""

from collections.abc import Sequence
from pathlib import Path

INPUTS_HELP = "scenario files, and overrides such as duration=50ms or flows[0].count=8"


def split(inputs: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Files and overrides, each in the order given. A file whose name has a `=` is one if it is there."""
    files = [word for word in inputs if "=" not in word or Path(word).is_file()]
    return [Path(word) for word in files], [word for word in inputs if word not in files]
