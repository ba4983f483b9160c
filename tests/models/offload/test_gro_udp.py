"""Linux GRO of UDP: who asks for it, one row a rule, and what is made of it."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, PSH, datagram, segment, train
from test_gro import sent_through

from models.offload.engine import make
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import (
    CSUM_NONE,
    CSUM_PARTIAL,
    CSUM_VERIFIED,
    GSO_FRAGLIST,
    GSO_TCP4,
    GSO_TCP6,
    GSO_TUNNEL,
    GSO_UDP,
    INNER_L4,
    L4,
)
from models.wire import checksum

FORWARDING, CHAINING, ASKED = {"rx_udp_gro_forwarding": 1}, {"rx_gro_list": 1}, {"udp_socket": 1}
EDITIONS = ("gro", "gro-6.12", "gro-6.1")


def run(n, **change):
    return [datagram(**({"seq": 100 * k, "ip_id": k, "outer_id": k} | change)) for k in range(n)]


@pytest.mark.parametrize("engine", EDITIONS)
@pytest.mark.parametrize(
    ("asked", "payloads"), [({}, [100, 100]), (FORWARDING, [200]), (CHAINING, [200]), (ASKED, [200])]
)
@pytest.mark.parametrize("version", [4, 6])
def test_it_is_off_unless_somebody_asks(engine, asked, payloads, version):
    assert sent_through(run(2, version=version), engine, **asked)[0] == payloads


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("asked", [FORWARDING, CHAINING, ASKED])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, Why.NONE),
        ({"payload": 60}, Why.NONE),
        ({"payload": 101}, Why.SIZE),
        ({"payload": 0}, Why.NO_PAYLOAD),
        ({"no_csum": 1}, Why.CHECKSUM),
        ({"csum_state": CSUM_NONE, "csum_error": 1}, Why.CHECKSUM),
        ({"tail": 4}, Why.PADDING),
        ({"ttl": 7}, Why.TTL),
        ({"tos": 3}, Why.ECN),
        ({"sport": 9}, Why.FIRST),
        ({"src": 9}, Why.FIRST),
        ({"dport": 4789}, Why.TUNNEL),  # nothing in it that is IP
        ({"protocol": 6}, Why.FIRST),
        ({"protocol": 1}, Why.NOT_TCP),
        ({"seq": 500}, Why.NONE),  # datagrams have no order
    ],
)
def test_gro_refuses_datagrams(version, asked, change, why):
    first = datagram(version=version)
    second = datagram(**({"version": version, "seq": 100, "ip_id": 1} | change))
    _, _, reasons, _ = sent_through([first, second], **asked)
    assert reasons[1] is why


@pytest.mark.parametrize(
    ("asked", "csum_state", "why", "payloads"),
    [
        (FORWARDING, CSUM_VERIFIED, Why.PADDING, [100, 98]),
        (ASKED, CSUM_VERIFIED, Why.PADDING, [100, 98]),
        (CHAINING, CSUM_VERIFIED, Why.NONE, [198]),  # skb_gro_receive_list() does not ask for the flush flag
        (CHAINING, CSUM_NONE, Why.CHECKSUM, [98, 100]),  # it was not summed, so it is not like the held one
    ],
)
@pytest.mark.parametrize("version", [4, 6])
def test_an_ip_length_that_is_too_short(version, asked, csum_state, why, payloads):
    frames = [datagram(version=version, csum_state=csum_state)]
    frames.append(datagram(version=version, seq=100, ip_id=1, short=2, csum_state=csum_state))
    found, _, reasons, _ = sent_through(frames, **asked)
    assert (reasons[1], found) == (why, payloads)


def test_a_longer_datagram_completes_the_chain_whatever_its_ip_length_says():
    frames = [datagram(csum_state=CSUM_NONE), datagram(seq=100, ip_id=1, payload=101, short=2, csum_state=CSUM_NONE)]
    found, _, reasons, _ = sent_through(frames, **CHAINING)
    assert (reasons[1], found) == (Why.SIZE, [100, 99])


@pytest.mark.parametrize(
    ("change", "why"),
    [({"df": 0}, Why.DF), ({"ip_id": 2}, Why.IP_ID), ({"fragment": 0x8000}, Why.DF), ({"fragment": 3}, Why.FRAGMENT)],
)
def test_gro_refuses_datagrams_of_ipv4(change, why):
    sent = [datagram(), datagram(**({"seq": 100, "ip_id": 1} | change))]
    assert sent_through(sent, **FORWARDING)[2][1] is why


def test_a_longer_datagram_starts_the_next_packet():
    sent = [datagram(), datagram(seq=100, ip_id=1, payload=120), datagram(seq=220, ip_id=2, payload=120)]
    assert sent_through(sent, **FORWARDING)[0] == [100, 240]


def test_a_shorter_one_ends_it():
    sent = [*run(2), datagram(seq=200, ip_id=2, payload=60), datagram(seq=260, ip_id=3, payload=60)]
    payloads, _, _, closes = sent_through(sent, **FORWARDING)
    assert payloads == [260, 60] and closes == [Why.SHORT, Why.POLL_END]


def test_sixty_four_are_enough():
    payloads, _, _, closes = sent_through(run(65), **FORWARDING)
    assert payloads == [6400, 100] and closes == [Why.LIMIT, Why.POLL_END]


@pytest.mark.parametrize("asked", [FORWARDING, CHAINING])
def test_it_stays_below_64_kib_whatever_gro_max_size_is(asked):
    sent = [datagram(seq=4000 * k, payload=4000, ip_id=k) for k in range(20)]
    payloads, _, _, closes = sent_through(sent, max_bytes=200_000, **asked)
    assert payloads == [16 * 4000, 4 * 4000] and closes[0] is Why.LIMIT


def test_what_the_frame_says_wrong_overtakes_and_what_bars_it_does_not():
    assert sent_through([datagram(), datagram(seq=100, payload=60, no_csum=1)], **FORWARDING)[0] == [60, 100]
    barred = datagram(seq=100, payload=60, ip_id=1, fragment=0x8000)
    assert sent_through([datagram(), barred], **FORWARDING)[0] == [100, 60]


def test_a_chain_is_of_one_checksum_state_and_another_one_passes_it_by():
    sent = [datagram(), datagram(seq=100, payload=60, ip_id=1, csum_state=CSUM_NONE), datagram(seq=160, ip_id=1)]
    payloads, fates, reasons, _ = sent_through(sent, **CHAINING)
    assert payloads == [60, 200]
    assert (fates[1], reasons[1]) == (Fate.PASSED, Why.CHECKSUM)


@pytest.mark.parametrize(
    ("engine", "why", "payloads", "unsummed"),
    [
        ("gro", Why.NONE, [160], [60, 100]),  # of another checksum state: passes by
        ("gro-6.12", Why.DF, [100, 60], [60, 100]),
        ("gro-6.1", Why.DF, [100, 60], [100, 60]),
    ],
)
def test_whether_a_chain_takes_what_is_barred(engine, why, payloads, unsummed):
    sent = [datagram(), datagram(seq=100, payload=60, ip_id=1, fragment=0x8000)]
    out = sent_through(sent, engine, **CHAINING)
    assert (out[0], out[2][1]) == (payloads, why)
    unverified = [datagram(), sent[1] | {"csum_state": CSUM_NONE}]
    assert sent_through(unverified, engine, **CHAINING)[0] == unsummed


@pytest.mark.parametrize("version", [4, 6])
def test_the_merged_datagram(version):
    table = make("gro", **FORWARDING)
    table.receive(train(run(3, version=version)), SYNTHETIC)
    packets = table.flush(SYNTHETIC).packets
    assert packets.column("gso_type")[0] == GSO_UDP
    assert (packets.column("gso_bytes")[0], packets.column("gso_segments")[0]) == (100, 3)
    assert packets.column("csum_state")[0] == CSUM_PARTIAL
    l4 = int(packets.meta[0, L4])
    length, value = struct.unpack_from(">HH", packets.head[0].tobytes(), l4 + 4)
    assert length == 308
    assert value == checksum.fold(checksum.pseudo(packets.head[0], 14, 17, 308))


def test_the_chained_datagram_keeps_its_checksum():
    table = make("gro", **CHAINING)
    sent = train(run(3))
    table.receive(sent, SYNTHETIC)
    packets = table.flush(SYNTHETIC).packets
    assert packets.column("gso_type")[0] == GSO_UDP | GSO_FRAGLIST
    assert packets.column("csum_state")[0] == CSUM_VERIFIED
    assert (packets.head[0, 40:42] == sent.head[0, 40:42]).all()


@pytest.mark.parametrize("tunnel", ["vxlan", "gre"])
def test_datagrams_in_a_tunnel(tunnel):
    table = make("gro", **FORWARDING)
    table.receive(train(run(3, tunnel=tunnel, outer_csum=1)), SYNTHETIC)
    packets = table.flush(SYNTHETIC).packets
    assert packets.payload_bytes.tolist() == [300]
    assert packets.column("gso_type")[0] == GSO_UDP | GSO_TUNNEL
    assert struct.unpack_from(">H", packets.head[0].tobytes(), int(packets.meta[0, INNER_L4]) + 4)[0] == 308


@pytest.mark.parametrize(
    ("engine", "asked", "chained"),
    [
        ("gro", CHAINING, True),
        ("gro-6.12", CHAINING, True),
        ("gro-6.1", CHAINING, False),
        ("gro", CHAINING | {"tcp_socket": 1}, False),
        ("gro", {}, False),
    ],
)
@pytest.mark.parametrize(("version", "kind"), [(4, GSO_TCP4), (6, GSO_TCP6)])
def test_tcp_is_chained_where_no_socket_ends_it(engine, asked, chained, version, kind):
    table = make(engine, **asked)
    sent = [segment(version=version, seq=100 * k, ip_id=k) for k in range(3)]
    table.receive(train(sent), SYNTHETIC)
    packets = table.flush(SYNTHETIC).packets
    assert packets.payload_bytes.tolist() == [300]
    assert packets.column("gso_type")[0] == kind | (GSO_FRAGLIST if chained else 0)
    assert packets.column("csum_state")[0] == (CSUM_VERIFIED if chained else CSUM_PARTIAL)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"flags": ACK | PSH}, Why.FLAGS),
        ({"csum_state": CSUM_NONE}, Why.CHECKSUM),
        ({"payload": 60}, Why.NONE),
    ],
)
def test_a_chain_of_tcp_cannot_restore(change, why):
    payloads, _, reasons, _ = sent_through([segment(), segment(**({"seq": 100, "ip_id": 1} | change))], **CHAINING)
    assert reasons[1] is why
    assert why is Why.NONE or payloads == [100, 100]  # and the held packet goes first


@pytest.mark.parametrize("engine", ["gro", "gro-6.12"])
def test_a_chain_of_tcp_never_begins_with_cwr(engine):
    """Though before 6.18 another packet may: a chain compares every flag."""
    sent = [segment(flags=ACK | CWR), segment(seq=100, ip_id=1)]
    payloads, _, reasons, _ = sent_through(sent, engine, **CHAINING)
    assert (payloads, reasons[1]) == ([100, 100], Why.CWR)


def test_a_chain_of_tcp_has_sixty_four_links():
    sent = [segment(seq=100 * k, ip_id=k) for k in range(65)]
    assert sent_through(sent, **CHAINING)[0] == [6400, 100]
