"""Microsoft's "Verifying the RSS hash calculation": addresses, ports, hash with and without TCP ports."""

import ipaddress

import numpy as np
import pytest

from models.nic.rss import hash_rows
from models.train import L3, L4, PROTOCOL, RX_HASH, FrameTrain
from models.wire import ipv4, ipv6, tcp, udp

PUBLISHED = [
    ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x51CCC178, 0x323E8FC2),
    ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xC626B0EA, 0xD718262A),
    ("24.19.198.95", 12898, "12.22.207.184", 38024, 0x5C2B394A, 0xD2D0A5DE),
    ("38.27.205.30", 48228, "209.142.163.6", 2217, 0xAFC7327F, 0x82989176),
    ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x10E828A2, 0x5D1809C5),
    ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x40207D3D, 0x2CC18CD5),
    ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0xDDE51BBF, 0x0F0C461C),
    ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, "fe80::200:f8ff:fe21:67cf", 38024, 0x02D1FEEF, 0x4B61E985),
]


def frame(source, source_port, destination, destination_port, protocol):
    train = FrameTrain.blank(1)
    one, other = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    version = ipv4 if one.version == 4 else ipv6
    l4 = 14 + (20 if one.version == 4 else 40)
    train.head[0, 14] = one.version << 4 | 5
    for at, address in ((version.SOURCE, one), (version.DESTINATION, other)):
        train.head[0, 14 + at : 14 + at + len(address.packed)] = np.frombuffer(address.packed, np.uint8)
    ports = source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big")
    train.head[0, l4 : l4 + 4] = np.frombuffer(ports, np.uint8)
    train.meta[0, [L3, L4, PROTOCOL]] = 14, l4, protocol
    return train


@pytest.mark.parametrize(("source", "source_port", "target", "target_port", "with_ports", "without"), PUBLISHED)
def test_published_values(source, source_port, target, target_port, with_ports, without):
    for protocol, published in ((tcp.PROTOCOL, with_ports), (udp.PROTOCOL, without)):
        train = frame(source, source_port, target, target_port, protocol)
        hash_rows(train.head, train.meta, train.meta[:, RX_HASH])
        assert train.meta[0, RX_HASH] == published


def test_a_frame_without_ip_has_no_hash():
    train = FrameTrain.blank(1)
    train.meta[0, RX_HASH] = 5
    hash_rows(train.head, train.meta, train.meta[:, RX_HASH])
    assert train.meta[0, RX_HASH] == 0
