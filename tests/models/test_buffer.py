"""A buffer against a list of rows: whatever is appended and taken, the rows in use are the same, byte for byte."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.buffer import END, FIRST, KEPT, NEXT, PIECES, Buffer
from models.queue import Waiting
from models.train import FRAME_ID, HEAD_WIDTH, PAYLOAD_BYTES, PIECE_COLUMNS, PIECE_COUNT, PIECE_START, FrameTrain

ROWS = len(Buffer().meta)


def train_of(numbers, *, width=HEAD_WIDTH, pieces=0):
    """A row for each number, which is in its cells, its head and its pieces."""
    train = FrameTrain.blank(len(numbers), width)
    train.meta[:, FRAME_ID] = numbers
    train.head[:] = np.reshape(numbers, (-1, 1)) % 251
    if pieces:
        train.pieces = np.zeros((len(numbers) * pieces, len(PIECE_COLUMNS)), np.int64)
        train.column("first_piece")[:] = np.arange(len(numbers)) * pieces
        train.meta[:, PIECE_COUNT] = pieces
        train.pieces[:, PIECE_START] = np.repeat(numbers, pieces)
    return train


def in_use(buffer):
    return buffer.rows(buffer.state.item(FIRST), buffer.state.item(END))


def holds(buffer, numbers):
    train = in_use(buffer)
    assert len(buffer) == len(train) == len(numbers)
    assert train.meta[:, FRAME_ID].tolist() == numbers
    assert (train.head[:, :HEAD_WIDTH] == np.reshape(numbers, (-1, 1)) % 251).all()
    for i, number in enumerate(numbers):
        if train.meta[i, PIECE_COUNT] > 1:
            assert set(train.payload_of(i)[:, PIECE_START].tolist()) == {number}


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0, 0, 2, 3]), st.integers(0, 40)),
        max_size=12,
    )
)
def test_against_a_list(steps):
    buffer, rows, next_number = Buffer(), [], 1
    for appended, taken, pieces, wider in steps:
        numbers = list(range(next_number, next_number + appended))
        buffer.append(train_of(numbers, width=HEAD_WIDTH + wider, pieces=pieces))
        rows, next_number = rows + numbers, next_number + appended
        holds(buffer, rows)
        taken = min(taken, len(rows))
        buffer.state[FIRST] += taken
        rows = rows[taken:]
        holds(buffer, rows)


def test_a_wide_row_widens_all_and_a_narrow_one_ends_in_zeros():
    buffer = Buffer()
    buffer.append(train_of([1]))
    buffer.append(train_of([2], width=200))
    buffer.append(train_of([3]))
    assert buffer.head.shape[1] == 200
    assert not buffer.head[[0, 2], HEAD_WIDTH:].any() and buffer.head[1].all()


def test_what_is_taken_makes_room_without_new_memory():
    buffer = Buffer()
    buffer.append(train_of(list(range(ROWS - 10))))
    buffer.state[FIRST] = ROWS - 30
    generation = buffer.generation
    buffer.append(train_of(list(range(ROWS, ROWS + 60))))
    assert buffer.generation == generation and len(buffer.meta) == ROWS
    holds(buffer, list(range(ROWS - 30, ROWS - 10)) + list(range(ROWS, ROWS + 60)))


def test_whoever_keeps_the_arrays_sees_in_generation_that_they_are_others():
    buffer = Buffer()
    before = buffer.meta, buffer.head, buffer.pieces, buffer.generation
    buffer.append(train_of([1, 2]))
    assert (buffer.meta is before[0], buffer.head is before[1], buffer.generation) == (True, True, before[3])
    for grow in (
        {"rows": ROWS},
        {"rows": 0, "pieces": 5},
        {"rows": 0, "width": HEAD_WIDTH + 1},
    ):
        generation = buffer.generation
        buffer.reserve(**grow)
        assert buffer.generation > generation, grow


def test_room_is_room_for_rows_pieces_and_bytes():
    buffer = Buffer()
    buffer.append(train_of([1, 2, 3], pieces=2))
    buffer.reserve(1000, 70, 150)
    state = buffer.state
    assert len(buffer.meta) - state[END] >= 1000 and len(buffer.meta) == len(buffer.head)
    assert len(buffer.pieces) - state[PIECES] >= 70
    assert buffer.head.shape[1] >= 150
    holds(buffer, [1, 2, 3])


def test_the_marks_between_first_and_end_move_with_the_rows():
    buffer = Buffer()
    buffer.append(train_of(list(range(100))))
    buffer.state[[FIRST, KEPT, NEXT]] = 60, 70, 80
    buffer.reserve(ROWS)
    assert buffer.state[[FIRST, KEPT, NEXT, END]].tolist() == [0, 10, 20, 40]
    holds(buffer, list(range(60, 100)))


def test_an_empty_buffer_starts_again_with_its_pieces():
    buffer = Buffer(extra_state=2)
    buffer.append(train_of([1, 2], pieces=2))
    buffer.state[-2:] = 7, 8
    buffer.state[FIRST] = 2
    buffer.append(train_of([3], pieces=3))
    assert buffer.state.tolist() == [0, 0, 0, 1, 3, 7, 8]  # counters behind the marks are nobody else's business
    holds(buffer, [3])


@given(
    order=st.permutations(range(20)), taken=st.integers(0, 20), rows=st.sampled_from([ROWS - 20, ROWS - 19, 4 * ROWS])
)
def test_frames_that_wait_move_in_the_order_in_which_they_enter(order, taken, rows):
    waiting = Waiting()
    waiting.append(train_of(list(range(20))))
    waiting.meta[:20, PAYLOAD_BYTES] = np.arange(20) * 3
    waiting.row[:20], waiting.rank[:20] = order, [number % 3 for number in order]
    waiting.state[FIRST] = taken
    waiting.reserve(rows)
    used = waiting.row[waiting.state[FIRST] : waiting.state[END]]
    assert waiting.meta[used, FRAME_ID].tolist() == order[taken:]
    assert waiting.meta[used, PAYLOAD_BYTES].tolist() == [3 * number for number in order[taken:]]
    assert waiting.rank[waiting.state[FIRST] : waiting.state[END]].tolist() == [n % 3 for n in order[taken:]]
    assert len(waiting.row) == len(waiting.rank) == len(waiting.meta) >= len(waiting) + rows
