"""A file that gets its name when it is whole, so that nobody ever finds half of one.

/dev/null, pipes and standard output (`-`) are written as they are. "Nobody" is every other program; what is on the disk
after a power failure is as with any file that was not synced.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO


class WholeFile:
    """`file` is open for writing bytes, until `close` or `abandon`; a context manager that abandons on an exception."""

    def __init__(self, path: Path | str) -> None:
        """OSError when it cannot be made."""
        self._path = Path(path)
        self._temporary: Path | None = None
        self.file: BinaryIO
        if str(path) == "-":
            self.file = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        elif self._path.exists() and not self._path.is_file():
            self.file = self._path.open("wb")
        else:
            target = self._path.resolve()  # a link stays a link
            number, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
            self._temporary, self._path = Path(name), target
            self.file = os.fdopen(number, "wb")

    @property
    def is_new(self) -> bool:
        """Whether `file` is a file that nobody else writes or reads before it has its name."""
        return self._temporary is not None

    def close(self) -> None:
        """Finish the file and give it its name. OSError; then nothing is left of it."""
        try:
            self.file.close()
            if self._temporary is not None:
                self._temporary.chmod(0o666 & ~umask())
                self._temporary.replace(self._path)
        except OSError:
            self.abandon()
            raise
        self._temporary = None

    def __enter__(self) -> BinaryIO:
        return self.file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Leave no trace of the file, or of one that was to be replaced."""
        with contextlib.suppress(OSError):
            self.file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None


def umask() -> int:
    """The mask new files get, which only setting it tells."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
