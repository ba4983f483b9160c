"""The frames that are sent are what they say they are: our own dissection and checksums agree."""

import numpy as np
import pytest

from models.train import CSUM_STATE, INNER_L4, L3, L4, PAYLOAD_BYTES, PROTOCOL, TAIL_BYTES
from models.wire import checksum, innermost, ipv4, tcp, udp
from models.wire.octets import be16
from sim.kernel_check.bursts import burst
from sim.kernel_check.damage import damage
from sim.kernel_check.frames import Ip, Tcp, Udp, complemented, framed, ones_sum
from sim.kernel_check.ours import packets_of, train_of
from sim.kernel_check.probes import SHAPES, probe

MAC = {"source": bytes(6), "destination": bytes(6)}


@pytest.mark.parametrize(("octets", "total"), [(b"", 0), (b"\x01", 0x100), (b"\xff\xff\xff\xff", 0xFFFF), (b"\0\0", 0)])
def test_the_sum_is_folded(octets, total):
    assert ones_sum(octets) == total
    assert complemented(octets) == 0xFFFF - total


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("n_bytes", [0, 1, 100, 1447])
@pytest.mark.parametrize(
    ("header", "protocol"), [(Tcp(seq=5), tcp.PROTOCOL), (Udp(), udp.PROTOCOL)], ids=["tcp", "udp"]
)
def test_a_frame_says_what_it_carries(version, n_bytes, header, protocol):
    train, payloads = train_of([framed(header.over(Ip(version=version), b"x" * n_bytes), **MAC)])
    cells, row = train.meta[0], train.head[0]
    assert (cells[PROTOCOL], cells[PAYLOAD_BYTES], cells[TAIL_BYTES]) == (protocol, n_bytes, 0)
    assert version == 6 or checksum.ipv4_header_is_right(row, cells[L3])
    assert checksum.transport_is_right(payloads, train.pieces, row, cells)


@pytest.mark.parametrize("name", SHAPES)
def test_every_probe_is_dissected_to_its_innermost_header(name):
    """And it is two frames that continue each other, of which the kernel would make one."""
    shape = SHAPES[name]
    train, payloads = train_of(probe(shape))
    for row, cells in zip(train.head, train.meta):
        assert cells[L4] > 0 and (cells[INNER_L4] > 0) == bool(shape.tunnel)
        assert innermost.protocol(cells) == (udp.PROTOCOL if shape.datagrams else tcp.PROTOCOL)
        assert checksum.transport_is_right(payloads, train.pieces, row, cells)
    if not shape.datagrams:
        first, second = (tcp.seq(row, innermost.transport(cells)) for row, cells in zip(train.head, train.meta))
        assert second - first == train.meta[0, PAYLOAD_BYTES] == 100


def test_a_checksum_of_all_ones_verifies():
    segment = Tcp(seq=9, checksum_error=0xFFFF)
    train, payloads = train_of([framed(segment.over(Ip(), segment.zeroing(Ip(), b"abcde")), **MAC)])
    assert tcp.checksum(train.head[0], train.meta[0, L4]) == 0xFFFF
    assert checksum.transport_is_right(payloads, train.pieces, train.head[0], train.meta[0])


def test_what_is_wrong_on_purpose_is_wrong():
    wrong = [Tcp(checksum_error=1).over(Ip(), b"x"), Tcp().over(Ip(checksum_error=1), b"x")]
    train, payloads = train_of([framed(packet, **MAC) for packet in wrong])
    assert not checksum.transport_is_right(payloads, train.pieces, train.head[0], train.meta[0])
    assert not checksum.ipv4_header_is_right(train.head[1], train.meta[1, L3])


def test_frames_come_back_byte_for_byte():
    frames = burst(np.random.default_rng([1, 2]), list(SHAPES.values()))
    train, payloads = train_of(frames)
    assert [packet.octets for packet in packets_of(train, payloads)] == frames
    assert not train.meta[:, CSUM_STATE].any()


def test_a_seed_gives_the_same_bursts_again():
    shapes = list(SHAPES.values())
    assert burst(np.random.default_rng([3, 4]), shapes) == burst(np.random.default_rng([3, 4]), shapes)


def test_bursts_hold_what_they_are_for():
    """Of 300 bursts: at most 60 frames each, both versions, several flows, fragments, tunnels, wrong checksums."""
    most, versions, ports, wrong, fragments = 0, set(), set(), 0, 0
    for k in range(300):
        frames = burst(np.random.default_rng([5, k]), list(SHAPES.values()))
        most = max(most, len(frames))
        train, payloads = train_of(frames)
        for row, cells in zip(train.head, train.meta):
            if cells[L3] < 0:
                continue
            versions.add(int(row[cells[L3]]) >> 4)
            inner = innermost.network(cells)
            if row[inner] >> 4 == 4:
                fragments += ipv4.fragment(row, inner) & (ipv4.MF | ipv4.OFFSET_MASK) != 0
            if innermost.transport(cells) > 0:
                ports.add(tcp.ports(row, innermost.transport(cells)))
                wrong += not checksum.transport_is_right(payloads, train.pieces, row, cells)
    assert most == 60
    assert versions == {4, 6}
    assert len(ports) >= 12 and wrong > 20 and fragments > 10


def test_what_linux_damages_is_sent_right():
    """Checksums of 0xFFFF where a sum gives 0 among them: they verify."""
    named = dict(damage(list(SHAPES.values())))
    for frames in named.values():
        train, payloads = train_of(frames)
        for row, cells in zip(train.head, train.meta):
            assert row[cells[L3]] >> 4 == 6 or checksum.ipv4_header_is_right(row, cells[L3])
            assert checksum.transport_is_right(payloads, train.pieces, row, cells)
    train, _ = train_of(named["an IPv4 checksum of 0xFFFF"])
    assert be16(train.head[1], train.meta[1, L3] + ipv4.CHECKSUM) == 0xFFFF
