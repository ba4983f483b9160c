"""How all figures look, and how they are saved: same data, same bytes."""

from pathlib import Path
from typing import Any, BinaryIO

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe & Ito 2008, "Color Universal Design": told apart by readers with any kind of colour vision
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, FAINT = "#777777", "#DDDDDD"

WIDTH_IN = 7.2  # two columns of a paper
DPI = 200

SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.handlelength": 1.2,
    "svg.hashsalt": "receive-offload",  # else ids in the SVG differ from run to run
    "svg.fonttype": "path",
}
matplotlib.rcParams.update(SETTINGS)


def new_figure(*, height_in: float) -> Figure:
    """A figure of the common width [inch], laid out so that nothing overlaps."""
    return Figure(figsize=(WIDTH_IN, height_in), layout="constrained")


def set_note(axes: Axes, text: str) -> None:
    """A line of figures at the right end of the title."""
    axes.set_title(text, loc="right", fontsize=7.5, fontweight="normal")


def lighter(colour: str, share: float) -> tuple[float, float, float]:
    """`colour` mixed with white; `share` of white from 0 to 1."""
    red, green, blue = matplotlib.colors.to_rgb(colour)
    return tuple(part + (1 - part) * share for part in (red, green, blue))  # type: ignore[return-value]


def save(figure: Figure, stem: Path) -> list[Path]:
    """Writes `stem`.png and .svg without date or version; returns both. Raises OSError."""
    png, svg = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg")
    for path in (png, svg):
        figure.savefig(path, dpi=DPI, metadata=FORMATS[path.suffix])
    return [png, svg]


FORMATS: dict[str, dict[str, Any]] = {  # ending: what would make two figures of the same data differ, left out
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None},
}


def save_as(figure: Figure, file: BinaryIO, ending: str) -> None:
    """Writes the figure in the format of `ending`, one of FORMATS. Raises OSError."""
    figure.savefig(file, format=ending[1:], dpi=DPI, metadata=FORMATS[ending], bbox_inches="tight")
