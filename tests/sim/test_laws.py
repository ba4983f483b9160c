"""Laws a reader can check with pencil and paper: line rate by frame size, and window over round-trip time."""

import json

import pytest

from sim.execute import execute
from sim.scenario import parse

SPAN = "20ms"


def flow(*, mtu=1500, ip=4, rate="10Gbps", delay="5us", window="1MiB", duration=SPAN, rx_usecs="10us", warmup="5ms"):
    card = {"mtu": mtu, "rx-usecs": rx_usecs, "rx-frames": 32, "rx-ring": 4096}
    data = {
        "name": "law",
        "duration": duration,
        "warmup": warmup,
        "observe": "b",
        "nodes": {"a": {"nics": {"eth0": card}}, "b": {"nics": {"eth0": card}}},
        "links": [{"ends": ["a.eth0", "b.eth0"], "rate": rate, "delay": delay}],
        "flows": [{"name": "f", "from": "a", "to": "b", "window": window, "ip": ip}],
    }
    return execute(parse(json.dumps(data)))


@pytest.mark.parametrize(
    ("mtu", "ip", "goodput_gbps"),
    [
        (1500, 4, 9.4148),  # 1448 of 1538 bytes on the line: preamble 8, Ethernet 14, FCS 4, gap 12, IP 20, TCP 32
        (1500, 6, 9.2848),  # 1428 of 1538
        (9000, 4, 9.9004),  # 8948 of 9038
    ],
)
def test_line_rate(mtu, ip, goodput_gbps):
    assert flow(mtu=mtu, ip=ip).goodput_bps / 1e9 == pytest.approx(goodput_gbps, rel=1e-3)


def test_frames_per_second():
    assert flow().wire_frames / 15e-3 == pytest.approx(812_744, rel=1e-3)


def test_window_over_round_trip():
    """A window of 32 segments a round trip, far below the line: 231 Mb/s of 10 Gb/s.

    The RTT counts both delays, the serialisation of the segment and of its ACK, and 1 ps at either card between
    arrival and poll (rx-usecs 0). A segment is acknowledged with its pair, so the RTT has two serialisations more or
    less; that is within the 1 %."""
    delay_ps, byte_ps = 800_000_000, 800
    data_ps, ack_ps = 1538 * byte_ps, (66 + 24) * byte_ps
    rtt_ps = 2 * delay_ps + data_ps + ack_ps + 2
    window = 32 * 1448
    result = flow(delay="800us", window=window, duration="100ms", warmup="36ms", rx_usecs="0us")
    assert result.goodput_bps == pytest.approx(window * 8e12 / rtt_ps, rel=0.01)


def test_no_core_is_busier_than_always():
    """Also where the measured span ends in the middle of a poll that keeps an application waiting."""
    card = {"rx-usecs": "50us", "gro": "on"}
    data = {
        "name": "busy",
        "duration": "30ms",
        "warmup": "20ms",
        "observe": "b",
        "nodes": {"a": {"nics": {"eth0": {}}}, "b": {"profile": "2008-xeon-10g", "nics": {"eth0": card}}},
        "links": [{"ends": ["a.eth0", "b.eth0"], "rate": "10Gbps", "delay": "20us"}],
        "flows": [{"name": "f", "from": "a", "to": "b", "count": 8}],
    }
    assert 0.9 < execute(parse(json.dumps(data))).cpu["b"]["busy_fraction"] <= 1
