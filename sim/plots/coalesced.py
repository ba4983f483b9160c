"""What engines made of a capture: packets out, how large they are, and why frames did not join."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sim.plots import style

SIZES = ((1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63), (64, 1 << 62))  # frames in a packet, from and to
SHADES = ("#c8c8c8", "#cfe3f0", "#9cc7e2", "#5aa5cf", style.BLUE, "#00507e", "#002b45")  # the larger, the darker
REASON_COLOURS = (style.VERMILION, style.SKY, style.ORANGE, style.GREEN, style.PURPLE, style.YELLOW, style.BLACK)
OTHERS = "other reasons"
BAR = 0.66
FEWEST_ROWS = 3  # of fewer engines, the rest stays empty
EDGE: Any = {"edgecolor": "w", "lw": 0.4}
ROW_IN, LEGEND_IN = 0.24, 0.38  # of an engine; from the axis to what explains its colours


def draw(report: Mapping[str, Any]) -> Figure:
    """A row an engine, the first on top. `report`: `name` of the capture and `engines` as in `coalesce --json`, each
    also with `merge_sizes`, packets by how many frames they hold."""
    engines = report["engines"]
    rows = max(FEWEST_ROWS, len(engines))
    figure = style.new_figure(height_in=1.75 + ROW_IN * rows)
    packets, sizes, reasons = figure.subplots(1, 3, sharey=True, width_ratios=(1, 1, 1))
    _packets(packets, engines)
    _sizes(sizes, engines)
    named = _reasons(reasons, engines)
    packets.set_yticks(range(len(engines)), [engine["engine"] for engine in engines])
    packets.set_ylim(rows - 0.45, -0.55)
    _explain_colours(sizes, {_range(*size): shade for size, shade in zip(SIZES, SHADES, strict=True)}, rows)
    _explain_colours(reasons, named, rows)
    figure.suptitle(report["name"], x=0.01, ha="left", fontsize=9, fontweight="bold")
    return figure


def _explain_colours(axes: Axes, colours: Mapping[str, str], rows: int) -> None:
    """A legend below the axis of a panel of so many rows."""
    handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
    below = (0.5, -LEGEND_IN / (ROW_IN * rows))
    axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=below,
        ncols=4,
        columnspacing=0.9,
        handletextpad=0.4,
        fontsize=7,
    )


def _packets(axes: Axes, engines: Sequence[Mapping[str, Any]]) -> None:
    """Bars of packets out, with the mean number of frames in each."""
    most = max([1, *(engine["packets_out"] for engine in engines)])
    axes.barh(range(len(engines)), [engine["packets_out"] for engine in engines], height=BAR, color=style.BLUE)
    for row, engine in enumerate(engines):
        mean = engine["frames_in"] / engine["packets_out"] if engine["packets_out"] else 0.0
        text = f"{engine['packets_out']:,}" + (f"  ({mean:.1f} each)" if mean > 1 else "")
        axes.text(engine["packets_out"] + 0.02 * most, row, text, va="center", fontsize=7)
    axes.set_xlim(0, 1.7 * most)
    axes.set_title("Packets out")
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _sizes(axes: Axes, engines: Sequence[Mapping[str, Any]]) -> None:
    """Shares of frames by the size of the packet they came out in."""
    left = [0.0] * len(engines)
    for k, (low, high) in enumerate(SIZES):
        shares = [
            100 * sum(int(size) * n for size, n in engine["merge_sizes"].items() if low <= int(size) <= high)
            / max(1, engine["frames_in"])
            for engine in engines
        ]  # fmt: skip
        axes.barh(range(len(engines)), shares, left=left, height=BAR, color=SHADES[k], **EDGE)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    _finish(axes, "Frames by packet size", 100)


def _reasons(axes: Axes, engines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Shares of frames that did not join, by reason; returns the colours of those that are named."""
    weights: dict[str, float] = {}
    for engine in engines:
        for name, count in engine["reasons"].items():
            weights[name] = weights.get(name, 0.0) + count / max(1, engine["frames_in"])
    weights.pop("off", None)
    names = sorted(weights, key=lambda name: (-weights[name], name))
    named = dict(zip(names[: len(REASON_COLOURS)], REASON_COLOURS, strict=False))
    colours = named | ({OTHERS: style.FAINT} if len(names) > len(named) else {})
    left = [0.0] * len(engines)
    for name, colour in colours.items():
        shares = []
        for engine in engines:
            counts = {n: c for n, c in engine["reasons"].items() if n != "off"}
            count = counts.get(name, 0) if name != OTHERS else sum(c for n, c in counts.items() if n not in named)
            shares.append(100 * count / max(1, engine["frames_in"]))
        axes.barh(range(len(engines)), shares, left=left, height=BAR, color=colour, **EDGE)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    _finish(axes, "Frames that did not join", min(100, 1.05 * max([*left, 1])))
    return colours


def _finish(axes: Axes, title: str, full: float) -> None:
    axes.set_title(title)
    axes.set_xlim(0, full)
    axes.set_xlabel("% of frames")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _range(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}–{high}" if high < 1 << 62 else f"{low}+"
