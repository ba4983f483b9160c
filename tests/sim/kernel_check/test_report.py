"""Which edition stands for which kernel, what counts as agreement, and what is said where there is no referee."""

import json

import pytest

from sim.cli.front import main
from sim.kernel_check import bench
from sim.kernel_check.bench import Packet, Seen
from sim.kernel_check.check import SENDINGS, Case, Tally
from sim.kernel_check.namespace import Unavailable
from sim.kernel_check.probes import Offer
from sim.kernel_check.report import Report, engine_for

ONE, OTHER = Packet(b"a" * 20, 0, 0, 0, 0), Packet(b"b" * 20, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("release", "engine"),
    [
        ("6.18.44-fc", "gro"), ("7.2.0", "gro"), ("6.17.1", "gro-6.12"), ("6.12.0", "gro-6.12"), ("6.1.192", "gro-6.1"),
        ("5.10.0-8-amd64", "gro-6.1"), ("unheard of", "gro"),
    ],
)  # fmt: skip
def test_the_newest_edition_that_is_not_newer(release, engine):
    assert engine_for(release) == engine


def settled(*sendings):
    """A case that was sent until it was settled, each time with these packets seen."""
    case = Case("made up", [b"frame"], ([ONE], [ONE]))
    for merged in sendings:
        case.compare(Seen([merged], [ONE]))
    assert case.settled
    tally = Tally()
    tally.add(case)
    return tally


def test_one_sending_that_agrees_is_enough():
    assert settled(ONE).agreed == {"gro": 1, "forwarding": 1}
    late = settled(OTHER, OTHER, ONE)
    assert (late.agreed["gro"], late.repeated, late.disagreements) == (1, 1, [])


def test_what_never_agrees_is_kept():
    never = settled(*[OTHER] * SENDINGS)
    assert (never.agreed, never.repeated) == ({"gro": 0, "forwarding": 1}, 0)
    ((name, path, difference),) = never.disagreements
    assert (name, path, difference.place) == ("made up", "gro", 0)


@pytest.mark.parametrize(("repeated", "void"), [(0, False), (2, False), (3, True)])
def test_a_run_that_depends_on_timing_is_void(repeated, void):
    tally = Tally(cases=100, agreed={"gro": 100, "forwarding": 100}, repeated=repeated)
    report = Report("6.18.0", "gro", Offer(), tally, 1)
    assert (report.tally.void, report.agrees) == (void, not void)
    assert any(line.startswith("void") for line in report.lines()) == void
    assert json.loads(json.dumps(report.as_json()))["void"] is void


@pytest.mark.parametrize(("agreed", "said"), [(20_000, "100.00 %"), (19_999, "99.99 %"), (19_000, "95.00 %")])
def test_short_of_all_is_not_all(agreed, said):
    tally = Tally(cases=20_000, agreed={"gro": agreed, "forwarding": 20_000})
    lines = Report("6.18.0", "gro", Offer(), tally, 1).lines()
    assert next(line for line in lines if line.startswith("gro")).endswith(said)


def test_without_a_referee_it_says_so_and_exits_3(monkeypatch, capsys):
    def refuse():
        raise Unavailable("unshare() of a network namespace: found operation not permitted, wanted root on Linux")

    monkeypatch.setattr(bench, "Namespace", refuse)
    assert main(["kernel-check", "--trains", "1"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1 and "wanted root" in said.err
