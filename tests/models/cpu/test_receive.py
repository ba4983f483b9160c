import numpy as np
import pytest

from models.cpu.costs import KINDS, Kind
from models.cpu.profiles import PROFILES
from models.cpu.receive import IN_DRIVER_LRO, IN_GRO, PLAIN, price
from models.offload.why import Fate
from models.train import CSUM_NONE, CSUM_STATE, CSUM_VERIFIED, FRAME_COUNT, HEAD_BYTES, PAYLOAD_BYTES, FrameTrain

PROFILE = PROFILES["2021-xeon-100g-samecore"]
FATES = np.array([Fate.STARTED, Fate.JOINED, Fate.JOINED])


@pytest.mark.parametrize(
    ("merging", "fragments", "csum", "units"),
    [
        (PLAIN, False, CSUM_VERIFIED, {Kind.DRV: 3, Kind.SKB: 3, Kind.PAGE: 300}),
        (PLAIN, True, CSUM_VERIFIED, {Kind.DRV: 3, Kind.SKB: 3, Kind.PAGE: 300, Kind.FRAG: 6}),
        (IN_GRO, False, CSUM_VERIFIED,
         {Kind.DRV: 3, Kind.SKB: 3, Kind.PAGE: 300, Kind.GRO_INSPECT: 3, Kind.GRO_MERGE: 2}),
        (IN_GRO, False, CSUM_NONE,
         {Kind.DRV: 3, Kind.SKB: 3, Kind.PAGE: 300, Kind.GRO_INSPECT: 3, Kind.GRO_MERGE: 2, Kind.CSUM: 3 * 152}),
        (IN_DRIVER_LRO, False, CSUM_NONE,
         {Kind.DRV: 3, Kind.SKB: 1, Kind.PAGE: 300, Kind.LRO_INSPECT: 3, Kind.FRAG: 3}),
    ],
)  # fmt: skip
def test_each_place_of_merging_costs_what_it_costs_there(merging, fragments, csum, units):
    train = FrameTrain.blank(3)
    train.meta[:, [HEAD_BYTES, PAYLOAD_BYTES, FRAME_COUNT, CSUM_STATE]] = 66, 100, 2, csum
    counts, after = np.zeros(len(KINDS), np.int64), np.empty(3, np.int64)
    prices = np.array(PROFILE.cost)
    total = price(train.meta, FATES, merging, fragments, prices, counts, 7, after)
    assert {Kind(k): n for k, n in enumerate(counts.tolist()) if n} == units
    assert total == after[-1] == 7 + int((counts * prices).sum())
    assert (np.diff(after) > 0).all()
