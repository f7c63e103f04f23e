import numpy as np
import pytest
from numpy.testing import assert_array_equal

from topoimp import Unit, as_layer, bars_of, spanning_forest
from topoimp.chance.curves import death_histogram
from topoimp.chance.null import parse_null
from topoimp.plots import diagram
from topoimp.plots.diagrams import MOST_POINTS


def drawn(weights, convention="superlevel", null=None):
    layer = as_layer(np.array(weights, np.float32))
    forest = spanning_forest(layer)
    unit = Unit(1.0, forest.strongest)
    histogram = death_histogram(layer, forest, unit=unit, null=null)
    bars = bars_of(forest, unit=unit, bar_convention=convention)
    return diagram(bars, histogram, ax=None), bars, histogram


def strokes(ax):
    """The levels of the strokes, each of two points and a gap."""
    (strip,) = [line for line in ax.lines if line.get_label() in ("deaths", "_deaths")]
    levels = np.reshape(strip.get_xdata(), (-1, 3))
    assert_array_equal(levels[:, 0], levels[:, 1])
    assert np.isnan(levels[:, 2]).all()
    return levels[:, 0].tolist()


def test_a_stroke_for_each_death_lies_below_the_histograms():
    rng = np.random.default_rng(0)
    ax, bars, histogram = drawn(rng.normal(size=(12, 15)), null=parse_null("edges:5"))

    assert strokes(ax) == bars.death[~bars.essential].tolist()
    assert [each.get_label() for each in ax.collections] == ["essential bars"]
    steps = {patch.get_label(): patch.get_data() for patch in ax.patches}
    assert list(steps) == ["deaths", "independent strengths", "null shuffle:5:edges"]
    for data, numbers in zip(steps.values(), (histogram.observed, histogram.iid, histogram.simulated), strict=True):
        assert_array_equal(data.values, numbers)
        assert_array_equal(data.edges, histogram.levels)
    assert ax.get_xlim() == (1, 0)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("level |w| / scale", "deaths in a bin")


def test_gudhis_diagram_has_its_points_in_one_column_and_essential_bars_above():
    ax, _, _ = drawn([[4, 1, 0], [0, 2, 0]], "gudhi")

    points = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}
    assert points["finite bars"] == ([-1, -1, -1], [-1, -0.5, -0.25])
    assert points["essential bars, at +∞"][0] == [-1]
    assert points["essential bars, at +∞"][1][0] > 0
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("birth", "death")
    assert not [patch for patch in ax.patches if patch.get_label() == "deaths"]


def test_without_a_histogram_the_strip_stands_alone():
    layer = as_layer(np.array([[4.0, 1.0], [0.0, 2.0]]))
    ax = diagram(bars_of(spanning_forest(layer), unit=Unit(1.0, 4.0)))

    assert strokes(ax) == [1, 0.5, 0.25]
    assert (ax.get_ylabel(), len(ax.patches)) == ("", 0)


@pytest.mark.parametrize("convention", ["superlevel", "gudhi"])
def test_of_many_deaths_some_are_drawn_with_both_ends(convention):
    layer = as_layer(np.random.default_rng(1).normal(size=(700, 800)).astype(np.float32))
    forest = spanning_forest(layer)
    bars = bars_of(forest, unit=Unit(1.0, forest.strongest), bar_convention=convention)
    ax = diagram(bars)

    deaths = strokes(ax) if convention == "superlevel" else list(ax.lines[1].get_ydata())
    assert len(deaths) == MOST_POINTS < len(forest.indices)
    assert (deaths[0], deaths[-1]) == (bars.death[0], bars.death[len(forest.indices) - 1])


@pytest.mark.parametrize("convention", ["superlevel", "gudhi"])
@pytest.mark.parametrize("weights", [[[0, 0], [0, 0]], [[3, 3], [3, 3]], [[1, 0, 2]], [[5]], [[0]], [[1], [2]]])
def test_a_zero_constant_disconnected_or_thin_layer_is_drawn(weights, convention):
    ax, bars, histogram = drawn(weights, convention)

    assert histogram.observed.sum() == np.count_nonzero(~bars.essential)
    assert ax.get_xlabel()
