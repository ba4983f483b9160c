"""A CPU core: interrupts and polls first, then timers, then the application."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Protocol

import numpy as np
from simpy.events import Event

from models.cpu.costs import KINDS, work_ps
from models.cpu.profiles import Profile
from sim.clock import NEVER, Clock
from sim.nodes.napi import Napi


class Task(Protocol):
    """Work of an application: takes a while, takes effect when it ends."""

    def begin(self) -> list[tuple[int, int]]:
        """Counts of work as (kind, count)."""

    def finish(self, now_ps: int) -> int:
        """Work it caused besides [1/10,000 cycle], which keeps the core busy after it."""
        ...


class TimedStack(Protocol):
    """The protocol stack of a node, as far as its timers matter to a core."""

    timer_ps: int  # no timer rings before this time

    def timer_rings(self, now_ps: int) -> bool:
        """Whether one is due at `now_ps`; if not, `timer_ps` is later from now on."""

    def run_timers(self, now_ps: int) -> int:
        """Work of the timers that are due at `now_ps` [1/10,000 cycle]."""
        ...


class Core:
    """Runs the polls of its cards and the tasks of its applications; one thing at a time.

    Softirq is not preempted; a task is, and ends later by as much. `counts` are work done by kind, `busy_ps` the time
    spent [ps] within [measured_from_ps, measured_to_ps).
    `now_ps` is where the core is: it runs ahead of the clock as far as all that can still reach it is known, but not
    past the start or end of measuring; with `one_by_one` it does not run ahead. The results are the same."""

    def __init__(
        self,
        clock: Clock,
        *,
        profile: Profile,
        measured_from_ps: int,
        measured_to_ps: int,
        one_by_one: bool = False,
    ) -> None:
        self._clock = clock
        self._one_by_one = one_by_one
        self.profile = profile
        self.hz = profile.hz
        self.now_ps = 0
        self.limit_ps = 0  # everything that arrives before is known, when it was last looked at
        self.counts = np.zeros(len(KINDS), np.int64)
        self._tally = memoryview(self.counts.data)  # the same, faster to reach one by one
        self.prices = np.array(profile.cost, np.int64)
        self.scrap = self.counts.copy()  # work before measuring starts
        self._cost = profile.cost
        self.busy_ps = 0
        self.preemptions = 0
        self.timers_in_polls = 0
        self.measured_from_ps = measured_from_ps
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
        if count and self.now_ps >= self.measured_from_ps:
            self._tally[kind] += count
        return self._cost[kind] * count

    def ps(self, cost: int) -> int:
        """Time [ps] of `cost` [1/10,000 cycle] on this core."""
        return work_ps(cost, self.hz)

    def wake(self, task: Task) -> None:
        """Let `task` run when the core has nothing more urgent."""
        self._tasks.append(task)
        self.look_again()

    def spend_until(self, end_ps: int) -> None:
        """Be busy from now to `end_ps`, which is now from here on."""
        self._book(self.now_ps, end_ps)
        self.now_ps = end_ps

    def may_be_at(self, at_ps: int) -> bool:
        """Whether the core may be at `at_ps` already: all that arrives before is known."""
        if at_ps > self.limit_ps:
            self.limit_ps = self._limit_ps()
        return at_ps <= self.limit_ps

    def _limit_ps(self) -> int:
        now_ps = self._clock.now_ps
        if self._one_by_one:
            return now_ps
        limit_ps = self._measured_to_ps - 1
        if now_ps < self.measured_from_ps <= limit_ps:
            limit_ps = self.measured_from_ps - 1
        for napi in self._polls:
            known_ps = napi.nic.known_ps()
            if known_ps < limit_ps:
                limit_ps = known_ps
        return limit_ps if limit_ps > now_ps else now_ps

    def clock_catches_up(self) -> Event:
        """When the clock is where the core is now."""
        self._pause.set(self.now_ps)
        return self._pause.ring()

    def look_again(self) -> None:
        """Something may be due earlier than was known."""
        if not self._in_softirq:
            due_ps = self._next_due_ps()
            self._alarm.set(None if due_ps == NEVER else max(due_ps, self.now_ps, self._clock.now_ps))

    def _next_due_ps(self) -> int:
        due_ps = self._task_ends_ps if self._task is not None else self.now_ps if self._tasks else NEVER
        for napi in self._polls:
            if napi.nic.interrupt_at_ps < due_ps:
                due_ps = napi.nic.interrupt_at_ps
            if napi.timer_ps < due_ps:
                due_ps = napi.timer_ps
        if self._stack is not None and self._stack.timer_ps < due_ps:
            due_ps = self._stack.timer_ps
        return due_ps

    def _run(self) -> Generator[Event, None, None]:
        self.look_again()
        while True:
            yield self._alarm.ring()
            due_ps = self._clock.now_ps
            self._in_softirq = True
            self.limit_ps = self._limit_ps()
            while self.may_be_at(due_ps):
                if due_ps > self.now_ps:
                    self.now_ps = due_ps
                began_ps = self.now_ps
                if self._task is not None:
                    self._book(self._task_ends_ps, began_ps)  # its rest is not done now, but after the softirq
                yield from self._softirq()
                self._advance_tasks(stolen_ps=self.now_ps - began_ps)
                due_ps = self._next_due_ps()
            self._in_softirq = False
            self.look_again()

    def _softirq(self) -> Generator[Event, None, None]:
        """Polls until no card has anything due; a poll that used its budget goes to the end of the line."""
        polling: deque[Napi] = deque()
        napi: Napi | None
        while True:
            for napi in self._polls:
                rings = napi.timer_ps <= self.now_ps  # an interrupt as well; it does nothing to a card that is polled
                if rings:
                    napi.timer_ps = NEVER
                if napi.nic.interrupt_at_ps <= self.now_ps or (rings and napi not in polling):
                    napi.nic.mask_interrupt()
                    polling.append(napi)
                    napi.interrupted = True
            if polling:
                napi = polling.popleft()
                napi.begin()
                while not napi.go_on():
                    yield self.clock_catches_up()
                if not self.may_be_at(self.now_ps):
                    yield self.clock_catches_up()
            else:
                napi = None
            stack = self._stack
            if stack is not None and stack.timer_ps <= self.now_ps and stack.timer_rings(self.now_ps):
                self.timers_in_polls += stack.timer_ps < self.now_ps
                cost = stack.run_timers(self.now_ps)
                self.spend_until(self.now_ps + self.ps(cost))
                if not self.may_be_at(self.now_ps):
                    yield self.clock_catches_up()
            if napi is None:
                return
            if napi.wants_more:
                polling.append(napi)
            else:
                napi.complete()

    def _advance_tasks(self, *, stolen_ps: int) -> None:
        now_ps = self.now_ps
        if self._task is not None:
            self._task_ends_ps += stolen_ps
            self._book(now_ps, self._task_ends_ps)
            self.preemptions += bool(stolen_ps)
            if self._task_ends_ps > now_ps:
                return
            task, self._task = self._task, None
            self._owed += task.finish(now_ps)
        if self._tasks:
            self._task = self._tasks.popleft()
            cost = self._owed + sum(self.cost(kind, count) for kind, count in self._task.begin())
            self._owed = 0
            self._task_ends_ps = now_ps + self.ps(cost)
            self._book(now_ps, self._task_ends_ps)

    def _book(self, start_ps: int, end_ps: int) -> None:
        """Busy from `start_ps` to `end_ps`; from a later to an earlier time takes back."""
        low, high = self.measured_from_ps, self._measured_to_ps
        if low <= start_ps <= high and low <= end_ps <= high:
            self.busy_ps += end_ps - start_ps
            return
        self.busy_ps += min(max(end_ps, low), high) - min(max(start_ps, low), high)
