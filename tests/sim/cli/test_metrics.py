"""Figures from counts, and the table a run prints."""

import pytest
from made_up import result

from models.units import PS_PER_MS
from sim import metrics


def test_goodput():
    assert metrics.goodput_bps(read_bytes=1_250_000, span_ps=PS_PER_MS) == 10e9
    assert metrics.goodput_bps(read_bytes=5, span_ps=0) == 0.0


@pytest.mark.parametrize(("sizes", "mean"), [({}, 0.0), ({1: 3}, 1.0), ({1: 1, 3: 1}, 2.0)])
def test_segments_per_packet(sizes, mean):
    assert metrics.segments_per_packet(sizes) == mean


def test_busy_fraction_is_that_of_the_busiest_core():
    assert metrics.busy_fraction(busy_ps=[1, 3, 2], span_ps=4) == 0.75
    assert metrics.busy_fraction(busy_ps=[], span_ps=4) == 0.0


def test_cycles_per_frame():
    assert metrics.cycles_per_frame({"drv": 30, "skb": 10}, frames=8) == 5.0
    assert metrics.cycles_per_frame({}, frames=0) == 0.0


def test_books_that_do_not_add_up_are_told():
    good = {
        "fates": {"joined": 5, "started": 2, "passed": 1},
        "reasons": {"first": 2, "flags": 1},
        "closes": {"gap": 2},
    }
    assert metrics.unbalanced(good) == []
    assert metrics.unbalanced(good | {"reasons": {}, "closes": {}}) == [
        "0 reasons for 3 frames that did not join",
        "0 closes for 2 packets started",
    ]


def test_a_row_has_a_cell_for_each_column():
    rows = metrics.comparison([result("none").as_json(), result("gro").as_json()], observe="receiver")
    assert [len(row) for row in rows] == [len(metrics.COLUMNS)] * 2
    assert [row[2] for row in rows] == ["1.00x", "1.53x"]
    silent = metrics.comparison([result("none", goodput_bps=0.0, cpu={}).as_json()], observe="receiver")
    assert silent[0][1:5] == ("0.000", "-", "-", "-")
