"""The kernel cache: an edit in a module that a cached kernel calls must be seen, and the cache must stay small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import models.compiled as compiled

CALLED = """
from models.compiled import njit

@njit(inline="always")
def field(x):
    return x + {offset}
"""
CALLER = """
from models.compiled import njit
from models.wire.called import field

@njit
def kernel(x):
    return field(x)
"""
PRINT = "from models.compiled import CACHE_FOLDER; from models.caller import kernel; print(kernel(1), CACHE_FOLDER)"


@pytest.fixture
def project(tmp_path):
    """A small project of the same shape: a kernel that calls a function of a wire module."""
    wire = tmp_path / "models" / "wire"
    wire.mkdir(parents=True)
    (tmp_path / "models" / "compiled.py").write_text(Path(compiled.__file__).read_text())
    (tmp_path / "models" / "caller.py").write_text(CALLER)
    (wire / "called.py").write_text(CALLED.format(offset=10))
    return tmp_path


def run(project, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "XDG"))}
    result = subprocess.run(
        [sys.executable, "-c", PRINT],
        cwd=project,
        env=clean | {"PYTHONPATH": str(project), "XDG_CACHE_HOME": str(project / "cache")} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    answer, folder = result.stdout.split()
    return int(answer), Path(folder)


def test_an_edit_in_a_called_module_is_seen(project):
    first, folder = run(project)
    assert first == 11
    assert list(folder.rglob("*.nbi")), "nothing was cached, so the test would show nothing"
    assert run(project) == (11, folder)

    (project / "models" / "wire" / "called.py").write_text(CALLED.format(offset=20))
    second, other_folder = run(project)
    assert (second, other_folder == folder) == (21, False)


def test_a_folder_inherited_from_a_parent_process_is_not_taken_for_the_users_wish(project):
    _, folder = run(project)
    (project / "models" / "wire" / "called.py").write_text(CALLED.format(offset=20))
    assert run(project, NUMBA_CACHE_DIR=str(folder))[0] == 21


def test_the_users_folder_is_respected(project, tmp_path):
    assert run(project, NUMBA_CACHE_DIR=str(tmp_path / "mine")) == (11, tmp_path / "mine")


def test_without_compilation_the_answer_is_the_same(project):
    assert run(project, NUMBA_DISABLE_JIT="1")[0] == 11


def test_an_unwritable_cache_home_is_no_obstacle(project):
    (project / "file").write_text("")
    home = str(project / "file")
    answer, folder = run(project, XDG_CACHE_HOME=home, HOME=home, TMPDIR=str(project))
    assert answer == 11
    assert folder.parent.parent == project


def test_a_folder_others_may_write_is_not_used(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert not compiled.usable(shared)
    assert compiled.usable(tmp_path / "own")


def test_key_depends_on_names_and_contents(tmp_path):
    (tmp_path / "a.py").write_text("1")
    key = compiled.source_key(tmp_path)
    (tmp_path / "a.pyc").write_text("no source")
    assert compiled.source_key(tmp_path) == key
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert compiled.source_key(tmp_path) != key


def test_the_newest_folders_are_kept(tmp_path):
    for age, name in enumerate("abcde"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1e6 - 4000 * age, 1e6 - 4000 * age))
    compiled.prune(tmp_path, keep=3)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_folder_that_may_be_in_use_is_kept(tmp_path):
    for name in "abcde":
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "d", (1000, 1000))
    compiled.prune(tmp_path, keep=3)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a", "b", "c", "e"]
