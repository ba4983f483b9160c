"""Where each reason comes from: the function of the imitated code, engine by engine, and its rule in words.

The words are those of docs/reasons.md, read from there. Leaves out: line numbers, which move; how a rule is computed.
Sources: Linux net/core/gro.c, include/net/gro.h, net/core/dev.c, net/ipv4/af_inet.c, net/ipv4/tcp_offload.c,
net/ipv6/ip6_offload.c, net/ipv4/inet_lro.c; for the other engines what their rule books cite.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

from models.offload.why import Why

REASONS = Path(__file__).parents[2] / "docs" / "reasons.md"
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| ([^|]*) \|$", re.MULTILINE)


@functools.cache
def _rules() -> dict[str, str]:
    """Name of each reason, and the rule behind it."""
    section = REASONS.read_text(encoding="utf-8").split("\n## Why a frame", 1)[1].split("\n## ", 1)[0]
    return dict(ROW.findall(section))


_NETWORK = "inet_gro_receive(), net/ipv4/af_inet.c; ipv6_gro_receive(), net/ipv6/ip6_offload.c"
_NETWORK_FLUSH = "inet_gro_flush(), ipv6_gro_flush(), include/net/gro.h"
_TCP = "tcp_gro_receive(), net/ipv4/tcp_offload.c"
_CORE = "dev_gro_receive(), net/core/gro.c"
_GRO: dict[Why, str] = {
    Why.FIRST: _CORE,
    Why.NOT_IP: _CORE,
    Why.NOT_TCP: _NETWORK,
    Why.IP_OPTIONS: "inet_gro_receive(), net/ipv4/af_inet.c",
    Why.FRAGMENT: _NETWORK,
    Why.MALFORMED: "tcp_gro_pull_header(), net/ipv4/tcp_offload.c",
    Why.CHECKSUM: "inet_gro_receive(), net/ipv4/af_inet.c; tcp4_gro_receive(), net/ipv4/tcp_offload.c; "
    "tcp6_gro_receive(), net/ipv6/tcpv6_offload.c",
    Why.PADDING: _NETWORK,
    Why.TUNNEL: "udp_gro_receive(), net/ipv4/udp_offload.c; gre_gro_receive(), net/ipv4/gre_offload.c",
    Why.ALREADY_MERGED: _CORE,
    Why.TTL: _NETWORK_FLUSH,
    Why.TOS: _NETWORK_FLUSH,
    Why.ECN: _NETWORK_FLUSH,
    Why.DF: _NETWORK_FLUSH,
    Why.IP_ID: _NETWORK_FLUSH,
    Why.VLAN: "gro_list_prepare(), net/core/gro.c",
    Why.LIMIT: "skb_gro_receive(), net/core/gro.c",
    Why.EVICTED: "gro_flush_oldest(), net/core/gro.c",
    Why.POLL_END: "napi_complete_done(), net/core/dev.c",
    Why.TIMER: "__gro_flush_chain(), net/core/gro.c",
} | dict.fromkeys(
    (
        Why.NO_PAYLOAD,
        Why.FLAGS,
        Why.CWR,
        Why.WINDOW,
        Why.ACK,
        Why.OPTIONS,
        Why.SIZE,
        Why.GAP,
        Why.PUSH,
        Why.FIN,
        Why.SHORT,
    ),
    _TCP,
)

_INET_2009 = "inet_gro_receive(), net/ipv4/af_inet.c"
_GRO_2009 = _GRO | {
    Why.FIRST: "dev_gro_receive(), net/core/dev.c",
    Why.NOT_IP: "dev_gro_receive(), net/core/dev.c",
    Why.LIMIT: "skb_gro_receive(), net/core/skbuff.c",
    Why.TABLE_FULL: "dev_gro_receive(), net/core/dev.c",
    Why.POLL_END: "napi_gro_flush(), net/core/dev.c",
    **dict.fromkeys((Why.TTL, Why.DF, Why.IP_ID, Why.TOS, Why.ECN), _INET_2009),
    **{why: "tcp_gro_receive(), net/ipv4/tcp.c" for why, where in _GRO.items() if where == _TCP},
}

_ELIGIBLE = "lro_tcp_ip_check(), net/ipv4/inet_lro.c"
_SESSION = "__lro_proc_skb(), net/ipv4/inet_lro.c"
_DOOR = "get_skb_header() of the driver, asked by __lro_proc_skb(), net/ipv4/inet_lro.c"
_INET_LRO: dict[Why, str] = {
    **dict.fromkeys(
        (Why.NOT_IP, Why.NOT_TCP, Why.FRAGMENT, Why.MALFORMED, Why.CHECKSUM, Why.ALREADY_MERGED),
        _DOOR,
    ),
    **dict.fromkeys(
        (Why.PADDING, Why.NO_PAYLOAD, Why.IP_OPTIONS, Why.CWR, Why.FLAGS, Why.ECN, Why.OPTIONS, Why.VLAN),
        _ELIGIBLE,
    ),
    Why.FIRST: "lro_get_desc(), net/ipv4/inet_lro.c",
    Why.TABLE_FULL: "lro_get_desc(), net/ipv4/inet_lro.c",
    Why.GAP: _SESSION,
    Why.LIMIT: _SESSION,
    Why.POLL_END: "lro_flush_all(), net/ipv4/inet_lro.c",
}

FUNCTIONS: dict[str, Mapping[Why, str]] = {"gro": _GRO, "gro-2.6.29": _GRO_2009, "lro-driver": _INET_LRO}
DOCUMENTS: dict[str, str] = {  # what an engine follows, where no function can be named for each reason
    "none": "no offload",
    "merge-everything": "no source: a caricature",
    "lro-s2io": "drivers/net/ethernet/neterion/s2io.c: s2io_club_tcp_session(), verify_l3_l4_lro_capable()",
    "lro-bnx2x": "drivers/net/ethernet/broadcom/bnx2x: TPA, in the firmware",
    "lro-82599": "Intel 82599 datasheet, section on receive side coalescing",
    "lro-windows": "Microsoft, rules for coalescing TCP/IP segments",
    "gro-hw-mlx5": "drivers/net/ethernet/mellanox/mlx5/core/en_rx.c: SHAMPO, in the card",
    "lro-vmxnet3": "VMware vmxnet3: in the hypervisor, not public",
    "freebsd-lro": "tcp_lro_rx(), tcp_lro_condense(), sys/netinet/tcp_lro.c",
    "dpdk-gro": "gro_tcp4_reassemble(), gro_tcp6_reassemble(), lib/gro",
    "wireguard-go": "tcpGRO(), tcpPacketsCanCoalesce(), tun/offload_linux.go",
    "gvisor": "pkg/tcpip/stack/gro/gro.go",
}


def function(engine: str, why: Why) -> str:
    """Which function of what `engine` imitates gives the reason `why`; empty for Why.NONE."""
    if why is Why.NONE:
        return ""
    table = FUNCTIONS.get(engine)
    if table is None and engine.startswith("gro-") and engine not in DOCUMENTS:
        table = _GRO  # an edition of Linux GRO
    if table is not None and why in table:
        return table[why]
    return DOCUMENTS.get(engine, f"the rule book of {engine}")


def rule(why: Why) -> str:
    """The rule behind a reason, in words; empty for Why.NONE."""
    return "" if why is Why.NONE else _rules().get(why.label, "")
