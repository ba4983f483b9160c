"""One NAPI poll: frames in, packets out, and why each packet was closed."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from models.units import PS_PER_US
from sim.plots import style

FRAMES, PACKETS = 1.0, 0.0  # heights of the two lanes
FATES = {  # colour and shape, so that either alone tells them apart
    "started": (style.VERMILION, "^", "starts a packet"),
    "joined": (style.BLUE, "|", "joins a held packet"),
    "passed": (style.BLACK, "x", "passes alone"),
}
CLOSE_COLOURS = (style.GREEN, style.ORANGE, style.PURPLE, style.SKY, style.YELLOW, style.BLACK, style.GREY)
LARGEST_SEGMENTS = 45  # 64 KB at an MSS of 1448: the largest dot
LARGEST_AREA = 260  # points squared


def draw(metrics: Mapping[str, Any], variant: Mapping[str, Any]) -> Figure:
    """The saved poll of `variant`, on a clock that starts with it."""
    poll = variant["poll_timeline"]
    figure = style.new_figure(height_in=2.5)
    axes = figure.subplots()
    start_ps = poll["start_ps"]
    axes.axvspan(0, (poll["end_ps"] - start_ps) / PS_PER_US, color=style.lighter(style.SKY, 0.85), lw=0)
    handles = _frames(axes, poll, start_ps) + _packets(axes, poll, start_ps)
    axes.set_ylim(-0.55, 1.4)
    axes.set_yticks([FRAMES, PACKETS], ["frames in", "packets out"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10))
    axes.set_xlabel("time since the poll began [µs]; shaded: the poll")
    held = sum(packet["segments"] for packet in poll["packets"])
    axes.set_title(f"{metrics['scenario']}, {variant['name']}: one NAPI poll")
    axes.set_title(
        f"{len(poll['frames'])} frames in, {len(poll['packets'])} packets of {held} segments out",
        loc="right",
        fontsize=7.5,
        fontweight="normal",
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.4)
    return figure


def _frames(axes: Axes, poll: Mapping[str, Any], start_ps: int) -> list[Line2D]:
    handles = []
    for fate, (colour, marker, label) in FATES.items():
        times = [(frame["time_ps"] - start_ps) / PS_PER_US for frame in poll["frames"] if frame["fate"] == fate]
        if times:
            look = {"color": colour, "marker": marker, "ls": "", "ms": 6, "mew": 1.1}
            axes.plot(times, [FRAMES] * len(times), **look)
            handles.append(Line2D([], [], label=f"{label} ({len(times)})", **look))
    return handles


def _packets(axes: Axes, poll: Mapping[str, Any], start_ps: int) -> list[Line2D]:
    """Dots by segments held; neighbours that would hide each other step down."""
    closes = list(dict.fromkeys(str(packet["close"]) for packet in poll["packets"]))
    colours = {close: CLOSE_COLOURS[i % len(CLOSE_COLOURS)] for i, close in enumerate(closes)}
    times = [(packet["time_ps"] - start_ps) / PS_PER_US for packet in poll["packets"]]
    heights = _steps(times, apart=0.028 * (max([*times, (poll["end_ps"] - start_ps) / PS_PER_US]) or 1))
    for packet, time, height in zip(poll["packets"], times, heights, strict=True):
        colour = colours[str(packet["close"])]
        area = 30 + (LARGEST_AREA - 30) * min(packet["segments"] / LARGEST_SEGMENTS, 1)
        axes.scatter([time], [height], s=area, color=style.lighter(colour, 0.35), edgecolors=colour, lw=0.8, zorder=3)
        axes.text(time, height, str(packet["segments"]), ha="center", va="center", fontsize=6.5, zorder=4)
        axes.plot([time, time], [height, FRAMES], color=style.FAINT, lw=0.7, zorder=1)
    counts = {close: sum(str(packet["close"]) == close for packet in poll["packets"]) for close in closes}
    return [
        Line2D([], [], color=colours[close], marker="o", ls="", label=f"closed by {close} ({counts[close]})")
        for close in closes
    ]


def _steps(times: list[float], *, apart: float) -> list[float]:
    heights: list[float] = []
    step = 0
    for i, time in enumerate(times):
        step = (step + 1) % 3 if i and time - times[i - 1] < apart else 0
        heights.append(PACKETS + 0.35 - 0.32 * step if step else PACKETS)
    return heights
