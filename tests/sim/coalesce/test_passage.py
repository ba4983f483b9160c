"""A capture through engines: where it is cut for reading changes nothing."""

import io
from pathlib import Path

import pytest

from sim.capture import Capture
from sim.capture_bytes import WINDOW_BYTES, Window
from sim.capture_records import CaptureFile
from sim.capture_write import CaptureWriter
from sim.coalesce.card import Card, Settings
from sim.coalesce.passage import Lane, run
from sim.coalesce.polls import NO_LIMIT, Polls
from sim.coalesce.resegment import PacketsOut, Resegmented
from sim.coalesce.tally import Tally, known_engines, make

CAPTURE = Path(__file__).parents[2] / "data/captures/veth-iperf3.pcap"


def packets_of(file, engine, path, *, window_bytes, polls):
    """(bytes of the capture written, bytes of the frames after a cut, counts)."""
    tally = Tally(make(engine))
    with (
        Capture(CaptureFile("x.pcap", Window(file, window_bytes=window_bytes))) as capture,
        CaptureWriter(path / "out") as out,
        CaptureWriter(path / "again") as again,
    ):
        lane = Lane(tally, [PacketsOut(out, capture), Resegmented(again, capture)])
        run(capture, [lane], polls, Card(Settings()))
    return (path / "out").read_bytes(), (path / "again").read_bytes(), tally.as_json()


@pytest.mark.parametrize("engine", known_engines())
@pytest.mark.parametrize("budget", [64, NO_LIMIT])
def test_what_is_held_survives_the_end_of_what_was_read(engine, budget, tmp_path):
    content = CAPTURE.read_bytes()[:300_000]
    content = content[: 24 + sum(16 + n for n in lengths(content))]
    (tmp_path / "in").write_bytes(content)
    gap_ps = NO_LIMIT if budget == NO_LIMIT else 50_000_000
    whole, *small = (
        packets_of(file, engine, tmp_path, window_bytes=size, polls=Polls(gap_ps=gap_ps, budget=budget))
        for size in (WINDOW_BYTES, len(content), 70_000, 1_600)
        for file in (io.BytesIO(content), (tmp_path / "in").open("rb", buffering=0))
    )
    assert small == 7 * [whole]


def test_bytes_that_were_lent_are_not_overwritten_before_they_are_settled():
    window = Window(io.BytesIO(bytes(range(200))), window_bytes=16)
    settled = []
    window.settle = lambda: settled.append(window.offset)
    lent, before = window.data[:16], window.data[:16].copy()
    window.lent = True
    at = window.refill(16)
    assert (lent == before).all()
    assert not settled
    window.refill(at)
    assert len(settled) == 1


def lengths(content):
    """Captured lengths of the whole records of a little-endian pcap."""
    at = 24
    while at + 16 <= len(content):
        n_bytes = int.from_bytes(content[at + 8 : at + 12], "little")
        if at + 16 + n_bytes > len(content):
            return
        yield n_bytes
        at += 16 + n_bytes
