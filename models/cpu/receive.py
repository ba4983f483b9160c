"""The price of every frame a driver takes from its ring, up to the point where packets go up the stack.

Models: driver, page, checksum, inspection, merge and skb work, each where the place of merging puts it.
Leaves out: what happens to a packet afterwards (stack, ACK, copy), which its receiver prices.
Sources: the work counts per place of merging of docs/validation.md; prices in models/cpu/profiles.py.
Checked by: tests/models/cpu/test_receive.py against the sums written out.

A hardware-merged packet is one packet for driver and skb, with a page fragment per frame in it; driver LRO comes after
the driver's work per frame and before the skb, so that only packets have one; GRO comes after both.
"""

from __future__ import annotations

from models.compiled import njit
from models.cpu.costs import Kind
from models.offload.why import Fate
from models.train import CSUM_NONE, CSUM_STATE, FRAME_COUNT, HEAD_BYTES, PAYLOAD_BYTES

PLAIN, IN_GRO, IN_DRIVER_LRO = range(3)
_DRV, _PAGE, _CSUM, _SKB, _FRAG = int(Kind.DRV), int(Kind.PAGE), int(Kind.CSUM), int(Kind.SKB), int(Kind.FRAG)
_GRO_INSPECT, _GRO_MERGE, _LRO_INSPECT = int(Kind.GRO_INSPECT), int(Kind.GRO_MERGE), int(Kind.LRO_INSPECT)
_JOINED = int(Fate.JOINED)
_MAC_BYTES = 14


@njit
def price(meta, fate, merging, fragments, prices, counts, before, after):
    """Work done when each row is through, on top of `before`, into `after` int64[n] [1/10,000 cycle].

    `merging`: PLAIN, IN_GRO or IN_DRIVER_LRO; `fragments`: the card merges, so each frame inside has its page.
    `prices` int64[kinds]; `counts` int64[kinds] grows by the units of work."""
    spent = before
    for i in range(len(meta)):
        payload = meta[i, PAYLOAD_BYTES]
        spent += prices[_DRV] + payload * prices[_PAGE]
        counts[_DRV] += 1
        counts[_PAGE] += payload
        if fragments:
            spent += meta[i, FRAME_COUNT] * prices[_FRAG]
            counts[_FRAG] += meta[i, FRAME_COUNT]
        joined = fate[i] == _JOINED
        if merging == IN_DRIVER_LRO:
            spent += prices[_LRO_INSPECT] + prices[_FRAG]
            counts[_LRO_INSPECT] += 1
            counts[_FRAG] += 1
        elif merging == IN_GRO:
            spent += prices[_GRO_INSPECT]
            counts[_GRO_INSPECT] += 1
            if meta[i, CSUM_STATE] == CSUM_NONE:
                summed = meta[i, HEAD_BYTES] + payload - _MAC_BYTES
                spent += summed * prices[_CSUM]
                counts[_CSUM] += summed
            if joined:
                spent += prices[_GRO_MERGE]
                counts[_GRO_MERGE] += 1
        if merging != IN_DRIVER_LRO or not joined:
            spent += prices[_SKB]
            counts[_SKB] += 1
        after[i] = spent
    return spent
