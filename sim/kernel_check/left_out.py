"""Bursts that are not sent to older kernels, because of a mistake of theirs that is not worth a model.

Leaves out: what no kernel is sent; the generators do not make it.
Sources: udp6_lib_lookup_skb() of Linux 6.1 in net/ipv6/udp.c and udp_gro_complete() in net/ipv4/udp_offload.c; struct
    napi_gro_cb in include/net/gro.h; struct inet6_skb_parm in include/linux/ipv6.h.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.wire import ethernet, geneve, ipv4, ipv6, udp, vxlan
from sim.kernel_check.frames import get16

# GRO looks for the socket of a tunnel over UDP over IPv6 when a packet is complete. 6.1 asks the control block of IPv6,
# where at that time GRO's is, whether a device of a VRF is meant, and so reads bit 6 of what GRO has against the frame
# that came last (`flush`). Where it is set, no socket is found, the packet goes up with stale inner headers, and a cut
# refuses it. 6.12 looks elsewhere.
FINDS_SOCKETS = (6, 6)
BIT = 1 << 6


def is_left_out(burst: Sequence[bytes], release: tuple[int, int]) -> bool:
    """Whether two frames in a tunnel over UDP over IPv6 may set that bit: inner IPv4 headers differ in it, in hop limit
    or ToS, or in DF, which is that bit of the word as little-endian machines read it."""
    if release >= FINDS_SOCKETS:
        return False
    inner = [packet for frame in burst if (packet := _inner_ipv4(frame))]
    marks = {(packet[ipv4.TTL] & BIT, packet[ipv4.TOS] & BIT, packet[ipv4.FRAGMENT] & BIT) for packet in inner}
    return len(marks) > 1 or any(_is_barred(packet) for packet in inner)


def _is_barred(packet: bytes) -> bool:
    """Whether length or fragment bits, which bar the frame, have the bit."""
    length, word = (get16(packet, at) for at in (ipv4.TOTAL_LENGTH, ipv4.FRAGMENT))
    return bool((length ^ len(packet) | word & ~ipv4.DF) & BIT)


def _inner_ipv4(frame: bytes) -> bytes:
    """The IPv4 packet in a tunnel over UDP over IPv6; empty if there is none."""
    l4 = ethernet.HEADER_BYTES + ipv6.HEADER_BYTES
    at = l4 + udp.HEADER_BYTES + vxlan.HEADER_BYTES
    if get16(frame, ethernet.ETHERTYPE) != ethernet.IPV6 or len(frame) < at:
        return b""
    if frame[ethernet.HEADER_BYTES + ipv6.NEXT_HEADER] != udp.PROTOCOL:
        return b""
    port = get16(frame, l4 + udp.DESTINATION_PORT)
    if port == geneve.PORT:
        at += (frame[l4 + udp.HEADER_BYTES] & 63) * 4
    elif port != vxlan.PORT:
        return b""
    packet = frame[at + ethernet.HEADER_BYTES :]
    is_ipv4 = get16(frame, at + ethernet.ETHERTYPE) == ethernet.IPV4
    return packet if is_ipv4 and len(packet) >= ipv4.MINIMUM_BYTES else b""
