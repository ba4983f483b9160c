"""`run.py kernel-check` around its referee, which is tested where there is one (tests/kernel/)."""

import json

import pytest

from sim.cli.front import main
from sim.kernel_check import run
from sim.kernel_check.namespace import Unavailable


class Report:
    """Of a run that agreed."""

    agrees = True

    def lines(self):
        return ["all agree"]

    def as_json(self):
        return {"cases": 3}


@pytest.fixture
def asked(monkeypatch):
    """The (trains, seed) that the referee was asked for."""
    asked = []

    def referee(trains, seed, *, progress):
        asked.append((trains, seed))
        return Report()

    monkeypatch.setattr(run, "referee", referee)
    return asked


def test_the_report_goes_to_the_screen_and_to_a_file(asked, tmp_path, capsys):
    assert main(["kernel-check", "--trains", "5", "--seed", "2", "--json", str(tmp_path / "out.json")]) == 0
    assert asked == [(5, 2)] and capsys.readouterr().out == "all agree\n"
    assert json.loads((tmp_path / "out.json").read_text()) == {"cases": 3}


def test_where_nothing_can_be_written_nobody_is_asked(asked, tmp_path, capsys):
    assert main(["kernel-check", "--json", str(tmp_path / "none" / "out.json")]) == 2
    assert asked == []
    line = f"{tmp_path}/none/out.json: found no such file or directory, wanted a file to write\n"
    assert capsys.readouterr().err == line


def test_without_a_referee_nothing_is_left(monkeypatch, tmp_path, capsys):
    def referee(trains, seed, *, progress):
        raise Unavailable("found user 65534, wanted root")

    monkeypatch.setattr(run, "referee", referee)
    assert main(["kernel-check", "--json", str(tmp_path / "out.json")]) == 3
    assert capsys.readouterr().err == "kernel-check: found user 65534, wanted root\n"
    assert list(tmp_path.iterdir()) == []
