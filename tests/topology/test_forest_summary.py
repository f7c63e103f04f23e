import pickle

import numpy as np
import pytest
from travelling import travelled

from topoimp.chance.shuffling import live_shape
from topoimp.checkpoint.number_format import BF16, F8_E4M3, F16, F32, F64
from topoimp.layers.layer import Layer
from topoimp.topology.components import largest_component
from topoimp.topology.forest import spanning_forest
from topoimp.topology.forest_summary import summary_of


def layer_of(number_format, shape, seed=0):
    """Weights with zeros among them."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, number_format.first_special, shape).astype(number_format.code_dtype)
    return Layer("w", codes * (rng.random(shape) < 0.4).astype(codes.dtype), number_format)


@pytest.mark.parametrize("number_format", [F64, F32, F16, BF16, F8_E4M3], ids=lambda each: each.name)
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (5, 40), (60, 60)])
def test_a_summary_says_of_a_forest_what_the_forest_does_also_after_a_journey(number_format, shape):
    forest = spanning_forest(layer_of(number_format, shape))

    for summary in (summary_of(forest), travelled(summary_of(forest))):
        for name in ("n_rows", "n_columns", "n_edges", "n_components", "n_cycles", "weakest", "strongest"):
            assert getattr(summary, name) == getattr(forest, name)
        assert summary.strengths.dtype == np.float64
        assert np.array_equal(summary.strengths, forest.strengths)
        assert (summary.n_live_rows, summary.n_live_columns) == live_shape(forest)
        assert summary.largest_component == largest_component(forest)


def test_a_layer_without_edges_has_a_summary():
    forest = spanning_forest(Layer("w", np.zeros((2, 3), np.uint16), BF16))

    summary = travelled(summary_of(forest))

    assert (summary.n_components, summary.n_live_rows, summary.largest_component) == (5, 0, 1)
    assert (summary.weakest, summary.strongest) == (None, None)


def test_of_a_large_layer_of_bfloat16_less_than_2_kilobytes_travel():
    weights = np.random.default_rng(0).normal(0, 0.02, (2048, 5632)).astype(np.float32)
    layer = Layer("w", (weights.view(np.uint32) >> 16).astype(np.uint16), BF16)

    pickled = pickle.dumps(summary_of(spanning_forest(layer)))

    assert len(pickled) < 2000
