"""Linux GRO, edition 6.18: one row a rule; then the kernel's own self-test as a table."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, ECE, FIN, PSH, SYN, URG, segment, timestamps, train

from models.offload.engine import make
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import CSUM_BAD, CSUM_NONE, CSUM_PARTIAL, GSO_FIXED_ID, GSO_TCP4, GSO_TCP6


def sent_through(segments, engine="gro", **limits):
    """(payloads in delivery order, fates, reasons, closes) of the segments and one flush at the end."""
    table = make(engine, audit=True, **limits)
    out = table.receive(train(segments), SYNTHETIC)
    end = table.flush(SYNTHETIC)
    payloads = [*out.packets.payload_bytes.tolist(), *end.packets.payload_bytes.tolist()]
    closes = [Why(c) for c in [*out.close.tolist(), *end.close.tolist()]]
    return payloads, [Fate(f) for f in out.fate], [Why(r) for r in out.reason], closes


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, Why.NONE),
        ({"payload": 50}, Why.NONE),
        ({"flags": ACK | PSH}, Why.NONE),
        ({"flags": ACK | FIN}, Why.NONE),
        ({"urgent": 7}, Why.NONE),
        ({"csum_state": CSUM_NONE}, Why.NONE),
        ({"csum_state": CSUM_PARTIAL}, Why.NONE),
        ({"flags": ACK | CWR}, Why.CWR),
        ({"flags": ACK | ECE}, Why.FLAGS),
        ({"flags": ACK | URG}, Why.FLAGS),
        ({"reserved": 1}, Why.FLAGS),
        ({"window": 9}, Why.WINDOW),
        ({"ack": 101}, Why.ACK),
        ({"options": timestamps(11)}, Why.OPTIONS),
        ({"options": b""}, Why.OPTIONS),
        ({"ttl": 7}, Why.TTL),
        ({"tos": 0x20}, Why.TOS),
        ({"tos": 2}, Why.ECN),
        ({"payload": 101}, Why.SIZE),
        ({"payload": 0}, Why.NO_PAYLOAD),
        ({"seq": 101}, Why.GAP),
        ({"seq": 0}, Why.GAP),
        ({"tail": 4}, Why.PADDING),
        ({"short": -2}, Why.PADDING),  # promises more than the frame has
        ({"csum_state": CSUM_BAD}, Why.CHECKSUM),
        ({"csum_state": CSUM_NONE, "csum_error": 1}, Why.CHECKSUM),
        ({"sport": 9}, Why.FIRST),
        ({"src": 9}, Why.FIRST),
        ({"mac": 9}, Why.FIRST),
        ({"rx_hash": 8}, Why.FIRST),
        ({"vlan_stripped": 1 << 16 | 5}, Why.FIRST),
        ({"tag": b"\x81\x00\x00\x05"}, Why.FIRST),
        ({"protocol": 17}, Why.NOT_TCP),
    ],
)
def test_gro_refuses(version, change, why):
    first = {"version": version, "options": timestamps()}
    _, _, reasons, _ = sent_through([segment(**first), segment(**(first | {"seq": 100, "ip_id": 1} | change))])
    assert reasons[1] is why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"df": 0}, Why.DF),
        ({"fragment": 0x8000}, Why.DF),
        ({"fragment": 0x2000}, Why.FRAGMENT),
        ({"fragment": 3}, Why.FRAGMENT),
        ({"ip_id": 2}, Why.IP_ID),
        ({"ip_id": 0xFFFF}, Why.IP_ID),
        ({"ip_id": 0}, Why.NONE),
        ({"ip_options": b"\x01\x01\x01\x00"}, Why.IP_OPTIONS),
        ({"ip_csum_error": 1}, Why.CHECKSUM),
        ({"ethertype": 0x0806}, Why.NOT_IP),
    ],
)
def test_gro_refuses_of_ipv4(change, why):
    _, _, reasons, _ = sent_through([segment(), segment(**({"seq": 100, "ip_id": 1} | change))])
    assert reasons[1] is why


@pytest.mark.parametrize(
    ("change", "why"), [({"label": 1}, Why.FIRST), ({"exthdr": struct.pack(">BBHI", 6, 0, 0x0104, 0)}, Why.FIRST)]
)
def test_gro_refuses_of_ipv6(change, why):
    _, _, reasons, _ = sent_through([segment(version=6), segment(**({"version": 6, "seq": 100} | change))])
    assert reasons[1] is why


QINQ = b"\x88\xa8\x00\x07\x81\x00\x00\x05"


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (b"\x81\x00\x00\x05", b"\x81\x00\x00\x05", Why.NONE),
        (b"\x81\x00\x00\x05", b"\x81\x00\x20\x05", Why.FIRST),  # another priority
        (b"\x81\x00\x00\x05", b"\x88\xa8\x00\x05", Why.FIRST),
        (b"\x81\x00\x00\x05", QINQ, Why.FIRST),
        (QINQ, QINQ, Why.NONE),
        (QINQ, b"\x88\xa8\x00\x07\x81\x00\x00\x06", Why.FIRST),
        (QINQ, b"\x88\xa8\x00\x08\x81\x00\x00\x05", Why.FIRST),
    ],
)
@pytest.mark.parametrize("version", [4, 6])
def test_tags_in_the_frame_must_be_equal(first, second, why, version):
    sent = [segment(tag=first, version=version), segment(seq=100, ip_id=1, tag=second, version=version)]
    assert sent_through(sent)[2][1] is why


def test_early_exits_leave_the_held_packet_and_overtake_it():
    held, optioned = segment(), segment(seq=100, payload=60, ip_options=b"\x01\x01\x01\x00")
    assert sent_through([held, optioned])[0] == [60, 100]


def test_a_barred_frame_pushes_the_held_packet_out_first():
    payloads, _, _, closes = sent_through([segment(), segment(seq=100, payload=60, tail=2)])
    assert payloads == [100, 60]
    assert closes == [Why.PADDING, Why.NONE]


@pytest.mark.parametrize(
    ("last", "close"),
    [
        ({"payload": 60}, Why.SHORT),
        ({"flags": ACK | PSH}, Why.PUSH),
        ({"flags": ACK | FIN}, Why.FIN),
        ({}, Why.POLL_END),
    ],
)
def test_what_closes_a_run(last, close):
    assert sent_through([segment(), segment(**({"seq": 100, "ip_id": 1} | last))])[3] == [close]


@pytest.mark.parametrize(("flags", "why"), [(PSH, Why.PUSH), (FIN, Why.FIN), (SYN, Why.FLAGS), (URG, Why.FLAGS)])
def test_what_is_never_held(flags, why):
    _, fates, reasons, _ = sent_through([segment(flags=ACK | flags)])
    assert (fates, reasons) == ([Fate.PASSED], [why])


def test_the_ninth_flow_of_a_bucket_evicts_the_oldest():
    payloads, _, reasons, closes = sent_through([segment(sport=n, payload=100 + n) for n in range(9)])
    assert payloads == [100 + n for n in range(9)]
    assert closes == [Why.EVICTED] + 8 * [Why.POLL_END]
    assert set(reasons) == {Why.FIRST}


def test_a_flush_goes_through_the_buckets_in_order():
    sent = [segment(sport=n, rx_hash=h, payload=100 + n) for n, h in enumerate([3, 1, 11, 0, 3 + 8])]
    assert sent_through(sent)[0] == [103, 101, 100, 102, 104]


def test_an_old_flush_stops_at_this_jiffys_first():
    table = make("gro")
    table.receive(train([segment(sport=1)]), SYNTHETIC, jiffy=1)
    table.receive(train([segment(sport=2), segment(sport=1, seq=100, ip_id=1)]), SYNTHETIC, jiffy=2)
    out = table.flush_old(SYNTHETIC, jiffy=2)
    assert out.packets.payload_bytes.tolist() == [200]
    assert out.close.tolist() == [Why.TIMER]
    assert table.held_packets == 1


@pytest.mark.parametrize(
    ("version", "ids", "kind"), [(4, 1, GSO_TCP4), (4, 0, GSO_TCP4 | GSO_FIXED_ID), (6, 1, GSO_TCP6)]
)
def test_the_merged_packet(version, ids, kind):
    sent = [
        segment(version=version, seq=100 * k, ip_id=7 + k * ids, flags=ACK | (PSH if k == 2 else 0)) for k in range(3)
    ]
    table = make("gro")
    packets = table.receive(train(sent), SYNTHETIC).packets
    assert len(packets) == 1
    assert packets.column("gso_bytes")[0] == 100
    assert packets.column("gso_segments")[0] == 3
    assert packets.column("gso_type")[0] == kind
    assert packets.column("csum_state")[0] == CSUM_PARTIAL
    assert packets.column("frame_count")[0] == 3
    head = packets.head[0].tobytes()
    if version == 4:
        assert struct.unpack_from(">H", head, 16)[0] == 340
        pseudo = 2 * 0x0A00 + 1 + 2 + 6 + 320
        assert struct.unpack_from(">H", head, 34 + 16)[0] == pseudo
        assert head[34 + 13] == ACK | PSH
        words = struct.unpack_from(">10H", head, 14)
        assert (sum(words) & 0xFFFF) + (sum(words) >> 16) == 0xFFFF
    else:
        assert struct.unpack_from(">H", head, 18)[0] == 320
        assert struct.unpack_from(">H", head, 54 + 16)[0] == 1 + 2 + 6 + 320
