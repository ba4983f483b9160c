import numpy as np
import pytest

from models.train import (
    COLUMNS,
    FIRST_PIECE,
    HEAD_BYTES,
    PAYLOAD_BYTES,
    PIECE_COUNT,
    TAIL_BYTES,
    TIME_PS,
    FrameTrain,
    join,
)


def numbered(n: int, width: int = 16) -> FrameTrain:
    train = FrameTrain.blank(n, width)
    train.meta[:, TIME_PS] = np.arange(n)
    train.head[:] = np.arange(n)[:, None]
    return train


@pytest.mark.parametrize("max_frames", [1, 3, 7, None])
def test_cut_and_join_are_inverse(max_frames):
    train = numbered(10)
    again = join(list(train.cut(max_frames)))
    assert np.array_equal(again.meta, train.meta) and np.array_equal(again.head, train.head)


def test_cut_keeps_to_the_limit_and_yields_nothing_of_nothing():
    assert [len(part) for part in numbered(10).cut(4)] == [4, 4, 2]
    assert list(numbered(0).cut(None)) == []


def test_join_widens_heads_and_moves_pieces():
    narrow, wide = numbered(2, 8), numbered(1, 12)
    narrow.pieces = np.arange(10, dtype=np.int64).reshape(2, 5)
    wide.pieces = np.arange(10, 20, dtype=np.int64).reshape(2, 5)
    wide.meta[0, [FIRST_PIECE, PIECE_COUNT]] = 0, 2
    both = join([narrow, wide])
    assert both.head.shape == (3, 12) and not both.head[:2, 8:].any()
    assert np.array_equal(both.payload_of(2), wide.payload_of(0))


def test_packed_has_the_pieces_of_its_rows_and_shares_nothing():
    train = numbered(4)
    train.pieces = np.arange(40, dtype=np.int64).reshape(8, 5)
    train.meta[[0, 2, 3], FIRST_PIECE], train.meta[[0, 2, 3], PIECE_COUNT] = [5, 0, 2], [3, 2, 3]
    packed = train[np.array([3, 1, 0])].packed()
    assert len(packed.pieces) == 6 and len(train[1:2].packed().pieces) == 0
    for k, i in enumerate((3, 1, 0)):
        assert np.array_equal(packed.payload_of(k), train.payload_of(i))
        assert np.array_equal(packed.head[k], train.head[i])
    assert not any(np.shares_memory(a, b) for a, b in [(packed.meta, train.meta), (packed.head, train.head)])
    assert np.array_equal(train.pieces, np.arange(40).reshape(8, 5))


def test_join_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        join([])


def test_frame_bytes_sum_head_payload_and_tail():
    train = numbered(1)
    train.meta[0, [HEAD_BYTES, PAYLOAD_BYTES, TAIL_BYTES]] = 54, 2, 4
    assert train.frame_bytes.tolist() == [60]


def test_column_by_name():
    train = numbered(3)
    assert np.array_equal(train.column("time_ps"), train.time_ps)
    with pytest.raises(ValueError):
        train.column("colour")
    assert len(set(COLUMNS)) == train.meta.shape[1]


def test_at_leaves_the_original_alone():
    train = numbered(3)
    moved = train.at(train.time_ps + 5)
    assert moved.time_ps.tolist() == [5, 6, 7] and train.time_ps.tolist() == [0, 1, 2]
