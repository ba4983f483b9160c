"""FreeBSD's LRO: one row a rule, then what it swallows, its limits, and what its header says."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, FIN, PSH, RST, SYN, URG, segment, timestamps, train
from trains import through

from models.offload.engine import LOST, make
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import CSUM_BAD, CSUM_NONE, FRAME_COUNT
from models.wire import checksum, tcp


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, Why.NONE),
        ({"payload": 50}, Why.NONE),
        ({"payload": 150}, Why.NONE),
        ({"flags": ACK | PSH}, Why.NONE),
        ({"ack": 101}, Why.NONE),
        ({"ack": 99}, Why.NONE),
        ({"window": 9}, Why.NONE),
        ({"options": timestamps(11, 6)}, Why.NONE),
        ({"options": b""}, Why.NONE),
        ({"options": timestamps(tsecr=0)}, Why.NONE),
        ({"ttl": 7, "tos": 3, "ip_id": 999, "mac": 9}, Why.NONE),
        ({"tail": 4}, Why.NONE),
        ({"csum_state": CSUM_NONE}, Why.NONE),
        ({"payload": 0, "ack": 101}, Why.NONE),
        ({"payload": 0, "ack": 99}, Why.NONE),
        ({"payload": 0, "window": 9}, Why.NONE),
        ({"payload": 0}, Why.NO_PAYLOAD),
        ({"options": timestamps(9)}, Why.OPTIONS),
        ({"options": b"\x01\x03\x03\x00"}, Why.OPTIONS),
        ({"flags": ACK | FIN}, Why.FIN),
        ({"flags": ACK | RST}, Why.FLAGS),
        ({"flags": ACK | URG}, Why.FLAGS),
        ({"flags": ACK | CWR}, Why.CWR),
        ({"flags": PSH}, Why.FLAGS),
        ({"seq": 101}, Why.GAP),
        ({"sport": 9}, Why.FIRST),
        ({"vlan_stripped": 1 << 16 | 5}, Why.FIRST),
        ({"tag": b"\x81\x00\x00\x05"}, Why.FIRST),
        ({"flags": ACK | SYN}, Why.FLAGS),
        ({"csum_state": CSUM_BAD}, Why.CHECKSUM),
        ({"protocol": 17}, Why.NOT_TCP),
    ],
)
def test_freebsd_refuses(version, change, why):
    first = {"version": version, "options": timestamps()}
    sent = train([segment(**first), segment(**(first | {"seq": 100} | change))])
    assert through(make("freebsd-lro"), sent)[2][1] == why


def test_priority_is_no_part_of_a_vlan():
    sent = train([segment(vlan_stripped=1 << 16 | 5), segment(seq=100, vlan_stripped=1 << 16 | 0x6005)])
    assert len(through(make("freebsd-lro"), sent)[0]) == 1


def test_a_refused_frame_starts_the_next_packet_whatever_it_is():
    sent = train([segment(), segment(seq=100, flags=ACK | CWR), segment(seq=200)])
    packets, fates, _, closes = through(make("freebsd-lro"), sent)
    assert packets.payload_bytes.tolist() == [100, 200]
    assert (fates[1], closes) == (Fate.STARTED, [Why.CWR, Why.POLL_END])


def test_pure_acknowledgements_are_swallowed():
    packets, fates, _, _ = through(
        make("freebsd-lro"),
        train([segment(), segment(seq=100, payload=0, ack=300, window=7), segment(seq=100, ack=200)]),
    )
    assert (packets.payload_bytes.tolist(), packets.meta[0, FRAME_COUNT], fates[1]) == ([200], 3, Fate.JOINED)
    assert (tcp.ack(packets.head[0], 34), tcp.window(packets.head[0], 34)) == (200, 65535)  # data brings its own
    assert packets.column("gso_segments")[0] == 2


def test_of_equal_acknowledgements_the_larger_window_stays():
    packets, *_ = through(
        make("freebsd-lro"),
        train([segment(window=5), segment(seq=100, payload=0, window=9), segment(seq=100, payload=0, window=7)]),
    )
    assert tcp.window(packets.head[0], 34) == 9


def test_an_acknowledgement_older_than_the_first_is_swallowed_wherever_it_is():
    packets, fates, _, _ = through(make("freebsd-lro"), train([segment(), segment(seq=900, payload=0, ack=50)]))
    assert (len(packets), fates[1], tcp.ack(packets.head[0], 34)) == (1, Fate.JOINED, 100)


@pytest.mark.parametrize("change", [{"flags": ACK | SYN}, {"protocol": 17}, {"csum_state": CSUM_BAD}])
def test_what_it_cannot_take_goes_up_behind_everything_held(change):
    sent = train([segment(sport=1), segment(sport=2), segment(sport=3, payload=60, **change)])
    packets, fates, _, _ = through(make("freebsd-lro"), sent)
    assert packets.payload_bytes.tolist() == [100, 100, 60]
    assert fates[2] == Fate.PASSED


def test_the_ninth_flow_goes_up_behind_the_eight_that_are_held():
    packets, fates, reasons, _ = through(
        make("freebsd-lro"), train([segment(sport=n, payload=100 + n) for n in range(9)])
    )
    assert packets.payload_bytes.tolist() == list(range(100, 109))
    assert (fates[8], reasons[8]) == (Fate.PASSED, Why.TABLE_FULL)


def test_payload_stays_below_65280_bytes():
    sent = [segment(seq=1000 * k, payload=1000) for k in range(65)] + [segment(seq=65_000, payload=279)]
    assert through(make("freebsd-lro"), train(sent))[0].payload_bytes.tolist() == [65_279]
    sent[-1]["payload"] += 1
    packets, _, reasons, _ = through(make("freebsd-lro"), train(sent))
    assert packets.payload_bytes.tolist() == [65_000, 280]
    assert reasons[-1] == Why.LIMIT


def test_segments_stay_below_their_limit():
    packets, *_ = through(make("freebsd-lro", max_segments=4), train([segment(seq=100 * k) for k in range(5)]))
    assert packets.payload_bytes.tolist() == [300, 200]


@pytest.mark.parametrize("version", [4, 6])
def test_the_merged_packet(version):
    first = segment(version=version, options=timestamps(10, 5), window=1, ack=1, ttl=8)
    last = first | {"seq": 100, "options": timestamps(20, 7), "window": 2, "ack": 2, "ttl": 7, "flags": ACK | PSH}
    packets, *_ = through(make("freebsd-lro"), train([first, last]))
    row, cells, l4 = packets.head[0], packets.meta[0], int(packets.column("l4")[0])
    assert (tcp.ack(row, l4), tcp.window(row, l4), tcp.tsval(row, l4), tcp.tsecr(row, l4)) == (2, 2, 20, 7)
    assert tcp.flags(row, l4) == ACK
    assert checksum.transport_is_right(SYNTHETIC, packets.pieces, row, cells)
    assert packets.column("gso_bytes")[0] == 0


def test_an_odd_segment_spoils_the_checksum():
    packets, *_ = through(make("freebsd-lro"), train([segment(payload=99), segment(seq=99)]))
    assert not checksum.transport_is_right(SYNTHETIC, packets.pieces, packets.head[0], packets.meta[0])


def test_it_loses_acknowledgements_and_more():
    engine = make("freebsd-lro", audit=True)
    sent = train([segment(options=timestamps()), segment(seq=100, payload=0, ack=101, options=timestamps(11)),
                  segment(seq=100, ack=102, tos=3, ttl=7, ip_id=1, flags=ACK | PSH,
                          options=timestamps(12, 6))])  # fmt: skip
    through(engine, sent)
    lost = {name for name, n in zip(LOST, engine.lost) if n}
    assert lost == {"ack", "ce", "ttl", "ip_id", "psh", "tsval", "tsecr", "boundary"}
    assert engine.frames_altered == 3
