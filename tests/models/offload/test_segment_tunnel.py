"""Cutting in tunnels: outer and inner lengths, IDs and checksums; the frames a tunnel endpoint would have sent."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import TUNNELS, octets, segment, timestamps, train

from models.offload.segment import cut
from models.payload import SYNTHETIC
from models.train import (
    CSUM_PARTIAL,
    CSUM_STATE,
    FRAME_COUNT,
    GSO_BYTES,
    GSO_FIXED_ID,
    GSO_FIXED_ID_INNER,
    GSO_TCP4,
    GSO_TCP6,
    GSO_TUNNEL,
    GSO_TYPE,
    INNER_L3,
    L3,
    L4,
)
from models.wire import checksum, gre, ipv4, udp
from models.wire.octets import be16


def frames_of(**change):
    """What came: 100, 100 and 50 bytes, both IDs counting up."""
    return [
        segment(**({"seq": 100 * n, "payload": size, "ip_id": n, "outer_id": 7 + n, "options": timestamps()} | change))
        for n, size in enumerate((100, 100, 50))
    ]


def super_packet(kind=0, **change):
    """All of it in one packet with the headers of the first frame."""
    fields = {"payload": 250, "outer_id": 7, "options": timestamps()} | change
    packets = train([segment(**fields)])
    kind |= GSO_TUNNEL | (GSO_TCP4 if fields.get("version", 4) == 4 else GSO_TCP6)
    packets.meta[0, [GSO_BYTES, GSO_TYPE, FRAME_COUNT, CSUM_STATE]] = 100, kind, 3, CSUM_PARTIAL
    return packets


@pytest.mark.parametrize("outer_version", [4, 6])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("tunnel", [name for name in TUNNELS if name != "gre-csum"])
def test_the_frames_come_back(tunnel, version, outer_version):
    where = {"tunnel": tunnel, "version": version, "outer_version": outer_version}
    assert octets(cut(super_packet(**where), SYNTHETIC)) == octets(train(frames_of(**where)))


def summed(packets, excess=0):
    """With what GRO leaves of the outer UDP checksum: the sum over its pseudo-header, or as much more."""
    l3, l4 = (int(packets.meta[0, c]) for c in (L3, L4))
    n_bytes = int(packets.frame_bytes[0]) - l4
    udp.set_checksum(packets.head[0], l4, checksum.fold(checksum.pseudo(packets.head[0], l3, 17, n_bytes) + excess))
    return packets


@pytest.mark.parametrize("outer_version", [4, 6])
@pytest.mark.parametrize("tunnel", ["vxlan", "geneve-options"])
def test_an_outer_udp_checksum_is_completed(tunnel, outer_version):
    where = {"tunnel": tunnel, "outer_csum": 1, "outer_version": outer_version}
    frames = cut(summed(super_packet(**where)), SYNTHETIC)
    assert octets(frames) == octets(train(frames_of(**where)))
    for k in range(3):
        assert checksum.outer_udp_is_right(SYNTHETIC, frames.pieces, frames.head[k], frames.meta[k])
        assert udp.checksum(frames.head[k], frames.meta[k, L4]) != 0


def test_what_gro_left_wrong_of_an_outer_udp_checksum_stays_wrong():
    """As in 6.1: addresses are not summed again."""
    where = {"tunnel": "vxlan", "outer_csum": 1}
    right, wrong = (cut(summed(super_packet(**where), excess), SYNTHETIC) for excess in (0, 3))
    for k in range(3):
        more, less = (udp.checksum(frames.head[k], frames.meta[k, L4]) for frames in (right, wrong))
        assert (more - less) % 0xFFFF == 3


def test_an_absent_outer_udp_checksum_stays_absent():
    frames = cut(super_packet(tunnel="vxlan"), SYNTHETIC)
    assert [udp.checksum(frames.head[k], frames.meta[k, L4]) for k in range(3)] == [0, 0, 0]


def test_a_gre_checksum_is_the_first_segment_s():
    packets = super_packet(tunnel="gre-csum")
    packets.head[0, packets.meta[0, L4] + gre.OPTIONAL] = 0xAB
    frames = cut(packets, SYNTHETIC)
    fields = {be16(frames.head[k], frames.meta[k, L4] + gre.OPTIONAL) for k in range(3)}
    assert fields == {be16(packets.head[0], packets.meta[0, L4] + gre.OPTIONAL)}


@pytest.mark.parametrize("tunnel", ["vxlan", "gre", "ipip"])
@pytest.mark.parametrize(
    ("kind", "outer", "inner"),
    [
        (0, [7, 8, 9], [0, 1, 2]),
        (GSO_FIXED_ID, [7, 7, 7], [0, 1, 2]),
        (GSO_FIXED_ID_INNER, [7, 8, 9], [0, 0, 0]),
        (GSO_FIXED_ID | GSO_FIXED_ID_INNER, [7, 7, 7], [0, 0, 0]),
    ],
)
def test_each_header_has_its_own_word_on_ids(tunnel, kind, outer, inner):
    frames = cut(super_packet(kind, tunnel=tunnel), SYNTHETIC)
    for place, idents in ((L3, outer), (INNER_L3, inner)):
        assert [ipv4.ident(frames.head[k], frames.meta[k, place]) for k in range(3)] == idents
        assert all(checksum.ipv4_header_is_right(frames.head[k], frames.meta[k, place]) for k in range(3))


def test_a_packet_that_is_not_cut_gets_both_checksums():
    sent = train([segment(tunnel="vxlan", outer_csum=1)])
    partial = train([segment(tunnel="vxlan", outer_csum=1, csum_error=5, outer_csum_error=9, csum_state=CSUM_PARTIAL)])
    assert octets(cut(partial, SYNTHETIC)) == octets(sent)
