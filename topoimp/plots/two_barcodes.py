"""A barcode before and after: the deaths of two checkpoints, rank by rank."""

from math import isfinite
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from topoimp.comparison.matched_deaths import MatchedDeaths
from topoimp.plots.canvas import axes_or_new
from topoimp.plots.colours import MARK, OBSERVED, SKY
from topoimp.plots.thinning import evenly_spaced

MOST_POINTS = 1000
"""Deaths that are drawn one by one."""


def before_after(deaths: MatchedDeaths, *, ax: Axes | None = None) -> Axes:
    """Draw the deaths in another checkpoint against those in the reference, the largest against the largest.

    On the diagonal lie deaths that are equal, at level 0 those of bars that the other has lost: they never die there.
    No point lies outside the band, which is as wide as the bound. Of more than 1,000 deaths, 1,000 are drawn, evenly
    spaced in their order, the first and the last among them. Without any edge the only point is 0. Deaths that are
    infinite at the reference's scale lie outside the axes.

    >>> deaths = MatchedDeaths(np.array([1.0, 0.5, 0.0]), np.array([1.0, 0.0, 0.0]), bound=0.5)
    >>> line, diagonal = before_after(deaths).lines
    >>> line.get_ydata()
    array([1., 0., 0.])
    """
    n = len(deaths.reference)
    drawn = evenly_spaced(n, MOST_POINTS)
    before, after = deaths.reference[drawn], deaths.other[drawn]
    both = np.concatenate([before, after])
    end = float(both[np.isfinite(both)].max(initial=0.0)) or 1.0

    with axes_or_new(ax) as axes:
        if isfinite(deaths.bound):
            corners = np.array([-0.02, 1.02]) * end
            band: dict[str, Any] = {"color": SKY, "alpha": 0.35, "linewidth": 0, "label": "bound"}
            axes.fill_between(corners, corners - deaths.bound, corners + deaths.bound, **band)
        marker = "." if n <= 100 else ""
        axes.plot(before, after, **OBSERVED.line(), marker=marker, markersize=4, label="deaths")
        axes.plot([0, end], [0, end], **MARK.line(), linewidth=0.8, label="equal deaths")
        axes.set_xlim(-0.02 * end, 1.02 * end)
        axes.set_ylim(-0.02 * end, 1.02 * end)
        axes.set_xlabel("death before, |w| / scale")
        axes.set_ylabel("death after, |w| / scale")
        axes.legend(loc="upper left")
    return axes
