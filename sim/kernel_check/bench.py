"""The bench: pairs of virtual Ethernet devices through which bursts are sent, and what GRO and IP forwarding made of
them is read.

    outside       router                          outside
    a0  ------>   r0 (GRO) -> IP -> GSO -> o0  --> c0         lane 0, and so on

What the kernel must be told for a burst to be merged as one poll would:
- veth has NAPI, and so GRO, where GRO is on at the receiving end and TSO is off at the sending end;
- a first frame that no protocol knows wakes the poll, and `napi_defer_hard_irqs` of 1 with `gro_flush_timeout` keeps
  the device polled by a timer from then on: what follows waits in the ring, is taken by one poll when the timer fires,
  and what is held then is delivered by the next, empty one.
So a burst of at most 60 frames, sent within the timeout, is one poll. All lanes are loaded first and read after.

Leaves out: devices with a receive hash: on veth all flows share one bucket.
Sources: Linux drivers/net/veth.c, net/core/dev.c (napi_complete_done), Documentation/networking/napi.rst, packet(7),
    include/uapi/linux/virtio_net.h.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sim.kernel_check.namespace import Namespace, Unavailable

LANES = 16
MTU_BYTES = 9000
TIMEOUT_NS = 4_000_000
WAIT_S = 3e-9 * TIMEOUT_NS
MAX_FRAMES = 60  # a poll takes 64
WAKER_ETHERTYPE, UNKNOWN_ETHERTYPE = 0x88B5, 0x88B6  # IEEE 802 local experimental: no protocol handler knows them

SENDER_MAC = bytes.fromhex("02a000000001")
ROUTER_MAC = bytes.fromhex("02a000000002")
EGRESS_MAC = bytes.fromhex("02a000000003")
FINAL_MAC = bytes.fromhex("02a000000004")
_WAKER = ROUTER_MAC + bytes.fromhex("02a0000000ff") + struct.pack(">H", WAKER_ETHERTYPE) + bytes(46)

# <linux/if_packet.h>, <linux/if_ether.h>, <linux/virtio_net.h>
SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 8, 15, 23
ETH_P_ALL = 3
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # <asm-generic/socket.h>
_VNET = struct.Struct("=BBHHHH")
_AUX = struct.Struct("=IIIHHHH")
VNET_NEEDS_CSUM = 1
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
TP_STATUS_CSUMNOTREADY = 1 << 3
_LARGEST = 1 << 17
_BUFFER_BYTES = 16 << 20

Ancillary = Sequence[tuple[int, int, bytes]]


# virtio_net_hdr_from_skb() names merged datagrams since then; before, a packet socket with that header fails on them.
NAMES_DATAGRAMS = (6, 2)
UNTOLD = -1


class Packet(NamedTuple):
    """A packet as a packet socket shows it; or as we say it would.

    `checksum_at`: where the checksum that is left to the card is, 0 if none is; `checksum_from`: from where it sums.
    All but the octets may be UNTOLD, where all that is known of a checksum is that it is left to the card."""

    octets: bytes
    gso_bytes: int
    gso_type: int  # VIRTIO_NET_HDR_GSO_*
    checksum_from: int
    checksum_at: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What one burst became: after GRO, and on the far side of the router."""

    merged: list[Packet]
    forwarded: list[Packet]


class _Tap:
    """Reads what a device receives. Where the header of packet sockets cannot name a merged datagram, such a one is
    read from a second socket without that header."""

    def __init__(self, device: str, release: tuple[int, int]) -> None:
        self._named = _packet_socket(device, header=1)
        self._plain = None if release >= NAMES_DATAGRAMS else _packet_socket(device, header=0)

    def close(self) -> None:
        self._named.close()
        if self._plain is not None:
            self._plain.close()

    def read(self, wanted: bytes) -> list[Packet]:
        """Everything that waits and whose MAC addresses begin with `wanted`; wakers are left out. What cannot be named
        is missing if either socket has missed a packet, and whoever compares sends again."""
        packets = list(_waiting(self._named, _named))
        if self._plain is not None:
            plain = list(_waiting(self._plain, _untold))
            if len(plain) == len(packets):
                packets = [one or other for one, other in zip(packets, plain)]
        return [p for p in packets if p and p.octets.startswith(wanted) and p.octets[12:14] != _WAKER[12:14]]


