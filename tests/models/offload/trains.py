"""Random trains for the properties, and a train's whole way through an engine."""

import sys
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, FIN, PSH, SYN, TUNNELS, URG, segment, timestamps, train

from models.payload import SYNTHETIC
from models.train import CSUM_BAD, CSUM_NONE, join

PLAIN = [None] * len(TUNNELS)
EXTHDR = b"\x06\x00\x01\x04" + bytes(4)  # destination options before TCP: padding
ODD = [{"flags": ACK | flag} for flag in (PSH, FIN, CWR, SYN, URG)] + [
    {"ack": 7}, {"window": 7}, {"options": timestamps(99)}, {"ttl": 7}, {"tos": 1}, {"tos": 3}, {"tos": 32},
    {"payload": 0}, {"payload": 33}, {"payload": 140}, {"csum_state": CSUM_NONE}, {"csum_state": CSUM_BAD},
    {"csum_state": CSUM_NONE, "csum_error": 2}, {"fragment": 0x2000}, {"label": 3}, {"reserved": 1}, {"mac": 7},
    {"vlan_stripped": 1 << 16}, {"tail": 3}, {"ip_csum_error": 1}, {"ip_options": bytes(4)}, {"exthdr": EXTHDR},
    {"outer_ttl": 7}, {"outer_tos": 3}, {"outer_df": 0}, {"vni": 9}, {"outer_ip_csum_error": 1},
    {"csum_state": CSUM_NONE, "outer_csum_error": 4}, {"outer_sport": 9}, {"inner_mac": 8},
]  # fmt: skip
DAMAGED = [{"ip_id": 4}, {"outer_id": 4}, {"urgent": 5}]  # with luck two in a row, or one after the right neighbour


@st.composite
def frame_trains(draw, *, tame=False):
    """Runs of a few flows, now and then broken by everything a rule looks at, or sent again; TCP and UDP, plain, tagged
    and in tunnels; IPv4 IDs rise, stand still or jump.

    A tame train has nothing of what Linux itself does not give back: `DAMAGE` in test_lossless.py."""
    flows = [draw(flow(n, tame=tame)) for n in range(4)]
    odd, segments, latest = ODD if tame else ODD + DAMAGED, [], {}
    for _ in range(draw(st.integers(1, 40))):
        n = draw(st.integers(0, 3))
        again = n in latest and not (tame and latest[n]["protocol"] == 17)  # datagrams of one ID: DAMAGE again
        if again and draw(st.integers(0, 19)) == 0:
            segments.append(latest[n])  # a duplicate
            continue
        fields, (step, outer_step) = flows[n]
        change = draw(st.sampled_from(odd)) if draw(st.integers(0, 4)) == 0 else {}
        latest[n] = segment(**({"payload": 100} | fields | change))
        fields["seq"] += latest[n]["payload"] + (draw(st.integers(0, 9)) == 0)
        fields["ip_id"] += step
        fields["outer_id"] += outer_step
        segments.append(latest[n])
    return train(segments)


@st.composite
def flow(draw, n, *, tame):
    """(fields of the first segment of flow `n`, by how much the IDs of the inner and the outer header rise)."""
    tunnels = [name for name in TUNNELS if not (tame and name == "gre-csum")]
    fields = {
        "version": draw(st.sampled_from([4, 4, 6])),
        "protocol": draw(st.sampled_from([6, 6, 17])),
        "tunnel": draw(st.sampled_from(PLAIN + tunnels)),
        "outer_version": draw(st.sampled_from([4, 4, 6])),
        "outer_csum": draw(st.integers(0, 1)),
        "df": draw(st.integers(0, 1)),
        "rx_hash": draw(st.integers(0, 2)),
        "options": draw(st.sampled_from([b"", timestamps()])),
        "tag": draw(st.sampled_from([b"", b"", b"\x81\x00\x00\x05", b"\x88\xa8\x00\x07\x81\x00\x00\x05"])),
    }
    step, outer_step = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    if tame and fields["protocol"] == 17:
        step = outer_step = 1  # nothing says of datagrams that their IDs stand still
    elif tame and fields["tunnel"]:
        if fields["version"] == 6 or fields["outer_version"] == 6:
            step = outer_step = 1  # nothing says it of the outer header of IPv6, nor of the inner one in IPv6
        elif fields["tunnel"] != "ipip":
            outer_step = step  # over UDP and GRE one bit speaks for both
    return fields | {"sport": n, "source": n + 1, "seq": 0, "ip_id": 0xFFFD, "outer_id": 0xFFFE}, (step, outer_step)


def through(engine, sent, max_frames=None):
    """(packets in delivery order, fates, reasons, closes) of the train in pieces, and a flush."""
    outcomes = [engine.receive(piece, SYNTHETIC) for piece in sent.cut(max_frames)]
    outcomes.append(engine.flush(SYNTHETIC))
    return (
        join([outcome.packets for outcome in outcomes]),
        *(np.concatenate([getattr(o, name) for o in outcomes]).tolist() for name in ("fate", "reason", "close")),
    )
