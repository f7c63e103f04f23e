"""The persistence diagram of a layer. All bars are born at one level, so it is a strip of deaths, with a histogram."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from topoimp.chance.curves import DeathHistogram
from topoimp.plots.canvas import axes_or_new
from topoimp.plots.colours import BLUE, GREY, IID, NULL, SKY, VERMILION
from topoimp.plots.thinning import evenly_spaced
from topoimp.topology.bars import Bars

MOST_POINTS = 500
"""Deaths that are drawn one by one."""

STRIP = 0.12
"""Height of the strip of deaths, as a share of the histogram's."""


def diagram(bars: Bars, histogram: DeathHistogram | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the deaths of a layer's bars.

    Bars in the convention ``superlevel`` are a strip, a stroke for each death, from the level of birth at the left to
    0; essential bars end there. Above it is the ``histogram`` of the deaths, if it is given, beside those of
    independent strengths and of a null model. Bars in the convention ``gudhi`` are points where GUDHI's diagram has
    them: deaths against births, all in one column; essential bars, which never die, lie on a line above. The histogram
    is then left out. Of more than 500 deaths 500 are drawn, the first and the last among them.

    >>> from topoimp import Unit, as_layer, bars_of, spanning_forest
    >>> forest = spanning_forest(as_layer(np.array([[4.0, 1.0], [0.0, 2.0]])))
    >>> diagram(bars_of(forest, unit=Unit(1.0, 4.0), bar_convention="gudhi")).get_ylabel()
    'death'
    """
    with axes_or_new(ax) as axes:
        if np.isinf(bars.death).any():
            _draw_gudhi(bars, axes)
        else:
            _draw_strip(bars, histogram, axes)
    return axes


def _draw_strip(bars: Bars, histogram: DeathHistogram | None, ax: Axes) -> None:
    birth = float(bars.birth.max(initial=0.0))
    top = 1.0
    if histogram is not None:
        counts = [each for each in (histogram.observed, histogram.iid, histogram.simulated) if each is not None]
        top = 1.08 * max(1.0, *(float(each.max()) for each in counts))
        ax.stairs(histogram.observed, histogram.levels, fill=True, color=BLUE, label="deaths")
        for by_chance, pen, label in (
            (histogram.iid, IID, "independent strengths"),
            (histogram.simulated, NULL, f"null {histogram.null}"),
        ):
            if by_chance is not None:
                ax.stairs(by_chance, histogram.levels, **pen.line(), linewidth=1, label=label)

    # The strip lies below the histogram.
    bottom = -STRIP * top
    deaths = _some_deaths(bars)
    label = "deaths" if histogram is None else "_deaths"  # the histogram stands in the legend
    levels = np.stack([deaths, deaths, np.full(len(deaths), np.nan)], axis=1).reshape(-1)  # a gap between strokes
    heights = np.tile([bottom, 0.25 * bottom, np.nan], len(deaths))
    ax.plot(levels, heights, color=BLUE, linewidth=0.4, label=label)
    ax.vlines([0.0], bottom, 0.25 * bottom, color=SKY, linewidth=3, label="essential bars", clip_on=False)
    ax.set_xlim(birth or 1, 0)
    ax.set_ylim(bottom * 1.2, top)
    ticks = MaxNLocator(5, integer=True).tick_values(0, top)
    ax.set_yticks([tick for tick in ticks if 0 <= tick <= top])
    ax.set_xlabel("level |w| / scale")
    ax.set_ylabel("deaths in a bin" if histogram is not None else "")
    ax.legend(loc="upper left")


def _draw_gudhi(bars: Bars, ax: Axes) -> None:
    birth = float(bars.birth[0])
    deaths = _some_deaths(bars)
    span = abs(birth) or 1.0
    low, high = birth - 0.08 * span, 0.08 * span
    infinity = 0.15 * span

    # Above the diagonal is the half of the plane in which bars lie.
    ax.fill([low, high, high], [low, high, low], color=GREY, alpha=0.3, linewidth=0)
    ax.axhline(infinity, color=GREY, linewidth=0.6)
    ax.plot(np.full(len(deaths), birth), deaths, "o", color=BLUE, markersize=2.5, alpha=0.6, label="finite bars")
    ax.plot([birth], [infinity], "^", color=VERMILION, markersize=4, label="essential bars, at +∞")
    ax.set_xlim(low, high)
    ax.set_ylim(low, 0.22 * span)
    ax.set_xlabel("birth")
    ax.set_ylabel("death")
    ax.legend(loc="center right")


def _some_deaths(bars: Bars) -> np.ndarray:
    deaths = bars.death[~bars.essential]
    return deaths[evenly_spaced(len(deaths), MOST_POINTS)]
