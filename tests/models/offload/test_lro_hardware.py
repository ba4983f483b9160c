"""Cards that merge: a row a rule for each engine of the table, its limits, the packet it makes, what that loses."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, payload_bytes, segment, timestamps, train
from trains import through

from models.offload.engine import LOST, make
from models.offload.lro_table import ROWS
from models.offload.why import Fate, Why
from models.payload import SYNTHETIC
from models.train import CSUM_BAD, CSUM_NONE, CSUM_VERIFIED, GSO_TCP4
from models.wire import checksum, ipv4, tcp

S2IO, BNX2X, INTEL, WINDOWS, VMXNET3, ALL = ROWS
NO = Why.NONE
CHANGES = {  # what differs in the second frame: how each engine, in the order of the table, answers
    "nothing": ({}, NO, NO, NO, NO, NO, NO),
    "shorter": ({"payload": 50}, NO, NO, NO, NO, NO, NO),
    "longer": ({"payload": 150}, NO, NO, NO, NO, NO, NO),
    "window": ({"window": 9}, NO, NO, NO, NO, NO, NO),
    "newer ack": ({"ack": 101}, NO, NO, NO, NO, NO, NO),
    "older ack": ({"ack": 99}, NO, Why.ACK, Why.ACK, Why.ACK, Why.ACK, NO),
    "ttl": ({"ttl": 7}, NO, NO, NO, NO, NO, NO),
    "dscp": ({"tos": 32}, NO, Why.TOS, Why.TOS, Why.TOS, Why.TOS, NO),
    "ect": ({"tos": 1}, NO, Why.ECN, Why.ECN, Why.ECN, Why.ECN, NO),
    "ce": ({"tos": 3}, Why.ECN, Why.ECN, Why.ECN, Why.ECN, Why.ECN, NO),
    "df": ({"df": 0}, NO, Why.DF, Why.DF, Why.DF, Why.DF, NO),
    "ip id": ({"ip_id": 999}, NO, NO, NO, NO, NO, NO),
    "mac": ({"mac": 9}, NO, Why.VLAN, Why.VLAN, Why.VLAN, Why.VLAN, NO),
    "stripped tag": ({"vlan_stripped": 1 << 16 | 5}, NO, Why.VLAN, Why.VLAN, Why.VLAN, Why.VLAN, NO),
    "psh": ({"flags": ACK | PSH}, Why.PUSH, NO, NO, NO, NO, NO),
    "fin": ({"flags": ACK | FIN}, *6 * [Why.FLAGS]),
    "syn": ({"flags": ACK | SYN}, *6 * [Why.FLAGS]),
    "rst": ({"flags": ACK | RST}, *6 * [Why.FLAGS]),
    "urg": ({"flags": ACK | URG}, *6 * [Why.FLAGS]),
    "ece": ({"flags": ACK | ECE}, Why.FLAGS, Why.FLAGS, Why.FLAGS, Why.ECN, Why.FLAGS, NO),
    "cwr": ({"flags": ACK | CWR}, Why.CWR, Why.CWR, Why.CWR, Why.ECN, Why.CWR, NO),
    "no ack flag": ({"flags": 0}, Why.FLAGS, Why.FLAGS, Why.FLAGS, Why.FLAGS, Why.FLAGS, NO),
    "newer tsval": ({"options": timestamps(11, 6)}, NO, NO, NO, NO, NO, NO),
    "older tsval": ({"options": timestamps(9)}, *5 * [Why.OPTIONS], NO),
    "tsecr 0": ({"options": timestamps(tsecr=0)}, Why.OPTIONS, NO, NO, NO, NO, NO),
    "no timestamps": ({"options": b""}, NO, Why.OPTIONS, Why.OPTIONS, Why.OPTIONS, Why.OPTIONS, NO),
    "other option": ({"options": b"\x01\x03\x03\x00"}, *5 * [Why.OPTIONS], NO),
    "gap": ({"seq": 101}, *6 * [Why.GAP]),
    "no payload": ({"payload": 0}, *6 * [Why.NO_PAYLOAD]),
    "padding": ({"tail": 4}, *6 * [Why.PADDING]),
    "ip options": ({"ip_options": b"\x01\x01\x01\x00"}, *5 * [Why.IP_OPTIONS], NO),
    "fragment": ({"fragment": 0x2000}, *6 * [Why.FRAGMENT]),
    "bad checksum": ({"csum_state": CSUM_BAD}, *6 * [Why.CHECKSUM]),
    "unverified": ({"csum_state": CSUM_NONE}, NO, NO, NO, NO, NO, NO),
    "udp": ({"protocol": 17}, *6 * [Why.NOT_TCP]),
    "port": ({"sport": 9}, *6 * [Why.FIRST]),
    "address": ({"src": 9}, *6 * [Why.FIRST]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ROWS)
def test_what_each_engine_refuses(name, change):
    first = {"options": timestamps()}
    changed, *answers = CHANGES[change]
    _, _, reasons, _ = through(make(name), train([segment(**first), segment(**(first | {"seq": 100} | changed))]))
    assert reasons[1] == answers[list(ROWS).index(name)]


@pytest.mark.parametrize(
    ("name", "why"),
    [(S2IO, Why.NOT_IP), (BNX2X, NO), (INTEL, Why.NOT_IP), (WINDOWS, NO), (VMXNET3, NO), (ALL, NO)],
)
def test_ipv6(name, why):
    sent = train([segment(version=6), segment(version=6, seq=100)])
    assert through(make(name), sent)[2][1] == why
    extended = train([segment(version=6, seq=100 * k, exthdr=b"\x06\x00\x01\x04\x00\x00\x00\x00") for k in range(2)])
    assert through(make(name), extended)[2][1] == (NO if name == ALL else why if why is not NO else Why.IP_OPTIONS)


NOP, STAMPS = b"\x01", b"\x08\x0a\x00\x00\x00\x0a\x00\x00\x00\x05"


@pytest.mark.parametrize(
    ("options", "takes"),
    [
        (2 * NOP + STAMPS, {S2IO, BNX2X, INTEL, WINDOWS, VMXNET3, ALL}),
        (NOP + STAMPS + NOP, {WINDOWS, ALL}),
        (STAMPS + 2 * NOP, {WINDOWS, ALL}),
        (STAMPS + b"\x00\x00", {WINDOWS, ALL}),
        (4 * NOP, {WINDOWS, ALL}),
        (12 * NOP, {WINDOWS, ALL}),
        (b"\x05\x0a" + 8 * b"\x01" + 2 * NOP, {ALL}),
        (2 * STAMPS, {ALL}),
    ],
)
def test_layouts_of_options(options, takes):
    """s2io lets timestamps be behind any NOPs, but notes the words where two would put them: too large ones here."""
    sent = train([segment(seq=100 * k, options=options) for k in range(2)])
    assert {name for name in ROWS if through(make(name), sent)[2][1] is not Why.OPTIONS and
            len(through(make(name), sent)[0]) == 1} == takes  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_timestamps_may_wrap_but_for_s2io(name):
    sent = train([segment(options=timestamps(0xFFFFFFFF)), segment(seq=100, options=timestamps(0))])
    assert through(make(name), sent)[2][1] == (Why.OPTIONS if name == S2IO else NO)


@pytest.mark.parametrize("name", ROWS)
def test_after_a_gap_s2io_holds_nothing_the_others_go_on(name):
    sent = train([segment(), segment(seq=500), segment(seq=600)])
    packets, fates, _, closes = through(make(name), sent)
    if name == S2IO:
        assert (packets.payload_bytes.tolist(), fates[1]) == ([100, 100, 100], Fate.PASSED)
    else:
        assert (packets.payload_bytes.tolist(), fates[1]) == ([100, 200], Fate.STARTED)
    assert closes[0] == Why.GAP


@pytest.mark.parametrize(("name", "contexts"), [(S2IO, 32), (BNX2X, 64), (INTEL, 32), (WINDOWS, 32), (VMXNET3, 32)])
def test_contexts_are_limited_and_a_new_flow_passes(name, contexts):
    _, fates, reasons, _ = through(make(name), train([segment(sport=n) for n in range(contexts + 1)]))
    assert fates == contexts * [Fate.STARTED] + [Fate.PASSED]
    assert reasons[-1] == Why.TABLE_FULL


def test_the_33rd_flow_evicts_the_oldest_of_merge_everything():
    _, _, _, closes = through(make(ALL), train([segment(sport=n) for n in range(33)]))
    assert closes == [Why.EVICTED] + 32 * [Why.POLL_END]


@pytest.mark.parametrize(
    ("name", "largest"),
    [(BNX2X, 32_768 - 40), (INTEL, 32_768 - 54), (WINDOWS, 65_495), (VMXNET3, 65_495), (ALL, 65_495)],
)
def test_bytes_are_limited_and_the_limit_is_reached(name, largest):
    full = [segment(seq=1000 * k, payload=1000) for k in range(largest // 1000)]
    rest = segment(seq=1000 * len(full), payload=largest % 1000)
    assert through(make(name), train([*full, rest]))[0].payload_bytes.tolist() == [largest]
    packets, _, reasons, _ = through(make(name), train([*full, rest | {"payload": rest["payload"] + 1}]))
    assert packets.payload_bytes.tolist() == [largest - largest % 1000, largest % 1000 + 1]
    assert reasons[-1] == Why.LIMIT


@pytest.mark.parametrize(("mtu", "segments"), [(1500, 43), (9000, 7)])
def test_s2io_takes_as_many_segments_as_65535_has_mtus(mtu, segments):
    sent = train([segment(seq=100 * k) for k in range(segments + 1)])
    packets, _, _, closes = through(make(S2IO, mtu_bytes=mtu), sent)
    assert packets.payload_bytes.tolist() == [100 * segments, 100]
    assert closes == [Why.LIMIT, Why.POLL_END]
    assert len(through(make(S2IO, max_segments=2), sent)[0]) == segments // 2 + 1


@pytest.mark.parametrize("name", [BNX2X, INTEL, WINDOWS, VMXNET3, ALL])
def test_segments_can_be_limited_where_their_number_is_assumed(name):
    packets, *_ = through(make(name, max_segments=2), train([segment(seq=100 * k) for k in range(3)]))
    assert packets.payload_bytes.tolist() == [200, 100]


FIRST = segment(options=timestamps(10, 5), window=1, ack=1, ttl=8)
LAST = FIRST | {"seq": 100, "payload": 150, "options": timestamps(20, 7), "window": 2, "ack": 2, "ttl": 7}


@pytest.mark.parametrize(
    ("name", "tsval", "ttl", "flags", "is_right", "gso"),
    [
        (S2IO, 10, 8, ACK, False, (0, 1, 0)),
        (BNX2X, 20, 7, ACK | PSH, True, (100, 1, 0)),
        (INTEL, 20, 7, ACK | PSH, True, (125, 1, GSO_TCP4)),
        (WINDOWS, 20, 7, ACK | PSH, True, (0, 2, 0)),
        (VMXNET3, 20, 7, ACK | PSH, True, (100, 2, GSO_TCP4)),
        (ALL, 20, 8, ACK, True, (150, 2, 0)),
    ],
)
def test_the_merged_packet(name, tsval, ttl, flags, is_right, gso):
    last = LAST if name == S2IO else LAST | {"flags": ACK | PSH}
    packets, *_ = through(make(name), train([FIRST, last]))
    row, cells = packets.head[0], packets.meta[0]
    assert (tcp.ack(row, 34), tcp.window(row, 34), tcp.tsecr(row, 34)) == (2, 2, 7)
    assert (tcp.tsval(row, 34), ipv4.ttl(row, 14), tcp.flags(row, 34)) == (tsval, ttl, flags)
    assert ipv4.total_length(row, 14) == 20 + 32 + 250
    assert checksum.ipv4_header_is_right(row, 14)
    assert checksum.transport_is_right(SYNTHETIC, packets.pieces, row, cells) == is_right
    assert packets.column("csum_state")[0] == CSUM_VERIFIED
    assert tuple(packets.column(c)[0] for c in ("gso_bytes", "gso_segments", "gso_type")) == gso


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        (S2IO, {"ack", "window", "tsval", "tsecr", "ttl", "ip_id", "tos", "boundary"}),
        (BNX2X, {"ack", "window", "tsval", "tsecr", "ttl", "ip_id"}),
        (INTEL, {"ack", "window", "tsval", "tsecr", "ttl", "ip_id"}),
        (WINDOWS, {"ack", "window", "tsval", "tsecr", "ttl", "ip_id", "boundary"}),
        (VMXNET3, {"ack", "window", "tsval", "tsecr", "ttl", "ip_id"}),
        (ALL, {"ack", "window", "tsval", "tsecr", "ttl", "ip_id", "ce"}),
    ],
)
def test_what_cannot_be_restored(name, lost):
    """Two segments of one size, the second with another value wherever the engine lets it."""
    engine = make(name, audit=True)
    tos = {S2IO: 1, ALL: 3}.get(name, 0)
    through(engine, train([FIRST, LAST | {"payload": 100, "ip_id": 5, "tos": tos}]))
    assert {field for field, n in zip(LOST, engine.lost) if n} == lost
    assert engine.frames_altered == 2


def test_the_average_is_no_segment_size():
    """Intel's driver divides: of 100, 100 and 50 bytes it makes three segments of 84."""
    engine = make(INTEL, audit=True)
    sent = train([segment(seq=100 * k, ip_id=k, payload=100 - 50 * (k == 2)) for k in range(3)])
    packets, *_ = through(engine, sent)
    assert packets.column("gso_bytes")[0] == 84
    assert {field for field, n in zip(LOST, engine.lost) if n} == {"boundary"}


