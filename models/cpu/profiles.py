"""What each kind of receive work costs on a few kinds of machine.

Models: cycles per interrupt, poll, packet, byte and hop on a 2008 Xeon, a 2021 Xeon (softirq on the application's core
    or on another one) and a generic machine in between; `free` makes the CPU no limit.
Leaves out: that one linear price list cannot fit all published rows: jumbo frames without GRO cost less on the 2021
    machine than it says (10 % with the softirq on the same core, 32 % across cores); other sizes of cache; SMT.
Sources: cited below as
    [Cai]       Cai et al., Understanding Host Network Stack Overheads, SIGCOMM 2021, and the authors' published data
    [Menon]     Menon and Zwaenepoel, Optimizing TCP Receive Performance, USENIX ATC 2008 (abstract; 14 % copy share)
    [s2io]      R. Arakali, Linux commit 7d3d0439f574 (2006): 3.5 Gb/s without, 7.1 Gb/s with LRO on a 2-way Xeon
    [Brouer]    J. D. Brouer's cpumap measurements in github.com/xdp-project/xdp-project, 3.6 GHz Xeon E5-1650 v4
    [XDP]       Hoiland-Jorgensen et al., The eXpress Data Path, CoNEXT 2018, and its published data, same CPU
    [Cree]      E. Cree, Linux merge 2339ef1cf327 (2019): 10 GbE with and without GRO, softirq on another core
    [vhost]     J. Wang's tun/vhost skb_array series (about 2016): 769 to 667 ns per packet into a guest
    [2.6.35]    the Linux 2.6.35 tree: MAX_SKB_FRAGS = 65536/4096 + 2
Checked by: tests/models/cpu/test_profiles.py: 2008 within 5 % of [s2io], the Xen ratio of [Menon] within 5 %, 2021
    within 5 % of [Cai] for frames of 1500 bytes and 11 % for jumbo frames (35 % without GRO across cores), [XDP]
    forwarding within 2 %, [Cree] within 15 %.

Marks. measured: a published figure as it stands. derived: computed from published figures, or fitted to reproduce them.
assumed: chosen by us, with the sentence why where there is one; change it when you know better.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from models.cpu.costs import COST_PER_CYCLE as CYCLE
from models.cpu.costs import KINDS


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Prices [1/10,000 cycle] by kind, per unit; `copy`, `page` and `csum` per byte. One field per `costs.Kind`."""

    name: str
    hz: int  # cycles/s of one core
    agg_max_frags: int  # frames a page-fragment array holds, which caps LRO and GRO of the time; 0: no such cap
    irq: int
    napi_poll: int
    drv: int
    gro_inspect: int
    gro_merge: int
    lro_inspect: int
    frag: int
    skb: int
    stack: int
    ack: int
    wake: int
    copy: int
    page: int
    csum: int
    fwd: int
    bridge: int
    conntrack: int
    gso_seg: int
    fraglist_seg: int
    vhop: int
    vfrag: int
    tx: int = 0  # unpublished apart from the rest: a sender is not the limit in any of the sources, so it is free here

    @cached_property
    def cost(self) -> tuple[int, ...]:
        """The prices in the order of `costs.Kind`."""
        return tuple(getattr(self, kind) for kind in KINDS)


