"""What kernel-check knows of kernels that say less, see less or drop more than 6.18."""

from dataclasses import replace

import pytest

from models.offload.engine import make
from models.wire import ipv4, tcp
from sim.kernel_check.bench import UNTOLD, Packet
from sim.kernel_check.compare import difference
from sim.kernel_check.flows import Draft
from sim.kernel_check.frames import Ip, Tcp, Udp, extension, framed, padding_options, tag
from sim.kernel_check.left_out import is_left_out
from sim.kernel_check.ours import forwarded, merged, packets_of
from sim.kernel_check.tunnels import Tunnel

MAC = {"source": bytes(6), "destination": bytes(6)}
PLAIN = framed(Udp().over(Ip(), b"abc"), **MAC)
OLD, NEW = (6, 1), (6, 12)


def untold(octets, left=0):
    return Packet(octets, UNTOLD, UNTOLD, left, left)


def test_what_a_kernel_does_not_say_of_a_packet_does_not_differ():
    ours = Packet(PLAIN, 100, 5, 34, 40)
    assert difference([untold(PLAIN, UNTOLD)], [ours]) is None
    assert difference([untold(PLAIN)], [ours._replace(checksum_from=0, checksum_at=0)]) is None


def test_what_it_does_say_may_differ():
    left, right = untold(PLAIN, UNTOLD), Packet(PLAIN, 100, 5, 0, 0)
    assert difference([left], [right]).fields() == ["whether a checksum is left to the card"]
    longer = framed(Udp().over(Ip(), b"abcd"), **MAC)
    assert "length" in difference([untold(longer)], [right]).fields()
    assert difference([left, left], [right]).kernel_packets == 2


@pytest.mark.parametrize(("cut_to", "seen"), [(14, 0), (19, 0), (20, 1), (None, 1)])
def test_a_frame_that_ends_within_its_tag_is_seen_by_nobody(cut_to, seen):
    draft = Draft(Ip(), Tcp(), 100, tags=tag(5), cut_to=cut_to)
    assert len(merged(make("gro"), [draft.octets()])[0]) == seen


def sent_on(*, first_seq, hop_by_hop=False, chained=False, payload=100, blind=True):
    """How many frames leave the router, and their hop limits, of two segments with an extension header of 8 bytes."""
    ip = Ip(version=6, options=extension(tcp.PROTOCOL, padding_options(6)))
    if hop_by_hop:
        ip = replace(ip, first_extension=0)
    burst = [Draft(ip, Tcp(seq=first_seq + payload * k), payload).octets() for k in range(2)]
    packets, payloads = merged(make("gro-6.12", rx_gro_list=int(chained)), burst)
    assert len(packets) == 1
    return [
        packet.octets[21] for packet in packets_of(forwarded(packets, payloads, blind_to_extensions=blind), payloads)
    ]


def test_a_kernel_that_is_blind_to_extensions_reads_a_sequence_number_for_a_data_offset():
    assert sent_on(first_seq=0x40000000) == []
    assert sent_on(first_seq=0x40000000, blind=False) == [63, 63]
    assert sent_on(first_seq=0x50000000) == [63, 63]
    assert sent_on(first_seq=0xF0000000) == [63, 63]
    assert sent_on(first_seq=0xF0000000, payload=1) == []  # there are not 60 bytes
    assert sent_on(first_seq=0x40000000, hop_by_hop=True) == [63, 63]  # these it has read


def test_what_it_takes_for_a_header_it_pulls_out_of_a_chain():
    assert sent_on(first_seq=0x50000000, chained=True) == [63, 64]  # of a chain the first one's hop limit is lowered
    assert sent_on(first_seq=0xF0000000, chained=True, payload=20) == [63, 63]


def in_tunnel(version=6, kind="vxlan", **change):
    tunnel = Tunnel(kind=kind, outer=Ip(version=version, source=9, destination=10))
    return Draft(Ip(**change), Tcp(), 100, tunnel=tunnel).octets()


@pytest.mark.parametrize(
    ("first", "second", "left_out"),
    [
        ({}, {}, False),
        ({}, {"word": 0}, True),
        ({}, {"word": 0, "version_of": 4}, False),
        ({"kind": "gre"}, {"kind": "gre", "word": 0}, False),
        ({"kind": "geneve"}, {"kind": "geneve", "word": 0}, True),
        ({"ttl": 64}, {"ttl": 63}, True),
        ({"ttl": 64}, {"ttl": 65}, False),
        ({"tos": 0}, {"tos": 0x40}, True),
        ({"word": ipv4.DF}, {"word": ipv4.DF | ipv4.RESERVED}, False),
        ({"length_error": 0}, {"length_error": 64}, True),
    ],
)
def test_what_6_1_is_not_sent(first, second, left_out):
    def sent(change):
        version = change.pop("version_of", 6)
        return in_tunnel(version, **change)

    burst = [sent(dict(first)), sent(dict(second))]
    assert is_left_out(burst, OLD) == left_out
    assert not is_left_out(burst, NEW)
