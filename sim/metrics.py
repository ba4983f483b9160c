"""Figures from counts: pure functions, the only place where sums of integers become floats."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.units import BPS_PER_GBPS, PS_PER_S

BITS_PER_BYTE = 8


def goodput_bps(*, read_bytes: int, span_ps: int) -> float:
    """Rate [bit/s] of `read_bytes` [bytes] in `span_ps` [ps]; 0 for no span."""
    return read_bytes * BITS_PER_BYTE * PS_PER_S / span_ps if span_ps else 0.0


def segments_per_packet(merge_sizes: Mapping[int, int]) -> float:
    """Mean segments in a packet, from packets by their number of segments; 0 without packets."""
    packets = sum(merge_sizes.values())
    return sum(size * n for size, n in merge_sizes.items()) / packets if packets else 0.0


def busy_fraction(*, busy_ps: Sequence[int], span_ps: int) -> float:
    """Share of `span_ps` [ps] in which the busiest core worked, from each core's time at work [ps]."""
    return max(busy_ps, default=0) / span_ps if span_ps else 0.0


def cycles_per_frame(breakdown: Mapping[str, int], *, frames: int) -> float:
    """Cycles spent for each of `frames`, all kinds of work together; 0 without frames."""
    return sum(breakdown.values()) / frames if frames else 0.0


def unbalanced(variant: Mapping[str, Any]) -> list[str]:
    """Books of a variant (as in `--json`) that do not add up, one line each; none when all do."""
    fates, reasons, closes = variant["fates"], variant["reasons"], variant["closes"]
    lines = []
    not_joined = fates["started"] + fates["passed"]
    if sum(reasons.values()) != not_joined:
        lines.append(f"{sum(reasons.values())} reasons for {not_joined} frames that did not join")
    if sum(closes.values()) != fates["started"]:
        lines.append(f"{sum(closes.values())} closes for {fates['started']} packets started")
    return lines


COLUMNS = (
    "variant",
    "goodput [Gb/s]",
    "gain",
    "busiest core",
    "cycles/frame",
    "frames",
    "packets",
    "segments/packet",
    "ACKs",
    "drops",
    "altered",
)


def comparison(variants: Sequence[Mapping[str, Any]], *, observe: str) -> list[tuple[str, ...]]:
    """A row of text a variant (as in `--json`), under `COLUMNS`; the gain is in goodput over the first variant.

    CPU figures are those of node `observe`, and a dash where it reports none.
    """
    rows: list[tuple[str, ...]] = []
    first_bps = variants[0]["goodput_bps"] if variants else 0.0
    for variant in variants:
        use = variant["cpu"].get(observe)
        rows.append(
            (
                str(variant["name"]),
                f"{variant['goodput_bps'] / BPS_PER_GBPS:.3f}",
                f"{variant['goodput_bps'] / first_bps:.2f}x" if first_bps else "-",
                f"{use['busy_fraction']:.1%}" if use else "-",
                f"{use['cycles_per_frame']:,.0f}" if use else "-",
                f"{variant['wire_frames']:,}",
                f"{variant['stack_packets']:,}",
                f"{variant['segments_per_packet']:.2f}",
                f"{variant['acks_sent']:,}",
                f"{sum(variant['drops'].values()):,}",
                f"{variant['correctness']['frames_altered']:,}",
            )
        )
    return rows
