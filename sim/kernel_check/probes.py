"""What this kernel's GRO offers at all: two frames of each protocol that would merge, and whether they do.

What is not offered, for want of a module, is not refereed here and changes no rule.
Sources: the protocols with a gro_receive function in the Linux tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from models.wire import tcp
from sim.kernel_check.bench import Bench
from sim.kernel_check.dice import Dice
from sim.kernel_check.flows import Draft, Flow, Shape
from sim.kernel_check.frames import Ip, Tcp, Udp, extension, padding_options, tag
from sim.kernel_check.tunnels import Tunnel

Switches = Mapping[str, bool]
PLAIN: Switches = {"rx_udp_gro_forwarding": False, "rx_gro_list": False}
FORWARDING: Switches = {**PLAIN, "rx_udp_gro_forwarding": True}
FRAGLIST: Switches = {**PLAIN, "rx_gro_list": True}
PROBES = 3  # of each at once, because one may be split by timing
SENDINGS = 5  # of these, at most
MODES: Mapping[str, Switches] = {"": PLAIN, "rx-udp-gro-forwarding": FORWARDING, "rx-gro-list": FRAGLIST}

SHAPES: Mapping[str, Shape] = {
    "TCP over IPv4": Shape(4),
    "TCP over IPv6": Shape(6),
    "a VLAN tag in the frame": Shape(4, tags=1),
    "two VLAN tags in the frame": Shape(6, tags=2),
    "VXLAN": Shape(4, "vxlan"),
    "VXLAN with IPv6 inside": Shape(6, "vxlan"),
    "VXLAN over IPv6": Shape(4, "vxlan", 6),
    "Geneve": Shape(4, "geneve"),
    "Geneve over IPv6": Shape(6, "geneve", 6),
    "GRE": Shape(4, "gre"),
    "GRE with IPv6 inside": Shape(6, "gre"),
    "GRE over IPv6": Shape(4, "gre", 6),
    "GRE with Ethernet inside": Shape(4, "gretap"),
    "IPv4 in IPv4": Shape(4, "ip"),
    "IPv6 in IPv4": Shape(6, "ip"),
    "IPv4 in IPv6": Shape(4, "ip", 6),
    "IPv6 in IPv6": Shape(6, "ip", 6),
    "UDP over IPv4": Shape(4, datagrams=True),
    "UDP over IPv6": Shape(6, datagrams=True),
    "UDP in VXLAN": Shape(4, "vxlan", datagrams=True),
    "UDP in GRE": Shape(6, "gre", datagrams=True),
    "UDP in GRE with Ethernet inside": Shape(4, "gretap", 6, datagrams=True),
    "UDP in IPv4 in IPv4": Shape(4, "ip", datagrams=True),
    "UDP in IPv6 in IPv6": Shape(6, "ip", 6, datagrams=True),
}


@dataclass(slots=True)
class Offer:
    """Shapes that merge, by mode; names of all that do, and of what does not.

    `blind_to_extensions`: this kernel takes what is behind the IPv6 header of merged TCP for a TCP header when it sends
    it on, and drops the packet if it is none."""

    shapes: dict[str, list[Shape]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    blind_to_extensions: bool = False


def named(name: str, mode: str) -> str:
    return f"{name} ({mode})" if mode else name


def probe(shape: Shape) -> list[bytes]:
    """Two frames that continue each other."""
    ip = Ip(version=shape.version)
    draft = Draft(ip, Tcp(), 100, Udp() if shape.datagrams else None, tags=tag(5) * shape.tags)
    if shape.tunnel:
        draft.tunnel = Tunnel(kind=shape.tunnel, outer=Ip(version=shape.outer, source=9, destination=10))
    flow, dice = Flow(draft, 1), Dice(np.random.default_rng(0))
    return [flow.send(flow.draft(), dice) for _ in range(2)]


def offered(bench: Bench) -> Offer:
    """Probes every shape in every mode that concerns it; leaves the switches off."""
    offer = Offer()
    for mode, switches in MODES.items():
        names = [name for name, shape in SHAPES.items() if _concerns(mode, shape)]
        offer.shapes[mode] = []
        if not bench.switch(switches):
            offer.missing += [named(name, mode) for name in names]
            continue
        for name in names:
            if _merges(bench, SHAPES[name]):
                offer.shapes[mode].append(replace(SHAPES[name], chained=switches is FRAGLIST))
                offer.names.append(named(name, mode))
            else:
                offer.missing.append(named(name, mode))
    bench.switch(PLAIN)
    offer.blind_to_extensions = _is_blind_to_extensions(bench)
    return offer


def _merges(bench: Bench, shape: Shape) -> bool:
    """Whether any of many probes is merged: what is split by timing now need not be a little later."""
    sendings = (bench.send([probe(shape)] * PROBES) for _ in range(SENDINGS))
    return any(packet.gso_bytes for seen in sendings for one in seen for packet in one.merged)


def _is_blind_to_extensions(bench: Bench) -> bool:
    """What is taken for a data offset below 5 here is a byte of the sequence number."""
    ip = Ip(version=6, options=extension(tcp.PROTOCOL, padding_options(6)))
    burst = [Draft(ip, Tcp(seq=100 * k), 100).octets() for k in range(2)]
    seen = bench.send([burst] * PROBES)
    merges = any(packet.gso_bytes for one in seen for packet in one.merged)
    return merges and not any(one.forwarded for one in seen)


def _concerns(mode: str, shape: Shape) -> bool:
    """The switches are for UDP, rx-gro-list for TCP, too, and what it chains in a tunnel is not cut here."""
    if mode == "rx-gro-list":
        return not shape.tunnel and not shape.tags
    return shape.datagrams == bool(mode)
