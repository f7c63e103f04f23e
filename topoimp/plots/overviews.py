"""An overview of a large model: one number of every layer, role by block, and the worst layers by name."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from topoimp.arrays import FloatArray
from topoimp.choices import PictureSize
from topoimp.plots.canvas import STYLE, axes_or_new, in_our_look, new_figure
from topoimp.plots.colour_bars import add_colour_bar
from topoimp.plots.colours import VERMILION
from topoimp.plots.log_axes import log_ticks, power_text
from topoimp.plots.row_names import height_of_rows, name_rows
from topoimp.plots.titles import own_endings, panel_titles, shortened
from topoimp.reports.block_grid import NO_NUMBER, BlockGrid, block_grid
from topoimp.reports.cells import Kind, Row
from topoimp.reports.columns import COLUMNS
from topoimp.reports.readable import plain, readable
from topoimp.reports.worst import BAD_ENDS, N_WORST, BadEnd, Worst, worst_layers

LONGEST_NAME = 42
"""Characters of a layer's name in the list."""

LOG_FROM = 100
"""Ratio of the largest to the smallest number, all above 0, from which on the colours are logarithmic."""

MOST_BLOCK_LABELS = 7
"""Blocks with a label each; of more blocks every second, third and so on has one."""

LONGEST_BLOCK_LABEL = 7
"""Characters of a block's number; a longer one loses its middle, so that the image keeps its height."""

LONGEST_LEVEL_LABEL = 3
"""Characters of a block's label; longer ones are upright."""

_LOWEST_IMAGE = 0.9
_LIST_HEIGHT = 1.55
_LIST_FONT = 6.5


def overview(rows: Sequence[Row], column: str, *, size: PictureSize = PictureSize.COLUMN) -> Figure:
    """Return a figure of one column of all layers, role by block, with the ten worst layers by name.

    The list lies below the image in a figure as wide as a column, and beside it in one as wide as a page. It says which
    end of the column is bad; where neither is, it has the five lowest and the five highest. Dots mark its layers in the
    image.

    Args:
        rows: rows of layers in a report, of several others too. Of several rows of one layer, as several null models
            give, the first is drawn.
        column: a numeric column; a layer without a number is white.
        size: width of the figure.

    >>> rows = [{"layer": f"h.{k}.w", "beta0": 1 + k} for k in range(3)]
    >>> figure = overview(rows, "beta0")
    >>> [ax.images[0].get_array().tolist() for ax in figure.axes if ax.images]
    [[[1.0, 2.0, 3.0]]]
    >>> [title for ax in figure.axes if (title := ax.get_title(loc="left"))]
    ['worst of 3 layers: the highest beta0']
    """
    rows = _once(rows)
    is_wide = size is PictureSize.PAGE
    image_height = max(height_of_rows(len(block_grid(rows, column).roles)), _LOWEST_IMAGE) + 0.6
    height = max(image_height, _LIST_HEIGHT) if is_wide else image_height + _LIST_HEIGHT
    grid: dict[str, Any] = (
        {"ncols": 2, "width_ratios": [1.25, 1]}
        if is_wide
        else {"nrows": 2, "height_ratios": [image_height, _LIST_HEIGHT]}
    )

    figure = new_figure(size, height=height)
    with in_our_look():
        image, names = figure.subfigures(**grid)
        blocks_by_role(rows, column, ax=image.add_subplot())
        _list_worst(names.add_subplot(), worst_layers(rows, column), column)
    return figure


def blocks_by_role(rows: Sequence[Row], column: str, *, ax: Axes | None = None) -> Axes:
    """Draw one column of all layers as colours, role by block, with a dot at each of the ten worst layers.

    Dark is the bad end of the column, or the low one where neither end is bad. Layers without a number, and places
    without a layer, are white. If all numbers are above 0 and the largest is 100 times the smallest or more, the
    colours are those of the logarithm. ``topoimp.reports.block_grid`` says how layers come to their places.

    >>> rows = [{"layer": name, "tau": tau} for name, tau in [("h.0.a", 1.0), ("h.1.a", 2.0), ("b", 3.0)]]
    >>> ax = blocks_by_role(rows, "tau")
    >>> [label.get_text() for label in ax.get_xticklabels()], ax.images[0].get_array().filled(0).tolist()
    (['0', '1', '-'], [[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    """
    rows = _once(rows)
    grid = block_grid(rows, column)
    with axes_or_new(ax) as axes:
        if not grid.roles:
            axes.set_xticks([])
            axes.set_yticks([])
            return axes

        known = grid.values[~np.isnan(grid.values)]
        norm, ticks = _scale(known, column)
        dark_end = "viridis_r" if BAD_ENDS.get(column) is BadEnd.HIGH else "viridis"
        image = axes.imshow(
            np.ma.masked_invalid(grid.values),
            cmap=colormaps[dark_end].with_extremes(bad="white"),
            norm=norm,
            aspect="auto",
            interpolation="none",
        )
        name_rows(axes, own_endings(grid.roles))
        _label_blocks(axes, grid)
        _mark(axes, grid, worst_layers(rows, column).rows)
        add_colour_bar(image, f"{column} (log)" if isinstance(norm, LogNorm) else column, ticks)
    return axes


