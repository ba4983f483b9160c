"""The GRO of 2009, edition 2.6.29: one row a rule, where it is not today's."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, FIN, PSH, segment, timestamps, train
from test_gro import sent_through as through

from models.offload.engine import ENGINES, make
from models.offload.segment import cut
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import CSUM_NONE, CSUM_PARTIAL, GSO_TCP4

TAG = 1 << 16
EXT = struct.pack(">BBHI", 6, 0, 0x0104, 0)


def sent_through(segments, **limits):
    return through(segments, "gro-2.6.29", **limits)


@pytest.mark.parametrize(
    ("first", "change", "why"),
    [
        ({}, {}, Why.NONE),
        ({}, {"payload": 60}, Why.NONE),
        ({}, {"flags": ACK | PSH}, Why.NONE),
        ({}, {"flags": ACK | FIN}, Why.NONE),
        ({"flags": ACK | CWR}, {"flags": ACK}, Why.NONE),
        ({}, {"flags": ACK | CWR}, Why.CWR),
        ({}, {"ip_id": 0}, Why.IP_ID),
        ({}, {"ip_id": 2}, Why.IP_ID),
        ({"df": 0}, {}, Why.DF),
        ({}, {"df": 0}, Why.DF),
        ({}, {"ttl": 7}, Why.TTL),
        ({}, {"tos": 4}, Why.FIRST),  # another flow
        ({}, {"window": 9}, Why.WINDOW),
        ({}, {"ack": 101}, Why.ACK),
        ({}, {"options": timestamps()}, Why.OPTIONS),
        ({}, {"payload": 101}, Why.SIZE),
        ({}, {"payload": 0}, Why.NO_PAYLOAD),
        ({}, {"seq": 101}, Why.GAP),
        ({}, {"tail": 2}, Why.PADDING),
        ({}, {"csum_state": CSUM_NONE}, Why.CHECKSUM),  # nobody has verified it, so nobody will
        ({}, {"tag": b"\x81\x00\x00\x05"}, Why.VLAN),
        ({}, {"mac": 7}, Why.FIRST),
        ({}, {"rx_hash": 7}, Why.NONE),
        ({"vlan_stripped": TAG | 5}, {}, Why.NONE),  # an untagged frame asks for no device
        ({}, {"vlan_stripped": TAG | 5}, Why.FIRST),
        ({"vlan_stripped": TAG | 5}, {"vlan_stripped": TAG | 0x2005}, Why.NONE),  # another priority
        ({"vlan_stripped": TAG | 5}, {"vlan_stripped": TAG | 6}, Why.FIRST),
        ({"vlan_stripped": TAG | 5}, {"vlan_stripped": TAG | 5, "mac": 7}, Why.NONE),
        ({}, {"ip_options": b"\x01\x01\x01\x00"}, Why.IP_OPTIONS),
        ({}, {"ip_csum_error": 1}, Why.CHECKSUM),
        ({}, {"fragment": 3}, Why.FRAGMENT),
        ({}, {"protocol": 17}, Why.NOT_TCP),
        ({}, {"tunnel": "ipip"}, Why.NOT_TCP),
        ({"version": 6}, {}, Why.NONE),
        ({"version": 6}, {"tos": 4}, Why.FIRST),
        ({"version": 6}, {"label": 1}, Why.FIRST),
        ({"version": 6}, {"ttl": 7}, Why.FIRST),
        ({"version": 6, "exthdr": EXT}, {}, Why.NONE),
        ({"version": 6, "exthdr": EXT, "exthdr_kind": 0}, {}, Why.IP_OPTIONS),
        ({"version": 6}, {"exthdr": EXT, "exthdr_kind": 44}, Why.FRAGMENT),
    ],
)
def test_gro_of_2009_refuses(first, change, why):
    sent = [segment(**first), segment(**(first | {"seq": 100, "ip_id": 1} | change))]
    assert sent_through(sent)[2][1] is why


def test_a_full_list_lets_new_flows_pass():
    sent = [segment(sport=n, payload=100 + n) for n in range(9)]
    payloads, fates, reasons, _ = sent_through(sent)
    assert payloads[0] == 108
    assert (fates[8], reasons[8]) == (Fate.PASSED, Why.TABLE_FULL)


def test_only_the_end_of_polling_flushes():
    assert make("gro-2.6.29").outlives_full_polls
    assert not any(make(name).outlives_full_polls for name in ENGINES if name != "gro-2.6.29")


def test_a_flush_takes_the_newest_first():
    assert sent_through([segment(sport=n, payload=100 + n) for n in range(4)])[0] == [103, 102, 101, 100]


@pytest.mark.parametrize(("limits", "payloads"), [({}, [2000]), ({"max_frags": 18}, [1800, 200])])
def test_frames_in_a_packet(limits, payloads):
    assert sent_through([segment(seq=100 * k, ip_id=k) for k in range(20)], **limits)[0] == payloads


def test_the_size_counts_the_mac_header():
    sent = [segment(seq=4036 * k, payload=4036, ip_id=k) for k in range(16)]
    assert sent_through([*sent, segment(seq=64576, payload=905, ip_id=16)])[0] == [65481]  # 65,535 with the MAC header
    assert sent_through([*sent, segment(seq=64576, payload=906, ip_id=16)])[0] == [64576, 906]


def test_a_merged_packet_forgets_its_segment_size():
    """So it cannot be cut again: a router sends it on as it is, or not at all."""
    engine = make("gro-2.6.29", audit=True)
    engine.receive(train([segment(seq=100 * k, ip_id=k) for k in range(3)]), SYNTHETIC)
    packets = engine.flush(SYNTHETIC).packets
    assert packets.payload_bytes.tolist() == [300]
    assert packets.column("gso_bytes").tolist() == [0]
    assert packets.column("gso_type").tolist() == [GSO_TCP4]
    assert packets.column("csum_state").tolist() == [CSUM_PARTIAL]
    assert cut(packets, SYNTHETIC).payload_bytes.tolist() == [300]
    assert engine.frames_altered == 3
