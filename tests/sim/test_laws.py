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


@pytest.mark.parametrize(
    ("delay_us", "segments"),
    [(800, 32), (800, 100), (500, 9), (500, 15), (500, 33), (500, 45), (100, 4), (100, 8), (100, 32), (20, 16)],
)
def test_window_over_round_trip(delay_us, segments):
    """A window a round trip, far below the line, over 400 round trips.

    The RTT is that of a burst, from its first bit to the ACK that lets the next one go: both delays, the serialisation
    of the burst and of an ACK, and 1 ps at either card between arrival and poll (rx-usecs 0). A burst is a third of the
    window, for which Linux waits (tcp_tso_win_divisor), in whole pairs of segments, as one ACK comes for two."""
    delay_ps, byte_ps = delay_us * 1_000_000, 800
    burst = 2 * -(-segments // 6)
    rtt_ps = 2 * delay_ps + burst * 1538 * byte_ps + (66 + 24) * byte_ps + 2
    window = segments * 1448
    spans = {"warmup": f"{36 * delay_us}us", "duration": f"{36 * delay_us + 400 * rtt_ps // 1_000_000}us"}
    result = flow(delay=f"{delay_us}us", window=window, rx_usecs="0us", **spans)
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
