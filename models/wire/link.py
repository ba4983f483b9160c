"""Link headers other than Ethernet that captures come with: none at all, BSD loopback, Linux cooked.

Models: where the network header starts, and its EtherType.
Leaves out: everything else a link header says.
Sources: https://www.tcpdump.org/linktypes.html and the pages of LINKTYPE_NULL, LINKTYPE_LOOP, LINKTYPE_LINUX_SLL and
    LINKTYPE_LINUX_SLL2 there.
Checked by: tests/models/wire/test_link.py.
"""

from __future__ import annotations

import numpy as np

from models.compiled import njit
from models.wire import ethernet
from models.wire.octets import be16, be32

NULL, ETHERNET, RAW, LOOP, COOKED, RAW_IPV4, RAW_IPV6, COOKED_2 = 0, 1, 101, 108, 113, 228, 229, 276
RAW_OF_OLD = 12  # DLT_RAW of most systems, which libpcap wrote before link types had numbers of their own
KNOWN = (NULL, ETHERNET, RAW, RAW_OF_OLD, LOOP, COOKED, RAW_IPV4, RAW_IPV6, COOKED_2)

LOOPBACK_BYTES = 4
COOKED_BYTES, COOKED_PROTOCOL = 16, 14
COOKED_2_BYTES, COOKED_2_PROTOCOL = 20, 0
AF_INET = 2
AF_INET6 = (10, 24, 28, 30)  # Linux, NetBSD and OpenBSD, FreeBSD, macOS


@njit
def behind(link_type, row, captured):
    """(where the header behind the link header starts, its EtherType, 0 if there is none that matters)."""
    if link_type == ETHERNET:
        return _checked(captured, ethernet.HEADER_BYTES, be16(row, ethernet.ETHERTYPE) if captured >= 14 else 0)
    if link_type == COOKED:
        return _checked(captured, COOKED_BYTES, be16(row, COOKED_PROTOCOL) if captured >= COOKED_BYTES else 0)
    if link_type == COOKED_2:
        return _checked(captured, COOKED_2_BYTES, be16(row, COOKED_2_PROTOCOL) if captured >= COOKED_2_BYTES else 0)
    if link_type == NULL or link_type == LOOP:
        return _checked(captured, LOOPBACK_BYTES, _of_family(be32(row, 0)) if captured >= LOOPBACK_BYTES else 0)
    version = np.int64(row[0]) >> 4 if captured else 0
    return 0, ethernet.IPV4 if version == 4 else ethernet.IPV6 if version == 6 else 0


@njit
def _checked(captured, n_bytes, kind):
    return (n_bytes, kind) if captured >= n_bytes else (captured, 0)


@njit
def _of_family(word):
    """EtherType of an address family, written in the byte order of whichever machine captured it."""
    family = word if word < 0x10000 else word >> 24 | (word >> 8 & 0xFF00)
    if family == AF_INET:
        return ethernet.IPV4
    for known in AF_INET6:
        if family == known:
            return ethernet.IPV6
    return 0
