"""A task is preempted by a poll, ends later by as much, and only then takes effect."""

import pytest

from models.cpu.costs import Kind
from models.cpu.profiles import PROFILES
from sim.clock import Clock
from sim.nodes.core import Core


class Card:
    """Interrupts once, at `at_ps`."""

    def __init__(self, at_ps):
        self._at_ps = at_ps

    def interrupt_at_ps(self):
        return self._at_ps

    def mask_interrupt(self):
        self._at_ps = None

    def arm_interrupt(self):
        pass


class Poll:
    def __init__(self, clock, core, nic, takes_ps):
        self._clock, self._core, self.nic, self._takes_ps = clock, core, nic, takes_ps
        self.interrupted = self.wants_more = False

    def poll(self):
        yield from self._core.spend_until(self._clock.now_ps + self._takes_ps)


class Copy:
    def __init__(self, clock):
        self._clock, self.ended_ps = clock, None

    def begin(self):
        return [(Kind.WAKE, 3)]

    def finish(self):
        self.ended_ps = self._clock.now_ps
        return 0


PROFILE = PROFILES["2008-xeon-10g"]
TASK_PS = 2_000_000  # 3 * 2000 cycles at 3 GHz


@pytest.mark.parametrize(
    ("interrupt_ps", "ends_ps", "preemptions"),
    [
        (None, TASK_PS, 0),
        (500_000, TASK_PS + 700_000, 1),
        (TASK_PS + 1, TASK_PS, 0),
    ],
)
def test_preemption(interrupt_ps, ends_ps, preemptions):
    clock = Clock()
    core = Core(clock, profile=PROFILE, measured_from_ps=0, measured_to_ps=10**9)
    core.serve(Poll(clock, core, Card(interrupt_ps), 700_000))
    task = Copy(clock)
    core.wake(task)
    clock.env.run(until=10**7)
    assert (task.ended_ps, core.preemptions) == (ends_ps, preemptions)
    assert core.busy_ps == TASK_PS + (700_000 if interrupt_ps else 0)


def test_busy_time_counts_only_what_was_measured():
    """A preempted task that goes on after the end is not booked whole."""
    clock = Clock()
    core = Core(clock, profile=PROFILE, measured_from_ps=100_000, measured_to_ps=TASK_PS)
    core.serve(Poll(clock, core, Card(500_000), 700_000))
    core.wake(Copy(clock))
    clock.env.run(until=10**7)
    assert core.busy_ps == TASK_PS - 100_000
