"""What holds of every engine: trains may be cut anywhere, nothing is made or vanishes, compiled is as plain Python."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from frames import octets, segment, train
from trains import frame_trains, through

from models.offload.engine import ENGINES, make, parameters
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import CSUM_VERIFIED, FRAME_COUNT, PAYLOAD_BYTES

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ENGINES)
@given(sent=frame_trains())
def test_a_train_may_be_cut_anywhere(name, sent):
    whole = through(make(name, audit=True), sent)
    for max_frames in (1, 7):
        pieces = through(make(name, audit=True), sent, max_frames)
        assert pieces[1:] == whole[1:]
        assert (pieces[0].head == whole[0].head).all()
        assert octets(pieces[0]) == octets(whole[0])
        assert (pieces[0].meta[:, PAYLOAD_BYTES] == whole[0].meta[:, PAYLOAD_BYTES]).all()
        assert (pieces[0].time_ps == whole[0].time_ps).all()


@pytest.mark.parametrize("name", ENGINES)
@given(sent=frame_trains(), data=st.data())
def test_polls_in_one_call_are_as_a_flush_between_calls(name, sent, data):
    starts = data.draw(st.lists(st.integers(1, len(sent)), unique=True).map(sorted))
    at_once, apart = make(name, audit=True), make(name, audit=True)
    whole = at_once.receive(sent, SYNTHETIC, polls=np.array([start for start in starts if start < len(sent)], np.int64))
    outcomes = []
    for start, stop in zip([0, *starts], [*starts, len(sent)]):
        outcomes.append(apart.receive(sent[start:stop], SYNTHETIC))
        if stop in starts and stop < len(sent):
            outcomes.append(apart.flush(SYNTHETIC))
    for column in ("fate", "reason", "close"):
        assert getattr(whole, column).tolist() == np.concatenate([getattr(o, column) for o in outcomes]).tolist()
    assert octets(whole.packets) == [packet for o in outcomes for packet in octets(o.packets)]
    assert whole.packets.time_ps.tolist() == np.concatenate([o.packets.time_ps for o in outcomes]).tolist()


@pytest.mark.parametrize("name", ENGINES)
@given(sent=frame_trains())
def test_nothing_is_made_and_nothing_vanishes(name, sent):
    engine = make(name)
    frames = payload = 0
    fates = []
    for piece in sent.cut(5):
        out = engine.receive(piece, SYNTHETIC)
        frames += len(piece)
        payload += int(piece.payload_bytes.sum())
        frames -= int(out.packets.meta[:, FRAME_COUNT].sum())
        payload -= int(out.packets.payload_bytes.sum())
        assert (frames, payload) == (engine.held_frames, engine.held_payload_bytes)
        fates += out.fate.tolist()
    packets, fate, reason, close = through(make(name), sent)
    assert fate == fates
    assert sum(f != Fate.JOINED for f in fate) == len(packets)
    assert all((r == Why.NONE) == (f == Fate.JOINED) for f, r in zip(fate, reason))
    assert sum(c != Why.NONE for c in close) == sum(f == Fate.STARTED for f in fate)


RUN = """
import sys; sys.path.insert(0, {here!r})
from frames import *
from models.offload.engine import ENGINES, make, parameters
from models.offload.segment import cut
import random
random.seed(7)
for name in ENGINES:
    udp = {{"rx_udp_gro_forwarding"}} & parameters(name).keys()
    engine = make(name, audit=True, **dict.fromkeys(udp, 1))
    for _ in range(6):
        where, sent = [0] * 6, []
        for k in range(40):
            n = random.randrange(6)
            size = random.choice([100, 100, 100, 51, 0])
            sent.append(segment(sport=n, source=n + 1, seq=where[n], payload=size, version=6 if n == 2 else 4,
                                tunnel={{3: "vxlan", 4: "gre-csum", 5: "ipip"}}.get(n), protocol=17 if n == 1 else 6,
                                outer_csum=k % 2, outer_id=k,
                                ip_id=k, csum_state=random.choice([0, 1, 1]), tos=random.choice([0, 0, 0, 3]),
                                flags=random.choice([16, 16, 24]), isn=0xFFFFF000, window=random.choice([5, 5, 5, 6])))
            where[n] += size
        for out in (engine.receive(train(sent), SYNTHETIC), engine.flush(SYNTHETIC)):
            print(name, out.packets.meta.tolist(), out.packets.pieces.tolist(), octets(out.packets))
            print(out.fate.tolist(), out.reason.tolist(), out.close.tolist(), octets(cut(out.packets, SYNTHETIC)))
    print(engine.frames_checked, engine.frames_altered, engine.lost.tolist())
"""


def test_compiled_and_plain_python_agree():
    said = []
    for disable in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", RUN.format(here=str(HERE))],
            env=os.environ | {"NUMBA_DISABLE_JIT": disable, "PYTHONPATH": str(HERE.parents[2])},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1]
    assert len(said[0]) > 10_000


def test_verified_is_trusted():
    _, fate, _, _ = through(make("gro"), train([segment(csum_state=CSUM_VERIFIED, csum_error=1)]))
    assert fate == [Fate.STARTED]


def test_an_unknown_engine_or_limit_is_named():
    with pytest.raises(ValueError, match="merge-everything"):
        make("none")
    with pytest.raises(ValueError, match="per_bucket"):
        make("gro", contexts=3)


def test_reasons_have_names_for_json():
    assert Why.POLL_END.label == "poll-end"
    assert len({why.label for why in Why}) == len(Why)


def test_a_wider_head_widens_the_engine():
    engine = make("gro", audit=True)
    engine.receive(train([segment()]), SYNTHETIC)
    engine.receive(train([segment(seq=100, ip_id=1)], width=200), SYNTHETIC)
    engine.receive(train([segment(seq=200, ip_id=2)], width=90), SYNTHETIC)
    packets = engine.flush(SYNTHETIC).packets
    assert packets.payload_bytes.tolist() == [300]
    assert packets.head.shape[1] == 200


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_takes_the_parameters_it_has_and_names_them_when_it_refuses(name):
    """A limit that an engine would take and not look at is a mistake its user never hears of."""
    for parameter in parameters(name):
        make(name, **{parameter: 1})
    strange = "page_bytes" if name != "lro-driver" else "rx_gro_list"
    wanted = f"{name}: found parameter '{strange}', wanted one of {', '.join(parameters(name))}"
    with pytest.raises(ValueError, match=wanted):
        make(name, **{strange: 1})
