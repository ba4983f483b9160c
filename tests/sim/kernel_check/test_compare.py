"""A difference is found, placed, and said in the words of the header."""

import pytest

from sim.kernel_check.bench import Packet
from sim.kernel_check.compare import completed, difference, spans
from sim.kernel_check.frames import Ip, Tcp, Udp, framed, put16
from sim.kernel_check.tunnels import Tunnel

MAC = {"source": bytes(6), "destination": bytes(6)}


def shown(packet, **change):
    return Packet(framed(packet, **MAC), 0, 0, 0, 0)._replace(**change)


PLAIN = shown(Tcp().over(Ip(), b"abc"))


@pytest.mark.parametrize(
    ("other", "fields"),
    [
        (Tcp(window=9).over(Ip(), b"abc"), ["window", "TCP checksum"]),
        (Tcp(urgent=9).over(Ip(), b"abc"), ["TCP checksum", "urgent pointer"]),
        (Tcp().over(Ip(ttl=9), b"abc"), ["TTL", "IP checksum"]),
        (Tcp().over(Ip(ident=9, tos=1), b"abc"), ["TOS", "IP ID", "IP checksum"]),
        (Tcp().over(Ip(), b"abd"), ["TCP checksum", "payload"]),
        (Tcp().over(Ip(), b"abcd"), ["length", "total length", "IP checksum", "TCP checksum", "payload"]),
    ],
    ids=["window", "urgent", "ttl", "ident", "payload", "length"],
)
def test_fields_are_named(other, fields):
    found = difference([PLAIN, PLAIN], [PLAIN, shown(other)])
    assert found.place == 1
    assert found.fields() == fields
    assert any("*" in line for line in found.lines())


def test_segment_size_and_number_of_packets_count_too():
    assert difference([PLAIN], [PLAIN._replace(gso_bytes=3, gso_type=1)]).fields() == ["gso_size", "gso_type"]
    missing = difference([PLAIN], [PLAIN, PLAIN])
    assert (missing.place, missing.kernel, missing.fields()) == (1, None, ["number of packets"])
    assert difference([PLAIN], [PLAIN]) is None


def test_fields_inside_a_tunnel_are_called_so():
    around = Tunnel(kind="vxlan", outer=Ip(source=9))
    left, right = (shown(around.around(Tcp(seq=seq).over(Ip(), b"abc"))) for seq in (1, 2))
    assert difference([left], [right]).fields() == ["inner sequence number", "inner TCP checksum"]


@pytest.mark.parametrize("header", [Tcp(), Udp()])
def test_a_checksum_left_to_the_card_is_completed(header):
    whole = framed(header.over(Ip(), b"abc"), **MAC)
    at = 34 + (16 if isinstance(header, Tcp) else 6)
    bare = put16(whole, at, 0)
    length = len(whole) - 34
    pseudo = Ip().pseudo(6 if isinstance(header, Tcp) else 17, length)
    folded = sum(int.from_bytes(pseudo[k : k + 2], "big") for k in range(0, len(pseudo), 2))
    folded = (folded & 0xFFFF) + (folded >> 16)
    partial = Packet(put16(bare, at, folded), 0, 0, 34, at)
    assert completed(partial).octets == whole


@pytest.mark.parametrize("kind", ["vxlan", "geneve", "gre", "gretap", "ip"])
def test_spans_cover_the_frame(kind):
    frame = framed(Tunnel(kind=kind, outer=Ip(version=6)).around(Udp().over(Ip(), b"abc")), **MAC)
    at = 0
    for _, start, stop in spans(frame):
        assert start == at
        at = stop
    assert at == len(frame)
