"""wireguard-go: the vectors of its own Test_handleGRO, then what they do not show."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, FIN, PSH, segment, timestamps, train
from trains import through

from models.offload.engine import make
from models.offload.segment import cut
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import CSUM_BAD, CSUM_PARTIAL, FRAME_ID, HEAD_BYTES, L3
from models.wire import ipv4, tcp


def tcp4(seq, flags=ACK, dport=1, **change):
    return segment(seq=seq, flags=flags, dport=dport, df=0, **change)


def tcp6(seq, flags=ACK, dport=1, **change):
    return segment(version=6, seq=seq, flags=flags, dport=dport, **change)


def udp4(dport=1, **change):
    return segment(protocol=17, dport=dport, df=0, **change)


def udp6(dport=1, **change):
    return segment(version=6, protocol=17, dport=dport, **change)


MANY = [tcp4(1), udp4(), udp4(2), tcp4(101), tcp4(201, dport=2), tcp6(1), tcp6(101), tcp6(201, dport=2), udp4(), udp6(),
        udp6()]  # fmt: skip
PUSHED = [f(seq, flags) for f in (tcp4, tcp6) for seq, flags in ((1, ACK), (101, ACK | PSH), (201, ACK), (301, ACK))]


@pytest.mark.parametrize(
    ("segments", "udp", "written", "lengths"),
    [
        pytest.param(MANY, 1, [0, 1, 2, 4, 5, 7, 9], [240, 228, 128, 140, 260, 160, 248], id="protocols and flows"),
        pytest.param(MANY, 0, [0, 1, 2, 4, 5, 7, 8, 9, 10], [240, 128, 128, 140, 260, 160, 128, 148, 148], id="no UDP"),
        pytest.param(PUSHED, 1, [0, 2, 4, 6], [240, 240, 260, 260], id="PSH interleaved"),
        pytest.param(
            [tcp4(1, csum_error=1), tcp4(101), tcp4(201), udp4(csum_error=1), udp4(), udp4()],
            1, [0, 1, 3, 4], [140, 240, 128, 228], id="the item's checksum is wrong",
        ),
        pytest.param([tcp4(101), tcp4(1), tcp4(201)], 1, [1], [340], id="out of order"),
        pytest.param([tcp4(1), tcp4(101, ttl=9), udp4(), udp4(ttl=9)], 1, [0, 1, 2, 3], [140, 140, 128, 128], id="TTL"),
        pytest.param([tcp4(1), tcp4(101, tos=1), udp4(), udp4(tos=1)], 1, [0, 1, 2, 3], [140, 140, 128, 128], id="ToS"),
        pytest.param(
            [tcp4(1), tcp4(101, fragment=0x2000), udp4(), udp4(fragment=0x2000)],
            1, [0, 1, 2, 3], [140, 140, 128, 128], id="more fragments",
        ),
        pytest.param(
            [tcp4(1), tcp4(101) | {"df": 1}, udp4(), udp4() | {"df": 1}], 1, [0, 1, 2, 3], [140, 140, 128, 128], id="DF"
        ),
        pytest.param([tcp6(1), tcp6(101, ttl=9), udp6(), udp6(ttl=9)], 1, [0, 1, 2, 3], [160, 160, 148, 148], id="hop"),
        pytest.param(
            [tcp6(1), tcp6(101, tos=1), udp6(), udp6(tos=1)], 1, [0, 1, 2, 3], [160, 160, 148, 148], id="traffic class"
        ),
    ],
)  # fmt: skip
def test_handle_gro(segments, udp, written, lengths):
    """The first frame in each packet; of the one that is out of order the second was put in front."""
    packets, *_ = through(make("wireguard-go", udp=udp), train(segments))
    ip_bytes = packets.meta[:, HEAD_BYTES] - packets.meta[:, L3] + packets.payload_bytes
    assert ip_bytes.tolist() == lengths
    assert packets.meta[:, FRAME_ID].tolist() == written


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, Why.NONE),
        ({"payload": 50}, Why.NONE),
        ({"window": 9}, Why.NONE),
        ({"ip_id": 999}, Why.NONE),
        ({"mac": 9}, Why.NONE),
        ({"csum_state": CSUM_BAD}, Why.CHECKSUM),
        ({"payload": 150}, Why.SIZE),
        ({"options": timestamps()}, Why.OPTIONS),
        ({"ack": 101}, Why.FIRST),
        ({"seq": 150}, Why.GAP),
        ({"flags": ACK | FIN}, Why.FIN),
        ({"flags": ACK | 2}, Why.FLAGS),
        ({"payload": 0}, Why.NO_PAYLOAD),
        ({"tail": 2}, Why.PADDING),
        ({"ip_options": b"\x01\x01\x01\x00"}, Why.IP_OPTIONS),
        ({"protocol": 6, "exthdr": b"\x06\x00\x01\x04\x00\x00\x00\x00", "version": 6}, Why.IP_OPTIONS),
    ],
)
def test_wireguard_go_refuses(change, why):
    _, _, reasons, _ = through(make("wireguard-go"), train([segment(seq=0), segment(**({"seq": 100} | change))]))
    assert reasons[1] == why


def test_frames_it_does_not_merge_are_written_in_their_turn():
    sent = train([segment(seq=0), segment(seq=50, flags=ACK | FIN, sport=9, payload=7), segment(seq=100)])
    packets, fates, reasons, closes = through(make("wireguard-go"), sent)
    assert packets.payload_bytes.tolist() == [200, 7]
    assert (fates[1], reasons[1], closes) == (Fate.PASSED, Why.FIN, [Why.POLL_END, Why.NONE])


def test_nothing_is_held_beyond_a_batch():
    engine = make("wireguard-go")
    out = engine.receive(train([segment(seq=10 * k, payload=10) for k in range(129)]), SYNTHETIC)
    assert out.packets.payload_bytes.tolist() == [1280]
    assert engine.held_frames == 1


def test_a_packet_fills_its_buffer_and_no_more():
    """65,503 bytes are left of it behind two headers of 16: 46 payloads of 1,423 bytes and 40 of headers are 65,498."""
    packets, *_ = through(make("wireguard-go"), train([segment(seq=1423 * k, payload=1423) for k in range(47)]))
    assert packets.payload_bytes.tolist() == [46 * 1423, 1423]
    exact = [segment(seq=1423 * k, payload=1423) for k in range(46)] + [segment(seq=46 * 1423, payload=5)]
    assert through(make("wireguard-go"), train(exact))[0].payload_bytes.tolist() == [65_503 - 40]


def test_in_front_only_a_single_smaller_packet_may_follow():
    small = [segment(seq=200, payload=50), segment(seq=100)]
    assert through(make("wireguard-go"), train(small))[0].payload_bytes.tolist() == [150]
    two_small = [segment(seq=200, payload=50), segment(seq=250, payload=50), segment(seq=100)]
    assert through(make("wireguard-go"), train(two_small))[0].payload_bytes.tolist() == [100, 100]


def test_psh_is_lost_behind_a_frame_that_joins_in_front():
    packets, *_ = through(make("wireguard-go"), train([segment(seq=100, flags=ACK | PSH), segment(seq=0)]))
    assert tcp.flags(packets.head[0], 34) == ACK


def test_the_merged_packet_is_cut_by_the_kernel():
    sent = train([segment(seq=100, ip_id=7, window=2), segment(seq=0, ip_id=6, window=1), segment(seq=200, ip_id=9)])
    packets, *_ = through(make("wireguard-go"), sent)
    assert packets.column("csum_state").tolist() == [CSUM_PARTIAL]
    assert (packets.column("gso_bytes")[0], packets.column("gso_segments")[0]) == (100, 3)
    frames = cut(packets, SYNTHETIC)
    assert [ipv4.ident(row, 14) for row in frames.head] == [6, 7, 8]
    assert frames.meta[:, FRAME_ID].tolist() == [1, 0, 2]


def test_it_loses_ids_and_windows():
    engine = make("wireguard-go", audit=True)
    through(engine, train([segment(ip_id=5, window=3), segment(seq=100, ip_id=9, window=4)]))
    assert lost(engine) == {"ip_id": 1, "window": 1}


def lost(engine):
    from models.offload.engine import LOST

    return {name: int(n) for name, n in zip(LOST, engine.lost) if n}
