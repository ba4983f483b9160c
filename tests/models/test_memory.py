"""Queues of one memory against lists of rows: whatever is appended, taken and moved in one of them, the rows in use are
the same in all, byte for byte, in the order in which they enter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.memory import BASE, END, FIRST, KEPT, LIMIT, NEXT, OWN, PIECE_BASE, PIECE_LIMIT, PIECES, Memory, has_room
from models.train import FIRST_PIECE, FRAME_ID, HEAD_WIDTH, PIECE_COLUMNS, PIECE_COUNT, PIECE_START, FrameTrain

ROWS = len(Memory(queues=1).meta)  # a queue's share, to begin with


def train_of(numbers, *, width=HEAD_WIDTH, pieces=0):
    """A row for each number, which is in its cells, its head and its pieces."""
    train = FrameTrain.blank(len(numbers), width)
    train.meta[:, FRAME_ID] = numbers
    train.head[:] = np.reshape(numbers, (-1, 1)) % 251
    if pieces:
        train.pieces = np.zeros((len(numbers) * pieces, len(PIECE_COLUMNS)), np.int64)
        train.meta[:, FIRST_PIECE] = np.arange(len(numbers)) * pieces
        train.meta[:, PIECE_COUNT] = pieces
        train.pieces[:, PIECE_START] = np.repeat(numbers, pieces)
    return train


def holds(queue, numbers):
    train = queue.in_order()
    assert len(queue) == len(train) == len(numbers)
    assert train.meta[:, FRAME_ID].tolist() == numbers
    assert (train.head[:, :HEAD_WIDTH] == np.reshape(numbers, (-1, 1)) % 251).all()
    for i, number in enumerate(numbers):
        if train.meta[i, PIECE_COUNT] > 1:
            assert set(train.payload_of(i)[:, PIECE_START].tolist()) == {number}


def marks(queue):
    """Where the marks are in the queue's share."""
    return (queue.state[[FIRST, KEPT, NEXT, END]] - queue.state[BASE]).tolist()


def shares_are_in_order(memory):
    """Each share lies behind the one before, what is in use lies in it, and the last one ends with the block."""
    before = piece_before = 0
    for words in memory.state:
        assert before == words[BASE] <= words[FIRST] <= words[END] <= words[LIMIT]
        assert piece_before == words[PIECE_BASE] <= words[PIECES] <= words[PIECE_LIMIT]
        before, piece_before = words[LIMIT], words[PIECE_LIMIT]
    assert before == len(memory.meta) == len(memory.head) == len(memory.row) == len(memory.rank)
    assert piece_before == len(memory.pieces)


QUEUES = 3
STEPS = st.lists(
    st.tuples(
        st.integers(0, QUEUES - 1), st.integers(0, 300), st.integers(0, 300), st.sampled_from([0, 0, 2, 3]),
        st.integers(0, 40),
    ),
    max_size=16,
)  # fmt: skip


@given(steps=STEPS)
def test_against_lists(steps):
    memory = Memory(queues=QUEUES)
    queues, rows, next_number = [memory.queue() for _ in range(QUEUES)], [[] for _ in range(QUEUES)], 1
    memory.state[:, OWN:] = np.arange(QUEUES)[:, None]
    for which, appended, taken, pieces, wider in steps:
        numbers = list(range(next_number, next_number + appended))
        queues[which].append(train_of(numbers, width=HEAD_WIDTH + wider, pieces=pieces))
        rows[which] += numbers
        next_number += appended
        for queue, expected in zip(queues, rows, strict=True):
            holds(queue, expected)
        taken = min(taken, len(rows[which]))
        queues[which].state[FIRST] += taken
        del rows[which][:taken]
        holds(queues[which], rows[which])
        shares_are_in_order(memory)
    assert (memory.state[:, OWN:] == np.arange(QUEUES)[:, None]).all()  # counters are nobody else's business


@given(
    orders=st.lists(st.permutations(range(20)), min_size=QUEUES, max_size=QUEUES),
    taken=st.lists(st.integers(0, 20), min_size=QUEUES, max_size=QUEUES),
    grows=st.lists(
        st.tuples(st.integers(0, QUEUES - 1), st.sampled_from([0, 1, ROWS - 20, ROWS]), st.sampled_from([0, 3, 90])),
        min_size=1, max_size=4,
    ),
)  # fmt: skip
def test_whichever_queue_grows_all_keep_rows_pieces_order_and_ranks(orders, taken, grows):
    memory = Memory(queues=QUEUES)
    queues = [memory.queue() for _ in range(QUEUES)]
    for k, (queue, order, gone) in enumerate(zip(queues, orders, taken, strict=True)):
        queue.append(train_of([100 * k + number for number in range(20)], pieces=k))
        used = slice(queue.state[FIRST], queue.state[END])
        memory.row[used] = np.array(order) + queue.state[FIRST]
        memory.rank[used] = [number % 3 for number in order]
        queue.state[FIRST] += gone
    for which, more, pieces in grows:
        memory.make_room(which, more, pieces)
        words = queues[which].state
        assert words[END] + more <= words[LIMIT] and words[PIECES] + pieces <= words[PIECE_LIMIT]
        assert marks(queues[which])[0] == 0
        for k, (queue, order, gone) in enumerate(zip(queues, orders, taken, strict=True)):
            holds(queue, [100 * k + number for number in order[gone:]])
            used = slice(queue.state[FIRST], queue.state[END])
            assert memory.rank[used].tolist() == [number % 3 for number in order[gone:]]
        shares_are_in_order(memory)


