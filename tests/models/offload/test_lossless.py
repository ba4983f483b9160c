"""GRO then cutting gives back the frames, byte for byte; what the LROs join does not come back."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, PSH, octets, segment, timestamps, train
from trains import frame_trains, through

from models.offload.engine import LOST, make
from models.offload.segment import cut
from models.offload.why import Why
from models.payload import SYNTHETIC
from models.train import FRAME_ID


def without_early_exits(sent, reasons):
    """The rows that may not overtake held packets of their flow."""
    early = {Why.CHECKSUM, Why.FRAGMENT, Why.IP_OPTIONS, Why.NOT_TCP, Why.NOT_IP, Why.MALFORMED}
    return sent[np.array([Why(r) not in early for r in reasons], bool)]


@given(frame_trains())
def test_gso_takes_apart_what_gro_joined(sent):
    engine = make("gro", audit=True)
    packets, _, reasons, _ = through(engine, sent)
    back = cut(packets, SYNTHETIC)
    assert sorted(octets(back)) == sorted(octets(sent))
    kept = without_early_exits(sent, reasons)
    assert in_order(kept) == in_order(back[np.isin(back.meta[:, FRAME_ID], kept.meta[:, FRAME_ID])])
    assert (engine.frames_checked, engine.frames_altered) == (len(sent), 0)
    assert not engine.lost.any()


def in_order(frames):
    """Frames in order within each flow, a flow being all that GRO takes for one."""
    flows = {}
    for frame, tag, rx_hash in zip(octets(frames), frames.column("vlan_stripped"), frames.column("rx_hash")):
        at = 18 if frame[12:14] == b"\x81\x00" else 14
        if frame[at] >> 4 == 4:
            key = (frame[:at], frame[at + 12 : at + 24])
        else:
            key = (frame[:at], frame[at + 1 : at + 4], frame[at + 8 : at + 44])
        flows.setdefault((key, tag, rx_hash), []).append(frame)
    return flows


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"window": 9}, "window"),
        ({"ack": 200}, "ack"),
        ({"options": timestamps(11)}, "tsval"),
        ({"flags": ACK | PSH}, None),
        ({"tos": 1}, "tos"),
        ({"ttl": 7}, "ttl"),
        ({"df": 0}, "ip_id"),
        ({"vlan_stripped": 1 << 16 | 5}, "vlan"),
        ({"urgent": 5}, "urgent"),
        ({"reserved": 1}, "options"),
    ],
)
@pytest.mark.parametrize("name", ["lro-driver", "merge-everything"])
def test_what_lro_joins_does_not_come_back(name, change, field):
    sent = train(
        [segment(options=timestamps()), segment(**({"seq": 100, "ip_id": 1, "options": timestamps()} | change))]
    )
    engine = make(name, audit=True)
    packets, *_ = through(engine, sent)
    assert len(packets) == 1
    back = cut(packets, SYNTHETIC)
    assert in_order(back) != in_order(sent)  # bytes, and the tag the card has stripped
    assert engine.frames_altered > 0
    if field:
        assert field in {lost for lost, times in zip(LOST, engine.lost) if times}


def test_lost_boundaries():
    sent = train([segment(), segment(seq=100, ip_id=1, payload=60), segment(seq=160, ip_id=2)])
    engine = make("lro-driver", audit=True)
    packets, *_ = through(engine, sent)
    assert cut(packets, SYNTHETIC).payload_bytes.tolist() == [100, 100, 60]
    assert engine.lost[LOST.index("boundary")] == 2


def test_merging_everything_forgets_congestion_marks():
    engine = make("merge-everything", audit=True)
    through(engine, train([segment(tos=2), segment(seq=100, ip_id=1, tos=3)]))
    assert engine.lost[LOST.index("ce")] == 1
