from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import stream_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import KINDS, SEEDS, make_weight

from topoimp.choices import View
from topoimp.layers.layer import as_layer
from topoimp.topology.forest import spanning_forests
from topoimp.topology.own_scale import largest_finite, largest_unselected, own_scale, scale_of

WEIGHTS = {
    "fc1.weight": np.array([[4.0, 1.0], [2.0, 0.5]]),
    "fc2.weight": np.array([[-3.0, 1.0], [2.0, 0.5]]),
    "embed.weight": np.array([[8.0, 1.0], [2.0, 0.5]]),
    "lm_head.weight": np.array([[6.0, 1.0], [2.0, 0.5]]),
    "fc1.bias": np.full(2, 100.0),
    "row.weight": np.full((1, 3), 100.0),
    "steps": np.full((2, 2), 100),
}


def own(path, **patterns):
    stream = stream_of(path, **patterns)
    return scale_of(stream, spanning_forests(stream))


@pytest.mark.parametrize(
    "patterns",
    [
        {},
        {"embeddings": True},
        {"include": ("fc1.weight",)},
        {"include": ("lm_head.weight",)},
        {"exclude": ("fc1.weight",)},
        {"exclude": ("lm_head.weight",), "embeddings": True},
    ],
)
def test_embeddings_and_heads_count_whichever_layers_are_selected(write, patterns):
    assert own(write(WEIGHTS), **patterns) == 8.0


def test_excluded_layers_are_none_of_the_network(write):
    path = write(WEIGHTS)

    assert own(path, exclude=("embed*",)) == 6.0
    assert own(path, exclude=("embed*", "*head*")) == 4.0
    assert own(path, exclude=("embed*", "*head*"), include=("fc2*",)) == 4.0
    assert own(path, exclude=("embed*", "*head*", "fc1*")) == 3.0


def test_constants_count_only_when_they_are_selected(write):
    path = write(WEIGHTS | {"encoder.relative_position_bias_table": np.full((2, 2), 50.0)})

    assert own(path) == 8.0
    assert own(path, include=("*bias_table",)) == 50.0


def test_if_all_layers_are_selected_no_other_is_read(write):
    layers = stream_of(write(WEIGHTS), embeddings=True).layers

    assert layers.unselected == ()
    assert largest_unselected(layers, 1) is None


def test_a_network_of_zeros_has_no_scale(write):
    path = write({"a": np.zeros((2, 2)), "embed": np.zeros((3, 2))})

    assert own(path) is None
    assert own_scale([], None) is None


def test_layers_without_edges_have_the_scale_of_the_others(write):
    assert own(write({"a": np.zeros((2, 2)), "embed": np.ones((3, 2))})) == 1.0


def test_nan_and_infinite_weights_of_layers_that_are_not_selected_do_not_count(write):
    broken = np.array([[np.nan, -7.0], [np.inf, 1.0]])

    assert own(write({"a": np.ones((2, 2)), "embed": broken})) == 7.0
    assert own(write({"a": np.ones((2, 2)), "embed": np.full((2, 2), np.nan)})) == 1.0


DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]


@given(SEEDS, st.sampled_from(KINDS), st.sampled_from(DTYPES), st.integers(1, 90), st.integers(1, 90))
def test_the_largest_finite_weight_is_that_of_numpy_in_every_type(seed, kind, dtype, n_rows, n_columns):
    weight = torch.from_numpy(make_weight(seed, n_rows, n_columns, kind).astype(np.float64)).to(dtype)

    found = largest_finite(as_layer(weight), threads=1 + seed % 3)

    assert found == float(np.abs(weight.to(torch.float64).numpy()).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", [0, 5_000, 2**19 + 3, 2**20 - 1])
def test_a_special_number_anywhere_hides_no_other(dtype, place):
    weight = torch.ones(2**10, 2**10).to(dtype)
    weight.view(-1)[2**20 - 2] = -2.0
    layer = as_layer(weight)
    codes = layer.codes.copy()
    codes.reshape(-1)[place] = layer.number_format.first_special

    assert largest_finite(replace(layer, codes=codes), threads=2) == 2.0


def test_in_the_view_channel_every_weight_of_a_kernel_counts(write):
    kernels = np.ones((3, 2, 2, 2))
    kernels[1, 0, 1, 1] = -9.0
    kernels[2, 1, 0, 0] = np.nan

    path = write({"conv.weight": kernels, "fc.weight": np.ones((2, 2))})

    assert own(path, include=("fc*",), view=View.CHANNEL) == own(path, include=("fc*",)) == 9.0
