"""Alarms: one pending a component, movable, ringing in order of rank."""

import pytest

from sim.clock import Clock


def ringer(clock, alarm, log, name):
    while True:
        yield alarm.ring()
        log.append((clock.now_ps, name))


def alarms(*names):
    clock, log = Clock(), []
    made = []
    for name in names:
        made.append(clock.alarm())
        clock.env.process(ringer(clock, made[-1], log, name))
    clock.env.step()
    for _ in names[1:]:
        clock.env.step()
    return clock, log, made


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_alarms_of_one_instant_ring_by_rank(order):
    clock, log, made = alarms("a", "b", "c")
    for k in order:
        made[k].set(5)
    clock.env.run(until=10)
    assert log == [(5, "a"), (5, "b"), (5, "c")]


@pytest.mark.parametrize(("first", "then", "rings"), [(5, 3, [3]), (5, 8, [8]), (5, None, []), (5, 5, [5])])
def test_moving(first, then, rings):
    clock, log, (alarm,) = alarms("a")
    alarm.set(first)
    alarm.set(then)
    clock.env.run(until=20)
    assert [at for at, _ in log] == rings
    assert alarm.at_ps is None


def test_set_again_after_cancelling_and_after_ringing():
    clock, log, (alarm,) = alarms("a")
    for at in (4, None, 6):
        alarm.set(at)
    clock.env.run(until=10)
    alarm.set(12)
    clock.env.run(until=20)
    assert [at for at, _ in log] == [6, 12]


def test_a_time_that_has_passed_is_refused():
    clock, _, (alarm,) = alarms("a")
    clock.env.run(until=10)
    with pytest.raises(ValueError, match="alarm set for 9 ps at 10 ps"):
        alarm.set(9)
