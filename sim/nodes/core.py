"""A CPU core: interrupts and polls first, then timers, then the application."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Protocol

import numpy as np
from simpy.events import Event

from models.cpu.costs import KINDS, work_ps
from models.cpu.profiles import Profile
from models.train import Ints
from sim.clock import Clock
from sim.nodes.napi import Napi


class Task(Protocol):
    """Work of an application: takes a while, takes effect when it ends."""

    def begin(self) -> list[tuple[int, int]]:
        """Counts of work as (kind, count)."""

    def finish(self) -> int:
        """Work it caused besides [1/10,000 cycle], which keeps the core busy after it."""
        ...


class TimedStack(Protocol):
    """The protocol stack of a node, as far as its timers matter to a core."""

    def next_timer_ps(self) -> int | None: ...

    def run_timers(self) -> int:
        """Work of the timers that are due [1/10,000 cycle]."""
        ...


class Core:
    """Runs the polls of its cards and the tasks of its applications; one thing at a time.

    Softirq is not preempted; a task is, and ends later by as much. `counts` are work done by kind, `busy_ps` the time
    spent [ps] within [measured_from_ps, measured_to_ps)."""

    def __init__(self, clock: Clock, *, profile: Profile, measured_from_ps: int, measured_to_ps: int) -> None:
        self._clock = clock
        self.profile = profile
        self.counts = np.zeros(len(KINDS), np.int64)
        self.prices = np.array(profile.cost, np.int64)
        self._scrap = self.counts.copy()
        self._cost = profile.cost
        self.busy_ps = 0
        self.preemptions = 0
        self.timers_in_polls = 0
        self._measured_from_ps = measured_from_ps
        self._measured_to_ps = measured_to_ps
        self._polls: list[Napi] = []
        self._stack: TimedStack | None = None
        self._tasks: deque[Task] = deque()
        self._task: Task | None = None
        self._task_ends_ps = 0
        self._owed = 0  # work after a task, done before the next one
        self._in_softirq = False
        self._alarm = clock.alarm()
        self._pause = clock.alarm()
        clock.env.process(self._run())

    def serve(self, napi: Napi) -> None:
        """Run the polls of one more card."""
        self._polls.append(napi)
        napi.nic.on_arrival = self.look_again

    def run_stack(self, stack: TimedStack) -> None:
        """Run the timers of the node's protocol stack."""
        self._stack = stack

    def cost(self, kind: int, count: int) -> int:
        """Price [1/10,000 cycle] of `count` units of `kind`, which are booked as done from the start of measuring."""
        if count and self._clock.env.now >= self._measured_from_ps:
            self.counts[kind] += count
        return self._cost[kind] * count

    def counting(self) -> Ints:
        """Where a kernel may count its work now: `counts`, or scrap before measuring starts."""
        return self.counts if self._clock.env.now >= self._measured_from_ps else self._scrap

    def ps(self, cost: int) -> int:
        """Time [ps] of `cost` [1/10,000 cycle] on this core."""
        return work_ps(cost, self.profile.hz)

    def wake(self, task: Task) -> None:
        """Let `task` run when the core has nothing more urgent."""
        self._tasks.append(task)
        self.look_again()

    def spend_until(self, end_ps: int) -> Generator[Event, None, None]:
        """Be busy from now to `end_ps`; nothing happens when that is now."""
        now_ps = self._clock.now_ps
        self._book(now_ps, end_ps)
        if end_ps > now_ps:
            self._pause.set(end_ps)
            yield self._pause.ring()

    def look_again(self) -> None:
        """Something may be due earlier than was known."""
        if not self._in_softirq:
            due = self._next_due_ps()
            self._alarm.set(None if due is None else max(due, self._clock.now_ps))

    def _next_due_ps(self) -> int | None:
        times = [at for napi in self._polls if (at := napi.nic.interrupt_at_ps()) is not None]
        if self._stack is not None and (timer := self._stack.next_timer_ps()) is not None:
            times.append(timer)
        if self._task is not None:
            times.append(self._task_ends_ps)
        elif self._tasks:
            times.append(self._clock.now_ps)
        return min(times, default=None)

    def _run(self) -> Generator[Event, None, None]:
        self.look_again()
        while True:
            yield self._alarm.ring()
            self._in_softirq = True
            began_ps = self._clock.now_ps
            if self._task is not None:
                self._book(self._task_ends_ps, began_ps)  # its rest is not done now, but after the softirq
            yield from self._softirq()
            yield from self._run_timers()
            self._in_softirq = False
            self._advance_tasks(stolen_ps=self._clock.now_ps - began_ps)
            self.look_again()

    def _softirq(self) -> Generator[Event, None, None]:
        """Polls until no card has anything due; a poll that used its budget goes to the end of the line."""
        polling: deque[Napi] = deque()
        while True:
            now_ps = self._clock.now_ps
            for napi in self._polls:
                at_ps = napi.nic.interrupt_at_ps()
                if at_ps is not None and at_ps <= now_ps:
                    napi.nic.mask_interrupt()
                    polling.append(napi)
                    napi.interrupted = True
            if not polling:
                return
            napi = polling.popleft()
            yield from napi.poll()
            yield from self._run_timers()
            if napi.wants_more:
                polling.append(napi)
            else:
                napi.nic.arm_interrupt()

    def _run_timers(self) -> Generator[Event, None, None]:
        if self._stack is None:
            return
        at_ps = self._stack.next_timer_ps()
        if at_ps is not None and at_ps <= self._clock.now_ps:
            self.timers_in_polls += at_ps < self._clock.now_ps
            cost = self._stack.run_timers()
            yield from self.spend_until(self._clock.now_ps + self.ps(cost))

    def _advance_tasks(self, *, stolen_ps: int) -> None:
        now_ps = self._clock.now_ps
        if self._task is not None:
            self._task_ends_ps += stolen_ps
            self._book(now_ps, self._task_ends_ps)
            self.preemptions += bool(stolen_ps)
            if self._task_ends_ps > now_ps:
                return
            task, self._task = self._task, None
            self._owed += task.finish()
        if self._tasks:
            self._task = self._tasks.popleft()
            cost = self._owed + sum(self.cost(kind, count) for kind, count in self._task.begin())
            self._owed = 0
            self._task_ends_ps = now_ps + self.ps(cost)
            self._book(now_ps, self._task_ends_ps)

    def _book(self, start_ps: int, end_ps: int) -> None:
        """Busy from `start_ps` to `end_ps`; from a later to an earlier time takes back."""
        low, high = self._measured_from_ps, self._measured_to_ps
        self.busy_ps += min(max(end_ps, low), high) - min(max(start_ps, low), high)