def _once(rows: Sequence[Row]) -> list[Row]:
    """Return the first row of each layer of each other."""
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        first.setdefault((str(row.get("other")), str(row["layer"])), row)
    return list(first.values())


def _scale(known: FloatArray, column: str) -> tuple[Normalize, dict[float, str]]:
    """Return the scale of the colours, and the texts of the ticks of its bar; one number has a colour in the middle."""
    if known.size == 0:
        return Normalize(0, 1), {}
    low, high = float(known.min()), float(known.max())
    if COLUMNS[column].kind is Kind.FLAG:
        return Normalize(0, 1), {0.0: "no", 1.0: "yes"}
    if low == high:
        around = abs(low) or 1.0
        return Normalize(low - around, low + around), {low: power_text(low)}
    if low > 0 and high / low >= LOG_FROM:
        return LogNorm(low, high), log_ticks(low, high)
    is_count = COLUMNS[column].kind is Kind.COUNT
    ticks = MaxNLocator(4, integer=is_count).tick_values(low, high)
    return Normalize(low, high), {float(tick): _tick_text(float(tick)) for tick in ticks if low <= tick <= high}


def _tick_text(number: float) -> str:
    """Return a tick's text: small and large numbers with a power of ten, without the rounding of its computation."""
    number = float(f"{number:.6g}")
    return f"{number:,g}" if number == 0 or 0.001 <= abs(number) < 1e6 else power_text(number)


def _label_blocks(axes: Axes, grid: BlockGrid) -> None:
    """Label each first number of blocks in the middle of its columns, or each other, with lines between wide ones."""
    firsts = [block[0] for block in grid.blocks]
    starts = [k for k, first in enumerate(firsts) if k == 0 or first != firsts[k - 1]]
    ends = [*starts[1:], len(firsts)]
    others = panel_titles([plain(other).replace("/", ".") for other in grid.others], 14) if grid.others else []
    labels = [others[int(firsts[k])] if others else _number_text(firsts[k]) for k in starts]

    step = ceil(len(starts) / MOST_BLOCK_LABELS)
    middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    is_upright = max(map(len, labels)) > LONGEST_LEVEL_LABEL
    axes.set_xticks(middles[::step], labels=labels[::step], rotation=90 if is_upright else 0)
    if len(starts) < len(firsts):
        for start in starts[1:]:
            axes.axvline(start - 0.5, color="white", linewidth=0.4)

    label = "block of each other" if others else "block"
    if grid.most_in_a_cell > 1:
        label += f", of up to {grid.most_in_a_cell:,} layers"
    axes.set_xlabel(label)


def _number_text(number: float) -> str:
    return "-" if number == NO_NUMBER else shortened(str(int(number)), LONGEST_BLOCK_LABEL)


def _mark(axes: Axes, grid: BlockGrid, worst: Sequence[Row]) -> None:
    places = [grid.places[str(row.get("other")), str(row["layer"])] for row in worst]
    look: dict[str, Any] = {"color": VERMILION, "markeredgecolor": "white", "markeredgewidth": 0.4, "markersize": 3.5}
    axes.plot([(first + last) / 2 for _, first, last in places], [role for role, _, _ in places], "o", **look)
    axes.set_xlim(-0.5, len(grid.blocks) - 0.5)
    axes.set_ylim(len(grid.roles) - 0.5, -0.5)


def _list_worst(axes: Axes, worst: Worst, column: str) -> None:
    """Write a title that says which layers are listed and why, and below it their numbers and names."""
    axes.set_axis_off()
    axes.set_title(_title(worst, column), fontsize=STYLE["axes.titlesize"] - 1, loc="left")
    kind = COLUMNS[column].kind
    values = [readable(row.get(column), kind) for row in worst.rows]
    full = [" ".join(str(row[part]) for part in ("other", "layer") if row.get(part)) for row in worst.rows]
    names = panel_titles([plain(name) for name in full], LONGEST_NAME)
    if worst.n_alike:
        values.append("")
        names.append(f"and {worst.n_alike:,} more as bad as the last")

    look: dict[str, Any] = {"va": "baseline", "fontsize": _LIST_FONT, "transform": axes.transAxes}
    for line, (value, name) in enumerate(zip(values, names, strict=True), start=1):
        height = 1 - line / (N_WORST + 1)
        axes.text(0.17, height, value, ha="right", **look)
        axes.text(0.2, height, name, ha="left", **look)


def _title(worst: Worst, column: str) -> str:
    if worst.n_known == 0:
        return f"no layer has a number in {column}"
    layers = "layer" if worst.n_known == 1 else "layers"
    if not worst.rows:
        return f"{worst.n_known:,} {layers}, all with the same {column}"
    if worst.end is None:
        return f"extremes of {worst.n_known:,} {layers}: the lowest and the highest {column}"
    return f"worst of {worst.n_known:,} {layers}: the {worst.end} {column}"
