"""The two forms of a segment say the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.tcp.segment import MOST_SACKS, SEGMENT_WORDS, Segment, segment_of, write_words

U32 = st.integers(0, 2**32 - 1)
segments = st.builds(
    Segment, U32, U32, st.integers(0, 255), st.integers(0, 65535), st.integers(0, 1 << 24), st.integers(0, 1 << 60),
    st.integers(0, 65535), st.integers(1, 1000), U32, U32, st.booleans(), st.integers(0, 65535), st.integers(-1, 14),
    st.booleans(), st.lists(st.tuples(U32, U32), max_size=MOST_SACKS).map(tuple), st.booleans(),
)  # fmt: skip


@given(segments)
def test_words_are_the_segment(segment):
    row = np.full(SEGMENT_WORDS, 77, np.int64)  # somebody else's before
    write_words(segment, row)
    assert segment_of(row.tolist()) == segment
