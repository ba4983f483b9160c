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

STEP = 0.36  # between packets that are stacked, in units of which a figure has one for each `INCH_A_UNIT`
APART = 0.03  # of the time shown: packets nearer than this would hide each other
LEVELS = 12  # above that packets do hide each other, or the figure would fill a page
INCH_A_UNIT = 0.6
MOST_REASONS = 12
MOST_DOTS = 32

Alike = Counter[tuple[int, int, str]]  # packets by (time [ps], segments, close)

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
    start_ps = poll["start_ps"]
    alike = Counter((packet["time_ps"], packet["segments"], str(packet["close"])) for packet in poll["packets"])
    late_ps = _late_ps(poll)
    heights = _heights(alike, apart=APART * _shown_ps(poll, late_ps))
    frames_at = max(1.5, max(heights, default=0.0) + 0.7)  # above all packets
    figure = style.new_figure(height_in=1.4 + INCH_A_UNIT * (frames_at + 0.75))
    axes = figure.subplots()
    axes.axvspan(0, _us(poll["end_ps"] - start_ps), color=style.lighter(style.SKY, 0.85), lw=0)
    handles = _frames(axes, poll, frames_at, late_ps) + _packets(axes, alike, heights, frames_at, start_ps)
    axes.set_ylim(-0.45, frames_at + 0.75)
    axes.set_yticks([frames_at, 0], [_lane(late_ps), "packets out"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("time since the poll began [µs]; shaded: the poll, numbers: data segments in a packet")
    axes.set_title(f"{metrics['scenario']}, {variant['name']}: one NAPI poll")
    segments = sum(packet["segments"] for packet in poll["packets"])
    note = f"{len(poll['frames'])} frames in, {len(poll['packets'])} packets with {segments} segments out"
    style.set_note(axes, note)
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.4)
    return figure


def _lane(late_ps: int) -> str:
    return f"frames in,\ndrawn {_us(late_ps):.0f} µs late" if late_ps else "frames in"


def _frames(axes: Axes, poll: Mapping[str, Any], height: float, late_ps: int) -> list[Line2D]:
    """A mark a frame; those that did not join say why, as long as there is room to say it."""
    handles = []
    size = 6 if len(poll["frames"]) <= 40 else 4
    for fate, (colour, marker, label) in FATES.items():
        frames = [frame for frame in poll["frames"] if frame["fate"] == fate]
        times = [_us(frame["time_ps"] + late_ps - poll["start_ps"]) for frame in frames]
        if not times:
            continue
        axes.plot(times, [height] * len(times), color=colour, marker=marker, ls="", ms=size, mew=1.1)
        legend = f"{label} ({len(times)})"
        handles.append(Line2D([], [], color=colour, marker=marker, ls="", ms=6, mew=1.1, label=legend))
        if fate != "joined" and len(frames) <= MOST_REASONS:
            for frame, time in zip(frames, times, strict=True):
                axes.text(time, height + 0.17, str(frame["reason"]), fontsize=6.5, rotation=55, color=colour)
    return handles


def _packets(axes: Axes, alike: Alike, heights: list[float], frames_at: float, start_ps: int) -> list[Line2D]:
    """A dot a packet, larger with more segments; equal packets of one moment share it."""
    closes: Counter[str] = Counter()
    for (_, _, close), count in alike.items():
        closes[close] += count
    colours = {close: CLOSE_COLOURS[i % len(CLOSE_COLOURS)] for i, close in enumerate(closes)}
    for ((time_ps, segments, close), count), height in zip(alike.items(), heights, strict=True):
        colour, time = colours[close], _us(time_ps - start_ps)
        if _is_crumb(alike, segments, count):
            axes.plot([time], [height], color=colour, marker="|", ms=7, mew=1.0, zorder=3)
            continue
        area = SMALLEST_AREA + (LARGEST_AREA - SMALLEST_AREA) * min(segments / LARGEST_SEGMENTS, 1)
        axes.plot([time, time], [height, frames_at], color=style.GREY, lw=0.4, zorder=1)
        axes.scatter([time], [height], s=area, color=style.lighter(colour, 0.45), edgecolors=colour, lw=0.9, zorder=3)
        text = f"{count}×{segments}" if count > 1 else str(segments)
        axes.text(time, height, text, ha="center", va="center_baseline", fontsize=6.5, zorder=4)
    return [
        Line2D([], [], color=colours[close], marker="o", ls="", label=f"{_told(close)} ({count})")
        for close, count in closes.items()
    ]


def _is_crumb(alike: Alike, segments: int, count: int) -> bool:
    """Among many packets one of a single segment is a stroke: it needs no number and little room."""
    return len(alike) > MOST_DOTS and segments == 1 and count == 1


def _heights(alike: Alike, *, apart: float) -> list[float]:
    """For each packet, in their order, the lowest place where none hides it; strokes stay at the bottom."""
    last_ps: list[int] = []  # on each level
    heights = []
    for (time_ps, segments, _), count in alike.items():
        level = 0
        if not _is_crumb(alike, segments, count):
            free = [i for i, before_ps in enumerate(last_ps) if abs(time_ps - before_ps) >= apart]
            level = free[0] if free else len(last_ps) % LEVELS
            last_ps[level : level + 1] = [time_ps]
        heights.append(STEP * level)
    return heights


def _late_ps(poll: Mapping[str, Any]) -> int:
    """How much later frames are drawn [ps] that came so long before the poll that it would shrink to nothing."""
    waited_ps = poll["start_ps"] - max(frame["time_ps"] for frame in poll["frames"])
    return int(waited_ps) if 2 * waited_ps > poll["end_ps"] - poll["start_ps"] else 0


def _shown_ps(poll: Mapping[str, Any], late_ps: int) -> int:
    times_ps = [frame["time_ps"] + late_ps for frame in poll["frames"]] + [poll["start_ps"], poll["end_ps"]]
    times_ps += [packet["time_ps"] for packet in poll["packets"]]
    return max(1, max(times_ps) - min(times_ps))


def _us(time_ps: int) -> float:
    return time_ps / PS_PER_US


def _told(close: str) -> str:
    return "never held" if close in ("None", "none", "") else f"closed: {close}"
