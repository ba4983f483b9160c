"""What is sent asks for every rule of GRO: a rule that no burst meets would be held to nothing."""

import numpy as np
import pytest

from models.offload.engine import make
from models.offload.why import Fate, Why
from sim.kernel_check.bursts import burst
from sim.kernel_check.ours import train_of
from sim.kernel_check.probes import SHAPES

ELSEWHERE = {Why.NONE, Why.ALREADY_MERGED, Why.OFF, Why.TIMER}  # a burst is frames, and one poll
OF_OTHER_ENGINES = {Why.VLAN, Why.TABLE_FULL}
CLOSES_ONLY = {Why.SHORT, Why.EVICTED, Why.POLL_END}


@pytest.fixture(scope="module")
def met():
    """How often each reason and each fate was given, and each packet closed for a reason, in 300 bursts."""
    engine = make("gro")
    shapes = [shape for shape in SHAPES.values() if not shape.datagrams]
    reasons, closes, fates = np.zeros(len(Why), int), np.zeros(len(Why), int), np.zeros(len(Fate), int)
    for k in range(300):
        train, payloads = train_of(burst(np.random.default_rng([5, k]), shapes))
        for outcome in (engine.receive(train, payloads), engine.flush(payloads)):
            reasons += np.bincount(outcome.reason, minlength=len(Why))
            closes += np.bincount(outcome.close, minlength=len(Why))
            fates += np.bincount(outcome.fate, minlength=len(Fate))
    return reasons, closes, fates


def test_every_reason_is_given(met):
    reasons, closes, _ = met
    assert {why for why in Why if not reasons[why]} - ELSEWHERE == OF_OTHER_ENGINES | CLOSES_ONLY
    assert all(closes[why] for why in CLOSES_ONLY)


def test_merging_is_common(met):
    _, _, fates = met
    assert fates[Fate.JOINED] > 0.4 * fates.sum()
