"""The front door as a user meets it, by its exit status and its lines."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim.cli.front import main


def run_py(*argv):
    return subprocess.run([sys.executable, "run.py", *argv], capture_output=True, text=True, check=False)


def test_help_is_quick():
    times_s = []
    for _ in range(3):  # the best of them: other tests run beside this one
        started = time.perf_counter()
        done = run_py("--help")
        times_s.append(time.perf_counter() - started)
    assert min(times_s) < 0.5
    assert done.returncode == 0
    for command in ("run", "list", "validate", "coalesce"):
        assert command in done.stdout


def test_help_imports_nothing_heavy():
    code = "import sys; from sim.cli.front import main; main(['--help'])"
    heavy = "{'numpy', 'numba', 'simpy', 'matplotlib', 'pydantic', 'rich', 'ruamel'}"
    code = f"import sys, atexit; atexit.register(lambda: print('HEAVY', {heavy} & set(sys.modules))); {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("HEAVY set()")


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["swim"],
        ["run"],
        ["validate"],
        ["run", "scenarios/host.yaml", "--fast"],
        ["coalesce", "x", "--gap", "-1us"],
        ["coalesce", "x", "--checksum", "hw"],
    ],
)
def test_a_usage_error_is_one_line_and_exits_with_2(argv):
    done = run_py(*argv)
    assert done.returncode == 2
    assert done.stderr.startswith("run.py") and len(done.stderr.splitlines()) == 1


def test_list_shows_the_questions(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("host.yaml ") and "receive offload gain" in line for line in lines)


def test_list_of_no_folder(capsys):
    assert main(["list", "no-such"]) == 2
    assert capsys.readouterr().err == "no-such: found no such file or directory, wanted a folder of scenarios\n"


def test_validate_good(capsys):
    assert main(["validate", *sorted(map(str, Path("scenarios").glob("*.yaml")))]) == 0
    assert capsys.readouterr().err == ""


def test_validate_tells_every_mistake_of_every_file(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("seed: x\nobserve: y\nnodes: {z: {nics: {}}}\n")
    done = run_py("validate", str(tmp_path / "a.yaml"), "scenarios/host.yaml", str(tmp_path / "b.yaml"))
    assert done.returncode == 2
    assert done.stdout.startswith("scenarios/host.yaml: good")
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        f"{tmp_path}/a.yaml:1:7",
        f"{tmp_path}/a.yaml:2:10",
        f"{tmp_path}/b.yaml:1:7",
        f"{tmp_path}/b.yaml:2:10",
    ]


def test_validate_takes_overrides(capsys):
    assert main(["validate", "scenarios/host.yaml", "duration=1ms"]) == 2
    assert "wanted a time before the end at 1ms" in capsys.readouterr().err
