"""The figure of `coalesce`: same counts, same bytes; its bars are the counts."""

import io
import warnings

import pytest

from sim.plots import coalesced, style


def report(engines=("none", "gro")):
    counts = {
        "none": {"packets_out": 100, "merge_sizes": {1: 100}, "reasons": {"off": 100}},
        "gro": {"packets_out": 30, "merge_sizes": {1: 20, 8: 10}, "reasons": {"first": 20, "ack": 10}},
    }
    return {"name": "x.pcap", "engines": [{"engine": name, "frames_in": 100, **counts[name]} for name in engines]}


@pytest.mark.parametrize("ending", style.FORMATS)
@pytest.mark.parametrize("engines", [("gro",), ("none", "gro"), ("gro",) * 17])
def test_the_same_counts_give_the_same_bytes_and_everything_fits(ending, engines):
    written = []
    for _ in range(2):
        with warnings.catch_warnings(), io.BytesIO() as file:
            warnings.simplefilter("error")
            style.save_as(coalesced.draw(report(engines)), file, ending)
            written.append(file.getvalue())
    assert written[0] == written[1]


def test_bars_are_the_counts():
    packets, sizes, reasons = coalesced.draw(report()).axes
    assert [bar.get_width() for bar in packets.patches] == [100, 30]
    assert sum(bar.get_width() for bar in sizes.patches) == pytest.approx(200)  # both engines' frames, in per cent
    assert sorted(bar.get_width() for bar in reasons.patches) == [0, 0, 10, 20]


def test_no_frames_are_no_obstacle():
    engine = {"engine": "gro", "frames_in": 0, "packets_out": 0, "merge_sizes": {}, "reasons": {}}
    style.save_as(coalesced.draw({"name": "empty.pcap", "engines": [engine]}), io.BytesIO(), ".png")
