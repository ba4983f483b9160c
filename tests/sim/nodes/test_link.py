"""A rough cable: every frame comes once or is lost, in order of arrival, with the payload it left with."""

import numpy as np
import pytest

from models.memory import END, FIRST, PIECE_BASE, PIECES, Memory
from models.path import PathDraws
from models.payload import SYNTHETIC
from models.queue import Ports, join_queue, served, takes
from models.train import (
    ABSENT,
    FIRST_PIECE,
    FRAME_ID,
    PAYLOAD_BYTES,
    PIECE_COLUMNS,
    PIECE_COUNT,
    SOURCE,
    TIME_PS,
    FrameTrain,
)
from sim.clock import Clock
from sim.nodes.ledger import Ledger
from sim.nodes.link import RoughCable
from sim.nodes.port import Port

FRAMES, GAP_PS, DELAY_PS = 60, 100_000, 50_000
PIECES_EACH = 3


class Heard:
    """A far end that takes what it hears of at once."""

    def __init__(self, clock, memory):
        self.arriving, self.frames, self._clock = memory.queue(), [], clock
        self.number, self.line = ABSENT, None

    def hears_from(self, port, *, late=False):
        self.line = port, late

    def announced(self, frames):
        words = self.arriving.words
        train = self.arriving.in_order()
        assert len(train) == frames and train.meta[0, TIME_PS] >= self._clock.now_ps
        for k in range(frames):
            self.frames.append((*train.meta[k, [TIME_PS, FRAME_ID]].tolist(), train.payload_of(k).tolist()))
        words[FIRST] = words[END]


def frames_of_pieces():
    train = FrameTrain.blank(FRAMES)
    train.meta[:, TIME_PS] = np.arange(FRAMES) * GAP_PS
    train.meta[:, [SOURCE, PAYLOAD_BYTES]] = 1, 10 * PIECES_EACH
    train.meta[:, FRAME_ID] = np.arange(FRAMES)
    train.meta[:, PIECE_COUNT], train.meta[:, FIRST_PIECE] = PIECES_EACH, PIECES_EACH * np.arange(FRAMES)
    train.pieces = np.arange(FRAMES * PIECES_EACH * len(PIECE_COLUMNS)).reshape(-1, len(PIECE_COLUMNS))
    return train


@pytest.mark.parametrize("most", [None, 1])
@pytest.mark.parametrize(("jitter_ps", "loss"), [(0, 0.0), (400_000, 0.0), (400_000, 0.2)])
def test_a_rough_cable_in_a_memory_of_many(jitter_ps, loss, most):
    clock, memory, ledger = Clock(), Memory(queues=4), Ledger()
    other, sent = memory.queue(), frames_of_pieces()
    other.append(sent)  # somebody else's pieces, which nobody is to carry along
    heard = Heard(clock, memory)
    draws = PathDraws(seed=1, link=0, loss=loss, jitter_ps=jitter_ps)
    cable = RoughCable(
        clock, delay_ps=DELAY_PS, far_end=heard, memory=memory, max_train_frames=most, draws=draws, ledger=ledger
    )
    ends = Ports(memory, ports=1)
    port = Port(
        ports=ends, rate_bps=10**11, queue_frames=None, cable=cable, inputs=1, ledger=ledger, max_train_frames=most
    )
    assert heard.line == (port.number, True)
    while not takes(ends.words[0], sent.meta, memory.state):
        ends.make_room(0)
    join_queue(sent.meta, sent.head, sent.pieces, SYNTHETIC, 0, ends.words[0], *memory.arrays())
    while not served(ends.words[0], ends.departures, *memory.arrays()):
        port.tell()
    port.tell()
    clock.env.run(until=2 * FRAMES * GAP_PS)
    assert [at for at, _, _ in heard.frames] == sorted(at for at, _, _ in heard.frames)
    numbers = [number for _, number, _ in heard.frames]
    assert len(numbers) == len(set(numbers)) == FRAMES - ledger.counts["drop/link-loss"]
    assert (numbers == sorted(numbers)) == (ledger.counts["link/overtaken"] == 0) == (jitter_ps == 0)
    assert bool(ledger.counts["drop/link-loss"]) == bool(loss)
    for at_ps, number, pieces in heard.frames:
        assert pieces == sent.payload_of(number).tolist()
        assert number * GAP_PS + DELAY_PS < at_ps <= number * GAP_PS + DELAY_PS + jitter_ps + GAP_PS
    for words in memory.state[1:]:
        assert words[PIECES] - words[PIECE_BASE] <= 2 * FRAMES * PIECES_EACH
    assert len(memory.pieces) <= 20 * FRAMES * PIECES_EACH