def test_the_marks_between_first_and_end_move_with_the_rows():
    memory = Memory(queues=2)
    one, other = memory.queue(), memory.queue()
    for queue in (one, other):
        queue.append(train_of(list(range(100))))
        queue.state[[FIRST, KEPT, NEXT]] += 60, 70, 80
    one.reserve(ROWS, 0)
    assert (marks(one), marks(other)) == ([0, 10, 20, 40], [60, 70, 80, 100])  # the other one stays where it was
    assert other.state[BASE] > ROWS
    other.reserve(ROWS, 0)
    assert (marks(one), marks(other)) == ([0, 10, 20, 40], [0, 10, 20, 40])
    holds(one, list(range(60, 100)))
    holds(other, list(range(60, 100)))


def test_rows_that_were_taken_and_are_still_read_stay_where_they_were_when_another_queue_grows():
    """A poll that forwards runs out of room with packets in its hands: rows of its ring from which FIRST moved on."""
    memory = Memory(queues=3)
    grows, ring, _ = (memory.queue() for _ in range(3))
    ring.append(train_of([1, 2, 3, 4], pieces=2))
    ring.state[FIRST] += 3
    memory.make_room(grows.index, 5 * ROWS, 50)
    first = ring.state[BASE]
    taken = ring.rows(first, first + 3)
    assert taken.meta[:, FRAME_ID].tolist() == [1, 2, 3]
    assert [taken.payload_of(i)[:, PIECE_START].tolist() for i in range(3)] == [[1, 1], [2, 2], [3, 3]]


def test_a_wide_row_widens_all_and_a_narrow_one_ends_in_zeros():
    memory = Memory(queues=2)
    one, other = memory.queue(), memory.queue()
    one.append(train_of([1]))
    other.append(train_of([2], width=200))
    one.append(train_of([3]))
    assert memory.head.shape[1] == 200
    assert not one.in_order().head[:, HEAD_WIDTH:].any() and other.in_order().head.all()


def test_a_narrow_row_where_a_wide_one_was_ends_in_zeros():
    queue = Memory(queues=1).queue()
    queue.append(train_of([1], width=200))
    queue.state[FIRST] += 1
    queue.append(train_of([2]))
    assert queue.in_order().head[0, :HEAD_WIDTH].all() and not queue.in_order().head[0, HEAD_WIDTH:].any()


def test_what_is_taken_makes_room_without_new_memory():
    memory = Memory(queues=2)
    queue = memory.queue()
    queue.append(train_of(list(range(ROWS - 10))))
    queue.state[FIRST] = ROWS - 30
    generation = memory.generation
    queue.append(train_of(list(range(ROWS, ROWS + 60))))
    assert memory.generation == generation and marks(queue)[0] == 0
    holds(queue, list(range(ROWS - 30, ROWS - 10)) + list(range(ROWS, ROWS + 60)))


@pytest.mark.parametrize("grow", [(ROWS, 0, HEAD_WIDTH), (0, 5, HEAD_WIDTH), (0, 0, HEAD_WIDTH + 1)])
def test_whoever_keeps_the_arrays_sees_in_generation_that_they_are_others(grow):
    memory = Memory(queues=2)
    queue = memory.queue()
    generation, arrays = memory.generation, memory.arrays()
    queue.append(train_of([1, 2]))
    assert memory.generation == generation
    assert all(one is other for one, other in zip(arrays, memory.arrays(), strict=True))
    rows, pieces, width = grow
    memory.widen(width)
    queue.reserve(rows, pieces)
    assert memory.generation > generation
    state, *_ = memory.arrays()
    assert state is arrays[0]  # whoever watches a counter keeps it
    assert queue.words[END] - queue.words[FIRST] == 2


def test_room_is_room_for_rows_and_pieces():
    queue = Memory(queues=1).queue()
    queue.append(train_of([1, 2, 3], pieces=2))
    assert not has_room(queue.state, ROWS - 2, 0) and has_room(queue.state, ROWS - 3, 0)
    queue.reserve(1000, 70)
    assert has_room(queue.state, 1000, 70)
    assert not has_room(queue.state, 10**6, 0) and not has_room(queue.state, 0, 10**6)
    holds(queue, [1, 2, 3])


def test_an_empty_queue_begins_anew_with_its_pieces():
    memory = Memory(queues=2)
    other, queue = memory.queue(), memory.queue()
    other.append(train_of([9], pieces=2))
    queue.append(train_of([1, 2], pieces=2))
    queue.state[FIRST] += 2
    queue.append(train_of([3], pieces=3))
    assert marks(queue) == [0, 0, 0, 1] and queue.state[PIECES] - queue.state[PIECE_BASE] == 3
    holds(queue, [3])
    holds(other, [9])


def test_only_the_pieces_of_the_rows_appended_come_along():
    """A row of one queue goes to another: the pieces of the whole block do not follow it."""
    memory = Memory(queues=2)
    one, other = memory.queue(), memory.queue()
    one.append(train_of(list(range(30)), pieces=3))
    for k in range(10):
        other.append(one.rows(k, k + 1))
    holds(other, list(range(10)))
    assert other.state[PIECES] - other.state[PIECE_BASE] == 10 * 3


def test_there_are_as_many_queues_as_were_asked_for():
    memory = Memory(queues=1)
    memory.queue()
    with pytest.raises(IndexError, match="no queue left of 1"):
        memory.queue()