XEON_2008 = Profile(
    name="2008-xeon-10g",
    hz=3_000_000_000,  # assumed: [s2io] names no clock, [Menon] had 3.8 GHz
    agg_max_frags=18,  # measured: [2.6.35], one page fragment per frame
    irq=4000 * CYCLE,  # assumed
    napi_poll=1000 * CYCLE,  # assumed
    drv=1800 * CYCLE,  # derived: fitted to [s2io]
    gro_inspect=300 * CYCLE,  # derived: [Brouer] 94 times 3 for the older CPU (the 3 is assumed)
    gro_merge=300 * CYCLE,  # assumed: as gro_inspect
    lro_inspect=400 * CYCLE,  # assumed
    frag=500 * CYCLE,  # assumed
    skb=1700 * CYCLE,  # derived: fitted to [s2io]
    stack=3000 * CYCLE,  # derived: fitted to [s2io] and [Menon]
    ack=2600 * CYCLE,  # assumed
    wake=2000 * CYCLE,  # assumed
    copy=9_000,  # 0.9 cycles per byte; derived: [Menon] 14 % of receive cycles
    page=0,  # in frag and skb
    csum=1 * CYCLE,  # assumed
    fwd=3500 * CYCLE,  # assumed: scaled from the generic column
    bridge=2500 * CYCLE,  # assumed
    conntrack=2500 * CYCLE,  # assumed
    gso_seg=1500 * CYCLE,  # assumed
    fraglist_seg=1500 * CYCLE,  # assumed: frag lists are younger than this machine; priced as gso_seg, not as free
    vhop=15_000 * CYCLE,  # assumed: Xen netback and bridge; with vfrag it meets the 1.86 of [Menon]
    vfrag=15_000 * CYCLE,  # assumed: Xen grant copy
)

XEON_2021_SAME_CORE = Profile(
    name="2021-xeon-100g-samecore",
    hz=3_400_000_000,  # measured: [Cai] Xeon Gold 6128
    agg_max_frags=0,
    irq=2000 * CYCLE,  # assumed
    napi_poll=600 * CYCLE,  # assumed
    drv=250 * CYCLE,  # derived: [Cai] netdev share minus GRO
    gro_inspect=94 * CYCLE,  # measured: [Brouer] 26 ns at 3.6 GHz
    gro_merge=60 * CYCLE,  # assumed
    lro_inspect=110 * CYCLE,  # assumed
    frag=40 * CYCLE,  # assumed
    skb=150 * CYCLE,  # derived: [Cai] skb row, 212 per 9000-byte frame
    stack=900 * CYCLE,  # derived: fitted to [Cai]
    ack=700 * CYCLE,  # assumed
    wake=1000 * CYCLE,  # assumed
    copy=3_500,  # 0.35; derived: [Cai] copy share of the "all" row
    page=1_875,  # 0.1875; derived: [Cai] difference of 1500- and 9000-byte frames
    csum=2_500,  # 0.25; assumed
    fwd=1100 * CYCLE,  # assumed: scaled from the generic column
    bridge=800 * CYCLE,  # assumed
    conntrack=900 * CYCLE,  # assumed
    gso_seg=400 * CYCLE,  # assumed
    fraglist_seg=180 * CYCLE,  # assumed
    vhop=1500 * CYCLE,  # assumed: vhost
    vfrag=200 * CYCLE,  # assumed
)

XEON_2021_CROSS_CORE = Profile(
    name="2021-xeon-100g-crosscore",
    hz=3_400_000_000,  # measured: [Cai]
    agg_max_frags=0,
    irq=2000 * CYCLE,  # assumed
    napi_poll=600 * CYCLE,  # assumed
    drv=650 * CYCLE,  # derived: [Cai] netdev row without GRO, 753 with the hand-up
    gro_inspect=94 * CYCLE,  # measured: [Brouer]
    gro_merge=110 * CYCLE,  # derived: [Cai] netdev 878 with GRO against 753
    lro_inspect=150 * CYCLE,  # assumed
    frag=60 * CYCLE,  # assumed
    skb=450 * CYCLE,  # derived: [Cai] skb row, 590 without and 345 with GRO
    stack=4600 * CYCLE,  # derived: [Cai] tcp/ip and lock rows, 5175, minus half an ACK
    ack=2000 * CYCLE,  # assumed: the split of the same 5175
    wake=3000 * CYCLE,  # assumed
    copy=5_000,  # 0.50; derived: [Cai] 0.41 to 0.53
    page=1_900,  # 0.19; derived: as on the same core
    csum=2_500,  # 0.25; assumed
    fwd=1100 * CYCLE,  # assumed: forwarding does not depend on where an application runs; so to the end
    bridge=800 * CYCLE,  # assumed
    conntrack=900 * CYCLE,  # assumed
    gso_seg=400 * CYCLE,  # assumed
    fraglist_seg=180 * CYCLE,  # assumed
    vhop=1500 * CYCLE,  # assumed
    vfrag=200 * CYCLE,  # assumed
)

