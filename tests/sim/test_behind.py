"""Work behind the caller's back is done in order, and what goes wrong with it is told."""

import pytest

from sim.behind import Behind


def test_what_was_put_before_is_done_when_the_next_is_taken():
    behind, done = Behind(), []
    for k in range(20):
        behind.put(lambda k=k: done.append(k))
        assert done[:k] == list(range(k))
    behind.finish()
    assert done == list(range(20))


def test_an_error_reaches_the_next_call():
    def fail():
        raise OSError("disk full")

    behind = Behind()
    behind.put(fail)
    with pytest.raises(OSError, match="disk full"):
        behind.put(lambda: None)
    behind.put(fail)
    with pytest.raises(OSError, match="disk full"):
        behind.finish()
