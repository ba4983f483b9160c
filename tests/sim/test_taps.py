"""What `--pcap` writes: right checksums everywhere, and tshark agrees."""

import shutil
import subprocess

import pytest

from models.train import L3, L4
from models.wire import checksum
from sim.capture import Capture
from sim.execute import execute
from sim.scenario import parse, variant

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
SCENARIO = """# a router whose every card and stack is tapped
duration: 2ms
observe: router
nodes:
  sender: {nics: {eth0: {}}}
  router: {kind: router, profile: generic-samecore, nics: {eth0: {gro: on}, eth1: {}}}
  receiver: {nics: {eth0: {gro: on}}}
links:
  - {ends: [sender.eth0, router.eth0], rate: 10Gbps, delay: 20us}
  - {ends: [router.eth1, receiver.eth0], rate: 10Gbps, delay: 20us}
flows:
  - {name: bulk, from: sender, to: receiver, bytes: 300001, ip: IP}
variants: {gro: {}, stale: {nodes.router.nics.eth0: {gro: off, lro: on, lro-engine: lro-s2io}}}
"""


@pytest.fixture(scope="module", params=[4, 6])
def taps(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("taps")
    scenario = parse(SCENARIO.replace("IP}", f"{request.param}}}"))
    execute(variant(scenario, "gro"), variant="gro", pcap_dir=folder)
    return sorted(folder.iterdir())


def test_every_checksum_is_right(taps):
    assert len(taps) == 8
    for path in taps:
        capture = Capture.open(path)
        for chunk in capture.chunks():
            train = chunk.train
            for row, cells in zip(train.head, train.meta, strict=True):
                assert cells[L4] > 0
                assert row[cells[L3]] >> 4 == 6 or checksum.ipv4_header_is_right(row, cells[L3])
                assert checksum.transport_is_right(capture.payloads, train.pieces, row, cells)


@pytest.fixture(scope="module")
def stale(tmp_path_factory):
    """What a card that merges without a new checksum leaves to the stack, and what was counted of it."""
    folder = tmp_path_factory.mktemp("stale")
    result = execute(variant(parse(SCENARIO.replace("IP}", "4}")), "stale"), pcap_dir=folder)
    return folder, result.captures


def test_each_capture_is_counted(stale):
    folder, counted = stale
    assert set(counted) == {path.name for path in folder.iterdir()}
    for path in folder.iterdir():
        capture = Capture.open(path)
        frames = wrong = 0
        for chunk in capture.chunks():
            frames += len(chunk.train)
            for row, cells in zip(chunk.train.head, chunk.train.meta, strict=True):
                wrong += not checksum.transport_is_right(capture.payloads, chunk.train.pieces, row, cells)
        assert counted[path.name] == {"frames": frames, "wrong_ipv4": 0, "wrong_transport": wrong}
    assert counted["router-eth0-stack.pcap"]["wrong_transport"]


@needs_tshark
def test_tshark_counts_as_many_wrong_checksums(stale):
    folder, counted = stale
    options = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    for path in folder.iterdir():
        command = ["tshark", "-r", path, *options, "-Y", "tcp.checksum.status == 0"]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert len(found.stdout.splitlines()) == counted[path.name]["wrong_transport"]


@needs_tshark
def test_tshark_finds_nothing_wrong(taps):
    wrong = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0"
    options = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    for path in taps:
        command = ["tshark", "-r", path, *options, "-Y", wrong]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert found.stdout == ""
