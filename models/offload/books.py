"""Counts of what engines did: one number per fate, per reason, per close.

Models: books that always balance: reasons sum to the frames that did not join, closes to the packets started.
Leaves out: whose books they are and when they are read (`sim/nodes/ledger.py`).
Sources: own.
Checked by: tests/models/offload/test_books.py.
"""

from __future__ import annotations

from models.compiled import njit
from models.offload.why import Fate, Why

FATES, REASONS, CLOSES = range(3)
WIDTH = max(len(Fate), max(Why) + 1)
_JOINED, _NONE = int(Fate.JOINED), int(Why.NONE)


@njit
def book(books, fate, reason, close):
    """Add one outcome to `books` int64[3, WIDTH]; a packet that only passed was never started, so never closed."""
    for i in range(len(fate)):
        books[FATES, fate[i]] += 1
        if fate[i] != _JOINED:
            books[REASONS, reason[i]] += 1
    for k in range(len(close)):
        if close[k] != _NONE:
            books[CLOSES, close[k]] += 1


@njit
def settle(booked, opened):
    """Move all of `opened` to `booked`, both int64[3, WIDTH]."""
    for k in range(opened.shape[0]):
        for why in range(opened.shape[1]):
            booked[k, why] += opened[k, why]
            opened[k, why] = 0
