"""GRO then cutting gives back the frames, byte for byte, but where Linux does damage, too; what LRO joins is lost."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))
from damage import unexplained
from frames import ACK, PSH, datagram, octets, segment, timestamps, train
from trains import frame_trains, through

from models.offload import losses
from models.offload.engine import ENGINES, LOST, make
from models.offload.segment import cut
from models.offload.why import Why
from models.payload import SYNTHETIC
from models.train import (
    CSUM_NONE,
    CSUM_STATE,
    FRAME_ID,
    HEAD_BYTES,
    INNER_L3,
    INNER_L4,
    INNER_PROTOCOL,
    L3,
    L4,
    PROTOCOL,
    VLAN_STRIPPED,
)
from models.wire import ipv4, tcp, udp
from models.wire.octets import be16, put16

GRO = [("gro", {}), ("gro", {"rx_udp_gro_forwarding": 1}), ("gro", {"rx_gro_list": 1}), ("gro", {"max_bytes": 300_000}),
       ("gro-6.12", {"rx_udp_gro_forwarding": 1}), ("gro-6.1", {"rx_udp_gro_forwarding": 1})]  # fmt: skip
LOSSLESS = GRO[:2] + GRO[3:4]  # with tame trains, which know only what 6.18 can say without chains
EARLY = {Why.CHECKSUM, Why.FRAGMENT, Why.IP_OPTIONS, Why.NOT_TCP, Why.NOT_IP, Why.MALFORMED, Why.TUNNEL}
UNLOOKED = EARLY | {Why.PADDING, Why.DF}  # a tunnel's checksum is not verified for a frame that is barred


def back_and_forth(name, limits, sent):
    """(frames cut from what the engine made of the train, reasons of the train's frames, the engine)."""
    engine = make(name, audit=True, **limits)
    packets, _, reasons, _ = through(engine, sent)
    return cut(packets, SYNTHETIC), [Why(r) for r in reasons], engine


def tagged(frames):
    """Each frame's bytes, and the tag that the card has taken out of it."""
    return list(zip(octets(frames), frames.meta[:, VLAN_STRIPPED].tolist()))


def in_order(frames):
    """Frames in order within each flow, a flow being all that GRO takes for one."""
    flows = {}
    for k, (frame, tag) in enumerate(tagged(frames)):
        flows.setdefault((flow_of(frame, frames.meta[k]), tag, frames.column("rx_hash")[k]), []).append(frame)
    return flows


def flow_of(frame, cells):
    """The bytes that must be equal in frames of one flow."""
    l3, l4, inner_l3, place = (int(cells[c]) for c in (L3, L4, INNER_L3, INNER_L4))
    key = [frame[:l3], *hosts(frame, l3, l4)]
    if inner_l3 >= 0:
        tunnel = frame[l4:inner_l3]
        if cells[PROTOCOL] == udp.PROTOCOL:
            key += [tunnel[:4], tunnel[6:8] == b"\0\0", tunnel[8:]]
        else:
            key += [tunnel[:4], tunnel[8:] if tunnel[:1] == b"\x80" else tunnel]
        key += hosts(frame, inner_l3, place)
    else:
        place = l4
    return (*key, place, frame[place : place + 4] if place >= 0 else b"")


def hosts(frame, l3, l4):
    if frame[l3] >> 4 == 4:
        return [frame[l3 + 9], frame[l3 + 12 : l3 + 20]]
    label = int.from_bytes(frame[l3 : l3 + 4], "big") & 0xF00FFFFF
    return [label, frame[l3 + 6], frame[l3 + 8 : max(l4, l3 + 40)]]


@pytest.mark.parametrize(("name", "limits"), LOSSLESS)
@given(sent=frame_trains(tame=True))
def test_gso_takes_apart_what_gro_joined(name, limits, sent):
    back, reasons, engine = back_and_forth(name, limits, sent)
    assert sorted(tagged(back)) == sorted(tagged(sent))
    kept = sent[np.array([not leaves_early(sent.meta[k], why) for k, why in enumerate(reasons)], bool)]
    assert in_order(kept) == in_order(back[np.isin(back.meta[:, FRAME_ID], kept.meta[:, FRAME_ID])])
    assert (engine.frames_checked, engine.frames_altered) == (len(sent), 0)
    assert not engine.lost.any()


def leaves_early(cells, why):
    """Whether the frame went up before anybody looked for a held packet of its flow, which it may overtake."""
    protocol = cells[INNER_PROTOCOL if cells[INNER_L3] >= 0 else PROTOCOL]
    if protocol == udp.PROTOCOL and why in (Why.NO_PAYLOAD, Why.PADDING):
        return True  # udp_gro_receive_segment() compares the lengths first
    return why in (UNLOOKED if cells[INNER_L3] >= 0 else EARLY)


def test_an_empty_datagram_overtakes_those_held_before_it():
    """A property run of 1000 examples found this one; the kernel's source says the same."""
    sent = two(datagram, {}, {"payload": 0})
    back, reasons, _ = back_and_forth("gro", {"rx_udp_gro_forwarding": 1}, sent)
    assert reasons == [Why.FIRST, Why.NO_PAYLOAD]
    assert octets(back) == octets(sent)[::-1]


@pytest.mark.parametrize(("name", "limits"), GRO)
@given(sent=frame_trains())
def test_what_does_not_come_back_is_damage_that_linux_does(name, limits, sent):
    back, _, _ = back_and_forth(name, limits, sent)
    assert unexplained(sent, back) == []


def two(kind=segment, *changes, **common):
    """Two frames that fit, with IDs that rise unless all have one, each with its change."""
    changes = changes or ({}, {})
    return train(
        [kind(**({"seq": 100 * n, "ip_id": n, "outer_id": n} | common | change)) for n, change in enumerate(changes)]
    )


def all_ones(frames, at):
    """The train with the checksum at byte `at` of the second frame, which is 0, written the other way."""
    assert be16(frames.head[1], at) == 0
    put16(frames.head[1], at, 0xFFFF)
    return frames


def tcp_sum_of_all_ones():
    window = int(tcp.checksum(two(window=0).head[1], 34))  # so that the sum of what it covers is all ones
    return all_ones(two(window=window), 34 + tcp.CHECKSUM)


def ip_sum_of_all_ones():
    ident = be16(two(ip_id=0).head[1], 14 + ipv4.CHECKSUM)
    return all_ones(two(ip_id=int(ident)), 14 + ipv4.CHECKSUM)


# What Linux merges and does not give back: (engine, its parameters, an example, the fields of the audit; None: only a
# checksum). The same list, with the kernel's functions, is in docs/validation.md.
DAMAGE = {
    "urgent pointer without URG": ("gro", {}, lambda: two(segment, {}, {"urgent": 5}), "urgent"),
    "TCP checksum of all ones": ("gro", {}, tcp_sum_of_all_ones, None),
    "IPv4 checksum of all ones": ("gro", {}, ip_sum_of_all_ones, None),
    "one ID, datagrams": ("gro", {"rx_udp_gro_forwarding": 1}, lambda: two(datagram, ip_id=7), "ip_id"),
    "one ID, chained datagrams": ("gro", {"rx_gro_list": 1}, lambda: two(datagram, ip_id=7), "ip_id"),
    "one ID, chained segments": ("gro", {"rx_gro_list": 1}, lambda: two(ip_id=7), "ip_id"),
    "one inner ID, over UDP": ("gro", {}, lambda: two(tunnel="vxlan", ip_id=7), "ip_id"),
    "one outer ID, over UDP": ("gro", {}, lambda: two(tunnel="geneve", outer_id=7), "ip_id"),
    "one inner ID, over GRE": ("gro", {}, lambda: two(tunnel="gre", ip_id=7), "ip_id"),
    "one outer ID, IPv6 within": ("gro", {}, lambda: two(tunnel="ipip", version=6, outer_id=7), "ip_id"),
    "GRE checksum, a shorter last one": (
        "gro",
        {},
        lambda: two(segment, {}, {"payload": 60}, tunnel="gre-csum"),
        "options",
    ),
    "any outer ID, to 6.17": ("gro-6.12", {}, lambda: two(segment, {"outer_id": 9}, {}, tunnel="ipip"), "ip_id"),
    "outer UDP checksum, 6.1": ("gro-6.1", {}, lambda: two(tunnel="vxlan", outer_csum=1), None),
    "everything, 2.6.29": ("gro-2.6.29", {}, two, "ip_id boundary"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_that_linux_does(what):
    name, limits, example, field = DAMAGE[what]
    sent = example()
    if "checksum" in what:
        sent.meta[:, CSUM_STATE] = CSUM_NONE  # verified here, so right all the same
    back, _, engine = back_and_forth(name, limits, sent)
    assert len(back) == (1 if name == "gro-2.6.29" else 2)
    assert tagged(back) != tagged(sent)
    assert engine.frames_altered > 0
    assert [lost for lost, times in zip(LOST, engine.lost) if times] == (field or "").split()


CHANGES = [
    {}, {"window": 9}, {"ack": 200}, {"options": timestamps(11)}, {"options": timestamps(10, 6)}, {"flags": ACK | PSH},
    {"tos": 1}, {"tos": 32}, {"tos": 3}, {"ttl": 7}, {"df": 0}, {"ip_id": 0}, {"ip_id": 77}, {"urgent": 5},
    {"reserved": 1}, {"mac": 7}, {"vlan_stripped": 1 << 16 | 5}, {"payload": 60}, {"payload": 140},
]  # fmt: skip
FIRSTS = [{}, {"flags": ACK | PSH}, {"payload": 60}, {"version": 6}]


def examples():
    """Pairs of frames of one flow, next in sequence, of which the second differs in one thing."""
    for first in FIRSTS:
        for change in CHANGES:
            one = segment(options=timestamps(), **first)
            other = segment(**({"options": timestamps(), "seq": one["payload"], "ip_id": 1} | first | change))
            yield train([one, other, segment(**(other | {"seq": other["seq"] + other["payload"], "ip_id": 2}))])


@pytest.mark.parametrize("name", ENGINES)
def test_what_an_engine_says_is_lost_is_what_does_not_come_back(name):
    """And every LRO loses something in a small example."""
    lost_some = False
    for sent in examples():
        back, _, engine = back_and_forth(name, {}, sent)
        came_back = sorted(tagged(back)) == sorted(tagged(sent))
        assert came_back == (engine.frames_altered == 0)
        assert came_back == (not engine.lost.any())
        lost_some |= not came_back
    if "lro" in name or name == "merge-everything":
        assert lost_some


@given(sent=frame_trains())
@pytest.mark.parametrize("name", ENGINES)
def test_the_audit_agrees_with_the_bytes(name, sent):
    back, _, engine = back_and_forth(name, {}, sent)
    assert (sorted(tagged(back)) == sorted(tagged(sent))) == (engine.frames_altered == 0)
    assert engine.frames_checked == len(sent)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"window": 9}, "window"),
        ({"ack": 200}, "ack"),
        ({"options": timestamps(11)}, "tsval"),
        ({"tos": 1}, "tos"),
        ({"ttl": 7}, "ttl"),
        ({"df": 0}, "ip_id"),
        ({"vlan_stripped": 1 << 16 | 5}, "vlan"),
        ({"urgent": 5}, "urgent"),
        ({"reserved": 1}, "options"),
        ({"flags": ACK | PSH}, None),  # of the last one, a cut says that anyway
    ],
)
@pytest.mark.parametrize("name", ["lro-driver", "merge-everything"])
def test_what_lro_joins_does_not_come_back(name, change, field):
    sent = two(segment, {}, change, options=timestamps())
    back, _, engine = back_and_forth(name, {}, sent)
    assert tagged(back) != tagged(sent)
    assert engine.frames_altered > 0
    if field:
        assert field in {lost for lost, times in zip(LOST, engine.lost) if times}