GENERIC_SAME_CORE = Profile(
    name="generic-samecore",
    hz=3_000_000_000,  # assumed
    agg_max_frags=0,
    irq=2500 * CYCLE,  # assumed: agrees with the CPU-against-load curve of [XDP]
    napi_poll=800 * CYCLE,  # assumed
    drv=280 * CYCLE,  # derived: [Brouer] 531 to 681 for driver, skb and drop
    gro_inspect=105 * CYCLE,  # measured: [Brouer] 94 to 122
    gro_merge=100 * CYCLE,  # assumed: as gro_inspect
    lro_inspect=150 * CYCLE,  # assumed
    frag=60 * CYCLE,  # assumed
    skb=260 * CYCLE,  # derived: [Brouer] slab 109 and page 210, less for recycling
    stack=1500 * CYCLE,  # assumed: three times the 545 that [Brouer] gives for IP and UDP
    ack=1100 * CYCLE,  # assumed
    wake=1800 * CYCLE,  # assumed
    copy=4_000,  # 0.40; assumed: between 2008 and 2021
    page=1_500,  # 0.15; assumed
    csum=5_000,  # 0.5; assumed
    fwd=1450 * CYCLE,  # derived: [XDP] 2069 per forwarded packet minus driver, skb and interrupt
    bridge=900 * CYCLE,  # assumed: 0.6 of fwd
    conntrack=1250 * CYCLE,  # derived: [XDP] 2000 with against 750 without
    gso_seg=600 * CYCLE,  # assumed
    fraglist_seg=250 * CYCLE,  # assumed
    vhop=2200 * CYCLE,  # derived: [vhost] 667 to 769 ns
    vfrag=300 * CYCLE,  # assumed
)

GENERIC_CROSS_CORE = Profile(
    name="generic-crosscore",
    hz=3_000_000_000,  # assumed
    agg_max_frags=0,
    irq=2500 * CYCLE,  # assumed; from here to skb as on the same core
    napi_poll=800 * CYCLE,  # assumed
    drv=280 * CYCLE,  # derived: [Brouer]
    gro_inspect=105 * CYCLE,  # measured: [Brouer]
    gro_merge=100 * CYCLE,  # assumed
    lro_inspect=150 * CYCLE,  # assumed
    frag=60 * CYCLE,  # assumed
    skb=260 * CYCLE,  # derived: [Brouer]
    stack=3000 * CYCLE,  # derived: twice the same core, from [Cree]
    ack=1650 * CYCLE,  # assumed
    wake=3000 * CYCLE,  # assumed
    copy=5_000,  # 0.50; derived: [Cai] 0.41 to 0.53
    page=1_500,  # 0.15; assumed
    csum=5_000,  # 0.5; assumed
    fwd=1450 * CYCLE,  # derived: [XDP]; from here on as on the same core
    bridge=900 * CYCLE,  # assumed
    conntrack=1250 * CYCLE,  # derived: [XDP]
    gso_seg=600 * CYCLE,  # assumed
    fraglist_seg=250 * CYCLE,  # assumed
    vhop=2200 * CYCLE,  # derived: [vhost]
    vfrag=300 * CYCLE,  # assumed
)

FREE = Profile(name="free", hz=3_000_000_000, agg_max_frags=0, **dict.fromkeys(KINDS, 0))

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "2008-xeon-10g": XEON_2008,
        "2021-xeon-100g": XEON_2021_SAME_CORE,  # the name for short: interrupts follow the application (aRFS)
        "2021-xeon-100g-samecore": XEON_2021_SAME_CORE,
        "2021-xeon-100g-crosscore": XEON_2021_CROSS_CORE,
        "generic-samecore": GENERIC_SAME_CORE,
        "generic-crosscore": GENERIC_CROSS_CORE,
        "free": FREE,
    }
)
