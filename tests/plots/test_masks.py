import numpy as np
import pytest
from numpy.testing import assert_array_equal

from topoimp import as_layer, spanning_forest
from topoimp.layers.edge_counts import edge_counts
from topoimp.plots import mask, small_multiples
from topoimp.plots.masks import MOST_DOTS


def drawn(weights, most=512, ax=None):
    layer = as_layer(np.array(weights, np.float32))
    forest = spanning_forest(layer)
    ax = mask(edge_counts(layer, most, most), forest, ax=ax)
    dots = {(float(x), float(y)) for line in ax.lines for x, y in zip(*line.get_data(), strict=True)}
    return ax, ax.images[0].get_array(), dots, forest


def test_the_cells_are_the_densities_of_blocks_and_dots_the_forest():
    weights = np.random.default_rng(0).normal(size=(30, 20)) * (np.random.default_rng(1).random((30, 20)) < 0.1)
    ax, cells, dots, forest = drawn(weights, most=10)

    assert_array_equal(cells.filled(0), edge_counts(as_layer(weights.astype(np.float32)), 10, 10).density)
    assert dots == {(index % 20 + 0.5, index // 20 + 0.5) for index in forest.indices.tolist()}
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 20), (30, 0))
    assert ax.images[0].get_extent() == [0, 20, 30, 0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("columns", "rows")
    assert ax.images[0].get_clim() == (0, 1)


def test_a_block_without_edges_is_white():
    ax, cells, _, _ = drawn([[1, 0], [2, 3]])

    assert cells.mask.tolist() == [[False, True], [False, False]]
    assert ax.images[0].to_rgba(cells)[0, 1].tolist() == [1, 1, 1, 1]


def test_a_large_forest_has_no_dots():
    _, _, few, forest = drawn(np.ones((MOST_DOTS, 1)))
    _, _, many, _ = drawn(np.ones((MOST_DOTS + 1, 1)))

    assert len(few) == len(forest.indices) == MOST_DOTS
    assert many == set()


def test_panels_share_one_colour_bar():
    figure = small_multiples(["a", "b"], lambda _name, ax: drawn([[1, 0], [2, 3]], ax=ax))

    first, second, bar = figure.axes
    assert bar.get_ylabel() == "density"
    assert [text.get_text() for text in bar.get_yticklabels()] == ["0", "0.01", "0.1", "0.25", "0.5", "1"]
    assert first.child_axes == second.child_axes == []


@pytest.mark.parametrize("weights", [[[0, 0], [0, 0]], [[3, 3], [3, 3]], [[1, 0, 2]], [[5]], [[0]], [[1], [2]]])
def test_a_zero_constant_disconnected_or_thin_layer_is_drawn(weights):
    ax, cells, dots, forest = drawn(weights)
    ax.figure.canvas.draw()

    assert_array_equal(cells.filled(0), np.not_equal(weights, 0))
    assert len(dots) == len(forest.indices)
