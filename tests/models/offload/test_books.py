import numpy as np

from models.offload.books import CLOSES, FATES, REASONS, WIDTH, book
from models.offload.why import Fate, Why


def test_books_balance():
    books = np.zeros((3, WIDTH), np.int64)
    fate = np.array([Fate.STARTED, Fate.JOINED, Fate.PASSED, Fate.STARTED])
    reason = np.array([Why.FIRST, Why.NONE, Why.NOT_IP, Why.ACK])
    book(books, fate, reason, np.array([Why.ACK, Why.NONE, Why.POLL_END]))
    assert books[FATES, :3].tolist() == [1, 2, 1]
    assert books[REASONS].sum() == books[FATES, Fate.STARTED] + books[FATES, Fate.PASSED] == 3
    assert books[CLOSES].sum() == books[FATES, Fate.STARTED]
