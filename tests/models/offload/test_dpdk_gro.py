"""DPDK's GRO library: one row a rule, then what it does that others do not."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, FIN, PSH, SYN, payload_bytes, segment, timestamps, train
from trains import through

from models.offload.engine import LOST, make
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import CSUM_BAD, FRAME_ID
from models.wire import checksum, ipv4, tcp


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, Why.NONE),
        ({"payload": 50}, Why.NONE),
        ({"payload": 150}, Why.NONE),
        ({"flags": ACK | PSH}, Why.NONE),
        ({"flags": ACK | FIN}, Why.NONE),
        ({"flags": 0}, Why.NONE),
        ({"window": 9}, Why.NONE),
        ({"ttl": 7}, Why.NONE),
        ({"tos": 3}, Why.NONE),
        ({"ip_id": 999}, Why.NONE),
        ({"urgent": 5}, Why.NONE),
        ({"tail": 4}, Why.NONE),
        ({"csum_state": CSUM_BAD, "csum_error": 1}, Why.NONE),
        ({"ack": 101}, Why.FIRST),
        ({"mac": 9}, Why.FIRST),
        ({"sport": 9}, Why.FIRST),
        ({"options": timestamps()}, Why.OPTIONS),
        ({"df": 0}, Why.DF),
        ({"seq": 150}, Why.GAP),
        ({"flags": ACK | CWR}, Why.CWR),
        ({"flags": ACK | SYN}, Why.FLAGS),
        ({"payload": 0}, Why.NO_PAYLOAD),
        ({"fragment": 0x2000}, Why.FRAGMENT),
        ({"ip_options": b"\x01\x01\x01\x00"}, Why.IP_OPTIONS),
        ({"protocol": 17}, Why.NOT_TCP),
    ],
)
def test_dpdk_refuses(change, why):
    _, _, reasons, _ = through(make("dpdk-gro"), train([segment(seq=0), segment(**({"seq": 100} | change))]))
    assert reasons[1] == why


@pytest.mark.parametrize(
    ("change", "why"), [({}, Why.NONE), ({"tos": 1}, Why.NONE), ({"ttl": 1}, Why.NONE), ({"label": 1}, Why.FIRST)]
)
def test_of_ipv6_the_traffic_class_may_differ(change, why):
    first = {"version": 6}
    _, _, reasons, _ = through(make("dpdk-gro"), train([segment(**first), segment(**(first | {"seq": 100} | change))]))
    assert reasons[1] == why


def test_pieces_that_have_become_neighbours_stay_apart():
    """3 1 2 0: 2 joins in front of 3, which is asked first, 0 in front of 1."""
    packets, *_ = through(make("dpdk-gro"), train([segment(seq=100 * k) for k in (3, 1, 2, 0)]))
    assert packets.payload_bytes.tolist() == [200, 200]
    assert packets.meta[:, FRAME_ID].tolist() == [2, 3]


def test_the_payload_is_in_order_of_sequence():
    sent = train([segment(seq=100), segment(seq=0), segment(seq=200)])
    packets, *_ = through(make("dpdk-gro"), sent)
    assert payload_bytes(packets, 0) == payload_bytes(train([segment(payload=300)]), 0)


def test_without_df_ids_count_up_to_65535_and_no_further():
    def payloads(*ids):
        sent = train([segment(seq=100 * k, df=0, ip_id=n) for k, n in enumerate(ids)])
        return through(make("dpdk-gro"), sent)[0].payload_bytes.tolist()

    assert payloads(8, 9, 10) == [300]
    assert payloads(8, 8) == [100, 100]
    assert payloads(65_534, 65_535, 0) == [200, 100]


def test_without_df_nothing_joins_behind_what_was_joined_in_front():
    sent = train([segment(seq=100, df=0, ip_id=9), segment(seq=0, df=0, ip_id=8), segment(seq=200, df=0, ip_id=10)])
    packets, _, reasons, _ = through(make("dpdk-gro"), sent)
    assert packets.payload_bytes.tolist() == [200, 100]
    assert reasons[2] == Why.IP_ID


def test_a_chain_has_twenty_buffers_unless_it_grows_in_front():
    assert through(make("dpdk-gro"), train([segment(seq=100 * k) for k in range(21)]))[0].payload_bytes.tolist() == [
        2000, 100,
    ]  # fmt: skip
    assert through(make("dpdk-gro"), train([segment(seq=100 * k) for k in range(20, -1, -1)]))[
        0
    ].payload_bytes.tolist() == [2100]


def test_an_ip_packet_may_be_as_long_as_its_length_field_allows():
    sent = [segment(seq=8000 * k, payload=8000) for k in range(8)] + [segment(seq=64_000, payload=1495)]
    assert through(make("dpdk-gro"), train(sent))[0].payload_bytes.tolist() == [65_495]
    sent[-1]["payload"] += 1
    assert through(make("dpdk-gro"), train(sent))[0].payload_bytes.tolist() == [64_000, 1496]


def test_a_burst_is_128_frames():
    engine = make("dpdk-gro")
    out = engine.receive(train([segment(sport=k) for k in range(129)]), SYNTHETIC)
    assert len(out.packets) == 128
    assert engine.held_packets == 1


def test_what_is_not_processed_comes_first_then_flow_after_flow():
    sent = train(
        [
            segment(sport=1),
            segment(sport=2),
            segment(sport=1, seq=500),
            segment(sport=3, flags=SYN),
            segment(sport=2, seq=100),
        ]
    )
    packets, fates, _, _ = through(make("dpdk-gro"), sent)
    assert packets.meta[:, FRAME_ID].tolist() == [3, 0, 2, 1]
    assert fates[3] == Fate.PASSED


def test_the_merged_packet_has_a_new_length_and_old_checksums():
    sent = train([segment(seq=0, flags=ACK), segment(seq=100, flags=ACK | PSH | FIN, window=1)])
    packets, *_ = through(make("dpdk-gro"), sent)
    row = packets.head[0]
    assert ipv4.total_length(row, 14) == 240
    assert not checksum.ipv4_header_is_right(row, 14)
    assert tcp.checksum(row, 34) == tcp.checksum(sent.head[0], 34)
    assert tcp.flags(row, 34) == ACK
    assert packets.column("gso_bytes")[0] == 0


def test_it_loses_what_it_does_not_compare():
    engine = make("dpdk-gro", audit=True)
    through(engine, train([segment(), segment(seq=100, ip_id=1, ttl=7, tos=3, window=1, flags=ACK | PSH)]))
    assert {name for name, n in zip(LOST, engine.lost) if n} == {"ip_id", "ttl", "ce", "window", "psh", "boundary"}
