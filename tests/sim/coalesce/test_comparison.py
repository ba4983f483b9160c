"""Merged packets cut again: what comes back, held against the engines' own audit."""

import csv
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from captures import FILES, frames_of, pcap, segment

from run import main
from sim.coalesce.tally import known_engines


def resegmented(file, engine, tmp_path, capsys, *more):
    """(frames identical, frames compared, the line that says it, the engine's counts)."""
    words = ["--engine", engine, "--resegment", str(tmp_path / "again.pcap"), "--json", str(tmp_path / "x.json")]
    assert main(["coalesce", str(file), *words, *more]) == 0
    line = capsys.readouterr().err.splitlines()[-1]
    identical, total = line.split("; ")[1].split(" came back")[0].split(" of ")
    return int(identical), int(total), line, json.loads((tmp_path / "x.json").read_text())["engines"][0]


KEYS = {  # of `lost`, and the fields that count there (docs/reasons.md); of the ECN field and timestamps see below
    "ack": ("tcp.ack_raw",),
    "window": ("tcp.window_size_value",),
    "tsval": ("tcp.options.timestamp.tsval",),
    "tsecr": ("tcp.options.timestamp.tsecr",),
    "psh": ("tcp.flags.push",),
    "urgent": ("tcp.flags.urg", "tcp.urgent_pointer"),
    "ce": ("tcp.flags.ece", "tcp.flags.cwr"),
    "tos": ("ip.dsfield.dscp", "ipv6.tclass.dscp", "ipv6.flow"),
    "ttl": ("ip.ttl", "ipv6.hlim"),
    "ip_id": ("ip.id", "ip.flags", "ip.frag_offset"),
    "vlan": ("frame.link",),
    "options": (
        *("ip.options", "tcp.options", "tcp.flags.res", "tcp.flags.ae"),
        *("tcp.flags.fin", "tcp.flags.syn", "tcp.flags.reset", "tcp.flags.ack"),
    ),
    "boundary": ("boundary", "tcp.seq_raw"),
}
KEY_OF = {field: key for key, fields in KEYS.items() for field in fields}


def key_of(difference):
    """The key of `lost` that counts a difference as `--explain` writes it; None for a checksum alone."""
    field, _, values = difference.partition(": ")
    if field == "checksum":
        return None
    if field in ("ip.dsfield.ecn", "ipv6.tclass.ecn"):
        old, new = values.split(" -> ")
        return "ce" if (old == "3") != (new == "3") else "tos"
    return "options" if "absent" in values else KEY_OF[field]  # timestamps where the other has none


def same_counts(file, engine, tmp_path, capsys):
    """Holds what is counted as lost against the frames that a cut makes; the counts."""
    words = ["--explain", str(tmp_path / "x.csv")]
    identical, total, line, counts = resegmented(file, engine, tmp_path, capsys, *words)
    with (tmp_path / "x.csv").open(newline="") as table:
        rows = [row["lost"].split("; ") for row in csv.DictReader(table) if row["lost"]]
    lost = Counter(key for row in rows for key in {key_of(each) for each in row} if key)
    assert lost == Counter({key: count for key, count in counts["lost"].items() if count})
    assert len(rows) == total - identical
    assert counts["lossless"] == (identical == total)
    fields = Counter(each.partition(": ")[0] for row in rows for each in row)
    said = line.split("differ: ")[1].split("; ")[0] if fields else ""
    assert fields == Counter({name: int(n) for name, n in (each.split(" ") for each in said.split(", ") if each)})
    return counts


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("engine", known_engines())
def test_what_does_not_come_back_is_what_the_audit_says(file, engine, tmp_path, capsys):
    same_counts(file, engine, tmp_path, capsys)


@pytest.mark.parametrize("engine", known_engines())
def test_frames_of_all_sizes_and_with_every_field_changed_are_counted_alike(engine, tmp_path, capsys):
    """The boundaries move, so the frame that is compared is another one than the frame of the same number."""
    flags = [{"flags": each} for each in (0x18, 0x50, 0x30, 0x11)]
    changes = [{}, {"window": 9}, {"ack": 9}, {"ttl": 9}, {"tos": 3}, {"tos": 1}, {"tos": 32}, {"ip_id": 77}]
    changes += [*flags, {"tsval": 12}, {"tsval": None}]
    sizes, frames, seq = [50, 50, 100, 30, 100, 7, 120], [], 1
    for number, change in enumerate(changes * 3):
        payload = bytes(sizes[number % len(sizes)])
        frames.append(segment(**({"seq": seq, "payload": payload, "ip_id": number, "tsval": 10} | change)))
        if number % 9 == 8:
            frames.append(segment(seq=seq, payload=b"", ack=20, ip_id=99, tsval=10))
        seq += len(payload)
    (tmp_path / "in.pcap").write_bytes(pcap(frames))
    counts = same_counts(tmp_path / "in.pcap", engine, tmp_path, capsys)
    if "lro" in engine or engine == "merge-everything":
        assert counts["lost"]["boundary"]


@pytest.mark.parametrize(("engine", "lost"), [("freebsd-lro", "boundary"), ("lro-s2io", "window"), ("gro", None)])
def test_a_frame_that_is_changed_alone_is_lost_too(engine, lost, tmp_path, capsys):
    """FreeBSD strips padding, s2io zeroes the window of a frame that nothing joined; GRO passes it as it came."""
    frames = [segment(1, b"123", ip_id=1) + bytes(3)] if lost != "window" else [segment(1, ip_id=1)]
    (tmp_path / "in.pcap").write_bytes(pcap(frames))
    counts = same_counts(tmp_path / "in.pcap", engine, tmp_path, capsys)
    assert {key: count for key, count in counts["lost"].items() if count} == ({lost: 1} if lost else {})
    assert counts["lossless"] == (lost is None)


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
