"""The time of a core, and which of its cards is polled next."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cores.core import begin_poll, end_poll, line_up, next_card
from models.cores.time import acts_at_ps, book, due_ps, spend_until
from models.cores.words import (
    BUSY,
    CARDS,
    CORE_WORDS,
    FIRST_CARD,
    HOST,
    IDLE,
    MEASURED_FROM,
    MEASURED_TO,
    NOW,
    PHASE,
    POLLING,
    READER,
    READER_ENDS,
    WANTS_MORE,
)
from models.host.sockets import HOST_WORDS, READY, TIMER_PS
from models.nic import words as nic
from models.nic.poll import BUDGET
from models.train import ABSENT
from models.units import NEVER

NOW_PS = 1000


def rows(cards=0, hosts=0):
    """A core at NOW_PS with all the cards and the last host, where nothing is to be done; its cards; the hosts."""
    core = np.zeros(CORE_WORDS, np.int64)
    core[[NOW, CARDS, HOST, READER]] = NOW_PS, cards, hosts - 1 if hosts else ABSENT, ABSENT
    core[MEASURED_TO] = NEVER
    table = np.zeros((cards, len(nic.WORDS)), np.int64)
    table[:, [nic.INTERRUPT_AT, nic.TIMER_AT]] = NEVER
    theirs = np.zeros((hosts, HOST_WORDS), np.int64)
    theirs[:, TIMER_PS] = NEVER
    return core, table, theirs


SPAN = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted)


@given(measured=SPAN, spans=st.lists(SPAN, max_size=6))
def test_busy_is_each_picosecond_of_work_that_was_measured(measured, spans):
    core, _, _ = rows()
    core[[MEASURED_FROM, MEASURED_TO]] = measured
    for start, end in spans:
        book(core, start, end)
    within = range(*measured)
    assert core[BUSY] == sum(at in within for start, end in spans for at in range(start, end))


@given(measured=SPAN, span=SPAN, later=st.integers(0, 30))
def test_work_that_is_put_off_is_taken_back_and_booked_later(measured, span, later):
    """What a preempted reader has still to do at `at` is done `later`."""
    (start, end), (moved, expected) = span, (rows()[0], rows()[0])
    at = (start + end) // 2
    for core in (moved, expected):
        core[[MEASURED_FROM, MEASURED_TO]] = measured
    book(moved, start, end)
    book(moved, end, at)
    book(moved, at + later, end + later)
    book(expected, start, at)
    book(expected, at + later, end + later)
    assert moved[BUSY] == expected[BUSY]


def test_time_passes_with_work():
    core, _, _ = rows()
    spend_until(core, NOW_PS + 70)
    assert (core[NOW], core[BUSY]) == (NOW_PS + 70, 70)


@pytest.mark.parametrize(
    ("core_words", "card_words", "host_words", "due"),
    [
        ({}, {}, {}, NEVER),
        ({}, {nic.INTERRUPT_AT: 1500}, {}, 1500),
        ({}, {nic.TIMER_AT: 1400, nic.INTERRUPT_AT: 1500}, {}, 1400),
        ({}, {nic.INTERRUPT_AT: 500}, {}, 500),  # past: it was busy then
        ({}, {}, {TIMER_PS: 1300}, 1300),
        ({}, {nic.INTERRUPT_AT: 1200}, {TIMER_PS: 1300}, 1200),
        ({}, {nic.INTERRUPT_AT: 1200}, {READY: 1}, NOW_PS),
        ({READER: 0, READER_ENDS: 1250}, {}, {READY: 1}, 1250),  # one reader at a time
        ({READER: 0, READER_ENDS: 1250}, {nic.INTERRUPT_AT: 1200}, {}, 1200),  # which may be preempted
    ],
)
def test_when_a_core_is_due(core_words, card_words, host_words, due):
    core, cards, hosts = rows(cards=2, hosts=2)
    hosts[0, [READY, TIMER_PS]] = 1, 1  # somebody else's
    for row, values in ((core, core_words), (cards[1], card_words), (hosts[1], host_words)):
        for word, value in values.items():
            row[word] = value
    assert due_ps(core, cards, hosts) == due
    assert acts_at_ps(core, cards, hosts) == max(due, NOW_PS)
    core[PHASE] = POLLING
    assert acts_at_ps(core, cards, hosts) == NOW_PS  # in the middle of something


@pytest.mark.parametrize("first_card", [0, 1])
def test_a_core_minds_its_own_cards(first_card):
    core, cards, hosts = rows(cards=3)
    core[[FIRST_CARD, CARDS]] = first_card, 1
    cards[:, nic.INTERRUPT_AT] = 100, 200, 300
    assert due_ps(core, cards, hosts) == cards[first_card, nic.INTERRUPT_AT]
    assert next_card(core, cards) == first_card
    assert cards[:, nic.TICKET].astype(bool).tolist() == [k == first_card for k in range(3)]


STEPS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["interrupt", "timer", "poll", "poll"])), max_size=40)


@given(steps=STEPS, used_up=st.lists(st.booleans(), min_size=40, max_size=40))
def test_cards_are_polled_in_the_order_in_which_they_wanted_it(steps, used_up):
    """A card whose budget is used up goes to the end of the line; one that is in line is not lined up again."""
    core, cards, _ = rows(cards=3)
    line, rang = [], set()
    for (k, step), more in zip(steps, used_up, strict=False):
        if step != "poll":
            if step == "interrupt" and k in line:
                continue  # it is masked
            cards[k, nic.INTERRUPT_AT if step == "interrupt" else nic.TIMER_AT] = core[NOW]
            rang.add(k)
            continue
        line += sorted(rang.difference(line))  # they all rang since the core looked last
        rang.clear()
        number = next_card(core, cards)
        assert number == (line[0] if line else ABSENT)
        assert (cards[:, nic.INTERRUPT_AT] > core[NOW]).all() and (cards[:, nic.TIMER_AT] > core[NOW]).all()
        if line:
            begin_poll(core, cards[number])
            assert cards[number, nic.TICKET] == 0 and cards[number, nic.BEGINS]
            line.pop(0)
            if more:
                line_up(core, cards[number])
                line.append(number)


@pytest.mark.parametrize(
    ("left", "timer", "rang_ps", "wants_more", "timer_at"),
    [
        (0, 0, NEVER, 1, NEVER),
        (1, 0, NEVER, 0, NEVER),
        (BUDGET, 50, NEVER, 0, NOW_PS + 50),
        (1, 0, NOW_PS, 0, NEVER),  # it rang while the card was polled anyway
        (1, 50, NOW_PS - 1, 0, NOW_PS + 50),
        (1, 0, NOW_PS + 1, 0, NOW_PS + 1),
    ],
)
def test_what_a_poll_leaves_for_later(left, timer, rang_ps, wants_more, timer_at):
    core, cards, _ = rows(cards=1)
    cards[0, [nic.LEFT, nic.TIMER, nic.TIMER_AT]] = left, timer, rang_ps
    end_poll(core, cards[0])
    assert (core[WANTS_MORE], cards[0, nic.TIMER_AT], core[PHASE]) == (wants_more, timer_at, IDLE)
