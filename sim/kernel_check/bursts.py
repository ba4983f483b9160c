"""Random bursts: runs of a few flows, now and then broken by everything a rule looks at.

A burst is a list of frames, in the order sent. Merging is common, because most frames continue their flow; what is odd
about the others may last, so that what follows merges again.
Leaves out: bursts longer than one poll takes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.kernel_check.bench import MAX_FRAMES
from sim.kernel_check.dice import Dice
from sim.kernel_check.flows import Shape, flow
from sim.kernel_check.oddities import LASTING, oddity

LARGE = (4036, 8800)  # payloads of which 65,535 bytes hold few


def burst(generator: np.random.Generator, shapes: Sequence[Shape]) -> list[bytes]:
    """1 to MAX_FRAMES frames of flows of these shapes; a shape that is named twice comes twice as often."""
    dice = Dice(generator)
    large = dice.chance(0.05)
    size = dice.of(LARGE) if large else None
    count = 1 + dice.below(2 if large else dice.of((1, 2, 4, 4, 6, 12)))
    shape = dice.of(shapes)
    flows = [flow(dice.of((shape, dice.of(shapes))), k, size, dice) for k in range(count)]
    strangeness = dice.of((0.0, 0.02, 0.05, 0.1, 0.2, 0.5)) / (3 if large else 1)
    stay = dice.of((0.0, 0.5, 0.8, 0.95))
    made: list[bytes] = []
    now = flows[0]
    for _ in range(MAX_FRAMES if large else 1 + dice.below(MAX_FRAMES)):
        if not dice.chance(stay):
            now = dice.of(flows)
        draft = now.draft()
        if not dice.chance(strangeness):
            made.append(now.send(draft, dice))
        elif now.last and dice.chance(0.08):
            made.append(now.last)  # a duplicate
        else:
            odd = oddity(draft, dice)
            odd(draft, dice)
            made.append(now.send(draft, dice, lasting=odd in LASTING and dice.chance(0.5)))
    if dice.chance(0.1):  # frames that overtook one another
        for _ in range(1 + dice.below(3)):
            k = dice.below(len(made))
            made[k - 1], made[k] = made[k], made[k - 1]
    return made
