"""How many segments the packets hold that reach the stack, a panel a variant."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sim.metrics import segments_per_packet
from sim.plots import style


def draw(metrics: Mapping[str, Any]) -> Figure:
    """Share of segments by the size of the packet they came in; counted by packets, crumbs would hide the rest."""
    variants = [variant for variant in metrics["variants"] if variant["merge_sizes"]]
    figure = style.new_figure(height_in=0.75 + 0.85 * len(variants))
    panels = figure.subplots(len(variants), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    largest = max(int(size) for variant in variants for size in variant["merge_sizes"])
    for axes, variant in zip(panels, variants, strict=True):
        _panel(axes, variant)
    panels[-1].set_xlim(0.25, max(largest, 8) + 0.75)
    ticks = MaxNLocator(integer=True, nbins=12).tick_values(0, max(largest, 8))
    panels[-1].set_xticks([1, *(int(tick) for tick in ticks if 1 < tick <= max(largest, 8))])
    panels[-1].set_xlabel("data segments in a packet handed to IP")
    panels[-1].set_ylim(0, 105)
    figure.supylabel("share of data segments [%]", fontsize=8)
    return figure


def _panel(axes: Axes, variant: Mapping[str, Any]) -> None:
    sizes = {int(size): packets for size, packets in variant["merge_sizes"].items()}
    segments = sum(size * packets for size, packets in sizes.items())
    axes.bar(list(sizes), [100 * size * n / segments for size, n in sizes.items()], width=0.8, color=style.BLUE)
    mean = segments_per_packet(sizes)
    axes.axvline(mean, color=style.VERMILION, lw=1, ls=(0, (4, 2)))
    axes.set_title(variant["name"])
    style.set_note(axes, f"{segments:,} segments in {sum(sizes.values()):,} packets, mean {mean:.2f} (dashed)")
    axes.grid(axis="y")
    axes.set_yticks([0, 50, 100])
