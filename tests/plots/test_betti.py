import numpy as np
import pytest
from numpy.testing import assert_array_equal

from topoimp import as_layer, spanning_forest
from topoimp.chance.curves import betti_beside_chance
from topoimp.chance.null import parse_null
from topoimp.plots import betti_curve


def curves_of(weights, null=None):
    layer = as_layer(np.array(weights, np.float32))
    return betti_beside_chance(layer, spanning_forest(layer), null=null)


@pytest.mark.parametrize("degree", [0, 1])
def test_lines_and_band_are_those_of_the_record(degree):
    curves = curves_of(np.random.default_rng(0).normal(size=(12, 15)), parse_null("edges:20"))
    ax = betti_curve(curves, degree=degree)

    def shown(beta0):
        return beta0 if degree == 0 else curves.n_kept - 27 + beta0

    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines) == ["independent strengths", "observed"]
    for line, beta0 in zip(lines.values(), (curves.beta0_iid, curves.beta0), strict=True):
        assert_array_equal(line.get_xdata(), curves.n_kept)
        assert_array_equal(line.get_ydata(), shown(beta0))
    (band,) = ax.collections
    corners = {(x, y) for x, y in band.get_paths()[0].vertices}
    low, high = shown(curves.beta0_null)
    assert corners == {*zip(curves.n_kept, low, strict=True), *zip(curves.n_kept, high, strict=True)}
    assert band.get_label() == "null shuffle:20:edges, 5 to 95 %"


def test_the_axes_are_logarithmic_and_have_names():
    curves = curves_of(np.random.default_rng(0).normal(size=(12, 15)))
    above, below = betti_curve(curves), betti_curve(curves, degree=1)

    assert (above.get_xscale(), above.get_yscale(), below.get_xscale(), below.get_yscale()) == (
        *("log", "log"),
        *("log", "symlog"),
    )
    assert (above.get_ylabel(), below.get_ylabel()) == ("components β0", "cycles β1")
    assert above.get_xlabel() == below.get_xlabel() == "strongest edges kept"
    assert above.get_xlim() == below.get_xlim() == (1, 180)


@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.parametrize("weights", [[[0, 0], [0, 0]], [[3, 3], [3, 3]], [[1, 0, 2]], [[5]], [[0]], [[1], [2]]])
def test_a_zero_constant_disconnected_or_thin_layer_is_drawn(weights, degree):
    ax = betti_curve(curves_of(weights, parse_null("edges:2")), degree=degree)

    ax.figure.canvas.draw()
    assert np.isfinite(ax.get_ylim()).all()
