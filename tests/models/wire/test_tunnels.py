"""Tunnels taken apart: where the inner headers are, and what is no tunnel."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "offload"))
from frames import TUNNELS, headers, segment, train

from models.payload import SYNTHETIC
from models.train import ABSENT, HEAD_BYTES, INNER_L3, INNER_L4, INNER_PROTOCOL, L3, L4, PAYLOAD_BYTES, PROTOCOL
from models.wire import checksum, geneve, gre, innermost, vxlan

BETWEEN = {  # bytes from the header behind the outer IP header up to the inner IP header
    "vxlan": 8 + 8 + 14, "geneve": 8 + 8 + 14, "geneve-options": 8 + 16 + 14, "geneve-ip": 8 + 8,
    "gre": 4, "gre-key": 8, "gre-csum": 8, "gretap": 4 + 14, "ipip": 0,
}  # fmt: skip
PROTOCOLS = {"gre": 47, "gre-key": 47, "gre-csum": 47, "gretap": 47}


def only(f):
    made = train([f])
    return made.meta[0], made.head[0], made.pieces


@pytest.mark.parametrize("protocol", [6, 17])
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("tunnel", TUNNELS)
def test_the_places(tunnel, inner, outer, protocol):
    f = segment(tunnel=tunnel, version=inner, outer_version=outer, protocol=protocol)
    cells, _, _ = only(f)
    l4 = 14 + (20 if outer == 4 else 40)
    inner_l3 = l4 + BETWEEN[tunnel]
    inner_l4 = inner_l3 + (20 if inner == 4 else 40)
    behind = (4 if inner == 4 else 41) if tunnel == "ipip" else PROTOCOLS.get(tunnel, 17)
    assert cells[[L3, L4, PROTOCOL]].tolist() == [14, l4, behind]
    assert cells[[INNER_L3, INNER_L4, INNER_PROTOCOL]].tolist() == [inner_l3, inner_l4, protocol]
    assert cells[HEAD_BYTES] == inner_l4 + (20 if protocol == 6 else 8) == len(headers(f))
    assert cells[PAYLOAD_BYTES] == 100
    assert [innermost.network(cells), innermost.transport(cells), innermost.protocol(cells)] == [
        inner_l3, inner_l4, protocol
    ]  # fmt: skip


@pytest.mark.parametrize("tunnel", ["vxlan", "geneve-options"])
def test_checksums_inside_and_outside(tunnel):
    cells, row, pieces = only(segment(tunnel=tunnel, outer_csum=1, payload=101))
    assert checksum.transport_is_right(SYNTHETIC, pieces, row, cells)
    assert checksum.outer_udp_is_right(SYNTHETIC, pieces, row, cells)
    row[cells[INNER_L4] + 4] ^= 1  # covered by both
    assert not checksum.transport_is_right(SYNTHETIC, pieces, row, cells)
    assert not checksum.outer_udp_is_right(SYNTHETIC, pieces, row, cells)
    cells, row, pieces = only(segment(tunnel=tunnel, outer_csum=1))
    row[cells[L4]] ^= 1  # covered by the outer one only
    assert checksum.transport_is_right(SYNTHETIC, pieces, row, cells)
    assert not checksum.outer_udp_is_right(SYNTHETIC, pieces, row, cells)


def test_the_checksum_of_gre_covers_what_is_in_it_and_no_address():
    cells, row, pieces = only(segment(tunnel="gre-csum", payload=101))
    assert checksum.outer_gre_is_right(SYNTHETIC, pieces, row, cells)
    row[cells[L3] + 12] ^= 1
    assert checksum.outer_gre_is_right(SYNTHETIC, pieces, row, cells)
    row[cells[INNER_L3] + 12] ^= 1
    assert not checksum.outer_gre_is_right(SYNTHETIC, pieces, row, cells)


def test_the_fields():
    cells, row, _ = only(segment(tunnel="vxlan", vni=77))
    assert vxlan.vni(row, cells[L4] + 8) == 77 << 8 and vxlan.flags(row, cells[L4] + 8) == 0x08000000
    cells, row, _ = only(segment(tunnel="geneve-options"))
    at = cells[L4] + 8
    assert geneve.header_bytes(row, at) == 16 and geneve.protocol_type(row, at) == gre.TRANSPARENT_ETHERNET
    assert not geneve.is_control(row, at)
    cells, row, _ = only(segment(tunnel="gre-key", vni=78))
    assert gre.key(row, cells[L4]) == 78 and gre.flags(row, cells[L4]) == gre.KEY_FLAG


@pytest.mark.parametrize(
    "change",
    [
        {"tunnel": "gre", "tunnel_flags": 1},  # version 1
        {"tunnel": "gre", "tunnel_flags": 0x4000},  # source routing
        {"tunnel": "geneve", "tunnel_flags": 0x4000},  # version 1
        {"tunnel": "vxlan", "outer_fragment": 0x2000},
        {"tunnel": "ipip", "outer_fragment": 0x2000},
    ],
)
def test_what_is_no_tunnel(change):
    cells, _, _ = only(segment(**change))
    assert cells[[INNER_L3, INNER_L4, INNER_PROTOCOL]].tolist() == [ABSENT] * 3


@pytest.mark.parametrize("protocol", [1, 4, 47])
def test_what_has_no_inner_transport(protocol):
    cells, _, _ = only(segment(tunnel="gre", protocol=protocol))
    assert cells[INNER_L3] == 38 and cells[[INNER_L4, INNER_PROTOCOL]].tolist() == [ABSENT] * 2
    assert cells[HEAD_BYTES] == 58


def test_an_inner_fragment():
    cells, _, _ = only(segment(tunnel="vxlan", fragment=3))
    assert cells[INNER_L3] == 64 and cells[[INNER_L4, INNER_PROTOCOL]].tolist() == [ABSENT] * 2
    assert cells[HEAD_BYTES] == 84 and cells[PAYLOAD_BYTES] == 120
