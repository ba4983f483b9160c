"""`run.py coalesce`: the books balance on every capture, polls end where they should, mistakes are one line."""

import argparse
import json
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "coalesce"))
from captures import FILES, frames_of, pcap, rfc1071, segment

from sim.cli import coalesce
from sim.coalesce.tally import known_engines

ROOT = Path(__file__).parents[3]


def command(*words):
    parser = argparse.ArgumentParser()
    coalesce.add_arguments(parser)
    return coalesce.main(parser.parse_args([str(word) for word in words]))


def reported(tmp_path, *words):
    assert command(*words, "--json", tmp_path / "report.json") == 0
    return json.loads((tmp_path / "report.json").read_text())["engines"]


def in_order(n):
    """Segments of one flow, each the next of the one before; the IP IDs rise by one."""
    return [segment(1 + 100 * k, bytes([k & 0xFF]) * 100, ip_id=k) for k in range(n)]


@pytest.fixture
def capture_of(tmp_path):
    def make_file(times_us):
        file = tmp_path / "in.pcap"
        file.write_bytes(pcap(in_order(len(times_us)), times_us))
        return file

    return make_file


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_books_balance_on_real_captures(file, tmp_path):
    frames = len(frames_of(file))
    for report in reported(tmp_path, file):
        assert report["frames_in"] == frames == sum(report["fates"].values())
        assert sum(report["reasons"].values()) == report["fates"]["started"] + report["fates"]["passed"]
        assert sum(report["closes"].values()) == report["fates"]["started"]
        assert report["packets_out"] == frames - report["fates"]["joined"]
        assert report["lossless"] or sum(report["lost"].values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("engine", known_engines())
def test_what_is_written_is_a_capture_with_the_checksums_it_had(file, engine, tmp_path):
    (report,) = reported(tmp_path, file, "--engine", engine, "--out", tmp_path / "out.pcap")
    (again,) = reported(tmp_path, tmp_path / "out.pcap", "--engine", "none")
    assert again["frames_in"] == report["packets_out"]
    if engine == "none":
        assert frames_of(tmp_path / "out.pcap") == frames_of(file)


@pytest.mark.parametrize(
    ("times_us", "words", "packets"),
    [
        ([0, 50, 100, 150], [], 1),  # a gap of 50 us is not more than 50 us
        ([0, 51, 102, 102], [], 3),
        ([0, 51, 102, 102], ["--gap", "1ms"], 1),
        ([0, 51, 102, 102], ["--batch", "all"], 1),
        ([100, 40, 70, 60], [], 1),  # time that goes back is no gap
        ([5_000_000, 0, 51, 60], [], 2),  # and the gaps after it count from there
        ([0] * 20, ["--budget", "8"], 3),
    ],
)
def test_polls_end_where_they_should(times_us, words, packets, capture_of, tmp_path):
    (report,) = reported(tmp_path, capture_of(times_us), "--engine", "gro", *words)
    assert report["packets_out"] == packets


def test_merged_packets_are_written_whole(capture_of, tmp_path):
    (report,) = reported(tmp_path, capture_of([0] * 10), "--engine", "gro", "--out", tmp_path / "out.pcap")
    assert (report["packets_out"], report["largest_segments"], report["merged_frames"]) == (1, 10, 10)
    assert report["lossless"]
    merged = segment(1, b"".join(bytes([k]) * 100 for k in range(10)), ip_id=0)
    assert frames_of(tmp_path / "out.pcap") == [merged]


def test_a_packet_longer_than_the_mtu_passes_as_merged_already(capture_of, tmp_path):
    (report,) = reported(tmp_path, capture_of([0] * 3), "--engine", "gro", "--mtu", "139")
    assert report["reasons"] == {"already-merged": 3}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.pcap"], "missing.pcap: found no such file or directory, wanted a capture"),
        (["."], ".: found is a directory, wanted a capture"),
        (["{}", "--engine", "gor"], "--engine: found 'gor', wanted one or more of none, gro"),
        (["{}", "--engine", ","], "--engine: found ','"),
        (["{}", "--gap", "fast"], "--gap: found 'fast', wanted a time such as 50us"),
        (["{}", "--budget", "0"], "--budget: found '0', wanted a whole number of at least 1"),
        (["{}", "--mtu", "1e3"], "--mtu: found '1e3'"),
        (["{}", "--out", "x.pcap"], "--out: found 4 engines, wanted one"),
        (["{}", "--engine", "gro", "--out", "-", "--json", "-"], "found standard output twice"),
        (["{}", "--engine", "gro", "--out", "no/x.pcap"], "no/x.pcap: found no such file or directory"),
        (["{}", "--figure", "x.gif"], "--figure: found 'x.gif', wanted a name that ends in .png, .pdf, .svg"),
        (["{}", "--figure", "no/x.png"], "no: found no such file or directory"),
        (["{}", "--explain", "no/x.csv"], "no/x.csv: found no such file or directory"),
        (["{}", "--explain", "x.txt"], "--explain: found 'x.txt', wanted a name that ends in .csv or .parquet"),
        (["{}", "--explain", "x.csv.gz"], "--explain: found 'x.csv.gz', wanted a name that ends in .csv or .parquet"),
        (["{}", "--resegment", "x.pcap"], "--resegment: found 4 engines, wanted one"),
        (["{}", "--to", "somebody"], "--to: found 'somebody', wanted both, a MAC address or an IP address"),
        (["{}", "--json", "no/x.json"], "no: found no such file or directory"),
    ],
)
def test_a_mistake_is_one_clear_line(words, said, capture_of, capsys, tmp_path, monkeypatch):
    file = capture_of([0])
    monkeypatch.chdir(tmp_path)
    assert command(*[word.format(file) for word in words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert [each.name for each in tmp_path.iterdir()] == ["in.pcap"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "in.pcap"], "--out: found 'in.pcap', the capture that is read, wanted another file"),
        (["--json", "./link"], "--json: found './link', the capture that is read, wanted another file"),
        (["--explain", "hard"], "--explain: found 'hard', the capture that is read, wanted another file"),
        (["--resegment", "x", "--out", "x"], "--out and --resegment: found 'x' twice, wanted a file for each"),
        (["--json", "x", "--explain", "../here/x"], "--explain and --json: found 'x' twice, wanted a file for each"),
        (["--figure", "x.svg", "--json", "dangling"], "--figure and --json: found 'dangling' twice"),
    ],
)
def test_no_file_is_written_over_the_capture_or_over_another(words, said, capsys, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    content = pcap(in_order(3))
    (here / "in.pcap").write_bytes(content)
    (here / "link").symlink_to("in.pcap")
    (here / "hard").hardlink_to("in.pcap")
    (here / "dangling").symlink_to("x.svg")
    assert command("in.pcap", "--engine", "gro", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert sorted(each.name for each in here.iterdir()) == ["dangling", "hard", "in.pcap", "link"]
    assert (here / "in.pcap").read_bytes() == content


def test_the_file_on_standard_input_is_the_capture_too(tmp_path):
    (tmp_path / "in.pcap").write_bytes(pcap(in_order(3)))
    words = [sys.executable, "run.py", "coalesce", "-", "--engine", "gro", "--out", tmp_path / "in.pcap"]
    with (tmp_path / "in.pcap").open("rb") as file:
        done = subprocess.run(words, stdin=file, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "the capture that is read, wanted another file" in done.stderr


def test_what_keeps_nothing_may_be_named_twice(capture_of):
    null = [word for option in ("--out", "--resegment", "--explain", "--json") for word in (option, "/dev/null")]
    assert command(capture_of([0] * 3), "--engine", "gro", *null) == 0


def test_a_capture_cut_in_its_last_record_is_refused_whole(capture_of, capsys, tmp_path):
    file = capture_of([0] * 5)
    file.write_bytes(file.read_bytes()[:-1])
    assert command(file, "--engine", "gro", "--out", tmp_path / "out.pcap") == 2
    assert "at byte 704: found a record of 170 bytes, wanted at most the 169" in capsys.readouterr().err
    assert not (tmp_path / "out.pcap").exists()


def test_the_counts_can_go_to_standard_output(capture_of, capsys):
    assert command(capture_of([0] * 3), "--json", "-") == 0
    assert len(json.loads(capsys.readouterr().out)["engines"]) == len(coalesce.DEFAULT_ENGINES.split(","))


def test_only_what_goes_to_an_address_is_received(tmp_path):
    both = [frame for k in range(3) for frame in (segment(1 + 100 * k, ip_id=k), segment(9, b"", ack=1 + k, back=True))]
    (tmp_path / "in.pcap").write_bytes(pcap(both))
    for address in ("10.0.0.2", "00:00:00:00:00:01", "00-00-00-00-00-01"):
        (report,) = reported(tmp_path, tmp_path / "in.pcap", "--engine", "gro", "--to", address)
        assert (report["frames_in"], report["packets_out"]) == (3, 1)
    (report,) = reported(tmp_path, tmp_path / "in.pcap", "--engine", "gro", "--to", "2001:db8::1")
    assert report["frames_in"] == 0


def test_both_directions_and_unfinished_checksums_are_pointed_out(tmp_path, capsys):
    frame = bytearray(segment(1))
    (tmp_path / "in.pcap").write_bytes(pcap([frame]))
    assert command(tmp_path / "in.pcap") == 0
    assert "both directions" not in capsys.readouterr().out
    frame[50:52] = struct.pack(">H", 0xFFFF - int.from_bytes(rfc1071(frame[26:34] + b"\0\6\0\x78"), "big"))
    (tmp_path / "in.pcap").write_bytes(pcap([frame, segment(1, back=True)]))
    (report,) = reported(tmp_path, tmp_path / "in.pcap", "--engine", "gro")
    assert report["reasons"] == {"checksum": 1, "first": 1}
    said = capsys.readouterr().out
    assert "both directions are in the capture" in said
    assert (
        "1 checksums are only begun, as a sender leaves them to its card: --checksum card takes them as right" in said
    )
    (report,) = reported(tmp_path, tmp_path / "in.pcap", "--engine", "gro", "--checksum", "card")
    assert report["reasons"] == {"first": 2}


def test_a_mac_address_is_of_no_use_where_there_is_none(tmp_path, capsys):
    (tmp_path / "in.pcap").write_bytes(pcap([segment(1)[14:]], link_type=101))
    assert command(tmp_path / "in.pcap", "--to", "00:00:00:00:00:01") == 2
    wanted = "--to: found a MAC address, and frames of link type 101 (raw IP), wanted an IP address for these"
    assert capsys.readouterr().err.splitlines() == [wanted]


def test_a_pipe_is_read_as_it_comes(tmp_path):
    """What is complete goes out before the next is there."""
    content = pcap(in_order(4), [0, 0, 1000, 1000])
    words = [sys.executable, "run.py", "coalesce", "-", "--engine", "gro", "--out", "-"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        process.stdin.write(content[: 24 + 3 * 170])
        process.stdin.flush()
        first = process.stdout.read(24 + 16 + 254)
        assert len(first) == 24 + 16 + 254 and process.poll() is None
        process.stdin.write(content[24 + 3 * 170 :])
        process.stdin.close()
        assert len(process.stdout.read()) == 16 + 254
    assert process.returncode == 0


def test_an_interrupt_ends_the_capture_that_is_read_from_a_pipe(tmp_path):
    """As with `tcpdump -w - | run.py coalesce -`: Ctrl-C goes to both, and what was captured is told."""
    words = [sys.executable, "run.py", "coalesce", "-", "--engine", "gro", "--json", tmp_path / "x.json", "--out", "-"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        process.stdin.write(pcap(in_order(4), [0, 0, 1000, 1000]))
        process.stdin.flush()
        process.stdout.read(24 + 16 + 254)  # it is in the middle of it
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        process.stdout.read()
    assert process.returncode == 0
    assert json.loads((tmp_path / "x.json").read_text())["engines"][0]["frames_in"] == 4


def test_the_json_repeats_what_was_set(tmp_path, capture_of):
    words = (capture_of([0, 1, 2]), "--engine", "lro-82599", "--json", tmp_path / "x.json")
    assert command(*words) == 0
    assert "set" not in json.loads((tmp_path / "x.json").read_text())
    assert command(*words, "--set", "psh=closes") == 0
    assert json.loads((tmp_path / "x.json").read_text())["set"] == ["psh=closes"]
