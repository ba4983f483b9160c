"""Big-endian integers in a row of bytes.

Models: network byte order, RFC 1700 "data notation".
Leaves out: bounds; whoever dissects has checked them.
Sources: RFC 1700.
Checked by: tests/models/wire/test_octets.py.

Every byte is widened before it is shifted: `uint8 << 24` keeps its value compiled and loses it in plain Python.
"""

from __future__ import annotations

import numpy as np

from models.compiled import njit


@njit(inline="always")
def be16(row, at):
    """The 16-bit word at byte `at` of the one-dimensional `row`."""
    return (np.int64(row[at]) << 8) | np.int64(row[at + 1])


@njit(inline="always")
def be32(row, at):
    """The 32-bit word at byte `at` of the one-dimensional `row`."""
    return (
        (np.int64(row[at]) << 24) | (np.int64(row[at + 1]) << 16) | (np.int64(row[at + 2]) << 8) | np.int64(row[at + 3])
    )


@njit(inline="always")
def put16(row, at, value):
    row[at] = (value >> 8) & 0xFF
    row[at + 1] = value & 0xFF


@njit(inline="always")
def put32(row, at, value):
    put16(row, at, (value >> 16) & 0xFFFF)
    put16(row, at + 2, value & 0xFFFF)


@njit
def same(a, b, start, stop):
    """Whether bytes [start, stop) of rows `a` and `b` are equal."""
    for at in range(start, stop):  # noqa: SIM110 - a generator does not compile
        if a[at] != b[at]:
            return False
    return True
