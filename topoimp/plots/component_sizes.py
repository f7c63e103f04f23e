"""The sizes of a layer's components, in order; rows and columns without an edge apart from the others."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from topoimp.plots.canvas import axes_or_new
from topoimp.plots.colours import BLUE, ORANGE, VERMILION
from topoimp.plots.log_axes import logarithmic
from topoimp.topology.components import Components

LOWEST = 0.6
"""Bottom of the axis of sizes, so that components of one vertex have a height."""


def component_sizes(components: Components, *, ax: Axes | None = None) -> Axes:
    """Draw the vertices of each component, the largest first, then dead rows and dead columns: those without an edge.

    Both axes are logarithmic. A connected layer is one block.

    >>> from topoimp import as_layer, components_of, spanning_forest
    >>> components = components_of(spanning_forest(as_layer(np.array([[4.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))))
    >>> [area.get_label() for area in component_sizes(components).patches]
    ['2 vertices or more', 'dead rows', 'dead columns']
    """
    n_joined = components.n_joined
    sizes = components.n_vertices[:n_joined]
    with axes_or_new(ax) as axes:
        logarithmic(axes, "x")
        logarithmic(axes, "y")
        if n_joined:
            # One step for each different size: components of one size are one block.
            last = np.append(np.flatnonzero(np.diff(sizes)), n_joined - 1)
            ends = np.concatenate([[1.0], last + 2.0])
            axes.stairs(sizes[last], ends, baseline=LOWEST, fill=True, color=BLUE, label="2 vertices or more")

        start = n_joined + 1.0
        rows: dict[str, Any] = {"color": VERMILION, "label": "dead rows"}
        columns: dict[str, Any] = {"facecolor": ORANGE, "edgecolor": "white", "hatch": "////", "label": "dead columns"}
        for number, look in ((components.n_dead_rows, rows), (components.n_dead_columns, columns)):
            if number:
                axes.stairs([1.0], [start, start + number], baseline=LOWEST, fill=True, linewidth=0, **look)
                start += number
        axes.set_xlim(1, max(start, 2))
        axes.set_ylim(LOWEST, max(10.0, 1.5 * float(components.n_vertices[0])))
        axes.set_xlabel("components, by size")
        axes.set_ylabel("vertices")
        axes.legend(loc="upper right")
    return axes
