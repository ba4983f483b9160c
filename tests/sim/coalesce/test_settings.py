"""`--set`: each value of docs/engines.md is understood, and what is not is one line that says what would be."""

import json
import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from captures import frames_of, pcap, rfc1071, segment

from models.offload.engine import ENGINES, make, parameters
from models.offload.lro_columns import NO_LIMIT
from models.offload.lro_table import ROWS, free, overview
from run import main
from sim.coalesce.settings import SWITCHES, given, settable


def datagram(number, size=100, *, port=443):
    """An Ethernet frame with a UDP datagram."""
    payload = bytes([number]) * size
    udp = struct.pack(">HHHH", 5000, port, 8 + size, 0)
    ip = struct.pack(">BBHHHBBH8s", 0x45, 0, 28 + size, number, 0x4000, 64, 17, 0, b"\n\0\0\1\n\0\0\2")
    sum_of = rfc1071(ip[12:20] + struct.pack(">HH", 17, 8 + size) + udp + payload)
    return bytes(12) + b"\x08\0" + ip[:10] + rfc1071(ip) + ip[12:] + udp[:6] + sum_of + payload


def counts(tmp_path, frames, engine, *words):
    (tmp_path / "in.pcap").write_bytes(pcap(frames))
    json_file = ["--json", str(tmp_path / "x.json"), "--out", str(tmp_path / "out.pcap")]
    assert main(["coalesce", str(tmp_path / "in.pcap"), "--engine", engine, *json_file, *words]) == 0
    return json.loads((tmp_path / "x.json").read_text())["engines"][0]


@pytest.mark.parametrize("engine", ["gro", "gro-6.12", "gro-6.1"])
@pytest.mark.parametrize("switch", ["rx_udp_gro_forwarding", "rx-udp-gro-forwarding", "rx_gro_list", "udp_socket"])
def test_datagrams_merge_where_somebody_asks_for_it(engine, switch, tmp_path, capsys):
    frames = [datagram(k) for k in range(8)]
    assert counts(tmp_path, frames, engine)["reasons"] == {"not-tcp": 8}
    again = ["--resegment", str(tmp_path / "again.pcap")]
    merged = counts(tmp_path, frames, engine, "--set", f"{switch}=on", *again)
    assert (merged["packets_out"], merged["largest_segments"], merged["lossless"]) == (1, 8, True)
    assert frames_of(tmp_path / "again.pcap") == frames
    assert counts(tmp_path, frames, engine, "--set", f"{switch}=off")["packets_out"] == 8


def test_an_assumption_about_a_card_is_tried(tmp_path):
    frames = [segment(1 + 100 * k, ip_id=k, flags=0x18 if k == 2 else 0x10) for k in range(6)]
    assert counts(tmp_path, frames, "lro-82599")["packets_out"] == 1
    closing = counts(tmp_path, frames, "lro-82599", "--set", "psh=closes")
    assert (closing["packets_out"], closing["closes"]) == (2, {"push": 1, "poll-end": 1})
    assert counts(tmp_path, frames, "lro-82599", "--set", "flags=ack")["reasons"] == {"first": 2, "push": 1}
    assert counts(tmp_path, frames, "lro-82599", "--set", "max_segments=2", "--set", "psh=joins")["packets_out"] == 3


def test_each_engine_that_has_it_gets_it(tmp_path):
    found = given(["none", "gro", "lro-82599", "lro-vmxnet3"], ["psh=closes", "per_bucket=4"])
    assert found == {
        "none": {},
        "gro": {"per_bucket": 4},
        "lro-82599": {"psh": 1, "per_bucket": 4},
        "lro-vmxnet3": {"psh": 1, "per_bucket": 4},
    }
    assert given(["lro-82599"], ["max_segments=none"])["lro-82599"]["max_segments"] == NO_LIMIT


def test_every_word_of_the_table_in_the_documentation_is_understood():
    for column, *words in overview():
        for engine, word in zip(ROWS, words, strict=True):
            bare = word.strip("*")
            if column not in free(ROWS[engine]) or column == "timer_ps":
                continue
            if (column, bare) == ("max_bytes", "none"):
                continue
            (value,) = given([engine], [f"{column}={bare}"])[engine].values()
            shipped = make(engine)
            same = make(engine, **{column: value})
            assert (same._setup == shipped._setup).all(), (engine, column, word)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_parameter_takes_something_and_says_what(engine):
    assert set(parameters(engine)) - set(settable(engine)) <= {"timer_ps"}
    for parameter in settable(engine):
        with pytest.raises(ValueError, match=f"^--set {parameter}: found '?!', wanted ".replace("?", r"\?")) as error:
            given([engine], [f"{parameter}=?!"])
        wanted = str(error.value).split(", wanted ")[1]
        if parameter in SWITCHES:
            assert wanted == "off or on"
        if parameter != "flags" and "number" not in wanted:
            for word in wanted.split(" or "):
                make(engine, **given([engine], [f"{parameter}={word}"])[engine])


@pytest.mark.parametrize(
    ("engine", "text", "said"),
    [
        ("gro", "psh", "--set: found 'psh', wanted PARAMETER=VALUE such as psh=closes"),
        ("gvisor", "speed=9", "--set: found parameter 'speed', wanted for gvisor: per_bucket, max_bytes"),
        ("none", "speed=9", "--set: found parameter 'speed', wanted for none: no --set"),
        (
            "none,gvisor",
            "udp=on",
            "--set: found udp, which is of wireguard-go, wanted for none, gvisor: per_bucket, max_bytes",
        ),
        ("lro-82599", "psh=maybe", "--set psh: found 'maybe', wanted joins or closes"),
        ("lro-82599", "ttl=not-older", "--set ttl: found 'not-older', wanted any or equal"),
        ("lro-82599", "contexts=0", "--set contexts: found '0', wanted a whole number from 1 to 4,096"),
        ("gro", "rx_gro_list=1", "--set rx_gro_list: found '1', wanted off or on"),
        ("gro", "max_bytes=600000", "--set max_bytes: found '600000', wanted a whole number from 1 to 524,280"),
        ("gro-2.6.29", "max_frags=-1", "found '-1', wanted a whole number from 1 to 65,535 or none"),
        ("lro-82599", "flags=ack,psh", "found 'ack,psh', wanted any of fin syn rst psh ack urg ece cwr"),
    ],
)
def test_a_mistake_is_one_line(engine, text, said, tmp_path, capsys):
    (tmp_path / "in.pcap").write_bytes(pcap([segment(1)]))
    assert main(["coalesce", str(tmp_path / "in.pcap"), "--engine", engine, "--set", text]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