@pytest.mark.parametrize("version", [4, 6])
def test_the_quick_look_at_a_header_agrees_with_the_comparison_of_its_fields(version):
    came = train([segment(version=version, options=timestamps())])
    cells = came.meta[0]
    sums = [cells[L4] + tcp.CHECKSUM, cells[L4] + tcp.CHECKSUM + 1]
    sums += [cells[L3] + ipv4.CHECKSUM, cells[L3] + ipv4.CHECKSUM + 1] if version == 4 else []
    for at in range(cells[HEAD_BYTES]):
        cut = came.head[0].copy()
        cut[at] ^= 1
        unchanged = losses.is_unchanged(came.head[0], cells, cut, cells, 0)
        assert unchanged == (at in sums)
        assert not unchanged or losses.compare(came.head[0], cells, cut, cells, 0) == 0


def test_lost_boundaries():
    sent = train([segment(), segment(seq=100, ip_id=1, payload=60), segment(seq=160, ip_id=2)])
    back, _, engine = back_and_forth("lro-driver", {}, sent)
    assert back.payload_bytes.tolist() == [100, 100, 60]
    assert engine.lost[LOST.index("boundary")] == 2


def test_merging_everything_forgets_congestion_marks():
    _, _, engine = back_and_forth("merge-everything", {}, two(segment, {"tos": 2}, {"tos": 3}))
    assert engine.lost[LOST.index("ce")] == 1
