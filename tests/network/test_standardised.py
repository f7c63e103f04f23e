import numpy as np
import pytest
from hypothesis import assume, given
from numpy.testing import assert_array_equal
from strategies import weights

from topoimp.errors import LayerError
from topoimp.layers.layer import as_layer
from topoimp.network import logarithms
from topoimp.network.standardised import standardised


def magnitudes_of(layer):
    return np.concatenate([magnitudes for _, magnitudes in layer.blocks()])


@given(weights(kinds=("ties", "normal")))
def test_magnitudes_are_those_of_numpy(weight):
    assume((weight != weight.flat[0]).any())

    found = standardised(as_layer(weight))

    weight = weight.astype(np.float64)
    assert magnitudes_of(found) == pytest.approx(np.abs(weight - weight.mean()) / weight.std(), rel=1e-9, abs=1e-12)
    assert found.largest == magnitudes_of(found).max()


def test_a_layer_is_read_a_few_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(logarithms, "_PIECE", 10)
    weight = np.random.default_rng(0).standard_normal((7, 4))

    found = standardised(as_layer(weight))

    assert [rows for rows, _ in found.blocks()] == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7)]
    assert magnitudes_of(found) == pytest.approx(np.abs(weight - weight.mean()) / weight.std())


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_small_types_are_standardised_in_float64(dtype):
    weight = np.random.default_rng(0).standard_normal((30, 20)).astype(dtype)

    assert_array_equal(
        magnitudes_of(standardised(as_layer(weight))), magnitudes_of(standardised(as_layer(weight.astype(np.float64))))
    )


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([[0.1, 0.1], [0.1, 0.1]], r"^layer 'fc' has the weight 0.1 alone; a layer is divided by the deviation"),
        ([[1e200, -1e200]], r"^layer 'fc' has the mean 0 and the deviation inf; a layer is divided by its deviation"),
        ([[1e-200, -1e-200]], r"^layer 'fc' has the mean 0 and the deviation 0; a layer is divided by its deviation"),
    ],
)
def test_layers_without_a_deviation_are_refused(weight, message):
    with pytest.raises(LayerError, match=message):
        standardised(as_layer(weight, name="fc"))
