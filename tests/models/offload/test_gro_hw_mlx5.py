"""Hardware GRO of mlx5: Linux GRO's rules where they matter to a card, its contexts and its room."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, PSH, segment, train
from trains import through

from models.offload.engine import make
from models.offload.segment import cut
from models.offload.why import Why
from models.payload import SYNTHETIC
from models.train import CSUM_PARTIAL, GSO_FIXED_ID, GSO_TCP4
from models.wire import ipv4, tcp


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ip_id": 1}, Why.NONE),
        ({"ip_id": 0}, Why.NONE),
        ({"ip_id": 1, "flags": ACK | PSH}, Why.NONE),
        ({"ip_id": 1, "flags": ACK | CWR}, Why.CWR),
        ({"ip_id": 1, "ack": 7}, Why.ACK),
        ({"ip_id": 1, "window": 7}, Why.WINDOW),
        ({"ip_id": 1, "ttl": 7}, Why.TTL),
        ({"ip_id": 2}, Why.IP_ID),
        ({"ip_id": 1, "payload": 150}, Why.SIZE),
        ({"ip_id": 1, "protocol": 17}, Why.OFF),
    ],
)
def test_it_follows_gro(change, why):
    sent = train([segment(), segment(**({"seq": 100} | change))])
    expected = through(make("gro"), sent)[2][1] if why is Why.OFF else why
    assert through(make("gro-hw-mlx5"), sent)[2][1] == expected


def test_a_segment_with_cwr_ends_the_session_and_stays_alone():
    sent = train([segment(seq=100 * k, ip_id=k, flags=ACK | CWR * (k == 2)) for k in range(5)])
    packets, *_ = through(make("gro-hw-mlx5"), sent)
    assert packets.payload_bytes.tolist() == [200, 100, 200]


@pytest.mark.parametrize(("step", "fixed"), [(0, GSO_FIXED_ID), (1, 0)])
def test_the_second_segment_decides_whether_ids_are_fixed(step, fixed):
    sent = train([segment(seq=100 * k, ip_id=9 + k * step) for k in range(3)])
    packets, *_ = through(make("gro-hw-mlx5"), sent)
    assert packets.column("gso_type").tolist() == [GSO_TCP4 | fixed]
    assert packets.column("csum_state").tolist() == [CSUM_PARTIAL]
    assert [ipv4.ident(row, 14) for row in cut(packets, SYNTHETIC).head] == [9 + k * step for k in range(3)]


def test_flags_of_the_last_are_kept():
    packets, *_ = through(make("gro-hw-mlx5"), train([segment(), segment(seq=100, ip_id=1, flags=ACK | PSH)]))
    assert tcp.flags(packets.head[0], 34) == ACK | PSH


def test_its_contexts_are_one_table():
    sent = train([segment(sport=n, rx_hash=n) for n in range(65)])
    _, _, _, closes = through(make("gro-hw-mlx5"), sent)
    assert closes == [Why.EVICTED] + 64 * [Why.POLL_END]
    assert through(make("gro-hw-mlx5", per_bucket=2), sent)[3][:63] == 63 * [Why.EVICTED]


def test_a_packet_stays_within_its_reservation():
    sent = train([segment(seq=1000 * k, payload=1000, ip_id=k) for k in range(66)])
    assert through(make("gro-hw-mlx5"), sent)[0].payload_bytes.tolist() == [65_000, 1000]


def test_its_timer():
    assert make("gro-hw-mlx5").timer_ps == 1_024_000_000
