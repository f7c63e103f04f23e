"""Betti curves: components and independent cycles of the graph of a layer's strongest edges, beside chance."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from topoimp.chance.curves import BettiBesideChance
from topoimp.plots.canvas import axes_or_new
from topoimp.plots.colours import IID, NULL, OBSERVED
from topoimp.plots.log_axes import logarithmic


def betti_curve(curves: BettiBesideChance, *, degree: int = 0, ax: Axes | None = None) -> Axes:
    """Draw beta0 (components) or, with ``degree`` 1, beta1 (independent cycles) against the number of strongest edges.

    Independent strengths have a dashed line, and the simulations of a null model a band, from 5 to 95 %, where they are
    known. Both axes are logarithmic, that of beta1 from 1 on: 0 lies on the axis. A layer without edges has no line.

    >>> from topoimp import as_layer, betti_beside_chance, spanning_forest
    >>> layer = as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))
    >>> *_, observed = betti_curve(betti_beside_chance(layer, spanning_forest(layer))).lines
    >>> observed.get_ydata()
    array([3, 2, 1, 1])
    """

    def shown(beta0: Any) -> Any:
        return beta0 if degree == 0 else curves.beta1(beta0)

    with axes_or_new(ax) as axes:
        # Scales come first: an axis without lines has no numbers to be scaled by.
        logarithmic(axes, "x")
        axes.set_xlim(1, max(int(curves.n_kept[-1]), 2))
        if degree == 0:
            logarithmic(axes, "y")
            axes.set_ylim(0.8, curves.n_vertices * 1.3)
        else:
            logarithmic(axes, "y", linear_below=1)
            axes.set_ylim(0, max(1.0, float(np.max(shown(curves.beta0)))) * 1.5)

        if curves.beta0_null is not None:
            low, high = shown(curves.beta0_null)
            label = f"null {curves.null}, 5 to 95 %"
            axes.fill_between(curves.n_kept, low, high, color=NULL.color, alpha=0.5, linewidth=0, label=label)
        if curves.beta0_iid is not None:
            axes.plot(curves.n_kept, shown(curves.beta0_iid), **IID.line(), label="independent strengths")
        axes.plot(curves.n_kept, shown(curves.beta0), **OBSERVED.line(), label="observed")
        axes.set_xlabel("strongest edges kept")
        axes.set_ylabel("components β0" if degree == 0 else "cycles β1")
        axes.legend(loc="lower left" if degree == 0 else "upper left")
    return axes
