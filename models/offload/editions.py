"""What changed in Linux GRO from edition to edition, as data: the rule book is one, these are its switches.

Models: the editions 6.1, 6.12 and 6.18 (the long-term kernels 6.1.192, 6.12.117 and 6.18.9, whose sources were read).
    2.6.29 differs in almost every rule and has a book of its own, `gro_first.py`.
Leaves out: what lies between two of them; a switch says since which release it holds where that is known.
Sources: named at each switch, files of the Linux tree.
Checked by: tests/models/offload/test_gro_editions.py; tests/kernel/ and `run.py kernel-check` against running kernels:
    6.18.44, 6.12.117 and 6.1.192 (docs/validation.md).
"""

from __future__ import annotations

# net/ipv4/tcp_offload.c, tcp_gro_receive(): CWR is one of the flags that must be equal. A frame with CWR never joins in
# any edition read, so with this none joins behind one either.
CWR_COMPARED = 1 << 0
# include/net/gro.h, inet_gro_flush(), 6.18: IDs may stand still whether or not DF is set. Before, with DF only.
FIXED_ID_WITHOUT_DF = 1 << 1
# the same, 6.18: the ID of the outer header of a tunnel is looked at whatever DF says, and has a bit of its own for
# standing still. Before, it is looked at without DF only, and must count up.
OUTER_ID = 1 << 2
# the same, 6.10 to 6.17: inner and outer header share one bit, so that a fixed inner ID asks for a fixed outer one.
ONE_FIXED_BIT = 1 << 3
# net/ipv4/af_inet.c, inet_gro_receive(), to 6.9: whether IDs stand still is decided when a second frame comes (the bit
# is called is_atomic), but a packet that came merged and has DF has no second frame: its IDs stand still.
MERGED_STAND_STILL = 1 << 4
# net/ipv4/af_inet.c, net/ipv6/ip6_offload.c, to 6.9: what bars a frame is written to the held packets of its flow, so
# that it completes the one it would have joined. Since then a datagram to chain may pass that by, for its checksum.
BARS_THE_HELD = 1 << 5
# net/ipv4/tcp_offload.c, tcp4_check_fraglist_gro(), 6.10: rx-gro-list chains TCP too.
TCP_FRAGLIST = 1 << 6
# net/core/gro.c, skb_gro_receive(), 6.3: IPv4 packets above 65,535 bytes, and IPv6 ones with extension headers.
BIG_IPV4 = 1 << 7
# net/core/gro.c, skb_gro_receive_list(): what is chained is not asked for its flush flag. 6.1.192 and 6.12.117 have the
# fix for that, 6.18 does not ask in 6.18.9 nor, as seen, in 6.18.44.
CHAINS_WHAT_IS_BARRED = 1 << 8
# net/ipv4/udp_offload.c, udp4_gro_complete(), and net/ipv6, in 6.1.192, no longer in 6.12.117: the sum that is left of
# the outer UDP checksum of a tunnel is over the addresses of the inner header, so that a cut writes a wrong checksum.
OUTER_SUM_OF_INNER = 1 << 9

EDITIONS = {
    "6.18": CWR_COMPARED | FIXED_ID_WITHOUT_DF | OUTER_ID | TCP_FRAGLIST | BIG_IPV4 | CHAINS_WHAT_IS_BARRED,
    "6.12": ONE_FIXED_BIT | TCP_FRAGLIST | BIG_IPV4,
    "6.1": MERGED_STAND_STILL | BARS_THE_HELD | OUTER_SUM_OF_INNER,
}
