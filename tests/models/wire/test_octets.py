"""Reading and writing integers, against Python's own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.wire.octets import be16, be32, octet, put16, put32, same

ROWS = st.binary(min_size=24, max_size=24)


@given(ROWS, st.integers(0, 20))
def test_reads(made, at):
    row = np.frombuffer(made, np.uint8)
    assert octet(row, at) == made[at]
    assert be16(row, at) == int.from_bytes(made[at : at + 2], "big")
    assert be32(row, at) == int.from_bytes(made[at : at + 4], "big")


@given(ROWS, st.integers(0, 20), st.integers(0, 0xFFFFFFFF))
def test_writes(made, at, value):
    row = np.frombuffer(made, np.uint8).copy()
    put32(row, at, value)
    assert row.tobytes() == made[:at] + value.to_bytes(4, "big") + made[at + 4 :]
    put16(row, at, value & 0xFFFF)
    assert row.tobytes()[at : at + 2] == (value & 0xFFFF).to_bytes(2, "big")


@given(ROWS, st.integers(0, 24), st.integers(0, 24), st.integers(0, 23))
def test_sameness_looks_at_its_stretch_only(made, start, stop, flipped):
    a = np.frombuffer(made, np.uint8)
    b = a.copy()
    b[flipped] ^= 1
    assert same(a, b, start, stop) == (not start <= flipped < stop)
