"""The running kernel as referee; skips without root, network namespaces, veth, `ip` or `ethtool`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sim.kernel_check.bench import Bench
from sim.kernel_check.check import SENDINGS
from sim.kernel_check.namespace import Unavailable
from sim.kernel_check.report import EDITIONS, engine_for, version_of
from sim.kernel_check.run import referee
from sim.kernel_check.table import ROWS, frame, payload_bytes

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).parent.parent.parent
ENGINE = engine_for(os.uname().release)


@pytest.fixture(scope="module")
def bench():
    try:
        with Bench(version_of(os.uname().release), lanes=4) as ready:
            yield ready
    except Unavailable as missing:
        pytest.skip(str(missing))


def check_agreement(trains, seed):
    try:
        report = referee(trains, seed)
    except Unavailable as missing:
        pytest.skip(str(missing))
    assert report.tally.cases + report.tally.left_out > trains
    assert report.tally.packets < 0.7 * report.tally.frames  # merging is common
    assert report.agrees, "\n".join(report.lines())


def test_500_random_trains_agree():
    check_agreement(500, seed=6)


@pytest.mark.long
def test_20000_random_trains_agree():
    check_agreement(20_000, seed=7)


@pytest.mark.parametrize(("kind", "row"), [(kind, row) for kind, rows in ROWS.items() for row in rows])
def test_the_kernel_passes_its_own_test(bench, kind, row):
    """So what is sent here is what the self-test sends, and the bench adds nothing of its own."""
    if kind == "ipip" and ENGINE != EDITIONS[6, 18]:
        pytest.skip("the self-test has no tunnels before 6.18")
    older = row.before_6_18 is not None and ENGINE != EDITIONS[6, 18]
    expected = row.before_6_18 if older else row.expected
    burst = [frame(kind, segment) for segment in row.segments]
    for _ in range(SENDINGS):  # as `kernel-check` does: a packet may come too late for a reading, by timing
        found = [payload_bytes(packet.octets) for packet in bench.send([burst])[0].merged]
        if found == list(expected):
            break
    assert found == list(expected)


def devices_and_namespaces():
    names = sorted(os.listdir("/sys/class/net"))
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=False)
    return names, listed.stdout


@pytest.mark.parametrize("interrupted", [False, True])
def test_nothing_is_left_behind(bench, interrupted):
    before = devices_and_namespaces()
    command = [sys.executable, "run.py", "kernel-check", "--trains", "20"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        if interrupted:
            with pytest.raises(subprocess.TimeoutExpired):
                run.wait(timeout=0.5)
            run.send_signal(2)
        run.wait(timeout=300)
    assert devices_and_namespaces() == before
