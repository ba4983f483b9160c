"""From a scenario to wired components; the only file that knows all nodes.

Components are made in the scenario's order, which is the order in which alarms of one instant ring; the cores act last,
when all else of the instant is known.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_interface

import numpy as np

from models.cpu.profiles import PROFILES, Profile
from models.host.sockets import Sockets
from models.memory import Memory
from models.offload.engine import Engine, make, parameters
from models.offload.names import LINUX_GRO, Place
from models.packet import Address, Route
from models.path import PathDraws
from models.queue import Ports
from models.tcp.config import TcpConfig
from models.tcp.connection import UNLIMITED
from models.tcp.endpoint import Endpoints
from sim.clock import Clock
from sim.nodes.core import Core
from sim.nodes.cores import Cores
from sim.nodes.host import Host, Socket
from sim.nodes.ledger import Ledger
from sim.nodes.link import Cable, RoughCable
from sim.nodes.napi import Napi
from sim.nodes.nic import Nic, NicSettings
from sim.nodes.port import Port
from sim.nodes.router import Router
from sim.scenario import Flow, Link, LinkEnd, Scenario, variant
from sim.scenario import Nic as NicScenario
from sim.scenario import Node as NodeScenario

FIRST_PORT = 40_000
SERVER_PORT = 5_001
FIRST_GRO = "gro-2.6.29"  # whose packets hold as many frames as the sk_buff has room for fragments
INET_LRO = "lro-driver"  # the engine that chains page fragments, so the sk_buff's room for them is its limit


class BuildError(ValueError):
    """A scenario that is well-formed but cannot be wired; the message is one line."""


@dataclass(slots=True)
class BuiltNode:
    """One machine. `model` is what its polls hand packets to."""

    name: str
    model: Host | Router
    ledger: Ledger
    cores: list[Core]
    nics: dict[str, Nic] = field(default_factory=dict)
    napis: dict[str, Napi] = field(default_factory=dict)
    engines: list[Engine] = field(default_factory=list)


@dataclass(slots=True)
class World:
    """All of a scenario, wired, at time 0."""

    clock: Clock
    nodes: dict[str, BuiltNode]
    sockets: list[Socket]  # the receiving end of every connection, in the order of the flows
    links: list[Ledger]
    lines: list[Cable | RoughCable]


def build(scenario: Scenario) -> World:
    """Wires a scenario without variants. BuildError if a flow has no path or a host no usable card."""
    return _Builder(scenario).world()


def mistakes(scenario: Scenario) -> list[str]:
    """What keeps any variant from being wired, one line each; none when all can be."""
    lines: dict[str, None] = {}
    for name in scenario.variants or ("base",):
        try:
            build(variant(scenario, name))
        except BuildError as error:
            lines[f"{scenario.name}: {error}"] = None
    return list(lines)


class _Builder:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._clock = Clock()
        self._frame_ids = np.zeros(1, np.int64)
        cards, lines = sum(len(node.nics) for node in scenario.nodes.values()), 2 * len(scenario.links)
        self._memory = Memory(queues=2 * cards + 2 * lines)  # what arrives and a ring; what waits and a rough cable's
        self._line_ends = Ports(self._memory, ports=lines)
        self._cores = Cores(
            self._clock,
            cores=sum(node.cores for node in scenario.nodes.values()),
            cards=cards,
            hosts=sum(node.kind == "host" for node in scenario.nodes.values()),
            line_ends=self._line_ends,
            one_by_one=scenario.max_train_frames is not None,
        )
        self._made = Counter[str]()  # cores, cards and hosts so far
        self._nodes: dict[str, BuiltNode] = {}
        self._ports: dict[LinkEnd, Port] = {}
        self._peer: dict[LinkEnd, LinkEnd] = {}
        self._addresses: dict[LinkEnd, dict[int, Address]] = {}
        self._macs = {
            LinkEnd(node, nic): bytes((2, 0, 0, 0, n >> 8, n & 0xFF))
            for n, (node, nic) in enumerate(
                ((node, nic) for node, machine in scenario.nodes.items() for nic in machine.nics), start=1
            )
        }
        self._links: list[Ledger] = []
        self._lines: list[Cable | RoughCable] = []

    def world(self) -> World:
        for name, machine in self._scenario.nodes.items():
            self._nodes[name] = self._node(name, machine)
        for number, link in enumerate(self._scenario.links):
            first, second = link.ends
            self._peer[first], self._peer[second] = second, first
            self._assign_addresses(number, first, second)
            ledger = Ledger()
            self._links.append(ledger)
            for direction, (near, far) in enumerate(((first, second), (second, first))):
                self._line(number * 2 + direction, link, near, far, ledger)
        self._attach_ports()
        for name, node in self._nodes.items():
            if isinstance(node.model, Router):
                self._route(name, node.model)
        sockets = [
            self._connect(flow, f"{flow.name}-{k}" if flow.count > 1 else flow.name, number)
            for number, (flow, k) in enumerate((flow, k) for flow in self._scenario.flows for k in range(flow.count))
        ]
        self._cores.start()
        return World(self._clock, self._nodes, sockets, self._links, self._lines)

    def _node(self, name: str, machine: NodeScenario) -> BuiltNode:
        ledger = Ledger()
        cores = []
        for number in range(machine.cores):
            cards = sum(nic.core == number for nic in machine.nics.values())
            cores.append(self._core(machine, cards))
        model: Host | Router
        if machine.kind == "host":
            model = self._host(name, machine, ledger, cores)
        else:
            model = Router(ledger=ledger, line_ends=self._line_ends)
        node = BuiltNode(name, model, ledger, cores)
        for number in range(machine.cores):  # the cards of a core are numbered one after the other
            for nic_name, settings in machine.nics.items():
                if settings.core == number:
                    self._card(node, nic_name, settings, machine)
        return node

    def _core(self, machine: NodeScenario, cards: int) -> Core:
        number, first_card = self._made["cores"], self._made["cards of cores"]
        self._made["cores"] += 1
        self._made["cards of cores"] += cards
        return Core(
            self._cores.words[number],
            profile=PROFILES[machine.profile],
            first_card=first_card,
            cards=cards,
            measured_from_ps=self._scenario.warmup_ps,
            measured_to_ps=self._scenario.duration_ps,
        )

    def _host(self, name: str, machine: NodeScenario, ledger: Ledger, cores: list[Core]) -> Host:
        if len({nic.core for nic in machine.nics.values()}) > 1:
            raise BuildError(f"nodes.{name}: found cards on several cores, wanted one core for all cards of a host")
        core = cores[next(iter(machine.nics.values())).core] if machine.nics else cores[0]
        number = self._made["hosts"]
        self._made["hosts"] += 1
        core.run_host(number)
        ends = sum((flow.count * [flow.sender, flow.receiver].count(name)) for flow in self._scenario.flows)
        return Host(
            ledger=ledger,
            core=core,
            line_ends=self._line_ends,
            sockets=Sockets(
                Endpoints(ends),
                words=self._cores.hosts[number],
                frame_ids=self._frame_ids,
                tso=all(nic.tso for nic in machine.nics.values()),
            ),
        )

    def _card(self, node: BuiltNode, nic_name: str, settings: NicScenario, machine: NodeScenario) -> None:
        profile = PROFILES[machine.profile]
        limits = {"mtu_bytes": settings.mtu_bytes} if "mtu_bytes" in parameters(settings.lro_engine) else {}
        if settings.lro_engine == INET_LRO and profile.agg_max_frags:
            limits["max_segments"] = profile.agg_max_frags
        audit = node.name == self._scenario.observe
        gro = self._gro(settings, profile, is_host=machine.kind == "host", audit=audit) if settings.gro else None
        lro = make(settings.lro_engine, audit=audit, **limits) if settings.lro else None
        driver_lro = lro if lro and lro.place is Place.DRIVER else None
        hardware_lro = None if driver_lro is lro else lro
        cut = self._scenario.max_train_frames
        number = self._made["cards"]
        self._made["cards"] += 1
        nic = Nic(
            self._cores.cards[number],
            number=number,
            settings=NicSettings(
                rx_ring_frames=settings.rx_ring_frames,
                rx_usecs_ps=settings.rx_usecs_ps,
                rx_frames=settings.rx_frames,
                rx_checksum=settings.rx_checksum,
            ),
            hardware_lro=hardware_lro,
            memory=self._memory,
            ledger=node.ledger,
            max_train_frames=cut,
        )
        core = node.cores[settings.core]
        napi = Napi(
            nic=nic,
            core=core,
            serves=node.model,
            rank_in=settings.core if isinstance(node.model, Router) else 0,
            gro=gro,
            driver_lro=driver_lro,
            ledger=node.ledger,
            hz=machine.hz,
            gro_flush_timeout_ps=settings.gro_flush_timeout_ps,
            napi_defer_hard_irqs=settings.napi_defer_hard_irqs,
            max_train_frames=cut,
        )
        self._cores.serve(napi)
        node.nics[nic_name], node.napis[nic_name] = nic, napi
        node.engines += [engine for engine in (hardware_lro, driver_lro, gro) if engine is not None]

    @staticmethod
    def _gro(settings: NicScenario, profile: Profile, *, is_host: bool, audit: bool) -> Engine:
        """The stack's engine on a card, with the parameters it has."""
        given: dict[str, int] = {}
        if settings.gro_engine in LINUX_GRO:
            given = {
                "max_bytes": settings.gro_max_bytes,
                "rx_gro_list": settings.rx_gro_list,
                "rx_udp_gro_forwarding": settings.rx_udp_gro_forwarding,
                "tcp_socket": is_host,  # where connections end, frames are not chained
            }
        elif settings.gro_engine == FIRST_GRO and profile.agg_max_frags:
            given = {"max_frags": profile.agg_max_frags}
        return make(settings.gro_engine, audit=audit, **given)

    def _assign_addresses(self, number: int, first: LinkEnd, second: LinkEnd) -> None:
        for side, end in enumerate((first, second), start=1):
            mine: dict[int, Address] = {
                4: IPv4Address(f"10.{number >> 8}.{number & 0xFF}.{side}"),
                6: IPv6Address(f"fd00::{number:x}:{side}"),
            }
            if given := self._scenario.nodes[end.node].nics[end.nic].address:
                address = ip_interface(given).ip
                mine[address.version] = address
            self._addresses[end] = mine

    def _line(self, direction: int, link: Link, near: LinkEnd, far: LinkEnd, ledger: Ledger) -> None:
        scenario = self._scenario
        far_end = self._nodes[far.node].nics[far.nic]
        cable: Cable | RoughCable
        if link.loss or link.jitter_ps:
            cable = RoughCable(
                self._clock,
                delay_ps=link.delay_ps,
                far_end=far_end,
                memory=self._memory,
                max_train_frames=scenario.max_train_frames,
                draws=PathDraws(seed=scenario.seed, link=direction, loss=link.loss, jitter_ps=link.jitter_ps),
                ledger=ledger,
            )
        else:
            cable = Cable(delay_ps=link.delay_ps, far_end=far_end)
        node = self._nodes[near.node]
        is_router = isinstance(node.model, Router)
        card = scenario.nodes[near.node].nics[near.nic]
        port = self._ports[near] = Port(
            ports=self._line_ends,
            rate_bps=link.rate_bps,
            queue_frames=link.queue_frames if is_router else None,
            cable=cable,
            inputs=len(node.cores) if is_router else 1,
            ledger=node.ledger,
            mtu_bytes=card.mtu_bytes,
            cuts=card.tso,
            max_train_frames=scenario.max_train_frames,
        )
        self._cores.add(port)
        if isinstance(node.model, Router):
            node.model.attach(port, macs=self._macs[far] + self._macs[near])
        self._lines.append(cable)

    def _attach_ports(self) -> None:
        for end, port in self._ports.items():
            model = self._nodes[end.node].model
            if isinstance(model, Host):
                if model.ports:
                    raise BuildError(f"nodes.{end.node}: found two linked cards, wanted one on a host")
                model.attach(port)

    def _next_hops(self, towards: str) -> dict[str, LinkEnd]:
        """For every node with a path to the node `towards`: by which of its cards; fewest links, first link first."""
        hops: dict[str, LinkEnd] = {}
        seen, queue = {towards}, deque([towards])
        while queue:
            reached = queue.popleft()
            if reached != towards and isinstance(self._nodes[reached].model, Host):
                continue  # hosts do not forward
            for end, peer in self._peer.items():
                if peer.node == reached and end.node not in seen:
                    seen.add(end.node)
                    hops[end.node] = end
                    queue.append(end.node)
        return hops

    def _route(self, name: str, router: Router) -> None:
        for other, node in self._nodes.items():
            if not isinstance(node.model, Host):
                continue
            near = self._next_hops(other).get(name)
            if near is None:
                continue
            for end, addresses in self._addresses.items():
                if end.node == other:
                    for address in addresses.values():
                        router.route(address.packed, self._ports[near])

    def _connect(self, flow: Flow, name: str, number: int) -> Socket:
        """Both sockets of one connection; the receiving one is returned."""
        near = self._next_hops(flow.receiver).get(flow.sender)
        far = self._next_hops(flow.sender).get(flow.receiver)
        if near is None or far is None:
            raise BuildError(f"flows.{flow.name}: found no path from {flow.sender} to {flow.receiver}, wanted links")
        rng = np.random.default_rng(np.random.SeedSequence((self._scenario.seed, number, 0x7C9)))
        draw = [int(value * 2**32) for value in rng.random(6)]
        scale = _window_scale(flow.window_bytes)
        sockets = []
        for side, (own, other) in enumerate(((near, far), (far, near))):
            mtu = self._scenario.nodes[own.node].nics[own.nic].mtu_bytes
            ip_bytes = 20 if flow.ip == 4 else 40
            stamps = 12 if flow.timestamps else 0
            other_mtu = self._scenario.nodes[other.node].nics[other.nic].mtu_bytes
            mss = min(mtu, other_mtu) - ip_bytes - 20 - stamps
            config = TcpConfig(
                mss_bytes=mss,
                advertised_mss=mtu - ip_bytes - 20,
                receive_buffer_bytes=flow.window_bytes if side else 1 << 16,
                window_scale=scale,
                timestamps=flow.timestamps,
                congestion=flow.congestion,
                tso_bytes=(65535 - ip_bytes - 20 - stamps) // mss * mss,
                initial_sequence=draw[side],
                tsval_offset=draw[2 + side],
            )
            ports = (FIRST_PORT + number, SERVER_PORT + number)
            host = self._nodes[own.node].model
            assert isinstance(host, Host)
            route = Route(
                source_mac=self._macs[own],
                destination_mac=self._macs[self._peer[own]],
                source=self._addresses[own][flow.ip],
                destination=self._addresses[other][flow.ip],
                source_port=ports[side],
                destination_port=ports[1 - side],
                stream=2 * number + 1 + side,
            )
            socket = host.connect(config, route, active=side == 0, flow=name, ident=draw[4 + side] & 0xFFFF)
            sockets.append(socket)
        client, server = sockets
        client.connection.write(UNLIMITED if flow.total_bytes is None else flow.total_bytes)
        client.opens_at_ps = flow.start_ps
        client.closes = flow.total_bytes is not None
        server.connection.open(0)
        return server


def _window_scale(window_bytes: int) -> int:
    """The smallest shift with which 16 bits hold the window, RFC 7323 section 2.3; at most 14."""
    return min(14, max(0, (window_bytes >> 16).bit_length()))
