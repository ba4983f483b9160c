"""What each engine is made of: its limits, as the words of `setup`, and which of them may be given.

Models: the limits of each program or card as shipped.
Leaves out: what the limits do (`flow_table.py` and the rule books).
Sources: each number stands in the rule book of its engine.
Checked by: tests/models/offload/test_engine.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.offload import (
    dpdk_gro,
    freebsd_lro,
    gro,
    gro_first,
    gro_hw_mlx5,
    gvisor,
    lro_columns,
    lro_driver,
    lro_table,
    wireguard_go,
)
from models.offload.editions import EDITIONS
from models.offload.held import (
    AUDIT,
    BATCH,
    BUCKETS,
    DPDK_GRO,
    EDITION,
    ENGINE,
    FRAGLIST,
    FREEBSD_LRO,
    GRO,
    GRO_FIRST,
    GVISOR,
    LRO_DRIVER,
    LRO_HARDWARE,
    MAX_BYTES,
    MAX_SEGMENTS,
    MTU_BYTES,
    PAGE_BYTES,
    PER_BUCKET,
    TCP_SOCKET,
    UDP,
    UDP_FORWARDING,
    UDP_SOCKET,
    WIREGUARD_GO,
    Ints,
)
from models.offload.lro_columns import NO_LIMIT
from models.offload.names import ENGINES

_GRO = {ENGINE: GRO, BUCKETS: gro.BUCKETS, PER_BUCKET: gro.HELD_PER_BUCKET, MAX_BYTES: gro.MAX_PACKET_BYTES}
SETUPS: dict[str, dict[int, int]] = {
    "gro": _GRO | {EDITION: EDITIONS["6.18"]},
    "gro-6.12": _GRO | {EDITION: EDITIONS["6.12"]},
    "gro-6.1": _GRO | {EDITION: EDITIONS["6.1"]},
    "gro-2.6.29": {ENGINE: GRO_FIRST, PER_BUCKET: gro_first.HELD},
    "lro-driver": {
        ENGINE: LRO_DRIVER,
        PER_BUCKET: lro_driver.SESSIONS,
        MAX_SEGMENTS: lro_driver.MAX_AGGREGATED,
        MTU_BYTES: 1500,
    },
    "gro-hw-mlx5": {
        ENGINE: GRO,
        EDITION: EDITIONS["6.18"],
        BUCKETS: 1,
        PER_BUCKET: gro_hw_mlx5.CONTEXTS,
        MAX_BYTES: gro_hw_mlx5.MAX_PACKET_BYTES,
        lro_columns.TIMER_PS: gro_hw_mlx5.TIMER_PS,
    },
    "freebsd-lro": {
        ENGINE: FREEBSD_LRO,
        PER_BUCKET: freebsd_lro.ENTRIES,
        MAX_BYTES: freebsd_lro.LENGTH_LIMIT,
        MAX_SEGMENTS: freebsd_lro.ACK_COUNT_LIMIT,
    },
    "dpdk-gro": {
        ENGINE: DPDK_GRO,
        PER_BUCKET: dpdk_gro.BURST,
        BATCH: dpdk_gro.BURST,
        MAX_BYTES: dpdk_gro.MAX_PACKET_BYTES,
        MAX_SEGMENTS: dpdk_gro.MAX_BUFFERS,
    },
    "wireguard-go": {
        ENGINE: WIREGUARD_GO,
        PER_BUCKET: wireguard_go.BATCH,
        BATCH: wireguard_go.BATCH,
        MAX_BYTES: wireguard_go.MAX_PACKET_BYTES,
        UDP: 1,
    },
    "gvisor": {
        ENGINE: GVISOR,
        BUCKETS: gvisor.BUCKETS,
        PER_BUCKET: gvisor.HELD_PER_BUCKET,
        MAX_BYTES: gvisor.MAX_PACKET_BYTES,
    },
} | {name: lro_table.setup(row) | {ENGINE: LRO_HARDWARE} for name, row in lro_table.ROWS.items()}
_LIMITS = {  # parameters by keyword, and which word of the setup each is
    "per_bucket": PER_BUCKET,
    "max_bytes": MAX_BYTES,
    "max_segments": MAX_SEGMENTS,
    "mtu_bytes": MTU_BYTES,
    "max_frags": MAX_SEGMENTS,
    "rx_udp_gro_forwarding": UDP_FORWARDING,
    "rx_gro_list": FRAGLIST,
    "udp_socket": UDP_SOCKET,
    "tcp_socket": TCP_SOCKET,
    "page_bytes": PAGE_BYTES,
    "batch": BATCH,
    "udp": UDP,
}
_OF_LINUX_GRO = "per_bucket", "max_bytes", "rx_udp_gro_forwarding", "rx_gro_list", "udp_socket", "tcp_socket"
_OF_A_CARD = "per_bucket", "max_bytes", "max_segments", "mtu_bytes"  # besides the columns of its row not known
_TAKEN = {
    "gro": _OF_LINUX_GRO,
    "gro-6.12": _OF_LINUX_GRO,
    "gro-6.1": _OF_LINUX_GRO,
    "gro-2.6.29": ("per_bucket", "max_frags"),
    "lro-driver": ("per_bucket", "max_segments", "mtu_bytes", "page_bytes"),
    "gro-hw-mlx5": ("per_bucket", "max_bytes"),
    "freebsd-lro": ("per_bucket", "max_bytes", "max_segments"),
    "dpdk-gro": ("batch", "max_bytes", "max_segments"),
    "wireguard-go": ("batch", "max_bytes", "udp"),
    "gvisor": ("per_bucket", "max_bytes"),
}


def parameters(name: str) -> dict[str, int]:
    """What `make(name)` takes by keyword: a limit of the engine, or a column of a card's row that is not known."""
    taken = {parameter: _LIMITS[parameter] for parameter in _TAKEN.get(name, _OF_A_CARD)}
    return taken | (lro_table.free(lro_table.ROWS[name]) if name in lro_table.ROWS else {})


def setup_of(name: str, given: Mapping[str, int | str], *, audit: bool) -> Ints:
    """`setup` of the engine called `name`, with the `parameters` given.

    ValueError for a name not in ENGINES, a parameter the engine does not have, a word its column does not know."""
    if name not in SETUPS:
        raise ValueError(f"engine: found {name!r}, wanted one of {', '.join(ENGINES)}")
    setup = np.zeros(lro_columns.WORDS, np.int64)
    setup[[BUCKETS, MAX_BYTES, MAX_SEGMENTS]] = 1, NO_LIMIT, NO_LIMIT
    for word, value in SETUPS[name].items():
        setup[word] = value
    taken = parameters(name)
    for parameter, wanted in given.items():
        if parameter not in taken:
            raise ValueError(f"{name}: found parameter {parameter!r}, wanted one of {', '.join(taken)}")
        setup[taken[parameter]] = lro_columns.number(parameter, wanted)
    setup[BATCH] = min(setup[BATCH], setup[PER_BUCKET])
    setup[AUDIT] = audit
    return setup
