"""Random trains for the properties, and a train's whole way through an engine."""

import sys
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, FIN, PSH, SYN, URG, segment, timestamps, train

from models.payload import SYNTHETIC
from models.train import CSUM_BAD, CSUM_NONE, join


@st.composite
def frame_trains(draw):
    """Runs of a few flows, now and then broken by everything a rule looks at; IPv4 IDs rise, stand still or jump."""
    where = [0] * 4
    flows = [
        {"version": draw(st.sampled_from([4, 4, 6])), "sport": n, "source": n + 1, "df": draw(st.integers(0, 1)),
         "rx_hash": draw(st.integers(0, 2)), "options": draw(st.sampled_from([b"", timestamps()])),
         "tag": draw(st.sampled_from([b"", b"", b"\x81\x00\x00\x05"]))}
        for n in range(4)
    ]  # fmt: skip
    idents = [0xFFFD] * 4
    steps = draw(st.lists(st.sampled_from([0, 1]), min_size=4, max_size=4))
    segments = []
    odd = st.sampled_from(
        [{"flags": ACK | flag} for flag in (PSH, FIN, CWR, SYN, URG)]
        + [{"ack": 7}, {"window": 7}, {"options": timestamps(99)}, {"ttl": 7}, {"tos": 1}, {"tos": 3}, {"tos": 32},
           {"payload": 0}, {"payload": 33}, {"payload": 140}, {"csum_state": CSUM_NONE}, {"ip_id": 4},
           {"csum_state": CSUM_BAD}, {"csum_state": CSUM_NONE, "csum_error": 2}, {"fragment": 0x2000}, {"label": 3},
           {"reserved": 1}, {"mac": 7}, {"vlan_stripped": 1 << 16}, {"tail": 3}]
    )  # fmt: skip
    for _ in range(draw(st.integers(1, 40))):
        n = draw(st.integers(0, 3))
        change = draw(odd) if draw(st.integers(0, 4)) == 0 else {}
        f = segment(**(flows[n] | {"seq": where[n], "ip_id": idents[n], "payload": 100} | change))
        where[n] += f["payload"] + (draw(st.integers(0, 9)) == 0)
        idents[n] += steps[n]
        segments.append(f)
    return train(segments)


def through(engine, sent, max_frames=None):
    """(packets in delivery order, fates, reasons, closes) of the train in pieces, and a flush."""
    outcomes = [engine.receive(piece, SYNTHETIC) for piece in sent.cut(max_frames)]
    outcomes.append(engine.flush(SYNTHETIC))
    return (
        join([outcome.packets for outcome in outcomes]),
        *(np.concatenate([getattr(o, name) for o in outcomes]).tolist() for name in ("fate", "reason", "close")),
    )
