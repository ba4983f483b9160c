"""Merged packets cut again: what comes back, held against the engines' own audit."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from captures import FILES, frames_of, pcap, segment

from run import main
from sim.coalesce.tally import known_engines


def resegmented(file, engine, tmp_path, capsys):
    """(frames identical, frames compared, the line that says it, the engine's counts)."""
    words = ["--engine", engine, "--resegment", str(tmp_path / "again.pcap"), "--json", str(tmp_path / "x.json")]
    assert main(["coalesce", str(file), *words]) == 0
    line = capsys.readouterr().err.splitlines()[-1]
    identical, total = line.split("; ")[1].split(" came back")[0].split(" of ")
    return int(identical), int(total), line, json.loads((tmp_path / "x.json").read_text())["engines"][0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("engine", known_engines())
def test_what_does_not_come_back_is_what_the_audit_says(file, engine, tmp_path, capsys):
    identical, total, _, counts = resegmented(file, engine, tmp_path, capsys)
    assert (identical == total) == counts["lossless"] == (sum(counts["lost"].values()) == 0)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_gro_gives_back_every_capture_byte_for_byte(file, tmp_path, capsys):
    identical, total, _, _ = resegmented(file, "gro", tmp_path, capsys)
    assert identical == total
    assert Counter(frames_of(tmp_path / "again.pcap")) == Counter(frames_of(file))


def test_the_fields_that_differ_are_counted(tmp_path, capsys):
    frames = [segment(seq=1 + 100 * k, ip_id=k, tsval=10 + k, ack=1 + k) for k in range(4)]
    (tmp_path / "in.pcap").write_bytes(pcap(frames))
    identical, total, line, _ = resegmented(tmp_path / "in.pcap", "merge-everything", tmp_path, capsys)
    assert (identical, total) == (1, 4)
    assert line.endswith("in the others differ: tcp.ack_raw 3, tcp.options.timestamp.tsval 3")


def test_a_boundary_that_moves_is_one_of_them(tmp_path, capsys):
    sizes = [100, 50, 100]
    frames = [segment(seq=1 + sum(sizes[:k]), payload=bytes(sizes[k]), ip_id=k) for k in range(3)]
    (tmp_path / "in.pcap").write_bytes(pcap(frames))
    identical, total, line, _ = resegmented(tmp_path / "in.pcap", "merge-everything", tmp_path, capsys)
    assert (identical, total) == (1, 3)
    assert "boundary 2" in line
    assert [len(frame) - 54 for frame in frames_of(tmp_path / "again.pcap")] == [100, 100, 50]


def test_what_was_merged_before_is_left_as_it_was(tmp_path, capsys):
    (tmp_path / "in.pcap").write_bytes(pcap([segment(seq=1, payload=bytes(5000)), segment(seq=5001)]))
    identical, total, line, counts = resegmented(tmp_path / "in.pcap", "gro", tmp_path, capsys)
    assert (identical, total) == (1, 1)
    assert "1 were merged before" in line
    assert counts["reasons"] == {"already-merged": 1, "first": 1}
    assert frames_of(tmp_path / "again.pcap") == frames_of(tmp_path / "in.pcap")
