"""The hash a card computes over a frame's flow, to choose a receive ring and to help the stack find the flow.

Models: Toeplitz hash over addresses and ports of TCP, over addresses only of other IP packets.
Leaves out: the indirection table; symmetric keys; the inner headers of tunnels, which few cards read: all flows of a
    tunnel have one hash, and so do all UDP flows of two hosts, as by default (ethtool rx-flow-hash udp4 sd); IPv6
    extension addresses.
Sources: Microsoft, "RSS hashing functions" and "Verifying the RSS hash calculation" (key and test values).
Checked by: tests/models/nic/test_rss.py, Microsoft's published values.

The hash is linear over XOR, so each byte of the input adds one of 256 words that depend only on where it stands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.compiled import njit
from models.train import L3, L4, PROTOCOL
from models.wire import ipv4, ipv6, tcp

MICROSOFT_KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")
INPUT_BYTES = 36  # two IPv6 addresses and two ports
PORTS_BYTES = 4

Ints = NDArray[np.int64]


def toeplitz_table(key: bytes) -> Ints:
    """int64[INPUT_BYTES, 256]: what a byte of each value adds (XOR) at each place. `key` has 40 bytes."""
    bits = int.from_bytes(key, "big")
    table = np.zeros((INPUT_BYTES, 256), np.int64)
    for place in range(INPUT_BYTES):
        for bit in range(8):
            window = (bits >> (len(key) * 8 - 32 - place * 8 - bit)) & 0xFFFFFFFF
            table[place, np.arange(256) & (0x80 >> bit) != 0] ^= window
    return table


TABLE = toeplitz_table(MICROSOFT_KEY)


@njit(_nrt=False)
def toeplitz(table, row, at, n_bytes, place):
    """Hash of `n_bytes` of `row` from byte `at`, standing at byte `place` of the hash's input."""
    value = np.int64(0)
    for k in range(n_bytes):
        value ^= table[place + k, np.int64(row[at + k])]
    return value


@njit(_nrt=False)
def hash_row(row, cells):
    """The hash of the frame with head `row` uint8[width] and meta row `cells`; 0 if it is not IP."""
    l3 = cells[L3]
    if l3 < 0:
        return np.int64(0)
    if ipv4.is_ipv4(row, l3):
        addresses, at = 8, l3 + ipv4.SOURCE
    else:
        addresses, at = 32, l3 + ipv6.SOURCE
    value = toeplitz(TABLE, row, at, addresses, 0)
    if cells[L4] >= 0 and cells[PROTOCOL] == tcp.PROTOCOL:
        value ^= toeplitz(TABLE, row, cells[L4], PORTS_BYTES, addresses)
    return value


@njit(_nrt=False)
def hash_rows(head, meta, out):
    """Write the hash of every frame, head uint8[n, width] with meta int64[n, columns], to `out` int64[n].

    `out` may be a column of `meta`."""
    for i in range(len(meta)):
        out[i] = hash_row(head[i], meta[i])
