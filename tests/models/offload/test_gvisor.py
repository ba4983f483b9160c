"""gVisor: one row a rule, then its buckets as gro_test.go has them, and what it forgets."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, ECE, FIN, PSH, SYN, URG, segment, timestamps, train
from trains import through

from models.offload.engine import LOST, make
from models.offload.why import Why
from models.train import CSUM_BAD, CSUM_VERIFIED
from models.wire import checksum, ipv4


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, Why.NONE),
        ({"payload": 50}, Why.NONE),
        ({"payload": 150}, Why.NONE),
        ({"flags": ACK | PSH}, Why.NONE),
        ({"flags": ACK | FIN}, Why.NONE),
        ({"window": 9}, Why.NONE),
        ({"ip_id": 999, "df": 0}, Why.NONE),
        ({"mac": 9}, Why.NONE),
        ({"ttl": 7}, Why.TTL),
        ({"tos": 32}, Why.TOS),
        ({"tos": 1}, Why.ECN),
        ({"flags": ACK | CWR}, Why.CWR),
        ({"flags": ACK | ECE}, Why.FLAGS),
        ({"ack": 101}, Why.ACK),
        ({"options": timestamps()}, Why.OPTIONS),
        ({"seq": 101}, Why.GAP),
        ({"sport": 9}, Why.FIRST),
        ({"csum_state": CSUM_BAD}, Why.CHECKSUM),
        ({"protocol": 17}, Why.NOT_TCP),
    ],
)
def test_gvisor_refuses(version, change, why):
    first = {"version": version}
    _, _, reasons, _ = through(make("gvisor"), train([segment(**first), segment(**(first | {"seq": 100} | change))]))
    assert reasons[1] == why


@pytest.mark.parametrize(
    ("change", "why"),
    [({"label": 1}, Why.FIRST), ({"exthdr": b"\x06\x00\x01\x04\x00\x00\x00\x00"}, Why.FIRST)],
)
def test_of_ipv6_label_and_extension_headers_are_part_of_the_flow(change, why):
    _, _, reasons, _ = through(make("gvisor"), train([segment(version=6), segment(version=6, seq=100, **change)]))
    assert reasons[1] == why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"payload": 0}, Why.NO_PAYLOAD),
        ({"flags": ACK | SYN}, Why.FLAGS),
        ({"flags": ACK | URG}, Why.FLAGS),
        ({"flags": ACK | PSH}, Why.PUSH),
        ({"flags": ACK | FIN}, Why.FIN),
        ({"fragment": 0x2000}, Why.FRAGMENT),
        ({"ip_options": b"\x01\x01\x01\x00"}, Why.IP_OPTIONS),
    ],
)
def test_what_is_never_held(change, why):
    _, _, reasons, _ = through(make("gvisor"), train([segment(**change)]))
    assert reasons == [why]


@pytest.mark.parametrize(("payload", "close"), [(50, Why.SHORT), (150, Why.SIZE), (100, Why.POLL_END)])
def test_a_segment_of_another_size_is_the_last(payload, close):
    packets, _, _, closes = through(make("gvisor"), train([segment(), segment(seq=100, payload=payload)]))
    assert packets.payload_bytes.tolist() == [100 + payload]
    assert closes == [close]


def test_a_full_bucket_is_drained_by_a_flush():
    """TestFlushDrainsBucket: eight packets in, eight out; the ninth of a bucket pushes the oldest out."""
    packets, _, _, closes = through(make("gvisor"), train([segment(sport=8 * k) for k in range(8)]))
    assert (len(packets), closes) == (8, 8 * [Why.POLL_END])
    _, _, _, closes = through(make("gvisor"), train([segment(sport=8 * k) for k in range(9)]))
    assert closes == [Why.EVICTED] + 8 * [Why.POLL_END]


def test_packets_stay_below_64_kib():
    packets, *_ = through(make("gvisor"), train([segment(seq=1000 * k, payload=1000) for k in range(66)]))
    assert packets.payload_bytes.tolist() == [65_000, 1000]
    largest = [segment(seq=1023 * k, payload=1023) for k in range(64)] + [segment(seq=64 * 1023, payload=23)]
    assert through(make("gvisor"), train(largest))[0].payload_bytes.tolist() == [65_535 - 40]
    largest[-1]["payload"] += 1
    assert through(make("gvisor"), train(largest))[0].payload_bytes.tolist() == [64 * 1023, 24]


def test_the_merged_packet_has_a_new_length_and_old_checksums():
    packets, *_ = through(make("gvisor"), train([segment(), segment(seq=100)]))
    assert ipv4.total_length(packets.head[0], 14) == 240
    assert not checksum.ipv4_header_is_right(packets.head[0], 14)
    assert (packets.column("csum_state")[0], packets.column("gso_bytes")[0]) == (CSUM_VERIFIED, 0)


def test_it_loses_where_segments_ended_and_what_it_does_not_compare():
    engine = make("gvisor", audit=True)
    through(engine, train([segment(), segment(seq=100, ip_id=7, window=3)]))
    assert {name for name, n in zip(LOST, engine.lost) if n} == {"boundary", "ip_id", "window"}
