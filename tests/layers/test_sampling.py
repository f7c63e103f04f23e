import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_array_equal
from strategies import weights

from topoimp.layers.layer import as_layer
from topoimp.layers.sampling import sampled_magnitudes


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
