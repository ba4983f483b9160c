"""Big-endian integers in a row of bytes.

Models: network byte order, RFC 1700 "data notation".
Leaves out: bounds; whoever dissects has checked them.
Sources: RFC 1700.
Checked by: tests/models/wire/test_octets.py.

Every byte is widened before it is shifted: `uint8 << 24` keeps its value compiled and loses it in plain Python.
Places are handed to the array as unsigned: for a signed one numba asks at every byte whether it counts from the end,
and the four bytes of a word are then no longer one load (13 fields of a header: 25 ns with the question, 8 without).
Functions this small, and those of the header modules that read one field, are left to LLVM to inline; inlined by numba
they double the compile time of the engines.
"""

from __future__ import annotations

import numpy as np

from models.compiled import njit


@njit
def octet(row, at):
    """The byte at `at` of the one-dimensional `row`, as wide as every integer here."""
    return np.int64(row[np.uint64(at)])


@njit
def be16(row, at):
    """The 16-bit word at byte `at` of the one-dimensional `row`."""
    return (np.int64(row[np.uint64(at)]) << 8) | np.int64(row[np.uint64(at + 1)])


@njit
def be32(row, at):
    """The 32-bit word at byte `at` of the one-dimensional `row`."""
    return (
        (np.int64(row[np.uint64(at)]) << 24)
        | (np.int64(row[np.uint64(at + 1)]) << 16)
        | (np.int64(row[np.uint64(at + 2)]) << 8)
        | np.int64(row[np.uint64(at + 3)])
    )


@njit
def put16(row, at, value):
    row[np.uint64(at)] = (value >> 8) & 0xFF
    row[np.uint64(at + 1)] = value & 0xFF


@njit
def put32(row, at, value):
    put16(row, at, (value >> 16) & 0xFFFF)
    put16(row, at + 2, value & 0xFFFF)


@njit(_nrt=False)
def same(a, b, start, stop):
    """Whether bytes [start, stop) of rows `a` and `b` are equal."""
    at = start
    if stop - start < 8:
        while at < stop:
            if octet(a, at) != octet(b, at):
                return False
            at += 1
        return True
    while at < stop - 8:
        if eight(a, at) != eight(b, at):
            return False
        at += 8
    return eight(a, stop - 8) == eight(b, stop - 8)


@njit
def eight(row, at):
    """The eight bytes at `at` in whatever order is one load of the machine: a number to compare with another."""
    value = np.int64(0)
    for k in range(8):
        value |= np.int64(row[np.uint64(at + k)]) << 8 * k
    return value
