"""What each variant gains: goodput, load of the busiest core, and where the cycles of a frame go."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.units import BPS_PER_GBPS
from sim.plots import style

# kinds of work (models/cpu/costs.py) in a frame's order; kinds of one hue belong together
HUES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (style.GREY, ("irq", "poll", "napi_poll")),
    (style.BLUE, ("drv", "frag")),
    (style.ORANGE, ("lro_inspect", "gro_inspect", "gro_merge")),
    (style.SKY, ("skb",)),
    (style.VERMILION, ("stack", "ack")),
    (style.PURPLE, ("fwd", "bridge", "conntrack", "gso_seg", "fraglist_seg", "vhop", "vfrag")),
    (style.YELLOW, ("wake",)),
    (style.GREEN, ("copy", "copy_B", "page", "page_B", "csum", "csum_B")),
)
NAMES = {
    "irq": "interrupt",
    "poll": "NAPI poll",
    "napi_poll": "NAPI poll",
    "drv": "driver",
    "frag": "page fragment",
    "lro_inspect": "LRO inspect",
    "gro_inspect": "GRO inspect",
    "gro_merge": "GRO merge",
    "stack": "IP and TCP",
    "ack": "ACK",
    "fwd": "forward",
    "gso_seg": "GSO segment",
    "fraglist_seg": "fraglist segment",
    "vhop": "virtual hop",
    "vfrag": "virtual hop, segment",
    "wake": "wake-up and recv",
    "copy_B": "copy",
    "page": "pages",
    "page_B": "pages",
    "csum": "checksum",
    "csum_B": "checksum",
}
BAR = 0.62
LIGHTEN = (0.0, 0.45, 0.7)


def draw(metrics: Mapping[str, Any]) -> Figure:
    """One row a variant, the first on top; three columns share it."""
    variants = metrics["variants"]
    kinds = _kinds(variants)
    legend_rows = -(-len(kinds) // 6)
    figure = style.new_figure(height_in=1.05 + 0.27 * len(variants) + 0.18 * legend_rows)
    goodput, busy, cycles = figure.subplots(1, 3, sharey=True, width_ratios=(1, 0.8, 1.5))
    _bars(
        goodput,
        [variant["goodput_bps"] / BPS_PER_GBPS for variant in variants],
        colour=style.BLUE,
        form="{:.2f}",
        title="Goodput",
        label="Gb/s",
    )
    uses = [variant["cpu"].get(variant["observe"]) for variant in variants]
    _bars(
        busy,
        [100 * use["busy_fraction"] if use else 0.0 for use in uses],
        colour=style.GREY,
        form="{:.0f}",
        title="Busiest core",
        label="% of time",
        full=100,
    )
    _stack(cycles, uses, kinds)
    goodput.set_yticks(range(len(variants)), [variant["name"] for variant in variants])
    goodput.invert_yaxis()
    if kinds:
        figure.legend(loc="outside lower center", ncols=min(6, len(kinds)), columnspacing=1.2)
    return figure


def _bars(
    axes: Axes, values: Sequence[float], *, colour: str, form: str, title: str, label: str, full: float = 0
) -> None:
    """`full` is what the axis shows at least."""
    axes.barh(range(len(values)), values, height=BAR, color=colour)
    room = max([*values, full]) or 1
    for row, value in enumerate(values):
        axes.text(value + 0.02 * room, row, form.format(value), va="center", fontsize=7.5)
    axes.set_xlim(0, 1.2 * room)
    axes.xaxis.set_major_formatter("{x:g}")
    _finish(axes, title, label)


def _stack(axes: Axes, uses: Sequence[Mapping[str, Any] | None], kinds: Sequence[str]) -> None:
    left = [0.0] * len(uses)
    for kind in kinds:
        widths = [_cycles(use, kind) for use in uses]
        label = NAMES.get(kind, kind.replace("_", " "))
        axes.barh(
            range(len(uses)),
            widths,
            left=left,
            height=BAR,
            color=_colour(kind, kinds),
            label=label,
            edgecolor="w",
            lw=0.4,
        )
        left = [start + width for start, width in zip(left, widths, strict=True)]
    room = max(left, default=0) or 1
    for row, total in enumerate(left):
        axes.text(total + 0.015 * room, row, f"{total:,.0f}", va="center", fontsize=7.5)
    axes.set_xlim(0, 1.14 * room)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _finish(axes, "CPU work per frame", "cycles per data frame on the wire")


def _finish(axes: Axes, title: str, label: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(label)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.tick_params(axis="y", length=0)


def _cycles(use: Mapping[str, Any] | None, kind: str) -> float:
    total = sum(use["breakdown"].values()) if use else 0
    return use["cycles_per_frame"] * use["breakdown"].get(kind, 0) / total if use and total else 0.0


def _kinds(variants: Sequence[Mapping[str, Any]]) -> list[str]:
    """Kinds of work that cost anything, in a frame's order; unknown ones last."""
    uses = [variant["cpu"].get(variant["observe"]) for variant in variants]
    found = {kind for use in uses if use for kind, cycles in use["breakdown"].items() if cycles}
    known = [kind for _, kinds in HUES for kind in kinds if kind in found]
    return known + sorted(found - set(known))


def _colour(kind: str, kinds: Sequence[str]) -> tuple[float, float, float]:
    """The hue of its family, lighter for each member of it drawn before."""
    for hue, family in HUES:
        if kind in family:
            present = [member for member in family if member in kinds]
            return style.lighter(hue, LIGHTEN[present.index(kind) % len(LIGHTEN)])
    return style.lighter(style.BLACK, 0.3)
