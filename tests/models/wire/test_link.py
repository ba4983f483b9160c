"""Where the network header is behind each kind of link header."""

import numpy as np
import pytest

from models.wire.link import (
    COOKED,
    COOKED_2,
    ETHERNET,
    LOOP,
    NULL,
    RAW,
    RAW_IPV4,
    RAW_OF_OLD,
    behind,
)

IPV4, IPV6 = 0x0800, 0x86DD


@pytest.mark.parametrize(
    ("link_type", "header", "kind"),
    [
        (ETHERNET, bytes(12) + b"\x08\x00", IPV4),
        (ETHERNET, bytes(12) + b"\x81\x00", 0x8100),  # the tags are for the dissection
        (RAW, b"", IPV4),
        (RAW_IPV4, b"", IPV4),
        (NULL, b"\x02\x00\x00\x00", IPV4),  # little endian, as most machines write it
        (NULL, b"\x00\x00\x00\x02", IPV4),
        (NULL, b"\x1e\x00\x00\x00", IPV6),  # macOS
        (NULL, b"\x00\x00\x00\x1c", IPV6),  # FreeBSD
        (NULL, b"\x07\x00\x00\x00", 0),
        (LOOP, b"\x00\x00\x00\x18", IPV6),  # OpenBSD
        (COOKED, bytes(14) + b"\x86\xdd", IPV6),
        (COOKED_2, b"\x08\x00" + bytes(18), IPV4),
    ],
)
def test_the_network_header_is_found(link_type, header, kind):
    row = np.frombuffer(header + b"\x45" + bytes(40), np.uint8)
    assert behind(link_type, row, len(row)) == (len(header), kind)
    for captured in range(len(header)):
        assert behind(link_type, row, captured) == (captured, 0)


@pytest.mark.parametrize("link_type", [RAW, RAW_OF_OLD])
@pytest.mark.parametrize(("first", "kind"), [(0x45, IPV4), (0x60, IPV6), (0x15, 0)])
def test_raw_ip_says_its_version_itself(first, kind, link_type):
    assert behind(link_type, np.array([first], np.uint8), 1) == (0, kind)
    assert behind(link_type, np.zeros(0, np.uint8), 0) == (0, 0)
