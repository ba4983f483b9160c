"""The inet_lro library: one row a rule, then its quirks."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, payload_bytes, segment, timestamps, train

from models.offload.engine import LOST, make
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import CSUM_BAD, CSUM_NONE, CSUM_VERIFIED
from models.wire import checksum, ipv4, tcp


def sent_through(segments, **limits):
    """(packets in delivery order as rows, fates, reasons, closes) with one flush at the end."""
    sessions = make("lro-driver", **limits)
    out = sessions.receive(train(segments), SYNTHETIC)
    end = sessions.flush(SYNTHETIC)
    closes = [Why(c) for c in [*out.close.tolist(), *end.close.tolist()]]
    payloads = [*out.packets.payload_bytes.tolist(), *end.packets.payload_bytes.tolist()]
    return payloads, [Fate(f) for f in out.fate], [Why(r) for r in out.reason], closes


def merged(segments, **parameters):
    sessions = make("lro-driver", **parameters)
    assert len(sessions.receive(train(segments), SYNTHETIC).packets) == 0
    packets = sessions.flush(SYNTHETIC).packets
    assert len(packets) == 1
    return packets


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, Why.NONE),
        ({"payload": 50}, Why.NONE),
        ({"payload": 150}, Why.NONE),
        ({"flags": ACK | PSH}, Why.NONE),
        ({"window": 9}, Why.NONE),
        ({"ack": 101}, Why.NONE),
        ({"ack": 99}, Why.NONE),
        ({"options": timestamps(11, 6)}, Why.NONE),
        ({"options": b""}, Why.NONE),
        ({"ttl": 7}, Why.NONE),
        ({"tos": 2}, Why.NONE),
        ({"df": 0}, Why.NONE),
        ({"ip_id": 999}, Why.NONE),
        ({"mac": 9}, Why.NONE),
        ({"vlan_stripped": 1 << 16 | 5}, Why.NONE),
        ({"csum_state": CSUM_NONE}, Why.NONE),
        ({"options": timestamps(9)}, Why.OPTIONS),
        ({"options": timestamps(tsecr=0)}, Why.OPTIONS),
        ({"options": b"\x01\x03\x03\x00"}, Why.OPTIONS),
        ({"tos": 3}, Why.ECN),
        ({"flags": ACK | CWR}, Why.CWR),
        ({"flags": ACK | ECE}, Why.FLAGS),
        ({"flags": ACK | URG}, Why.FLAGS),
        ({"flags": ACK | FIN}, Why.FLAGS),
        ({"flags": ACK | SYN}, Why.FLAGS),
        ({"flags": ACK | RST}, Why.FLAGS),
        ({"flags": 0}, Why.FLAGS),
        ({"seq": 101}, Why.GAP),
        ({"payload": 0}, Why.NO_PAYLOAD),
        ({"tail": 4}, Why.PADDING),
        ({"ip_options": b"\x01\x01\x01\x00"}, Why.IP_OPTIONS),
        ({"fragment": 0x2000}, Why.FRAGMENT),
        ({"csum_state": CSUM_BAD}, Why.CHECKSUM),
        ({"version": 6}, Why.NOT_IP),
        ({"sport": 9}, Why.FIRST),
    ],
)
def test_inet_lro_refuses(change, why):
    first = {"options": timestamps()}
    _, _, reasons, _ = sent_through([segment(**first), segment(**(first | {"seq": 100} | change))])
    assert reasons[1] is why


def test_a_refused_frame_goes_straight_up_behind_its_session():
    payloads, fates, _, closes = sent_through([segment(), segment(seq=500, payload=60), segment(seq=100)])
    assert payloads == [100, 60, 100]
    assert fates == [Fate.STARTED, Fate.PASSED, Fate.STARTED]
    assert closes == [Why.GAP, Why.NONE, Why.POLL_END]


def test_the_ninth_session_goes_straight_up():
    payloads, fates, reasons, _ = sent_through([segment(sport=n, payload=100 + n) for n in range(9)])
    assert payloads[0] == 108
    assert (fates[8], reasons[8]) == (Fate.PASSED, Why.TABLE_FULL)


def test_segments_are_limited():
    payloads, _, _, closes = sent_through([segment(seq=100 * k) for k in range(65)])
    assert payloads == [6400, 100]
    assert closes[0] is Why.LIMIT


def test_bytes_are_limited_by_room_for_another_frame():
    payloads, _, _, _ = sent_through([segment(seq=1460 * k, payload=1460) for k in range(64)])
    assert payloads[0] == 1460 * 44  # the first length above 65,535 - 1500


def test_the_merged_packet():
    packets = merged(
        [
            segment(flags=ACK, options=timestamps(10, 5), window=1, ack=1, ip_id=3),
            segment(seq=100, payload=160, options=timestamps(20, 7), window=2, ack=2, ip_id=9, flags=ACK | PSH),
        ]
    )
    row, cells = packets.head[0], packets.meta[0]
    assert (tcp.ack(row, 34), tcp.window(row, 34), tcp.tsval(row, 34), tcp.tsecr(row, 34)) == (2, 2, 10, 7)
    assert tcp.flags(row, 34) == ACK
    assert ipv4.ident(row, 14) == 3
    assert ipv4.total_length(row, 14) == 20 + 32 + 260
    assert (packets.column("gso_bytes")[0], packets.column("gso_type")[0]) == (160, 0)
    assert packets.column("csum_state")[0] == CSUM_VERIFIED
    assert checksum.ipv4_header_is_right(row, 14)
    assert checksum.transport_is_right(SYNTHETIC, packets.pieces, row, cells)


def test_even_a_single_segment_carries_a_segment_size():
    assert merged([segment()]).column("gso_bytes")[0] == 100


def test_a_plain_segment_on_a_timestamp_session_has_its_payload_read_as_tsecr():
    packets = merged([segment(options=timestamps()), segment(seq=100)])
    assert tcp.tsecr(packets.head[0], 34) == struct.unpack_from(">I", payload_bytes(packets, 0), 100 + 8)[0]


def test_a_timestamp_segment_on_a_plain_session_loses_its_timestamps():
    assert merged([segment(), segment(seq=100, options=timestamps(5))]).column("head_bytes")[0] == 54


TAG = {"tag": b"\x81\x00\x00\x05"}
STRIPPED = {"vlan_stripped": 1 << 16 | 5}


def test_a_tag_in_the_frame_keeps_every_segment_alone():
    payloads, _, reasons, _ = sent_through([segment(**TAG), segment(seq=100, **TAG)])
    assert payloads == [100, 100]
    assert reasons[1] is Why.VLAN


def test_in_pages_a_tag_in_the_frame_is_no_hindrance():
    assert sent_through([segment(**TAG), segment(seq=100, **TAG)], page_bytes=4096)[0] == [200]


@pytest.mark.parametrize(("page_bytes", "tag"), [(0, STRIPPED["vlan_stripped"]), (4096, 0)])
def test_in_pages_a_stripped_tag_is_forgotten(page_bytes, tag):
    packets = merged([segment(**STRIPPED), segment(seq=100, **STRIPPED)], page_bytes=page_bytes)
    assert packets.column("vlan_stripped")[0] == tag


def test_pages_are_limited_where_skbs_are_not():
    """Frames of 6,000 bytes take two pages of 4 KiB each."""
    jumbo = [segment(seq=6000 * k, payload=6000) for k in range(10)]
    assert sent_through(jumbo, page_bytes=4096, max_segments=18)[0] == [54_000, 6000]
    assert sent_through(jumbo, max_segments=18)[0] == [60_000]


@pytest.mark.parametrize("error", [0, 1, 0x1234])
@pytest.mark.parametrize("odd", [0, 1])
def test_a_segment_whose_checksum_is_wrong_makes_the_merged_one_wrong_by_as_much(error, odd):
    """That the card said it was right is what lets it in."""
    sent = train([segment(payload=100 + odd), segment(seq=100 + odd, csum_error=error)])
    by = (
        checksum.transport(SYNTHETIC, sent.pieces, sent.head[1], sent.meta[1]) - tcp.checksum(sent.head[1], 34)
    ) % 0xFFFF
    if odd:
        by = (by & 0xFF) << 8 | by >> 8
    packets = merged([segment(payload=100 + odd), segment(seq=100 + odd, csum_error=error)])
    right = checksum.transport(SYNTHETIC, packets.pieces, packets.head[0], packets.meta[0])
    assert (right - tcp.checksum(packets.head[0], 34)) % 0xFFFF == by


def test_it_loses_what_it_does_not_compare():
    sessions = make("lro-driver", audit=True)
    first = segment(options=timestamps())
    last = first | {"seq": 100, "ack": 7, "window": 9, "flags": ACK | PSH, "ttl": 7, "tos": 1, "ip_id": 5}
    sessions.receive(train([first, last | {"options": timestamps(11, 6)}]), SYNTHETIC)
    sessions.flush(SYNTHETIC)
    lost = {name for name, n in zip(LOST, sessions.lost) if n}
    assert lost == {"ack", "window", "psh", "ttl", "tos", "ip_id", "tsval", "tsecr"}
