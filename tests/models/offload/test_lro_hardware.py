"""merge-everything: what it leaves alone, its limits, and the packet it makes of the rest."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from frames import ACK, FIN, PSH, RST, SYN, URG, segment, timestamps, train
from trains import through

from models.offload.engine import make
from models.offload.why import Why
from models.payload import SYNTHETIC
from models.train import CSUM_BAD
from models.wire import checksum, tcp


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, Why.NONE),
        ({"payload": 140}, Why.NONE),
        ({"flags": ACK | PSH}, Why.NONE),
        ({"ack": 1, "window": 1, "ttl": 1, "tos": 3, "mac": 7, "tag": b"\x81\x00\x00\x05"}, Why.NONE),
        ({"options": timestamps()}, Why.NONE),
        ({"flags": ACK | SYN}, Why.FLAGS),
        ({"flags": ACK | FIN}, Why.FLAGS),
        ({"flags": ACK | RST}, Why.FLAGS),
        ({"flags": ACK | URG}, Why.FLAGS),
        ({"seq": 101}, Why.GAP),
        ({"payload": 0}, Why.NO_PAYLOAD),
        ({"tail": 1}, Why.PADDING),
        ({"csum_state": CSUM_BAD}, Why.CHECKSUM),
        ({"protocol": 17}, Why.NOT_TCP),
        ({"sport": 1}, Why.FIRST),
        ({"src": 7}, Why.FIRST),
    ],
)
def test_merge_everything_refuses(version, change, why):
    sent = train([segment(version=version), segment(**({"version": version, "seq": 100} | change))])
    _, _, reason, _ = through(make("merge-everything"), sent)
    assert reason[1] == why


def test_its_packets_end_at_the_largest_ip_packet():
    packets, *_ = through(make("merge-everything"), train([segment(seq=1000 * k, payload=1000) for k in range(66)]))
    assert packets.payload_bytes.tolist() == [65_000, 1000]


def test_the_33rd_flow_evicts_the_oldest():
    packets, _, _, close = through(make("merge-everything"), train([segment(sport=n) for n in range(33)]))
    assert close == [Why.EVICTED] + 32 * [Why.POLL_END]


@pytest.mark.parametrize("version", [4, 6])
def test_the_merged_packet(version):
    first = segment(version=version, options=timestamps(10, 5), window=1, ack=1)
    last = first | {"seq": 100, "payload": 150, "options": timestamps(20, 7), "window": 2, "ack": 2}
    packets, *_ = through(make("merge-everything"), train([first, last]))
    row, cells = packets.head[0], packets.meta[0]
    l4 = int(packets.column("l4")[0])
    assert (tcp.ack(row, l4), tcp.window(row, l4), tcp.tsval(row, l4), tcp.tsecr(row, l4)) == (2, 2, 20, 7)
    assert checksum.transport_is_right(SYNTHETIC, packets.pieces, row, cells)
    assert (packets.column("gso_bytes")[0], packets.column("gso_type")[0]) == (150, 0)
