import math
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import gudhi_bars, unrolled_strengths
from strategies import KINDS, SEEDS, make_weight

from topoimp.errors import LayerError, OptionError
from topoimp.layers.layer import as_layer
from topoimp.layers.spatial import InputSize, spatial_graph
from topoimp.topology.barcode import barcode_of
from topoimp.topology.filter_barcodes import filter_barcodes
from topoimp.topology.forest import spanning_forest


@st.composite
def convolutions(draw):
    """A weight of 1 to 3 filters and channels, kernels of sides 1 to 5 on 1 or 2 axes, and an image that it fits."""
    kernel = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=2)))
    padding = draw(st.sampled_from([None, 0, 1, 2]))
    least = [1 if padding is None else max(1, side - 2 * padding) for side in kernel]
    sides = tuple(draw(st.integers(low, max(low, 7))) for low in least)
    size = InputSize(sides, draw(st.integers(1, 6)), padding)

    n_filters, n_channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dtype = draw(st.sampled_from((np.float64, np.float32, np.float16)))
    rows = make_weight(draw(SEEDS), n_filters, n_channels * math.prod(kernel), draw(st.sampled_from(KINDS)), dtype)
    return rows.reshape(n_filters, n_channels, *kernel), size


def unrolled(filter_, size):
    """The dense matrix of a filter, outputs by padded inputs; sides of unequal padding are not among the cases."""
    strengths = np.zeros(filter_.shape[1:])
    for channel in filter_.astype(np.float64):  # in their order, as rounding depends on it
        strengths = strengths + np.abs(channel)
    if size.padding is not None:
        return unrolled_strengths(strengths, size.sides, size.stride, size.padding)
    padded = tuple(side + k - 1 for side, k in zip(size.sides, strengths.shape, strict=True))
    return unrolled_strengths(strengths, padded, size.stride, 0)


def barcodes_of(weight, size, **options):
    return filter_barcodes(as_layer(weight), weight.shape[2:], size, **options)


@settings(max_examples=300)
@given(convolutions())
def test_bars_are_those_of_the_dense_matrix_of_each_filter(convolution):
    weight, size = convolution

    found = barcodes_of(weight, size)

    matrices = [unrolled(filter_, size) for filter_ in weight]
    expected = [barcode_of(as_layer(matrix)) for matrix in matrices]
    assert [barcode.n_essential for barcode in found.each()] == [barcode.n_essential for barcode in expected]
    for barcode, other in zip(found.each(), expected, strict=True):
        assert_array_equal(barcode.deaths, other.deaths)
    assert found.n_edges == sum(np.count_nonzero(matrix) for matrix in matrices)


@settings(max_examples=250)
@given(convolutions())
def test_bars_are_those_of_networkx(convolution):
    weight, size = convolution

    found = barcodes_of(weight, size)

    for barcode, filter_ in zip(found.each(), weight, strict=True):
        matrix = unrolled(filter_, size)
        graph = nx.Graph()
        graph.add_nodes_from(range(sum(matrix.shape)))
        graph.add_weighted_edges_from((o, len(matrix) + i, matrix[o, i]) for o, i in np.argwhere(matrix).tolist())
        deaths = sorted((data["weight"] for *_, data in nx.maximum_spanning_edges(graph)), reverse=True)
        assert (barcode.deaths.tolist(), barcode.n_essential) == (deaths, nx.number_connected_components(graph))


@settings(max_examples=50)
@given(convolutions())
def test_bars_are_those_of_gudhi(convolution):
    weight, size = convolution

    for barcode, filter_ in zip(barcodes_of(weight, size).each(), weight, strict=True):
        matrix = unrolled(filter_, size)
        scale = matrix.max() or 1.0
        ends, n_essential, _ = gudhi_bars(matrix, scale)
        assert (ends.tolist(), n_essential) == ((-barcode.deaths / scale).tolist(), barcode.n_essential)


@given(convolutions())
def test_kernels_without_zeros_have_the_counts_of_their_shape(convolution):
    weight, size = convolution
    weight = np.where(weight == 0, 1, weight)

    found = barcodes_of(weight, size)

    graph = spatial_graph(weight.shape[2:], size)
    assert {barcode.n_essential for barcode in found.each()} == {graph.n_components}
    assert found.n_edges == len(weight) * graph.n_edges


@given(convolutions())
def test_all_edges_of_the_two_strongest_offsets_end_a_bar(convolution):
    weight, size = convolution

    found = barcodes_of(weight, size)

    for strengths, counts in zip(found.strengths, found.n_joining, strict=True):
        order = np.argsort(-strengths, kind="stable")[: min(2, np.count_nonzero(strengths))]
        assert counts[order].tolist() == [found.n_outputs] * len(order)


