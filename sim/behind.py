"""Work that goes on behind the caller's back: while one piece of it is done, the caller prepares the next."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Work = Callable[[], None]


class Behind:
    """Does what it is given in a thread of its own, in order, until `finish` or `stop`; at most one piece is under way.

    What a piece raises, the next call raises."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._under_way = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, work: Work) -> None:
        """Have `work` done; returns when what was put before is."""
        self.settle()
        self._under_way = True
        self._work.put(work)

    def settle(self) -> None:
        """Wait until all that was put is done."""
        if self._under_way:
            error = self._done.get()
            self._under_way = False
            if error is not None:
                raise error

    def finish(self) -> None:
        """Settle, and end the thread."""
        try:
            self.settle()
        finally:
            self.stop()

    def stop(self) -> None:
        """End the thread, whatever came of what is under way."""
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception as error:
                self._done.put(error)
            else:
                self._done.put(None)
