"""The table of cards: every cell has a source or is assumed, every assumption is a parameter."""

import pytest

from models.offload.engine import make
from models.offload.lro_columns import ASSUMED, COLUMNS, WORDING, number, wording
from models.offload.lro_table import ROWS, free
from models.offload.names import ENGINES, LRO_ENGINES, PLACES, Place


@pytest.mark.parametrize("name", ROWS)
def test_a_cell_is_assumed_or_has_a_source(name):
    for column in COLUMNS:
        cell = getattr(ROWS[name], column)
        assert cell.source
        assert cell.free or cell.source != ASSUMED
        if column in WORDING:
            assert number(column, wording(column, cell.value)) == cell.value


@pytest.mark.parametrize("name", ROWS)
def test_what_is_free_is_a_parameter_and_what_is_known_is_not(name):
    for column in COLUMNS:
        cell = getattr(ROWS[name], column)
        if column in free(ROWS[name]):
            make(name, **{column: wording(column, cell.value) if column in WORDING else cell.value or 7})
        elif column not in ("max_bytes", "max_segments"):  # these, every engine's limits, may always be lowered
            with pytest.raises(ValueError, match=f"{name}: found parameter '{column}'"):
                make(name, **{column: 1})


def test_a_word_a_column_does_not_know():
    with pytest.raises(ValueError, match="psh: found 'maybe', wanted joins or closes"):
        make("lro-82599", psh="maybe")


def test_engines_of_the_card_or_its_driver_are_lro_engines():
    assert set(LRO_ENGINES) == {name for name in ENGINES if PLACES[name] is not Place.STACK}
    assert set(ROWS) < set(LRO_ENGINES)


def test_how_long_a_card_holds_a_packet_is_a_parameter_where_it_is_assumed():
    assert make("lro-bnx2x").timer_ps is None  # it ends with the interrupt
    assert make("lro-bnx2x", timer_ps=5_000_000).timer_ps == 5_000_000
    with pytest.raises(ValueError, match="timer_ps"):
        make("lro-82599", timer_ps=5_000_000)  # known
