"""Names of the rows of an image: as many as there is room for."""

from collections.abc import Sequence
from math import ceil

from matplotlib.axes import Axes

from topoimp.plots.titles import panel_titles
from topoimp.reports.readable import plain

MOST_NAMES = 36
"""Rows with a name each; of more rows every second, third and so on has one."""

_ROW_HEIGHT = 0.14
"""Inches that a name needs."""


def height_of_rows(n: int) -> float:
    """Return the inches of n rows with their names, at most those of 36."""
    return _ROW_HEIGHT * min(n, MOST_NAMES)


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Write the names, shortened, beside the rows 0, 1, 2 and so on."""
    step = ceil(len(names) / MOST_NAMES)
    ax.set_yticks(range(0, len(names), step), labels=panel_titles([plain(name) for name in names])[::step])