def _waiting(end: socket.socket, packet: Callable[[bytes, Ancillary], Packet]) -> Iterator[Packet | None]:
    """All that a packet socket has; None for what it cannot name."""
    while True:
        try:
            data, ancillary, _, _ = end.recvmsg(_LARGEST, 256)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            yield None
        else:
            yield packet(data, ancillary)


def _packet_socket(device: str, *, header: int) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER_BYTES)
    made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, header)
    made.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    made.bind((device, ETH_P_ALL))
    made.setblocking(False)
    return made


def _named(data: bytes, ancillary: Ancillary) -> Packet:
    flags, kind, _, gso_bytes, start, offset = _VNET.unpack_from(data)
    tag = _tag(_status(ancillary))
    octets = data[_VNET.size :]
    start, at = (start + len(tag), start + offset + len(tag)) if flags & VNET_NEEDS_CSUM else (0, 0)
    return Packet(octets[:12] + tag + octets[12:], gso_bytes, kind, start, at)


def _untold(octets: bytes, ancillary: Ancillary) -> Packet:
    """A packet of which the kernel says only what is in it, and whether its checksum is left to the card."""
    status = _status(ancillary)
    left = UNTOLD if status[0] & TP_STATUS_CSUMNOTREADY else 0
    return Packet(octets[:12] + _tag(status) + octets[12:], UNTOLD, UNTOLD, left, left)


def _status(ancillary: Ancillary) -> Sequence[int]:
    """The fields of tpacket_auxdata."""
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            return _AUX.unpack_from(data)
    return (0,) * 7


