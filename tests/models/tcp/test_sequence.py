"""RFC 9293 section 3.4."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tcp.sequence import on_wire, unwrapped


@pytest.mark.parametrize(
    ("wire", "near", "number"),
    [
        (5, 3, 5),
        (3, 5, 3),
        (0, 0xFFFFFFFF, 1 << 32),
        (0xFFFFFFFF, 1 << 32, 0xFFFFFFFF),
        (0x7FFFFFFF, 0, 0x7FFFFFFF),
        (0x80000000, 0, -0x80000000),
        (7, (5 << 32) + 1, (5 << 32) + 7),
    ],
)
def test_the_nearest_number(wire, near, number):
    assert unwrapped(wire, near) == number


@given(near=st.integers(0, 1 << 50), distance=st.integers(-(1 << 31), (1 << 31) - 1))
def test_the_wire_value_tells_the_number(near, distance):
    assert unwrapped(on_wire(near + distance), near) == near + distance
