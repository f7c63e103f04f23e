"""The first layer as an image: the weights kept at each pixel."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from topoimp.arrays import IndexArray
from topoimp.plots.canvas import axes_or_new
from topoimp.plots.colour_bars import add_colour_bar


def input_image(n_kept: IndexArray, *, ax: Axes | None = None) -> Axes:
    """Draw the number of weights at each pixel, shape (height, width); pixels without a weight are cut off: black.

    >>> input_image(np.array([[3, 0], [1, 2]])).get_xlabel()
    '1 of 4 pixels cut off'
    """
    n_cut_off = int(np.count_nonzero(n_kept == 0))
    with axes_or_new(ax) as axes:
        image = axes.imshow(
            np.ma.masked_equal(n_kept, 0),
            cmap=colormaps["viridis"].with_extremes(bad="black"),
            vmin=0,
            vmax=max(int(n_kept.max(initial=0)), 1),
            interpolation="none",
        )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(f"{n_cut_off:,} of {n_kept.size:,} pixels cut off")
        add_colour_bar(image, "weights kept").locator = MaxNLocator(5, integer=True)
    return axes