def _tag(status: Sequence[int]) -> bytes:
    """The VLAN tag that the kernel took out of the frame, empty if it had none."""
    flags, _, _, _, _, tci, tpid = status
    if flags & TP_STATUS_VLAN_VALID:
        return struct.pack(">HH", tpid if flags & TP_STATUS_VLAN_TPID_VALID else 0x8100, tci)
    return b""


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Nobody else gets this core meanwhile, where that is allowed: a burst that is interrupted is split."""
    before, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, before, parameters)


class Bench:
    """Two namespaces and the lanes between them, on a kernel of that release. Unavailable if this machine has not what
    it takes."""

    def __init__(self, release: tuple[int, int], lanes: int = LANES) -> None:
        self._release = release
        self._lanes = lanes
        self._router, self._outside = Namespace(), Namespace()
        self._senders: list[socket.socket] = []
        self._merged: list[_Tap] = []
        self._forwarded: list[_Tap] = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """With the last socket and the last open file the namespaces and all that is in them are gone."""
        for sender in self._senders:
            sender.close()
        for tap in (*self._merged, *self._forwarded):
            tap.close()
        self._router.close()
        self._outside.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def switch(self, switches: Mapping[str, bool]) -> bool:
        """Set features of the receiving devices, named as ethtool does but with `_`; False if they do not have them."""
        words = [word for name, on in switches.items() for word in (name.replace("_", "-"), "on" if on else "off")]
        try:
            for k in range(self._lanes):
                self._router.run("ethtool", "-K", f"r{k}", *words)
        except Unavailable:
            return False
        return True

    def send(self, bursts: Sequence[Sequence[bytes]]) -> list[Seen]:
        """Each burst through a lane of its own, all at once; at most as many as there are lanes."""
        for k in range(len(bursts)):  # what came too late for the last reading
            self._read(k)
        with _undisturbed():
            for sender, burst in zip(self._senders, bursts):
                sender.send(_WAKER)
                for frame in burst:
                    sender.send(frame)
        time.sleep(WAIT_S)
        return [self._read(k) for k in range(len(bursts))]

    def _read(self, lane: int) -> Seen:
        return Seen(self._merged[lane].read(ROUTER_MAC), self._forwarded[lane].read(FINAL_MAC + EGRESS_MAC))

    def _build(self) -> None:
        router, outside = self._router, self._outside
        quiet = [("ipv6/conf/all/disable_ipv6", 1), ("ipv6/conf/default/disable_ipv6", 1)]
        outside.write(quiet)
        router.write(_ROUTER_SYSCTLS)
        outside.run("ip", "-batch", "-", given="".join(self._links()))
        for k in range(self._lanes):
            outside.run("ethtool", "-K", f"a{k}", "tso", "off")
            router.run("ethtool", "-K", f"r{k}", "gro", "on")
            router.run("ethtool", "-K", f"o{k}", *_NO_SEGMENTATION)
        up = (f"link set {end}{k} up\n" for k in range(self._lanes) for end in "ro")
        router.run("ip", "-batch", "-", given="link set lo up\n" + "".join(up))
        for family, gateway in (("-4", "10.255.255.254"), ("-6", "fe80::ff")):
            router.run("ip", family, "-batch", "-", given="".join(self._routes(gateway)))
        for tunnel in ("vxlan dstport 4789", "geneve dstport 6081"):  # a socket, without which UDP knows no tunnel
            with contextlib.suppress(Unavailable):
                router.run("ip", "link", "add", tunnel[:2], "type", *tunnel.split(), "external")
                router.run("ip", "link", "set", tunnel[:2], "up")
        router.run("unshare", "--mount", "sh", "-ec", _HOLD_BURSTS, given="")
        with outside.entered():
            for k in range(self._lanes):
                sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                sender.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, _BUFFER_BYTES)  # or a burst of large frames waits
                sender.bind((f"a{k}", 0))
                self._senders.append(sender)
                self._forwarded.append(_Tap(f"c{k}", self._release))
        with router.entered():
            # What no protocol takes would be given to a tap behind what follows it (__netif_receive_skb_list_core).
            self._senders.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(UNKNOWN_ETHERTYPE)))
            self._senders[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
            self._merged = [_Tap(f"r{k}", self._release) for k in range(self._lanes)]

    def _links(self) -> Iterator[str]:
        for k in range(self._lanes):
            for near, near_mac, far, far_mac in (
                (f"a{k}", SENDER_MAC, f"r{k}", ROUTER_MAC),
                (f"c{k}", FINAL_MAC, f"o{k}", EGRESS_MAC),
            ):
                common = f"mtu {MTU_BYTES} txqueuelen 0 numrxqueues 1 numtxqueues 1"
                yield (
                    f"link add {near} address {near_mac.hex(':')} {common} type veth peer name {far} "
                    f"address {far_mac.hex(':')} {common} netns {self._router.path}\n"
                )
                yield f"link set {near} up\n"

    def _routes(self, gateway: str) -> Iterator[str]:
        """Whatever comes in by r<k> goes out by o<k>, to a neighbour that needs no answer to be known."""
        for k in range(self._lanes):
            yield f"neigh add {gateway} lladdr {FINAL_MAC.hex(':')} dev o{k} nud permanent\n"
            yield f"route add default via {gateway} dev o{k} onlink table {100 + k}\n"
            yield f"rule add iif r{k} lookup {100 + k}\n"


_ROUTER_SYSCTLS = (
    ("ipv4/ip_forward", 1),
    ("ipv4/conf/all/rp_filter", 0),
    ("ipv4/conf/default/rp_filter", 0),
    ("ipv4/conf/all/send_redirects", 0),
    ("ipv4/conf/default/send_redirects", 0),
    ("ipv6/conf/all/forwarding", 1),
    ("ipv6/conf/default/forwarding", 1),
    ("ipv6/conf/default/addr_gen_mode", 1),  # no link-local address, so no neighbour discovery of its own
    ("ipv6/conf/default/accept_ra", 0),
    ("ipv6/conf/default/accept_dad", 0),
    ("ipv6/conf/default/router_solicitations", 0),
)
_NO_SEGMENTATION = ("tso", "off", "gso", "off", "tx-udp-segmentation", "off", "tx-gso-list", "off", "tx", "off")
_HOLD_BURSTS = f"""
mount -t sysfs sysfs /sys
for device in /sys/class/net/r[0-9]*; do
    echo 1 > $device/napi_defer_hard_irqs
    echo {TIMEOUT_NS} > $device/gro_flush_timeout
done
"""