@given(convolutions(), st.integers(2, 4))
def test_threads_and_other_filters_change_nothing(convolution, threads):
    weight, size = convolution

    together = barcodes_of(weight, size, threads=threads)

    alone = [barcodes_of(weight[k : k + 1], size) for k in range(len(weight))]
    assert_array_equal(together.n_joining, np.concatenate([each.n_joining for each in alone]))
    assert_array_equal(together.strengths, np.concatenate([each.strengths for each in alone]))


def test_three_axes_too():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(2, 2, 2, 3, 1))
    size = InputSize((3, 4, 2), 1, 1)

    for barcode, filter_ in zip(barcodes_of(weight, size).each(), weight, strict=True):
        assert_array_equal(barcode.deaths, barcode_of(as_layer(unrolled(filter_, size))).deaths)


def test_by_hand():
    # Outputs 0, 1 over inputs 0, 1, 2; the offsets have the strengths 1 + 2 and 0.5.
    found = barcodes_of(np.array([[[1.0, 0.5], [-2.0, 0.0]]]), InputSize((3,), padding=0))

    (barcode,) = found.each()
    assert (barcode.deaths.tolist(), barcode.n_essential) == ([3.0, 3.0, 0.5, 0.5], 1)
    assert (found.n_filters, found.n_edges, found.strongest) == (1, 4, 3.0)


def test_a_zero_offset_has_no_edges_and_may_leave_inputs_alone():
    (barcode,) = barcodes_of(np.array([[[0.0, 1.0]]]), InputSize((3,), padding=0)).each()

    assert (barcode.deaths.tolist(), barcode.n_essential) == ([1.0, 1.0], 3)  # two pairs, and the first input


def test_a_filter_of_zeros_has_essential_bars_alone():
    found = barcodes_of(np.zeros((1, 2, 3)), InputSize((4,), padding=0))

    (barcode,) = found.each()
    assert (barcode.deaths.tolist(), barcode.n_essential, found.strongest) == ([], 6, None)


def test_sums_are_taken_in_the_order_of_the_channels():
    channels = np.array([1.0, 2.0**-53, 2.0**-53])[None, :, None]  # each added alone is rounded away

    assert barcodes_of(channels, InputSize((2,))).strengths.tolist() == [[1.0]]
    assert barcodes_of(channels[:, ::-1], InputSize((2,))).strengths.tolist() == [[1.0 + 2.0**-52]]


def test_columns_that_are_no_channels_are_refused():
    with pytest.raises(OptionError, match="weight has 7 columns, which are no channels of 3 weights"):
        filter_barcodes(as_layer(np.ones((2, 7))), (3,), InputSize((4,)))


def test_an_image_that_does_not_fit_is_refused():
    with pytest.raises(OptionError, match="both need the same axes"):
        barcodes_of(np.ones((1, 1, 3, 3)), InputSize((4,)))


def test_sums_beyond_all_numbers_are_refused():
    weight = np.full((1, 2, 1), np.finfo(np.float64).max)

    with pytest.raises(LayerError, match="magnitudes of a filter, summed over its channels, are beyond all numbers"):
        barcodes_of(weight, InputSize((2,)))


@settings(max_examples=250)
@given(convolutions())
def test_forests_are_the_order_forests_of_the_dense_matrices(convolution):
    weight, size = convolution

    found = barcodes_of(weight, size)

    for forest, filter_ in zip(found.forests(), weight, strict=True):
        expected = spanning_forest(as_layer(unrolled(filter_, size)))
        assert_array_equal(forest.indices, expected.indices)
        assert_array_equal(forest.strengths, expected.strengths)
        assert (forest.n_rows, forest.n_columns, forest.n_edges) == (
            *(expected.n_rows, expected.n_columns, expected.n_edges),
        )


def test_a_filter_of_3_x_3_needs_6_of_its_weights_to_stay_connected():
    masks = np.array(list(product([0.0, 1.0], repeat=9))).reshape(-1, 1, 3, 3)  # one filter each

    found = barcodes_of(masks, InputSize((32, 32)))

    n_weights = masks.sum(axis=(1, 2, 3))
    is_connected = np.array([barcode.n_essential == 1 for barcode in found.each()])
    assert n_weights[is_connected].min() == 6
    assert (masks[is_connected][:, 0, [0, 0, 2, 2], [0, 2, 0, 2]] == 1).all()  # with all corners
