"""No capture, however malformed, breaks `coalesce`: bytes of files and bytes of frames, through every engine.

Each example goes through one engine with everything that looks on; `make long` tries 100,000.
"""

import contextlib
import gzip
import importlib.util
import struct
import sys
from pathlib import Path

import hypothesis
import pytest
from hypothesis import settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from captures import FILES, pcap, segment

from models.offload.lro_columns import WORDING
from sim.capture import Capture, CaptureError
from sim.capture_records import CaptureFile
from sim.capture_write import CaptureWriter
from sim.coalesce.card import Card, Settings
from sim.coalesce.explain import COLUMNS, Explained
from sim.coalesce.passage import Lane, run
from sim.coalesce.polls import NO_LIMIT, Polls
from sim.coalesce.resegment import PacketsOut, Resegmented
from sim.coalesce.settings import LIMITS, SWITCHES, WORDS, given, settable
from sim.coalesce.table_file import TableFile
from sim.coalesce.tally import Tally, known_engines, make

BYTE = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 0x40, 0x45, 0x7F, 0x80, 0xFF]))


SOME = {
    **{name: ["on"] for name in SWITCHES},
    "needs_ack": ["yes", "no"],
    "flags": ["ack", "psh ack", "fin syn rst psh ack urg ece cwr"],
    **{name: [least, least + 2, most] for name, (least, most) in LIMITS.items()},
    "max_bytes": [1, 100, 3000],
}


def outer(inner, protocol):
    """`inner` in an IPv4 packet of that protocol, in an Ethernet frame."""
    head = struct.pack(">BBHHHBBH8s", 0x45, 0, 20 + len(inner), 0, 0x4000, 64, protocol, 0, b"\n\1\0\1\n\1\0\2")
    return bytes(12) + b"\x08\0" + head + inner


def ipv6(segment_of_ipv4):
    payload = segment_of_ipv4[34:]
    head = struct.pack(">IHBB", 6 << 28, len(payload), 6, 64) + bytes(15) + b"\1" + bytes(15) + b"\2"
    return bytes(12) + b"\x86\xdd" + head + payload


def flow():
    """Ten frames: TCP plain, tagged, over IPv6, in VXLAN, GRE and IP; UDP."""
    plain = [segment(1 + 100 * k, bytes([k]) * 100, ip_id=k, tsval=k // 2) for k in range(4)]
    vxlan = [outer(struct.pack(">HHHH", 7, 4789, 16 + len(f), 0) + b"\x08" + bytes(7) + f, 17) for f in plain[:2]]
    tagged = plain[0][:12] + b"\x81\x00\x00\x05" + plain[0][12:]
    gre = outer(b"\0\0\x08\0" + plain[0][14:], 47)
    return [*plain, *vxlan, tagged, ipv6(plain[0]), gre, outer(plain[0][14:], 4)]


@st.composite
def changed_frames(draw):
    """A capture of frames with bytes changed, cut, repeated or claimed to be longer than they are."""
    frames = [bytearray(frame) for frame in flow()]
    for k, at, value in draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 120), BYTE), max_size=12)):
        frames[k][at % len(frames[k])] = value
    for k, length in draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 200)), max_size=3)):
        frames[k] = frames[k][:length]
    frames += [frames[k] for k in draw(st.lists(st.integers(0, 9), max_size=6))]
    content = bytearray(pcap(frames, link_type=draw(st.sampled_from([1, 1, 1, 0, 101, 113, 276]))))
    if draw(st.booleans()):
        content[36:40] = struct.pack("<I", draw(st.sampled_from([0, 154, 200, 65_549, 1 << 31])))  # original length
    return bytes(content)


@st.composite
def changed_files(draw):
    """A capture file, small, with bytes changed, cut off or packed."""
    file = draw(st.sampled_from([file for file in FILES if file.stat().st_size < 30_000] or [None]))
    content = bytearray(file.read_bytes() if file else pcap(flow()))
    where = st.one_of(st.integers(0, 60), st.integers(0, 1 << 20))
    for at, value in draw(st.lists(st.tuples(where, BYTE), max_size=8)):
        content[at % len(content)] = value
    content = bytes(content[: len(content) - draw(st.sampled_from([0, 0, 0, 1, 9, 100, 1000]))])
    return gzip.compress(content, 1) if draw(st.integers(0, 7)) == 0 else content


@st.composite
def engines(draw):
    """An engine, and parameters as `--set` takes them."""
    name = draw(st.sampled_from(known_engines()))
    texts = []
    for parameter in draw(st.lists(st.sampled_from(settable(name) or ["none"]), max_size=4)):
        if name != "none":
            words = (
                SOME.get(parameter) or WORDS.get(parameter) or [word.lower() for word in WORDING[parameter].__members__]
            )
            texts.append(f"{parameter}={draw(st.sampled_from(words))}".replace("_", "-"))
    return name, given([name], texts)[name]


options = st.fixed_dictionaries(
    {"engine": engines(), "budget": st.sampled_from([1, 7, NO_LIMIT]),
     "mtu_bytes": st.sampled_from([1, 120, 1500, 9000]), "verifies": st.booleans(), "rx_hash": st.booleans(),
     "parquet": st.sampled_from([False, False, False, True])}
)  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Names to write a table to, of which nothing is kept: CSV, and Parquet where something writes it."""
    if importlib.util.find_spec("pyarrow") is None:
        return "/dev/null", "/dev/null"
    parquet = tmp_path_factory.mktemp("tables") / "null.parquet"
    parquet.symlink_to("/dev/null")
    return "/dev/null", str(parquet)


def passes(content, chosen, tables):
    """Through one engine, with all who can look on; the books balance for what could be read."""
    with contextlib.ExitStack() as stack:
        try:
            capture = stack.enter_context(Capture(CaptureFile.of("x.pcap", content)))
            out, again = (stack.enter_context(CaptureWriter("/dev/null")) for _ in range(2))
            table = stack.enter_context(TableFile(tables[chosen["parquet"]], COLUMNS))
            tally = Tally(make(*chosen["engine"]))
            resegmented = Resegmented(again, capture)
            lane = Lane(tally, [PacketsOut(out, capture), resegmented, Explained(table, capture, "x")])
            settings = {name: chosen[name] for name in ("mtu_bytes", "verifies", "rx_hash")}
            run(capture, [lane], Polls(gap_ps=NO_LIMIT, budget=chosen["budget"]), Card(Settings(**settings)))
        except CaptureError:
            return
        assert tally.frames_in == capture.file.frames == tally.fates.sum()
        assert out.frames == tally.packets_out == tally.frames_in - tally.fates[0]
        believed = set(resegmented.fields) == {"checksum"}  # a wrong one that the card let in and a cut puts right
        assert (resegmented.altered == 0) == tally.lossless or (tally.lossless and believed)
        assert resegmented.identical + resegmented.altered + resegmented.not_compared == tally.frames_in


@settings(max_examples=settings().max_examples * 50)
@hypothesis.given(changed_frames(), options)
def test_frames_of_any_kind(tables, content, chosen):
    passes(content, chosen, tables)


@settings(max_examples=settings().max_examples * 50)
@hypothesis.given(changed_files(), options)
def test_files_of_any_kind(tables, content, chosen):
    passes(content, chosen, tables)