def test_a_lone_segment_of_s2io_has_no_window():
    packets, *_ = through(make(S2IO), train([segment(window=500)]))
    assert tcp.window(packets.head[0], 34) == 0


def test_s2io_reads_timestamps_where_they_would_be():
    """A segment without them in a session that has them: its payload is taken for TSval and TSecr."""
    packets, *_ = through(make(S2IO), train([segment(options=timestamps(0, 5)), segment(seq=100)]))
    assert tcp.tsecr(packets.head[0], 34) == int.from_bytes(payload_bytes(packets, 0)[108:112], "big")


@pytest.mark.parametrize(
    ("parameter", "word", "second", "why"),
    [
        ("ecn", "any", {"tos": 3}, NO),
        ("dscp", "any", {"tos": 32}, NO),
        ("ttl", "equal", {"ttl": 7}, Why.TTL),
        ("window", "equal", {"window": 7}, Why.WINDOW),
        ("ack", "equal", {"ack": 101}, Why.ACK),
        ("size", "not-longer", {"payload": 150}, Why.SIZE),
        ("mac", "any", {"mac": 7}, NO),
        ("layout", "any", {"options": timestamps()}, NO),
        ("misfit", "alone", {"seq": 900}, Why.GAP),
    ],
)
def test_an_assumption_is_a_parameter(parameter, word, second, why):
    sent = train([segment(), segment(**({"seq": 100} | second))])
    assert through(make(INTEL, **{parameter: word}), sent)[2][1] == why


def test_psh_may_be_assumed_to_close():
    sent = train([segment(), segment(seq=100, flags=ACK | PSH), segment(seq=200)])
    packets, _, _, closes = through(make(INTEL, psh="closes"), sent)
    assert (packets.payload_bytes.tolist(), closes[0]) == ([200, 100], Why.PUSH)


def test_a_short_segment_may_be_assumed_to_close():
    sent = train([segment(), segment(seq=100, payload=50), segment(seq=150)])
    packets, _, _, closes = through(make(INTEL, size="not-longer"), sent)
    assert (packets.payload_bytes.tolist(), closes[0]) == ([150, 100], Why.SHORT)
