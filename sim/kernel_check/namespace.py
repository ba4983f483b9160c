"""Network namespaces without names: they end with the process that made them, however it ends.

Leaves out: named namespaces (`ip netns`), which somebody would have to delete.
Sources: namespaces(7), unshare(2), setns(2), network_namespaces(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
_HERE = Path("/proc/thread-self/ns/net")


class Unavailable(Exception):
    """This machine cannot do what is asked; the text says what is missing."""


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, name):
        raise Unavailable(f"found no {name}(), wanted Linux with network namespaces")
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise Unavailable(f"{name}() of a network namespace: found {os.strerror(number).lower()}, wanted root on Linux")


class Namespace:
    """A new network namespace, with nothing in it but a loopback device that is down. Unavailable."""

    def __init__(self) -> None:
        try:
            outside = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise Unavailable(f"found no {_HERE}, wanted Linux with network namespaces") from None
        try:
            _call("unshare", CLONE_NEWNET)
            self._fd = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
            _call("setns", outside, CLONE_NEWNET)
        finally:
            os.close(outside)

    @property
    def path(self) -> str:
        """A name by which other processes can open it while this one has it open."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and what it starts, is inside; sockets stay where they were made."""
        outside = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("setns", self._fd, CLONE_NEWNET)
            try:
                yield
            finally:
                _call("setns", outside, CLONE_NEWNET)
        finally:
            os.close(outside)

    def run(self, *command: str, given: str = "") -> str:
        """What the command, run inside, prints. Unavailable if it is not there or fails."""
        with self.entered():
            try:
                done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
            except OSError as error:
                raise Unavailable(
                    f"{command[0]}: found {(error.strerror or '').lower()}, wanted it installed"
                ) from None
        if done.returncode:
            first = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[0]
            raise Unavailable(f"{' '.join(command)}: {first}")
        return done.stdout

    def write(self, settings: Iterable[tuple[str, int]]) -> None:
        """Set files below /proc/sys/net, which shows each process its own namespace. Unavailable."""
        with self.entered():
            for name, value in settings:
                try:
                    Path("/proc/sys/net", name).write_text(f"{value}\n", encoding="ascii")
                except OSError as error:
                    raise Unavailable(f"/proc/sys/net/{name}: found {(error.strerror or '').lower()}") from None

    def close(self) -> None:
        os.close(self._fd)
