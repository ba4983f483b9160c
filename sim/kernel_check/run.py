"""A whole run: probes, the tables, random trains in every mode of the receiving device."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from models.offload.engine import make
from sim.kernel_check.bench import Bench
from sim.kernel_check.check import Tally, check, prepared, random_bursts
from sim.kernel_check.damage import damage
from sim.kernel_check.left_out import is_left_out
from sim.kernel_check.probes import MODES, SHAPES, Offer, offered
from sim.kernel_check.report import Report, engine_for, version_of
from sim.kernel_check.table import table

SHARES = {"rx-udp-gro-forwarding": 0.15, "rx-gro-list": 0.15}  # the rest is without either
OFTEN = {"TCP over IPv4": 4, "TCP over IPv6": 3}  # times as often as a tunnel


def referee(trains: int, seed: int, *, progress: Callable[[int], None] | None = None) -> Report:
    """Compare on `trains` random trains and the tables. Unavailable where this machine has not what it takes."""
    release = os.uname().release
    engine = engine_for(release)
    tally = Tally()
    with Bench(version_of(release)) as bench:
        offer = offered(bench)
        blind = offer.blind_to_extensions
        for mode, share in _shares(trains, offer):
            if not bench.switch(MODES[mode]):
                continue
            shapes = offer.shapes[mode]
            if not mode:
                plain = [SHAPES[name] for name, times in OFTEN.items() for _ in range(times - 1)]
                shapes = shapes + [shape for shape in plain if shape in shapes]
                cases = prepared(make(engine), (*table(), *damage(offer.shapes[mode])), blind_to_extensions=blind)
                check(bench, cases, tally)
            switches: dict[str, Any] = {name: int(on) for name, on in MODES[mode].items() if on}
            bursts = _sent(random_bursts(seed, share, shapes), version_of(release), tally)
            cases = prepared(make(engine, **switches), bursts, blind_to_extensions=blind)
            check(bench, cases, tally, progress=progress)
    return Report(release, engine, offer, tally, seed)


def _sent(
    named: Iterator[tuple[str, list[bytes]]], release: tuple[int, int], tally: Tally
) -> Iterator[tuple[str, list[bytes]]]:
    """Those that a kernel of this release is sent; counts the others."""
    for name, burst in named:
        if is_left_out(burst, release):
            tally.left_out += 1
        else:
            yield name, burst


def _shares(trains: int, offer: Offer) -> Iterator[tuple[str, range]]:
    """(mode, numbers of its trains)"""
    done = 0
    for mode in reversed(list(MODES)):
        count = int(SHARES.get(mode, 0) * trains) if mode else trains - done
        if offer.shapes[mode]:
            yield mode, range(done, done + count)
            done += count
