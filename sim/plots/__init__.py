"""Figures, drawn from saved results only; the one place that imports matplotlib.

Each figure is a file here with `draw(metrics) -> Figure` or one for each variant; `draw_all` knows them all.
"""

from pathlib import Path


def draw_all(folder: Path) -> list[Path]:
    """Draws every figure of the results in `folder` into it, as PNG and SVG; returns the files.

    Same metrics, same bytes. Raises OSError or ValueError when `folder` holds no readable metrics.
    """
    from sim.plots import gain, merges, poll, style
    from sim.results import read

    metrics = read(folder)
    figures = {"gain": gain.draw(metrics)}
    if any(variant["merge_sizes"] for variant in metrics["variants"]):
        figures["merges"] = merges.draw(metrics)
    for variant in metrics["variants"]:
        if variant["poll_timeline"].get("frames"):
            figures[f"poll-{variant['name']}"] = poll.draw(metrics, variant)
    return [path for name, figure in figures.items() for path in style.save(figure, folder / name)]
