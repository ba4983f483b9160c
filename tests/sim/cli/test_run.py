"""`run`: what is written, when, and what happens when it cannot be."""

import json
from pathlib import Path

import pytest

from sim.cli.front import main

HOST = "scenarios/host.yaml"
KEYS = [
    "name", "goodput_bps", "wire_frames", "stack_packets", "segments_per_packet", "acks_sent", "cpu", "drops", "fates",
    "reasons", "closes", "flows", "correctness",
]  # fmt: skip
LOST = ["ce", "ack", "window", "tsval", "tsecr", "psh", "urgent", "tos", "ttl", "ip_id", "vlan", "options", "boundary"]


def run(*argv, out):
    return main(["run", *argv, "--out", str(out), "--quiet"])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_leaves_a_folder(tmp_path, execute):
    assert run(HOST, out=tmp_path) == 0
    names = set(contents(tmp_path))
    assert {"host/metrics.json", "host/versions.json", "host/wall-clock.json", "host/gro.yaml"} <= names
    assert {"host/gain.png", "host/gain.svg", "host/merges.png", "host/poll-gro.svg"} <= names
    assert [path.name for path in tmp_path.iterdir()] == ["host"]  # nothing temporary is left
    assert [variant for _, variant, _ in execute.calls] == ["none", "lro-hardware", "lro-driver", "gro"]
    assert all(scenario.variants == {} for scenario, _, _ in execute.calls)


def test_the_same_run_leaves_the_same_bytes(tmp_path, execute):
    for out in ("a", "b"):
        assert run(HOST, "scenarios/router.yaml", "--variant", "gro", out=tmp_path / out) == 0
    first, second = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert set(first) == set(second)
    different = {name for name in first if first[name] != second[name]}
    assert different == {"host/wall-clock.json", "router/wall-clock.json"}


def test_the_json_has_the_stable_keys(tmp_path, execute, capsys):
    assert run(HOST, "--json", "-", "--no-plots", "seed=7", out=tmp_path) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["scenario", "seed", "variants"]
    assert (report["scenario"], report["seed"]) == ("host", 7)
    for variant in report["variants"]:
        assert list(variant) == KEYS
        assert list(variant["correctness"]["lost"]) == LOST
        assert set(variant["fates"]) == {"joined", "started", "passed"}


def test_the_json_of_several_scenarios_is_a_list(tmp_path, execute):
    target = tmp_path / "all.json"
    assert run(HOST, "scenarios/router.yaml", "--json", str(target), "--no-plots", out=tmp_path / "out") == 0
    assert [report["scenario"] for report in json.loads(target.read_text())] == ["host", "router"]


def test_the_table_stands_beside_json_not_in_it(tmp_path, execute, capsys):
    assert main(["run", HOST, "--out", str(tmp_path), "--no-plots", "--json", "-"]) == 0
    captured = capsys.readouterr()
    json.loads(captured.out)
    assert "goodput" in captured.err and "lro-hardware" in captured.err


def test_the_table_compares_the_variants(tmp_path, execute, capsys):
    assert main(["run", HOST, "--out", str(tmp_path), "--no-plots"]) == 0
    table = capsys.readouterr().out
    for text in ("3.660", "9.415", "2.57x", "17.39", "70.0%"):
        assert text in table


def test_overrides_and_options_in_any_order(tmp_path, execute):
    assert run("--variant", "gro", HOST, "--no-plots", "duration=50ms", "flows[0].count=8", out=tmp_path) == 0
    ((scenario, variant, pcap_dir),) = execute.calls
    assert (scenario.duration_ps, scenario.flows[0].count, variant, pcap_dir) == (50_000_000_000, 8, "gro", None)


def test_captures_come_with_the_results(tmp_path, execute):
    assert run(HOST, "--pcap", "--no-plots", out=tmp_path) == 0
    for variant in ("none", "gro"):
        assert (tmp_path / "host" / "pcap" / variant / "receiver.eth0.pcap").read_bytes() == b"packets"
    assert [path.name for path in tmp_path.iterdir()] == ["host"]
    assert run(HOST, "--no-plots", out=tmp_path) == 0
    assert not (tmp_path / "host" / "pcap").exists()  # captures of another run would be no evidence


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_a_crash_loses_nothing_finished(tmp_path, execute, error):
    execute.fails_at, execute.error = "lro-driver", error
    if isinstance(error, KeyboardInterrupt):
        assert run(HOST, out=tmp_path) == 130
    else:
        with pytest.raises(RuntimeError):
            run(HOST, out=tmp_path)
    saved = json.loads((tmp_path / "host" / "metrics.json").read_text())
    assert [variant["name"] for variant in saved["variants"]] == ["none", "lro-hardware"]
    assert [path.name for path in tmp_path.iterdir()] == ["host"]


@pytest.mark.parametrize("where", ["out", "below", "json", "json-folder"])
def test_what_cannot_be_written_is_told_before_the_run(tmp_path, execute, capsys, where):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    options = {
        "out": [HOST, "--out", str(blocked)],
        "below": [HOST, "--out", str(blocked / "results")],
        "json": [HOST, "--out", str(tmp_path / "out"), "--json", str(tmp_path / "nowhere" / "x.json")],
        "json-folder": [HOST, "--out", str(tmp_path / "out"), "--json", str(tmp_path)],
    }
    assert main(["run", *options[where]]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert ": found " in line and ", wanted " in line
    assert execute.calls == []


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["nodes.x.cores=2"], "override nodes.x: found 'x', wanted sender or receiver"),
        (["--variant", "grow"], "variant grow: found 'grow', wanted none, lro-hardware, lro-driver or gro "
         "(did you mean gro?)"),
        (["no-such.yaml"], "no-such.yaml: found no such file or directory, wanted a scenario file"),
        ([HOST], f"{HOST}: name: found 'host' again, wanted a name for each scenario"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_runs(tmp_path, execute, capsys, argv, line):
    assert run(HOST, *argv, out=tmp_path / "out") == 2
    assert capsys.readouterr().err.splitlines() == [line]
    assert execute.calls == []
    assert not (tmp_path / "out").exists()


def test_a_bad_override_is_told_once_for_many_files(tmp_path, execute, capsys):
    assert run(HOST, "scenarios/host-fast.yaml", "sed=3", out=tmp_path) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_cannot_be_wired_is_told_before_anything_runs(tmp_path, capsys):
    file = tmp_path / "two.yaml"
    file.write_text(
        "observe: a\n"
        "nodes:\n  a: {nics: {eth0: {}, eth1: {}}}\n  b: {nics: {eth0: {}}}\n  c: {nics: {eth0: {}}}\n"
        "links:\n  - {ends: [a.eth0, b.eth0], rate: 1Gbps}\n  - {ends: [a.eth1, c.eth0], rate: 1Gbps}\n"
        "flows:\n  - {name: x, from: a, to: b}\n"
    )
    line = "two: nodes.a: found two linked cards, wanted one on a host\n"
    for command in (["run", str(file), "--out", str(tmp_path / "out")], ["validate", str(file)]):
        assert main(command) == 2
        assert capsys.readouterr().err == line
    assert not (tmp_path / "out").exists()
