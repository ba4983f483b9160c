import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.path import PathDraws


def draws(seed: int = 1) -> PathDraws:
    return PathDraws(seed=seed, link=3, loss=0.2, jitter_ps=1000)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=80), st.integers(1, 9))
def test_neither_cutting_nor_other_streams_change_a_draw(streams, cut):
    streams = np.array(streams)
    whole = draws().draw(streams)
    pieces, alone = draws(), draws()
    parts = [pieces.draw(streams[k : k + cut]) for k in range(0, len(streams), cut)]
    for k in (0, 1):
        assert np.array_equal(np.concatenate([part[k] for part in parts]), whole[k])
        assert np.array_equal(alone.draw(streams[streams == 1])[k] if k == 0 else whole[1][streams == 1],
                              whole[k][streams == 1])  # fmt: skip


def test_another_seed_draws_otherwise():
    streams = np.ones(1000, np.int64)
    late, lost = draws(1).draw(streams)
    assert not np.array_equal(late, draws(2).draw(streams)[0])
    assert 150 < lost.sum() < 250 and late.min() >= 0 and late.max() <= 1000
