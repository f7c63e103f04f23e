"""Colour bars: one beside each image, or one for all panels whose colours mean the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.image import AxesImage

MOST_ROWS_HIGH = 2
"""Rows of panels along which a shared colour bar reaches, from the top."""


def add_colour_bar(image: AxesImage, label: str, ticks: Mapping[float, str] | None = None) -> Colorbar:
    """Draw a colour bar at the right of an image; ``ticks`` are their texts by value, those of matplotlib if None."""
    beside = image.axes.inset_axes((1.04, 0.0, 0.05, 1.0))
    return _drawn(image, label, ticks, cax=beside)


def share_colour_bars(panels: Sequence[Axes]) -> None:
    """Replace the colour bars of all panels by one, if they are alike: labels, limits and ticks."""
    images = [image for ax in panels for image in ax.images if image.colorbar is not None]
    bars = [image.colorbar for image in images if image.colorbar is not None]
    looks = {(bar.ax.get_ylabel(), bar.ax.get_ylim(), tuple(bar.get_ticks())) for bar in bars}
    if len(bars) < 2 or len(looks) > 1:
        return

    bar = bars[0]
    label = bar.ax.get_ylabel()
    texts = [text.get_text() for text in bar.ax.get_yticklabels()]
    ticks = dict(zip((float(tick) for tick in bar.get_ticks()), texts, strict=True))
    for each in bars:
        each.remove()
    grid = panels[0].get_gridspec()
    n_rows = 1 if grid is None else grid.nrows
    height = min(n_rows, MOST_ROWS_HIGH)
    place = {"aspect": 15 * height, "fraction": 0.05, "pad": 0.02, "shrink": height / n_rows, "anchor": (0, 1)}
    _drawn(images[0], label, ticks, ax=list(panels), **place)


def _drawn(image: AxesImage, label: str, ticks: Mapping[float, str] | None, **place: Any) -> Colorbar:
    figure = image.get_figure(root=True)
    if figure is None:
        raise ValueError("an image of no figure has no colour bar")
    bar = figure.colorbar(image, label=label, **place)
    bar.outline.set_linewidth(0)
    if ticks is not None:
        bar.set_ticks(list(ticks), labels=list(ticks.values()))
        bar.minorticks_off()  # those of a logarithmic bar have texts that are formulas
    return bar
