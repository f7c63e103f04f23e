"""The mask of a layer, the pattern of its edges: the density of blocks, and the edges of the forest."""

from math import ceil, sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator

from topoimp.arrays import IndexArray
from topoimp.layers.edge_counts import EdgeCounts
from topoimp.plots.canvas import axes_or_new
from topoimp.plots.colour_bars import add_colour_bar
from topoimp.plots.colours import VERMILION
from topoimp.topology.forest import Forest

MOST_BLOCKS = 400
"""Blocks along either side of a mask."""

MOST_DOTS = 1200
"""Forest edges that are drawn as dots; of more none is."""

N_COLOURS = 16
"""Few colours, as few blocks, keep the file of a picture below 300 kB."""

TICKS = MappingProxyType({0.0: "0", 0.01: "0.01", 0.1: "0.1", 0.25: "0.25", 0.5: "0.5", 1.0: "1"})
"""Ticks of the colour bar, which is that of the square root of the density."""


def blocks_of(n_panels: int) -> int:
    """Return the most blocks along either side of a mask among others: small panels share the blocks of a large one.

    >>> blocks_of(1), blocks_of(3)
    (400, 200)
    """
    return max(MOST_BLOCKS // ceil(sqrt(n_panels)), 1)


def mask(counts: EdgeCounts, forest: Forest | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the share of edges in each block of a layer, and the edges of the forest as dots if they are 1,200 or fewer.

    A block without edges is white, a full one dark; the colours are those of the square root of the density, so that
    few edges show. In a layer of at most as many rows and columns as there are blocks, a block is a weight. In files of
    vectors the blocks stay pixels.

    >>> from topoimp import as_layer, edge_counts
    >>> ax = mask(edge_counts(as_layer(np.array([[1.0, 0.0], [2.0, 3.0]])), 512, 512))
    >>> ax.images[0].get_array().filled(0).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    density = np.ma.masked_equal(counts.density, 0)
    n_rows, n_columns = int(counts.row_edges[-1]), int(counts.column_edges[-1])
    colours = colormaps["viridis_r"].resampled(N_COLOURS).with_extremes(bad="white")
    with axes_or_new(ax) as axes:
        image = axes.imshow(
            density,
            cmap=colours,
            norm=PowerNorm(0.5, vmin=0, vmax=1),
            extent=(0, n_columns, n_rows, 0),
            aspect="auto",
            interpolation="none",
        )
        if forest is not None and 0 < len(forest.indices) <= MOST_DOTS:
            rows, columns = _centres(forest.indices, n_columns)
            dot = min(max(30 / len(rows) ** 0.5, 1.5), 4)  # points; fewer dots are larger
            look: dict[str, Any] = {"color": VERMILION, "markeredgewidth": 0}
            axes.plot(columns, rows, ".", markersize=dot, label="_forest edges", **look)
            axes.plot([], [], ".", color=VERMILION, label="forest edges")  # in the legend a dot can be seen
            axes.legend(loc="lower right")
        axes.set_xlim(0, n_columns)
        axes.set_ylim(n_rows, 0)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_xlabel("columns")
        axes.set_ylabel("rows")
        add_colour_bar(image, "density", TICKS)
    return axes


def _centres(indices: IndexArray, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.divmod(indices, n_columns)
    return rows + 0.5, columns + 0.5
