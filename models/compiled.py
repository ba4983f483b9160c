"""The one door to numba: `njit`, with a cache that notices edits, `structref`, and lists of what it makes.

Models: nothing; it compiles the per-frame loops of the models.
Leaves out: parallel loops and fast-math, so that compiled and plain Python give the same bits.
Sources: numba's documentation of `cache=True`: a cached kernel is dropped when its own file changes, not when a kernel
    it calls from another file does.
Checked by: tests/models/test_compiled.py edits a called module and sees the change; tests/sim/test_plain.py compares
    whole simulations with plain Python.

The cache folder is named after the contents of every models/**/*.py, and set before the first kernel is made. It lies
in the user's cache folder, or in a private temporary one where that cannot be written: a cache holds machine code, so
a folder of another user is never used. A NUMBA_CACHE_DIR from outside is respected. With NUMBA_DISABLE_JIT=1 the same
functions run as plain Python.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

CACHE_NAME = "receive-offload-sim"
KEPT_FOLDERS = 3  # a few branches side by side stay warm
IN_USE_S = 3600  # so long before the newest: a process may still be compiling into it

Function = TypeVar("Function", bound=Callable[..., Any])


def source_key(models: Path) -> str:
    """Hash over name and contents of every Python file below the folder `models`, whatever its order on disk."""
    digest = hashlib.sha256()
    for file in sorted(models.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(models).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def usable(folder: Path) -> bool:
    """Whether `folder`, made if it is missing, is a real directory, writable, ours and nobody else's to write."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return stat.S_ISDIR(status.st_mode)
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not others_write


def cache_root() -> Path:
    """The folder that holds one folder of compiled kernels per state of the sources."""
    roots = []
    if from_environment := os.environ.get("XDG_CACHE_HOME"):
        roots.append(Path(from_environment) / CACHE_NAME)
    with contextlib.suppress(RuntimeError):  # no home at all
        roots.append(Path.home() / ".cache" / CACHE_NAME)
    user = os.getuid() if hasattr(os, "getuid") else "user"
    roots.append(Path(tempfile.gettempdir()) / f"{CACHE_NAME}-{user}")
    for root in roots:
        if root.is_absolute() and usable(root):
            return root
    return Path(tempfile.mkdtemp(prefix=CACHE_NAME))


def prune(root: Path, *, keep: int) -> None:
    """Remove all but the `keep` most recently used folders below `root`, and those that may be in use.

    Another process may be doing the same."""

    def last_use(folder: Path) -> float:
        try:
            return folder.stat().st_mtime
        except OSError:
            return 0.0

    folders = sorted((f for f in root.iterdir() if f.is_dir()), key=last_use, reverse=True)
    for folder in folders[keep:]:
        if last_use(folders[0]) - last_use(folder) > IN_USE_S:
            shutil.rmtree(folder, ignore_errors=True)


def set_cache_folder(models: Path) -> Path:
    """Point numba at the folder for the sources below `models`, also when numba is loaded already."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given and not Path(given).parent.name.startswith(CACHE_NAME):  # else: inherited from a parent of ours
        return Path(given)
    root = cache_root()
    folder = root / source_key(models)
    folder.mkdir(mode=0o700, exist_ok=True)
    os.utime(folder)
    prune(root, keep=KEPT_FOLDERS)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


CACHE_FOLDER = set_cache_folder(Path(__file__).parent)

import numba  # noqa: E402 -- reads NUMBA_CACHE_DIR when it is imported
from numba.core.types import StructRef as StructRef  # noqa: E402
from numba.experimental import structref as structref  # noqa: E402

JIT_DISABLED = bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]


@overload
def njit(function: Function, /) -> Function: ...
@overload
def njit(**options: Any) -> Callable[[Function], Function]: ...
def njit(*function: Any, **options: Any) -> Any:
    """`numba.njit` with the cache on; as `@njit` or `@njit(inline="always")`."""
    return numba.njit(*function, **{"cache": True, **options})


def sequence(items: Sequence[Any]) -> Any:
    """`items`, all of one type, as compiled code takes them."""
    return list(items) if JIT_DISABLED else numba.typed.List(items)
