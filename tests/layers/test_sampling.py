import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_array_equal
from strategies import make_weight, weights

from topoimp.layers.layer import as_layer
from topoimp.layers.sampling import sampled_magnitudes, tied_share


@given(weights())
def test_of_a_small_layer_all_weights_are_the_sample(weight):
    layer = as_layer(weight)

    assert_array_equal(sampled_magnitudes(layer), np.sort(layer.magnitudes().reshape(-1)))


@pytest.mark.parametrize("size", [32_768, 32_769, 50_001, 1_000_000])
def test_a_sample_has_32768_different_weights_from_the_first_to_the_last(size):
    layer = as_layer(np.arange(1.0, size + 1)[None])

    sample = sampled_magnitudes(layer)

    assert len(np.unique(sample)) == 32_768
    assert (sample[0], sample[-1]) == tuple(layer.magnitudes().reshape(-1)[[0, -1]])


@given(weights())
def test_of_a_small_layer_the_share_is_exact(weight):
    layer = as_layer(weight)
    strengths = np.sort(np.abs(weight[weight != 0].astype(float)))
    n_kept = -(-len(strengths) // 3)

    share = tied_share(layer, n_kept, len(strengths))

    assert share == (0 if n_kept in (0, len(strengths)) else (strengths == strengths[-n_kept]).sum() / n_kept)


@pytest.mark.parametrize(("n_kept", "share"), [(1_000, 50), (40_000, 1.25), (100_000, 1.5), (210_000, 50 / 210)])
def test_of_a_large_layer_the_share_is_about_right(n_kept, share):
    weight = np.random.default_rng(0).permutation(np.repeat([2.0, 1.0, 1.0, -1.0, 0.5, 0.25], 50_000))

    assert tied_share(as_layer(weight.reshape(500, 600)), n_kept, 300_000) == pytest.approx(share, rel=0.05)


@pytest.mark.parametrize("n_kept", [1, 5, 400])
def test_where_few_of_the_sample_are_kept_distinct_strengths_stay_few(n_kept):
    assert tied_share(as_layer(make_weight(0, 1000, 1000, "normal")), n_kept, 1_000_000) <= 0.1


def test_where_nothing_or_everything_is_kept_no_order_decides():
    layer = as_layer(np.ones((3, 4)))

    assert [tied_share(layer, n_kept, 12) for n_kept in (0, 1, 12)] == [0, 12, 0]
