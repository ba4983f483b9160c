"""A row a frame: the reason, the field behind it, who closed the packet, and what is lost."""

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from captures import FILES, pcap, segment

from run import main
from sim.coalesce.explain import COLUMNS
from sim.coalesce.tally import known_engines

ROOT = Path(__file__).parents[3]


def explained(path, engine, tmp_path, *words):
    words = ["coalesce", str(path), "--engine", engine, "--explain", str(tmp_path / "x.csv"), *words]
    assert main([*words, "--json", str(tmp_path / "x.json")]) == 0
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return rows, json.loads((tmp_path / "x.json").read_text())["engines"]


@pytest.mark.parametrize(
    ("change", "reason", "differs"),
    [
        ({"window": 501}, "window", "tcp.window_size_value: 500 -> 501"),
        ({"ack": 3}, "ack", "tcp.ack_raw: 1 -> 3"),
        ({"tsval": 11}, "options", "tcp.options.timestamp.tsval: 10 -> 11"),
        ({"ttl": 63}, "ttl", "ip.ttl: 64 -> 63"),
        ({"tos": 0x28}, "tos", "ip.dsfield.dscp: 0 -> 10"),
        ({"tos": 3}, "ecn", "ip.dsfield.ecn: 0 -> 3"),
        ({"ip_id": 9}, "ip-id", "ip.id: 0x0001 -> 0x0009"),
        ({"seq": 201}, "gap", "tcp.seq_raw: 101 -> 201"),
        ({"payload": bytes(120)}, "size", "tcp.len: at most 100 -> 120"),
        ({"flags": 0x50}, "flags", "tcp.flags.ece: 0 -> 1"),
    ],
)
def test_a_refusal_names_the_field_and_both_values(change, reason, differs, tmp_path):
    first = {"seq": 1, "ip_id": 0, "tsval": 10}
    second = {"seq": 101, "ip_id": 1, "tsval": 10} | change
    (tmp_path / "in.pcap").write_bytes(pcap([segment(**first), segment(**second)]))
    (one, two), _ = explained(tmp_path / "in.pcap", "gro", tmp_path)
    assert (two["fate"], two["reason"], two["differs"]) == ("started", reason, differs)
    assert (one["closed_by"], one["close"], one["packet"], two["packet"]) == ("2", reason, "1", "2")
    assert (two["closed_by"], two["close"]) == ("", "poll-end")
    assert two["function"] and two["rule"]
    assert one["lost"] == two["lost"] == ""


def test_what_a_merge_falsifies_is_shown_as_it_came_and_as_it_comes_out(tmp_path):
    frames = [segment(seq=1 + 100 * k, ip_id=k, tsval=10 + k, window=500 + k) for k in range(3)]
    (tmp_path / "in.pcap").write_bytes(pcap(frames))
    rows, _ = explained(tmp_path / "in.pcap", "lro-driver", tmp_path)
    assert [row["lost"] for row in rows] == [
        "tcp.window_size_value: 500 -> 502",
        "tcp.window_size_value: 501 -> 502; tcp.options.timestamp.tsval: 11 -> 10",
        "tcp.options.timestamp.tsval: 12 -> 10",
    ]
    assert {row["packet"] for row in rows} == {"1"}
    assert rows[0]["flow"] == "10.0.0.1:1 > 10.0.0.2:2"
    assert rows[0]["time"] == "1000.000000000"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_there_is_a_row_for_each_frame_of_each_engine_and_they_sum_to_the_counts(file, tmp_path):
    rows, engines = explained(file, ",".join(known_engines()), tmp_path)
    for engine in engines:
        mine = [row for row in rows if row["engine"] == engine["engine"]]
        assert [int(row["frame"]) for row in mine] == list(range(1, engine["frames_in"] + 1))
        assert Counter(row["fate"] for row in mine) == Counter(engine["fates"])
        assert Counter(row["reason"] for row in mine if row["reason"]) == Counter(engine["reasons"])
        sizes = Counter(int(row["packet"]) for row in mine)
        assert sorted(sizes) == list(range(1, engine["packets_out"] + 1))
        assert all(int(row["frames_in_packet"]) == sizes[int(row["packet"])] for row in mine)
        assert Counter(row["close"] for row in mine if row["fate"] == "started") == Counter(engine["closes"])
        if engine["lossless"]:
            assert not any(row["lost"] for row in mine)


def test_rows_stay_in_order_when_a_packet_is_held_for_long(tmp_path):
    other = [segment(seq=1 + 100 * k, ip_id=k, back=True) for k in range(5000)]
    (tmp_path / "in.pcap").write_bytes(pcap([segment(seq=1), *other]))
    rows, _ = explained(tmp_path / "in.pcap", "gro", tmp_path, "--batch", "all")
    assert [int(row["frame"]) for row in rows] == list(range(1, 5002))
    assert rows[0]["close"] == "poll-end"


def test_parquet_has_what_csv_has(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "in.pcap").write_bytes(pcap([segment(seq=1 + 100 * k, ip_id=k, tsval=k) for k in range(9)]))
    rows, _ = explained(tmp_path / "in.pcap", "gro,lro-driver", tmp_path)
    explain = ["--explain", str(tmp_path / "x.parquet")]
    assert main(["coalesce", str(tmp_path / "in.pcap"), "--engine", "gro,lro-driver", *explain]) == 0
    table = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert [{name: "" if row[name] is None else str(row[name]) for name in COLUMNS} for row in table] == rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pcap([segment(seq=1)])[:-1], "at byte 24: found a record of 170 bytes, wanted at most the 169"),
        (b"no capture, but a text\n", "at byte 0: found 6e 6f 20 63"),
        (pcap([segment(seq=1)], link_type=105), "found a frame of link type 105"),
    ],
)
@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_broken_capture_is_one_line_and_leaves_no_table(content, said, name, tmp_path):
    if name == "x.parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / "in.pcap").write_bytes(content)
    words = [sys.executable, "run.py", "coalesce", tmp_path / "in.pcap", "--explain", tmp_path / name]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)  # to its end: what is collected then counts
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line
    assert not (tmp_path / name).exists()


def test_without_pyarrow_one_line_says_what_would_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "in.pcap").write_bytes(pcap([segment(seq=1)]))
    assert main(["coalesce", str(tmp_path / "in.pcap"), "--explain", str(tmp_path / "x.parquet")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"--explain: found '{tmp_path / 'x.parquet'}' but no pyarrow, which writes Parquet, wanted .csv"
    ]
    assert not (tmp_path / "x.parquet").exists()
