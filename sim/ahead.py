"""Reading that runs ahead of the caller: the next bytes of a file come in while he looks at the last."""

from __future__ import annotations

import io
import queue
import threading


class Ahead:
    """Reads on in `file` from a thread of its own, into one room at a time, until `stop`."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self._rooms: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._counts: queue.SimpleQueue[int | OSError] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask(self, room: memoryview) -> None:
        """Have `room` filled; nobody else may look at it before `answer`."""
        self._rooms.put(room)

    def answer(self) -> int:
        """How many bytes came into the room asked for last, fewer than it holds only at the end. OSError."""
        count = self._counts.get()
        if isinstance(count, OSError):
            raise count
        return count

    def stop(self) -> None:
        self._rooms.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (room := self._rooms.get()) is not None:
            try:
                self._counts.put(self._filled(room))
            except OSError as error:
                self._counts.put(error)

    def _filled(self, room: memoryview) -> int:
        count = 0
        while count < len(room) and (more := self._file.readinto(room[count:])):
            count += more
        return count
