"""Writing that goes on behind the caller's back: the next buffer is filled while the last one becomes a file."""

from __future__ import annotations

import queue
import threading
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
BUFFERS = 3


class Behind:
    """Buffers go to `file` in the order they are put, from a thread of their own, until `finish` or `stop`."""

    def __init__(self, file: BinaryIO, buffer_bytes: int) -> None:
        self._file = file
        self._free: queue.SimpleQueue[Bytes] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[tuple[Bytes, int] | None] = queue.SimpleQueue()
        self._error: OSError | None = None
        self._stopped = False
        for _ in range(BUFFERS):
            self._free.put(np.zeros(buffer_bytes, np.uint8))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def buffer(self) -> Bytes:
        """One that is free; waits for it. OSError: what went wrong with an earlier one."""
        buffer = self._free.get()
        if self._error is not None:
            self._free.put(buffer)
            raise self._error
        return buffer

    def put(self, buffer: Bytes, used: int) -> None:
        """Write the first `used` bytes of a buffer that came from `buffer`, or of a larger one in its place."""
        self._full.put((buffer, used))

    def finish(self) -> None:
        """Wait until everything is written. OSError."""
        self._full.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Give up: what was put and is not written yet never will be."""
        self._stopped = True
        self._full.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (work := self._full.get()) is not None:
            buffer, used = work
            if self._error is None and not self._stopped:
                try:
                    self._file.write(buffer[:used].data)
                    self._file.flush()  # somebody may be waiting at the other end of a pipe
                except OSError as error:
                    self._error = error
            self._free.put(buffer)
