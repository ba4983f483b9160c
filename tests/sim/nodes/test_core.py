"""A task is preempted by a poll, ends later by as much, and only then takes effect; a core runs ahead of the clock only
as far as it is told of everything that can reach it."""

import pytest

from models.cpu.costs import Kind
from models.cpu.profiles import PROFILES
from sim.clock import NEVER, Clock
from sim.nodes.core import Core


class Card:
    """Interrupts at each of `times_ps`, and knows `notice_ps` ahead what comes."""

    def __init__(self, clock, times_ps, notice_ps):
        self._clock, self._times_ps, self._notice_ps = clock, list(times_ps), notice_ps
        self.arm_interrupt()

    def known_ps(self):
        return self._clock.now_ps + self._notice_ps

    def mask_interrupt(self):
        self.interrupt_at_ps = NEVER

    def arm_interrupt(self):
        self.interrupt_at_ps = self._times_ps.pop(0) if self._times_ps else NEVER


class Poll:
    """Work of `takes_ps`, `rounds` times if the budget is too small for it."""

    def __init__(self, core, nic, takes_ps, rounds=1):
        self._core, self.nic, self._takes_ps, self._rounds = core, nic, takes_ps, rounds
        self.interrupted = self.wants_more = False
        self.timer_ps = NEVER
        self.ran = []  # (start, where the clock was)

    def begin(self):
        self.ran.append((self._core.now_ps, self._core._clock.now_ps))

    def go_on(self):
        self._core.spend_until(self._core.now_ps + self._takes_ps)
        self.wants_more = len(self.ran) < self._rounds
        return True

    def complete(self):
        self.nic.arm_interrupt()


class Copy:
    ended_ps = None

    def begin(self):
        return [(Kind.WAKE, 3)]

    def finish(self, now_ps):
        self.ended_ps = now_ps
        return 0


PROFILE = PROFILES["2008-xeon-10g"]
TASK_PS = 2_000_000  # 3 * 2000 cycles at 3 GHz
POLL_PS = 700_000


def core_with(*interrupts_ps, notice_ps=0, one_by_one=False, measured=(0, 10**9), rounds=1):
    clock = Clock()
    core = Core(clock, profile=PROFILE, measured_from_ps=measured[0], measured_to_ps=measured[1], one_by_one=one_by_one)
    poll = Poll(core, Card(clock, interrupts_ps, notice_ps), POLL_PS, rounds)
    core.serve(poll)
    return clock, core, poll


AHEAD = pytest.mark.parametrize(
    ("notice_ps", "one_by_one"), [(0, False), (600_000, False), (NEVER, False), (NEVER, True)]
)


@AHEAD
@pytest.mark.parametrize(
    ("interrupts_ps", "ends_ps", "preemptions"),
    [
        ((), TASK_PS, 0),
        ((500_000,), TASK_PS + POLL_PS, 1),
        ((500_000, 1_500_000), TASK_PS + 2 * POLL_PS, 2),
        ((500_000, 600_000), TASK_PS + 2 * POLL_PS, 1),  # the second one follows the first at once
        ((TASK_PS + 1,), TASK_PS, 0),
    ],
)
def test_preemption(interrupts_ps, ends_ps, preemptions, notice_ps, one_by_one):
    clock, core, _ = core_with(*interrupts_ps, notice_ps=notice_ps, one_by_one=one_by_one)
    task = Copy()
    core.wake(task)
    clock.env.run(until=10**7)
    assert (task.ended_ps, core.preemptions) == (ends_ps, preemptions)
    assert core.busy_ps == TASK_PS + POLL_PS * len(interrupts_ps)


@AHEAD
@pytest.mark.parametrize("end_ps", [TASK_PS, 600_000, 500_000 + POLL_PS])
def test_busy_time_counts_only_what_was_measured(notice_ps, one_by_one, end_ps):
    """A preempted task that goes on after the end is not booked whole."""
    clock, core, _ = core_with(500_000, notice_ps=notice_ps, one_by_one=one_by_one, measured=(100_000, end_ps))
    core.wake(Copy())
    clock.env.run(until=10**7)
    assert core.busy_ps == end_ps - 100_000


@AHEAD
def test_a_poll_starts_where_the_last_one_ended_wherever_the_clock_is(notice_ps, one_by_one):
    clock, _, poll = core_with(500_000, notice_ps=notice_ps, one_by_one=one_by_one, rounds=3)
    clock.env.run(until=10**7)
    assert [start for start, _ in poll.ran] == [500_000, 500_000 + POLL_PS, 500_000 + 2 * POLL_PS]
    for start_ps, clock_ps in poll.ran:
        allowed_ps = 0 if one_by_one else notice_ps
        assert clock_ps <= start_ps <= clock_ps + allowed_ps


def test_interrupts_that_are_known_cost_no_event():
    """The card knows everything: all three polls are over before the clock is asked again."""
    clock, core, poll = core_with(500_000, 3_000_000, 6_000_000, notice_ps=NEVER)
    clock.env.run(until=600_000)
    assert poll.ran == [(500_000, 500_000), (3_000_000, 500_000), (6_000_000, 500_000)]
    assert core.now_ps == 6_000_000 + POLL_PS


@pytest.mark.parametrize("edge", ["start", "end"])
def test_it_does_not_run_past_an_end_of_measuring(edge):
    """Whoever looks at the books there finds what was done up to then, and nothing else."""
    measured = (4_000_000, 10**9) if edge == "start" else (0, 4_000_000)
    clock, core, poll = core_with(500_000, 3_000_000, 6_000_000, notice_ps=NEVER, measured=measured)
    clock.env.run(until=4_000_000)
    assert [start for start, _ in poll.ran] == [500_000, 3_000_000]
    assert core.busy_ps == (0 if edge == "start" else 2 * POLL_PS)
    clock.env.run(until=10**7)
    assert poll.ran[2] == (6_000_000, 6_000_000)


def test_work_before_measuring_is_not_counted():
    clock, core, _ = core_with(measured=(4_000_000, 10**9))
    clock.env.run(until=1)
    assert core.cost(Kind.WAKE, 2) == 2 * PROFILE.cost[Kind.WAKE] and not core.counts.any()
    core.spend_until(4_000_000)
    core.cost(Kind.WAKE, 2)
    assert core.counts[Kind.WAKE] == 2 and core.counts.sum() == 2
    assert core.busy_ps == 0


class Timers:
    """A protocol stack with one timer, which causes work."""

    def __init__(self, at_ps):
        self.timer_ps, self.rang = at_ps, []

    def timer_rings(self, now_ps):
        return self.timer_ps <= now_ps

    def run_timers(self, now_ps):
        self.rang.append(now_ps)
        self.timer_ps = NEVER
        return PROFILE.cost[Kind.WAKE]


@AHEAD
@pytest.mark.parametrize(
    ("at_ps", "rings_ps", "in_poll"),
    [
        (400_000, 400_000, 0),
        (500_000, 500_000 + POLL_PS, 1),
        (900_000, 500_000 + POLL_PS, 1),
        (3_000_000, 3_000_000, 0),
    ],
)
def test_a_timer_rings_in_time_but_not_within_a_poll(at_ps, rings_ps, in_poll, notice_ps, one_by_one):
    clock, core, _ = core_with(500_000, notice_ps=notice_ps, one_by_one=one_by_one)
    stack = Timers(at_ps)
    core.run_stack(stack)
    clock.env.run(until=10**7)
    assert (stack.rang, core.timers_in_polls) == ([rings_ps], in_poll)
    assert core.busy_ps == POLL_PS + core.ps(PROFILE.cost[Kind.WAKE])
