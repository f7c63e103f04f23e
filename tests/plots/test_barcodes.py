import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp import Unit, as_layer, bars_of, spanning_forest
from topoimp.plots import barcode
from topoimp.plots.barcodes import outline


def bars(weights, convention="superlevel"):
    forest = spanning_forest(as_layer(np.array(weights, np.float32)))
    return bars_of(forest, unit=Unit(1.0, forest.strongest), bar_convention=convention)


def areas(ax):
    """The corners of each filled area, by label, without the closing one."""
    return {patch.get_label(): patch.get_xy()[:-1].tolist() for patch in ax.patches}


def test_bars_lie_in_order_of_death_on_the_essential_ones_below():
    ax = barcode(bars([[4, 1, 0], [0, 2, 0]]))  # deaths 1, 1/2, 1/4, and two parts

    finite = [[1, 0], [1, 0], [1, 1], [0.5, 1], [0.5, 2], [0.25, 2], [0.25, 3], [1, 3]]
    essential = [[1, 3], [0, 3], [0, 5], [1, 5]]
    assert areas(ax) == {"finite bars": finite, "essential bars": essential}
    assert (ax.get_xlim(), ax.get_ylim()) == ((1, 0), (0, 5))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("level |w| / scale", "bars, by death")


def test_the_last_death_is_marked():
    ax = barcode(bars([[4, 1], [0, 2]]))

    (mark,) = ax.lines
    assert (mark.get_label(), list(mark.get_xdata())) == ("last death (τ)", [0.25, 0.25])


def test_bars_of_gudhi_are_drawn_at_their_superlevels():
    assert areas(barcode(bars([[4, 1], [0, 2]], "gudhi"))) == areas(barcode(bars([[4, 1], [0, 2]])))


@pytest.mark.parametrize("weights", [[[0, 0], [0, 0]], [[3, 3], [3, 3]], [[1, 0, 2]], [[5]], [[0]], [[1], [2]]])
def test_a_zero_constant_disconnected_or_thin_layer_is_drawn(weights):
    ax = barcode(bars(weights))

    rows, columns = np.shape(weights)
    assert ax.get_ylim() == (0, rows + columns)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4000))
def test_the_outline_has_few_points_and_loses_neither_end(deaths):
    deaths = np.sort(np.array(deaths))[::-1]
    levels, heights = outline(deaths)

    assert len(levels) == len(heights) <= 1998
    assert (levels[0], levels[-1]) == (deaths[0], deaths[-1])
    assert (heights[0], heights[-1]) == (0, len(deaths))
    assert np.all(np.diff(levels) <= 0)
    assert np.all(np.diff(heights) >= 0)
    # The height of each drawn level is off by no more than the bars between two drawn ones.
    counted = np.searchsorted(-deaths, -levels[1::2], side="right")
    first = np.searchsorted(-deaths, -levels[1::2], side="left")
    room = len(deaths) / 998 + 1
    assert np.all((heights[1::2] <= counted + room) & (heights[1::2] >= first - room))
