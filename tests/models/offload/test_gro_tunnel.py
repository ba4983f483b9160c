"""Linux GRO in tunnels: one row a rule, the outer header's, the tunnel's, the inner header's."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, PSH, TUNNELS, segment, timestamps, train
from test_gro import sent_through

from models.offload.engine import make
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import (
    CSUM_BAD,
    CSUM_NONE,
    CSUM_PARTIAL,
    GSO_FIXED_ID,
    GSO_FIXED_ID_INNER,
    GSO_TCP4,
    GSO_TCP6,
    GSO_TUNNEL,
    INNER_L3,
    INNER_L4,
    L4,
)
from models.wire import checksum

OVER_UDP = ("vxlan", "geneve", "geneve-options", "geneve-ip")


def verdict(change, **first):
    """(reason, fate of the second, payloads delivered): the second segment has `change`; IDs count up."""
    sent = [segment(**first), segment(**(first | {"seq": 100, "ip_id": 1, "outer_id": 1} | change))]
    payloads, fates, reasons, _ = sent_through(sent)
    return reasons[1], fates[1], payloads


@pytest.mark.parametrize("tunnel", TUNNELS)
@pytest.mark.parametrize(("outer", "inner"), [(4, 4), (4, 6), (6, 4), (6, 6)])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, Why.NONE),
        ({"flags": ACK | PSH, "payload": 60}, Why.NONE),
        ({"outer_ttl": 63}, Why.TTL),
        ({"outer_tos": 4}, Why.TOS),
        ({"outer_tos": 3}, Why.ECN),
        ({"ttl": 7}, Why.TTL),
        ({"tos": 3}, Why.ECN),
        ({"ack": 101}, Why.ACK),
        ({"flags": ACK | CWR}, Why.CWR),
        ({"options": timestamps()}, Why.OPTIONS),
        ({"outer_src": 7}, Why.FIRST),
        ({"src": 7}, Why.FIRST),
        ({"sport": 7}, Why.FIRST),
        ({"mac": 7}, Why.FIRST),
        ({"rx_hash": 8}, Why.FIRST),
        ({"payload": 0}, Why.NO_PAYLOAD),
        ({"seq": 101}, Why.GAP),
        ({"tail": 4}, Why.PADDING),
        ({"short": 2}, Why.PADDING),
        ({"csum_state": CSUM_BAD}, Why.CHECKSUM),
        ({"csum_state": CSUM_NONE}, Why.NONE),
        ({"csum_state": CSUM_NONE, "csum_error": 1}, Why.CHECKSUM),
    ],
)
def test_gro_refuses_in_a_tunnel(tunnel, outer, inner, change, why):
    assert verdict(change, tunnel=tunnel, outer_version=outer, version=inner)[0] is why


@pytest.mark.parametrize(
    ("tunnel", "change", "why"),
    [
        ("vxlan", {"vni": 6}, Why.FIRST),
        ("vxlan", {"tunnel_flags": 0x08000001}, Why.FIRST),
        ("vxlan", {"outer_sport": 40001}, Why.FIRST),
        ("vxlan", {"inner_mac": 7}, Why.FIRST),
        ("vxlan", {"outer_csum": 1}, Why.FIRST),
        ("geneve", {"vni": 6}, Why.FIRST),
        ("geneve", {"tunnel_flags": 0x40}, Why.FIRST),  # critical options
        ("geneve", {"tunnel_flags": 0x80}, Why.TUNNEL),  # control
        ("geneve", {"tunnel": "geneve-options"}, Why.FIRST),
        ("geneve", {"tunnel": "vxlan"}, Why.FIRST),
        ("gre", {"tunnel": "gre-seq"}, Why.TUNNEL),
        ("gre", {"tunnel_flags": 1}, Why.TUNNEL),
        ("gre-key", {"vni": 6}, Why.FIRST),
        ("gretap", {"inner_mac": 7}, Why.FIRST),
        ("ipip", {"protocol": 47}, Why.TUNNEL),
        ("gre", {"protocol": 4}, Why.TUNNEL),
        ("vxlan", {"protocol": 1}, Why.NOT_TCP),
        ("vxlan", {"protocol": 17}, Why.NOT_TCP),
        ("vxlan", {"ip_options": b"\x01\x01\x01\x00"}, Why.IP_OPTIONS),
        ("vxlan", {"outer_ip_options": b"\x01\x01\x01\x00"}, Why.IP_OPTIONS),
        ("ipip", {"fragment": 0x2000}, Why.FRAGMENT),
        ("ipip", {"outer_fragment": 0x2000}, Why.TUNNEL),
        ("vxlan", {"ip_csum_error": 1}, Why.CHECKSUM),
        ("vxlan", {"outer_ip_csum_error": 1}, Why.CHECKSUM),
        ("gre", {"df": 0}, Why.DF),
        ("gre", {"outer_df": 0}, Why.DF),
        ("gre", {"fragment": 0x8000}, Why.DF),
        ("gre", {"outer_fragment": 0x8000}, Why.DF),
        ("gre", {"ip_id": 2}, Why.IP_ID),
        ("gre", {"outer_id": 2}, Why.IP_ID),
    ],
)
def test_gro_refuses_of_one_tunnel(tunnel, change, why):
    assert verdict(change, tunnel=tunnel)[0] is why


@pytest.mark.parametrize("tunnel", OVER_UDP)
def test_the_outer_checksum_is_verified_first(tunnel):
    wrong = {"csum_state": CSUM_NONE, "outer_csum_error": 1}
    assert verdict(wrong, tunnel=tunnel, outer_csum=1)[0] is Why.CHECKSUM
    assert verdict({"csum_state": CSUM_NONE}, tunnel=tunnel, outer_csum=1)[0] is Why.NONE
    assert verdict({"outer_csum_error": 1}, tunnel=tunnel, outer_csum=1)[0] is Why.NONE  # the card has said it is right


def test_the_checksum_of_gre_is_verified_first():
    wrong = {"csum_state": CSUM_NONE, "outer_csum_error": 1}
    assert verdict(wrong, tunnel="gre-csum")[0] is Why.CHECKSUM
    assert verdict({"csum_state": CSUM_NONE}, tunnel="gre-csum")[0] is Why.NONE


def test_a_padded_frame_of_an_unverified_tunnel_overtakes():
    """The flush flag keeps the outer checksum from being verified, and without that nobody looks inside."""
    change = {"tail": 4, "payload": 60}
    assert verdict(change | {"csum_state": CSUM_NONE}, tunnel="vxlan", outer_csum=1)[2] == [60, 100]
    assert verdict(change, tunnel="vxlan", outer_csum=1)[2] == [100, 60]
    assert verdict(change | {"csum_state": CSUM_NONE}, tunnel="vxlan")[2] == [100, 60]  # no checksum, nothing to verify


def test_key_and_checksum_together():
    """With both, the kernel compares the word of the checksum as key: all frames of one length have the same."""
    assert verdict({}, tunnel="gre-key-csum")[0] is Why.NONE
    assert verdict({"vni": 6}, tunnel="gre-key-csum")[0] is Why.FIRST  # the checksum covers the key
    assert verdict({"payload": 60}, tunnel="gre-key-csum")[0] is Why.FIRST


@pytest.mark.parametrize(
    ("outer", "inner", "payloads", "kind"),
    [
        ([8, 9, 10], [8, 9, 10], [300], 0),
        ([8, 8, 8], [8, 9, 10], [300], GSO_FIXED_ID),
        ([8, 9, 10], [8, 8, 8], [300], GSO_FIXED_ID_INNER),
        ([8, 8, 8], [8, 8, 8], [300], GSO_FIXED_ID | GSO_FIXED_ID_INNER),
        ([8, 8, 9], [8, 9, 10], [200, 100], GSO_FIXED_ID),
        ([8, 9, 9], [8, 9, 10], [200, 100], 0),
        ([8, 10, 12], [8, 9, 10], [100, 100, 100], None),
    ],
)
@pytest.mark.parametrize("df", [0, 1])
def test_two_headers_two_kinds_of_ids(outer, inner, payloads, kind, df):
    frames = [
        segment(tunnel="ipip", seq=100 * k, ip_id=i, outer_id=o, df=df, outer_df=df)
        for k, (o, i) in enumerate(zip(outer, inner))
    ]
    table = make("gro")
    packets = [table.receive(train(frames), SYNTHETIC).packets, table.flush(SYNTHETIC).packets]
    assert [n for p in packets for n in p.payload_bytes.tolist()] == payloads
    if kind is not None:
        first = packets[0] if len(packets[0]) else packets[1]
        assert first.column("gso_type")[0] == GSO_TCP4 | GSO_TUNNEL | kind


@pytest.mark.parametrize("tunnel", ["vxlan", "geneve", "gre", "gretap"])
@pytest.mark.parametrize(
    ("outer", "inner", "kind"),
    [([8, 8], [8, 9], GSO_FIXED_ID | GSO_FIXED_ID_INNER), ([8, 9], [8, 8], 0)],
)
def test_over_udp_and_gre_a_cut_asks_the_outer_bit_for_the_inner_ids(tunnel, outer, inner, kind):
    """Seen with VXLAN on Linux 6.18.44: damage that it does."""
    frames = [segment(tunnel=tunnel, seq=100 * k, ip_id=i, outer_id=o) for k, (o, i) in enumerate(zip(outer, inner))]
    table = make("gro")
    table.receive(train(frames), SYNTHETIC)
    assert table.flush(SYNTHETIC).packets.column("gso_type").tolist() == [GSO_TCP4 | GSO_TUNNEL | kind]


def test_tcp_over_ipv6_names_no_fixed_ids():
    """So a cut counts the outer IDs up again: damage that 6.18 does."""
    frames = [segment(tunnel="ipip", version=6, seq=100 * k) for k in range(2)]
    table = make("gro")
    table.receive(train(frames), SYNTHETIC)
    assert table.flush(SYNTHETIC).packets.column("gso_type").tolist() == [GSO_TCP6 | GSO_TUNNEL]


@pytest.mark.parametrize("tunnel", TUNNELS)
@pytest.mark.parametrize(("outer", "inner"), [(4, 4), (6, 6)])
@pytest.mark.parametrize("with_sum", [0, 1])
def test_the_merged_packet(tunnel, outer, inner, with_sum):
    frames = [
        segment(
            tunnel=tunnel, outer_version=outer, version=inner, seq=100 * k, outer_csum=with_sum, ip_id=k, outer_id=k
        )
        for k in range(3)
    ]
    table = make("gro")
    table.receive(train(frames), SYNTHETIC)
    packets = table.flush(SYNTHETIC).packets
    cells, head = packets.meta[0], packets.head[0].tobytes()
    assert (packets.column("gso_bytes")[0], packets.column("gso_segments")[0]) == (100, 3)
    assert packets.column("csum_state")[0] == CSUM_PARTIAL
    for l3, version in ((14, outer), (int(cells[INNER_L3]), inner)):
        at, less = (2, 0) if version == 4 else (4, 40)
        assert struct.unpack_from(">H", head, l3 + at)[0] == length(packets, l3) - less
        if version == 4:
            assert checksum.ipv4_header_is_right(packets.head[0], l3)
    l4 = int(cells[L4])
    if tunnel in OVER_UDP:
        assert struct.unpack_from(">H", head, l4 + 4)[0] == length(packets, l4)
        expected = folded_pseudo(packets, 14, 17, length(packets, l4)) if with_sum else 0
        assert struct.unpack_from(">H", head, l4 + 6)[0] == expected
    inner_l4 = int(cells[INNER_L4])
    expected = folded_pseudo(packets, int(cells[INNER_L3]), 6, length(packets, inner_l4))
    assert struct.unpack_from(">H", head, inner_l4 + 16)[0] == expected


@pytest.mark.parametrize(("engine", "addresses_at"), [("gro-6.12", 14), ("gro-6.1", INNER_L3)])
@pytest.mark.parametrize(("outer", "inner"), [(4, 4), (4, 6), (6, 6)])
def test_which_addresses_are_summed_for_the_outer_checksum(engine, addresses_at, outer, inner):
    """In 6.1 udp4_gro_complete() finds the innermost network header, and takes it for one of the outer version."""
    sent = [
        segment(tunnel="vxlan", outer_version=outer, version=inner, seq=100 * k, outer_csum=1, ip_id=k, outer_id=k)
        for k in range(2)
    ]
    table = make(engine)
    table.receive(train(sent), SYNTHETIC)
    packets = table.flush(SYNTHETIC).packets
    cells, head = packets.meta[0], packets.head[0].tobytes()
    l3 = addresses_at if addresses_at == 14 else int(cells[addresses_at])
    start, stop = (12, 20) if outer == 4 else (8, 40)
    total = sum(struct.unpack_from(f">{(stop - start) // 2}H", head, l3 + start)) + 17 + length(packets, int(cells[L4]))
    assert struct.unpack_from(">H", head, int(cells[L4]) + 6)[0] == checksum.fold(total)


def length(packets, at):
    """Bytes from `at` to the end of the merged packet."""
    return int(packets.frame_bytes[0]) - at


def folded_pseudo(packets, l3, protocol, n_bytes):
    return checksum.fold(checksum.pseudo(packets.head[0], l3, protocol, n_bytes))


def test_tunnel_and_plain_of_one_five_tuple_stay_apart():
    _, fates, _, _ = sent_through([segment(), segment(tunnel="gre", seq=100, ip_id=1)])
    assert fates == [Fate.STARTED, Fate.STARTED]


def test_tunnels_stay_below_64_kib():
    frames = [segment(tunnel="gre", seq=4000 * k, payload=4000, ip_id=k, outer_id=k) for k in range(20)]
    table = make("gro", max_bytes=200_000)
    packets = table.receive(train(frames), SYNTHETIC).packets
    assert packets.payload_bytes.tolist() == [16 * 4000]
