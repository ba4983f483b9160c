"""The kernel's own self-test of GRO (tools/testing/selftests/net/gro.c, later drivers/net/gro.c) as a table.

A row is what is sent and the payloads expected, in order; with an expectation of its own where an edition has another
one. Rows with headers inside a tunnel come from the self-test's mode ipip, which 6.18 is the first to have."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, CWR, PSH, RST, SYN, URG, segment, timestamps, train

from models.offload.engine import make
from models.payload import SYNTHETIC
from models.train import CSUM_NONE

WAIT = None  # in the place of a frame: everything held goes up
OLDER = ("gro-6.12", "gro-6.1")
EDITIONS = ("gro", *OLDER)


def u(offset, **change):
    return segment(seq=offset, **change)


def large(rest):
    return [u(4036 * k, payload=4036) for k in range(16)] + [u(4036 * 16, payload=rest), u(4036 * 17, payload=rest)]


def ids(df, *numbers):
    return [u(100 * k, df=df, ip_id=n) for k, n in enumerate(numbers)]


def everywhere(expected):
    return {"gro": expected} | older(expected)


def older(expected):
    return dict.fromkeys(OLDER, expected)


TS_FIRST = b"\x08\x0a" + struct.pack(">II", 100, 0) + b"\x01\x01"
TS_MIDDLE = b"\x01\x08\x0a" + struct.pack(">II", 100, 0) + b"\x01"
FLAG_ROWS = [
    (f"flags_{name}", [u(0), u(100), u(0, payload=0, flags=ACK | flag), u(300), u(400)], everywhere([200, 0, 200]))
    for name, flag in (("syn", SYN), ("rst", RST), ("urg", URG))
]
BOTH = [
    ("data_same", [u(0), u(100)], everywhere([200])),
    ("data_lrg_sml", [u(0), u(100, payload=50)], everywhere([150])),
    ("data_sml_lrg", [u(0, payload=50), u(50)], everywhere([50, 100])),
    ("ack", [u(0, payload=0), u(0, payload=0), u(0, payload=0, ack=101)], everywhere([0, 0, 0])),
    ("flags_psh", [u(0), u(100), u(200, flags=ACK | PSH), u(300), u(400)], everywhere([300, 200])),
    *FLAG_ROWS,
    # not in the self-tests of these editions, and newer ones expect 100, 200, 200: there CWR joins CWR
    (
        "flags_cwr",
        [u(0), u(100, flags=ACK | CWR), u(200, flags=ACK | CWR), u(300), u(400)],
        {"gro": [100, 100, 100, 200]} | older([100, 100, 300]),
    ),
    (
        "tcp_csum",
        [u(0, csum_state=CSUM_NONE), u(100, csum_state=CSUM_NONE, csum_error=1)],
        everywhere([100, 100]),
    ),
    ("tcp_seq", [u(0), u(101)], everywhere([100, 100])),
    (
        "tcp_ts",
        [
            u(0, options=timestamps(0, 0)),
            u(100, options=timestamps(0, 0)),
            u(200, options=timestamps(100, 0)),
            u(300, options=TS_MIDDLE),
            u(400, options=TS_FIRST),
        ],
        everywhere([200, 100, 100, 100]),
    ),
    (
        "tcp_opt",
        [u(0, options=timestamps()), u(100, options=timestamps()), u(200, options=b"\x01\x03\x03\x00")],
        everywhere([200, 100]),
    ),
    ("ip_ecn", [u(0), u(100, tos=2)], everywhere([100, 100])),
    ("ip_tos", [u(0), u(100, tos=1)], everywhere([100, 100])),
]
V4 = [
    ("ip_ttl", [u(0), u(100, ttl=7)], everywhere([100, 100])),
    ("ip_opt", [u(0), u(100, ip_options=b"\x44\x04\x05\x00"), u(200)], everywhere([100, 100, 100])),
    ("ip_frag4", [u(0), u(100, fragment=0x2000)], everywhere([120, 100])),  # overtakes; its TCP header is payload
    ("ip_id_df1_inc", ids(1, 8, 9), everywhere([200])),
    ("ip_id_df1_fixed", ids(1, 8, 8), everywhere([200])),
    ("ip_id_df0_inc", ids(0, 8, 9), everywhere([200])),
    ("ip_id_df0_fixed", ids(0, 8, 8), {"gro": [200]} | older([100, 100])),
    ("ip_id_df1_inc_fixed", ids(1, 8, 9, 9), everywhere([200, 100])),
    ("ip_id_df1_fixed_inc", ids(1, 8, 8, 9), everywhere([200, 100])),
    ("large_max", large(919), everywhere([65495, 919])),
    ("large_rem", large(920), everywhere([64576, 920, 920])),
]
EXT = struct.pack(">BBHI", 6, 0, 0x0104, 0)
EXT_OTHER = struct.pack(">BBHI", 6, 0, 0x0104, 1)
FRAGMENT = {"exthdr": struct.pack(">BBHI", 6, 0, 0, 0), "exthdr_kind": 44}
V6 = [
    ("ip_frag6", [u(0), u(100), WAIT, u(200, **FRAGMENT), u(300)], everywhere([200, 128, 100])),
    ("ip_v6ext_same", [u(0, exthdr=EXT), u(100, exthdr=EXT)], everywhere([200])),
    ("ip_v6ext_diff", [u(0, exthdr=EXT), u(100, exthdr=EXT_OTHER)], everywhere([100, 100])),
    ("large_max", large(899), everywhere([65475, 899])),
    ("large_rem", large(900), everywhere([64576, 900, 900])),
]
MOVED_OUT = ("ttl", "tos", "df", "fragment", "ip_options", "ip_id")  # the self-test changes the header it meets first


def in_ipip(f):
    if f is WAIT:
        return f
    outer = {f"outer_{name.removeprefix('ip_') if name == 'ip_id' else name}": f[name] for name in MOVED_OUT}
    return f | outer | {name: segment()[name] for name in MOVED_OUT} | {"tunnel": "ipip"}


def delivered(engine, sent):
    """Payloads in delivery order, each frame handed in by itself."""
    payloads = []
    for f in [*sent, WAIT]:
        out = engine.flush(SYNTHETIC) if f is WAIT else engine.receive(train([f], width=128), SYNTHETIC)
        payloads += out.packets.payload_bytes.tolist()
    return payloads


@pytest.mark.parametrize("engine", EDITIONS)
@pytest.mark.parametrize(
    ("version", "sent", "expected"),
    [pytest.param(4, *row[1:], id=f"ipv4-{row[0]}") for row in BOTH + V4]
    + [pytest.param(6, *row[1:], id=f"ipv6-{row[0]}") for row in BOTH + V6],
)
def test_the_kernels_self_test(engine, version, sent, expected):
    assert delivered(make(engine), [f and f | {"version": version} for f in sent]) == expected[engine]


LARGE_IPIP = {"large_max": V6[-2][1:], "large_rem": V6[-1][1:]}
FRAG_IPIP = {"ip_frag4": (V4[2][1], everywhere([140, 100]))}  # here the inner IPv4 header is payload, too


@pytest.mark.parametrize(
    ("sent", "expected"),
    [pytest.param(*({row[0]: row[1:]} | LARGE_IPIP | FRAG_IPIP)[row[0]], id=row[0]) for row in BOTH + V4],
)
def test_the_kernels_self_test_in_a_tunnel(sent, expected):
    assert delivered(make("gro"), [in_ipip(f) for f in sent]) == expected["gro"]
