import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from numpy.testing import assert_array_equal
from strategies import weights

from topoimp.errors import LayerError
from topoimp.kernels.threads import PIECE
from topoimp.layers.layer import as_layer, by_channel, sampled_magnitudes


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_a_torch_tensor_is_read_with_its_exact_values(dtype):
    tensor = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).to(dtype)

    layer = as_layer(torch.nn.Parameter(tensor, requires_grad=False))

    assert_array_equal(layer.strengths(), tensor.to(torch.float64).abs().numpy())


def test_an_array_in_any_memory_layout_or_byte_order_is_read_the_same():
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)

    assert_array_equal(as_layer(weight.T).strengths(), weight.T)
    assert_array_equal(as_layer(weight.astype(">f4")).strengths(), weight)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), r"weight has the shape \(3,\); a layer has two or more axes"),
        (np.ones((0, 3)), r"weight has the shape \(0, 3\); a layer has two or more axes and at least one weight"),
        (np.ones((2, 2), np.int64), "weight has the type int64; a layer has floating-point weights"),
        (torch.ones(2, 2, dtype=torch.int64), "weight has the type torch.int64; a layer has floating-point weights"),
        (np.array([[1.0, np.nan]]), "tensor 'weight' holds 1 NaN, the first at index 1; a layer needs finite weights"),
    ],
)
def test_an_array_that_is_no_layer_is_refused(weight, message):
    with pytest.raises(LayerError, match=message):
        as_layer(weight)


def test_minus_zero_is_no_edge():
    assert_array_equal(as_layer(np.array([[0.0, -0.0], [1.0, -1.0]])).edges(), [[False, False], [True, True]])


def test_weights_are_read_only_and_what_they_were_read_from_is_not():
    weight = np.ones((2, 2))

    layer = as_layer(weight)

    assert not layer.codes.flags.writeable
    assert weight.flags.writeable


def test_the_view_channel_keeps_the_strongest_of_each_kernel():
    weight = np.array([[1.0, -3.0, 2.0, 0.5], [0.0, 0.0, -0.25, 0.0]])

    layer = by_channel(as_layer(weight), 2)

    assert_array_equal(layer.strengths(), [[3.0, 2.0], [0.0, 0.25]])
    assert (layer.n_weights, layer.n_edges_in_parallel()) == (8, 5)
    assert_array_equal(layer.weights, weight.view(np.uint64).ravel())


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


def test_a_nan_is_found_wherever_it_is_in_a_large_layer():
    weight = np.ones((3, PIECE // 2), np.float32)
    weight[2, -1] = np.nan

    with pytest.raises(LayerError, match=f"holds 1 NaN, the first at index {weight.size - 1};"):
        as_layer(weight)


def test_an_array_is_checked_without_a_copy_of_its_weights():
    weight = np.ones((8, PIECE))

    tracemalloc.start()
    as_layer(weight)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert most < weight.nbytes / 2
