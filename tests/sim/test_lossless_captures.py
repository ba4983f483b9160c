"""Every capture at hand through GRO and cut again: the frames come back, but where Linux does damage, too."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "models/offload"))
from damage import unexplained
from frames import octets

from models.nic.rss import hash_rows
from models.offload.engine import make
from models.offload.segment import cut
from models.train import INNER_L3, RX_HASH
from sim.capture import Capture

TESTS = Path(__file__).parents[1]
FOLDERS = (TESTS / "data/captures", TESTS / "../../shared/data/captures")
CAPTURES = [path for folder in FOLDERS for path in sorted(folder.glob("*.pcap*"))]
BUDGET = 64


@pytest.mark.parametrize("name", ["gro", "gro-6.12", "gro-6.1"])
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_what_gro_makes_of_a_capture_comes_apart_again(path, name):
    with Capture.open(path) as capture:
        for chunk in capture.chunks():
            sent = chunk.train
            hash_rows(sent.head, sent.meta, sent.meta[:, RX_HASH])
            polls = np.arange(BUDGET, len(sent) + BUDGET, BUDGET).clip(max=len(sent))
            back = cut(make(name).receive(sent, capture.payloads, polls=polls).packets, capture.payloads)
            assert unexplained(sent, back, capture.payloads) == []
            if not (sent.meta[:, INNER_L3] >= 0).any():
                assert sorted(octets(back, capture.payloads)) == sorted(octets(sent, capture.payloads))


def test_there_are_captures():
    assert CAPTURES
