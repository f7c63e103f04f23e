import numpy as np
import pytest

from topoimp.comparison.matched_deaths import MatchedDeaths
from topoimp.plots import before_after


def deaths(reference, other, bound=0.25):
    return MatchedDeaths(np.array(reference, float), np.array(other, float), bound)


def test_the_deaths_of_both_are_drawn_rank_by_rank_within_the_band():
    ax = before_after(deaths([1, 0.5, 0.25], [1, 0.5, 0]))

    line, diagonal = ax.lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([1, 0.5, 0.25], [1, 0.5, 0])
    assert (list(diagonal.get_xdata()), list(diagonal.get_ydata())) == ([0, 1], [0, 1])
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    assert {abs(round(y - x, 12)) for x, y in corners} == {0.25}
    assert ax.get_xlim() == ax.get_ylim() == (-0.02, 1.02)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("death before, |w| / scale", "death after, |w| / scale")


@pytest.mark.parametrize(("most", "ends"), [(0.25, 1.0), (3.0, 3.0)])
def test_the_axes_hold_all_deaths(most, ends):
    ax = before_after(deaths([1, 0.5], [most, 0]))

    assert ax.get_ylim()[1] == pytest.approx(1.02 * ends)


def test_of_many_deaths_a_thousand_are_drawn_the_first_and_the_last_among_them():
    many = np.linspace(1, 0.5, 50_000)

    line = before_after(MatchedDeaths(many, many, 0.0)).lines[0]

    assert len(line.get_xdata()) == 1000
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == (1, 0.5)


def test_a_layer_of_zeros_has_its_point_at_zero():
    ax = before_after(deaths([0, 0], [0, 0], bound=0.0))

    assert list(ax.lines[0].get_ydata()) == [0, 0]
    assert ax.get_xlim() == (-0.02, 1.02)


def test_infinite_deaths_and_an_infinite_bound_are_not_drawn():
    ax = before_after(deaths([1, 0.5], [np.inf, 0.5], bound=np.inf))

    assert not ax.collections
    assert ax.get_ylim() == (-0.02, 1.02)
