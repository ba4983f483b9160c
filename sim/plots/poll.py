"""One NAPI poll: frames in, packets out, and why each packet was closed."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from models.units import PS_PER_US
from sim.plots import style

FRAMES, PACKETS = 1.5, 0.0  # heights of the two lanes
STEPS, STEP = 4, 0.36  # how near packets are stacked
APART = 0.03  # of the poll: nearer than this is near
MOST_REASONS = 12
FATES = {  # colour and shape, so that either alone tells them apart
    "started": (style.VERMILION, "^", "starts a packet"),
    "joined": (style.BLUE, "|", "joins a held packet"),
    "passed": (style.BLACK, "x", "passes alone"),
}
CLOSE_COLOURS = (style.GREEN, style.ORANGE, style.PURPLE, style.SKY, style.YELLOW, style.BLACK, style.GREY)
LARGEST_SEGMENTS = 45  # 64 KB at an MSS of 1448: the largest dot
SMALLEST_AREA, LARGEST_AREA = 60, 260  # points squared


def draw(metrics: Mapping[str, Any], variant: Mapping[str, Any]) -> Figure:
    """The saved poll of `variant`, on a clock that starts with it."""
    poll = variant["poll_timeline"]
    figure = style.new_figure(height_in=2.7)
    axes = figure.subplots()
    start_ps = poll["start_ps"]
    axes.axvspan(0, (poll["end_ps"] - start_ps) / PS_PER_US, color=style.lighter(style.SKY, 0.85), lw=0)
    handles = _frames(axes, poll, start_ps) + _packets(axes, poll, start_ps)
    axes.set_ylim(PACKETS - 0.4, FRAMES + 0.75)
    axes.set_yticks([FRAMES, PACKETS], ["frames in", "packets out"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10))
    axes.set_xlabel("time since the poll began [µs]; shaded: the poll, numbers: data segments in a packet")
    axes.set_title(f"{metrics['scenario']}, {variant['name']}: one NAPI poll")
    segments = sum(packet["segments"] for packet in poll["packets"])
    note = f"{len(poll['frames'])} frames in, {len(poll['packets'])} packets of {segments} segments out"
    style.set_note(axes, note)
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.4)
    return figure


def _frames(axes: Axes, poll: Mapping[str, Any], start_ps: int) -> list[Line2D]:
    """A mark a frame; those that did not join say why, as long as there is room to say it."""
    handles = []
    for fate, (colour, marker, label) in FATES.items():
        frames = [frame for frame in poll["frames"] if frame["fate"] == fate]
        times = [(frame["time_ps"] - start_ps) / PS_PER_US for frame in frames]
        if not times:
            continue
        look = Line2D([], [], color=colour, marker=marker, ls="", ms=6, mew=1.1, label=f"{label} ({len(times)})")
        axes.plot(times, [FRAMES] * len(times), color=colour, marker=marker, ls="", ms=6, mew=1.1)
        handles.append(look)
        if fate != "joined" and len(frames) <= MOST_REASONS:
            for frame, time in zip(frames, times, strict=True):
                reason = str(frame["reason"])
                axes.text(time, FRAMES + 0.14, reason, fontsize=6.5, rotation=55, color=colour)
    return handles


def _packets(axes: Axes, poll: Mapping[str, Any], start_ps: int) -> list[Line2D]:
    """A dot a packet, larger with more segments; equal packets of one moment share it, near ones stand higher."""
    alike = Counter((packet["time_ps"], packet["segments"], str(packet["close"])) for packet in poll["packets"])
    closes = Counter(str(packet["close"]) for packet in poll["packets"])
    colours = {close: CLOSE_COLOURS[i % len(CLOSE_COLOURS)] for i, close in enumerate(closes)}
    times = [(time_ps - start_ps) / PS_PER_US for time_ps, _, _ in alike]
    heights = _steps(times, apart=APART * (max([*times, (poll["end_ps"] - start_ps) / PS_PER_US]) or 1))
    for ((_, segments, close), count), time, height in zip(alike.items(), times, heights, strict=True):
        colour = colours[close]
        area = SMALLEST_AREA + (LARGEST_AREA - SMALLEST_AREA) * min(segments / LARGEST_SEGMENTS, 1)
        axes.plot([time, time], [height, FRAMES], color=style.GREY, lw=0.5, zorder=1)
        axes.scatter([time], [height], s=area, color=style.lighter(colour, 0.45), edgecolors=colour, lw=0.9, zorder=3)
        text = f"{count}×{segments}" if count > 1 else str(segments)
        axes.text(time, height, text, ha="center", va="center_baseline", fontsize=6.5, zorder=4)
    return [
        Line2D([], [], color=colours[close], marker="o", ls="", label=f"{_told(close)} ({count})")
        for close, count in closes.items()
    ]


def _steps(times: list[float], *, apart: float) -> list[float]:
    """Heights at which neighbours nearer than `apart` do not hide each other."""
    step = 0
    heights = []
    for i, time in enumerate(times):
        step = (step + 1) % STEPS if i and time - times[i - 1] < apart else 0
        heights.append(PACKETS + STEP * step)
    return heights


def _told(close: str) -> str:
    return "never held" if close in ("None", "none", "") else f"closed: {close}"
