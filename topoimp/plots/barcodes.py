"""The barcode of a layer as one filled area: every bar a line, in order of death."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from topoimp.arrays import FloatArray
from topoimp.plots.canvas import axes_or_new
from topoimp.plots.colours import BLUE, MARK, SKY
from topoimp.plots.thinning import evenly_spaced
from topoimp.topology.bars import Bars

MOST_STEPS = 998
"""Finite bars that are drawn one by one: the outline has two points for each."""


def barcode(bars: Bars, *, ax: Axes | None = None) -> Axes:
    """Draw the bars of a layer, from their birth at the left to their deaths, the first to die lowest.

    Essential bars, which end at level 0, lie on top in a lighter shade. The last death, the level of the weakest
    forest edge (tau), is marked. Of more than 998 finite bars, 998 evenly spaced ones are drawn, the first and the last
    among them. A layer without edges has only essential bars. Bars in GUDHI's convention are drawn at their
    superlevels.

    >>> from topoimp import Unit, as_layer, bars_of, spanning_forest
    >>> forest = spanning_forest(as_layer(np.array([[4.0, 1.0], [0.0, 2.0]])))
    >>> ax = barcode(bars_of(forest, unit=Unit(1.0, 4.0)))
    >>> ax.get_xlim()  # from birth down to 0
    (np.float64(1.0), np.float64(0.0))
    """
    birth = float(np.abs(bars.birth).max(initial=0.0))
    deaths = np.abs(bars.death[~bars.essential])
    n_finite, n_bars = len(deaths), len(bars.death)

    with axes_or_new(ax) as axes:
        if n_finite:
            levels, heights = outline(deaths)
            area: dict[str, Any] = {"color": BLUE, "linewidth": 0, "label": "finite bars"}
            axes.fill([birth, *levels, birth], [0, *heights, n_finite], **area)
            axes.axvline(deaths[-1], **MARK.line(), linewidth=0.8, label="last death (τ)")
        if n_bars > n_finite:
            area = {"color": SKY, "linewidth": 0, "label": "essential bars"}
            axes.fill([birth, 0, 0, birth], [n_finite, n_finite, n_bars, n_bars], **area)
        axes.set_xlim(birth or 1, 0)
        axes.set_ylim(0, max(n_bars, 1))
        axes.set_xlabel("level |w| / scale")
        axes.set_ylabel("bars, by death")
        axes.legend(loc="lower right")
    return axes


def outline(deaths: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return levels and heights of the steps along the deaths of bars of height 1, which lie on top of each other.

    Of more than ``MOST_STEPS`` bars, each drawn one stands for those that lie nearer to it than to another.
    """
    n = len(deaths)
    drawn = evenly_spaced(n, MOST_STEPS)
    edges = np.concatenate([[0.0], (drawn[:-1] + drawn[1:] + 1) / 2, [n]])
    return np.repeat(deaths[drawn], 2), np.stack([edges[:-1], edges[1:]], axis=1).reshape(-1)
