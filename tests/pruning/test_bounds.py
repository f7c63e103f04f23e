import numpy as np
import pytest
from conftest import read_all, stream_of
from hypothesis import given
from hypothesis import strategies as st
from oracles import masked_layer, slow_order
from strategies import weights

from topoimp.layers.layer import as_layer, by_channel
from topoimp.pruning.bounds import (
    binding_vertex,
    critical_compression,
    critical_density,
    global_safe_count,
    layer_bound,
    magnitude_safe_count,
)
from topoimp.topology.barcode import barcode_of, barcode_of_forest
from topoimp.topology.forest import spanning_forest


def keep_strongest(weight, k):
    kept = np.zeros(weight.size, bool)
    kept[slow_order(weight)[:k]] = True
    return kept.reshape(weight.shape)


def bound_of(weight):
    layer = as_layer(weight)
    return layer_bound(layer, spanning_forest(layer))


@given(weights())
def test_the_safe_count_keeps_the_barcode_and_one_weight_fewer_does_not(weight):
    layer = as_layer(weight)
    barcode = barcode_of_forest(spanning_forest(layer))
    count = magnitude_safe_count(layer, spanning_forest(layer), threads=2)

    def is_kept(k):
        return barcode_of_forest(spanning_forest(masked_layer(layer, keep_strongest(weight, k)))).equals(barcode)

    assert is_kept(count)
    assert count == 0 or not is_kept(count - 1)


@given(weights())
def test_dropping_what_is_weaker_than_a_threshold_keeps_the_barcode_up_to_tau_only(weight):
    layer = as_layer(weight)
    barcode, tau = barcode_of_forest(spanning_forest(layer)), spanning_forest(layer).weakest or 0.0
    strengths = layer.strengths()

    assert barcode_of_forest(spanning_forest(masked_layer(layer, strengths >= tau))).equals(barcode)
    beyond = barcode_of_forest(spanning_forest(masked_layer(layer, strengths > tau)))
    assert tau == 0.0 or not beyond.equals(barcode)


@given(weights())
def test_the_floor_is_the_size_of_the_forest_and_the_forest_alone_has_the_barcode(weight):
    layer, forest = as_layer(weight), spanning_forest(as_layer(weight))
    kept = np.zeros(weight.size, bool)
    kept[forest.indices] = True

    alone = spanning_forest(masked_layer(layer, kept.reshape(weight.shape)))

    assert bound_of(weight).floor == forest.n_vertices - forest.n_components == np.count_nonzero(kept)
    assert barcode_of_forest(alone).equals(barcode_of_forest(forest))


@given(weights(kinds=("normal", "sparse", "dead rows", "ties")))
def test_the_binding_vertex_is_alone_until_the_last_edge_enters(weight):
    layer, forest = as_layer(weight), spanning_forest(as_layer(weight))
    vertex = binding_vertex(forest)
    before = keep_strongest(weight, magnitude_safe_count(layer, forest, threads=2) - 1) if len(forest.indices) else None
    row, column = divmod(int(forest.indices[-1]), weight.shape[1]) if len(forest.indices) else (None, None)

    if vertex is None:
        assert before is None or (before[row].any() and before[:, column].any())
    else:
        assert vertex.index == (row if vertex.side == "row" else column)
        assert not (before[vertex.index] if vertex.side == "row" else before[:, vertex.index]).any()


@given(weights(rows=st.integers(2, 6), columns=st.integers(2, 12)), st.integers(1, 3))
def test_in_the_view_channel_it_is_weights_that_are_counted(weight, n_parallel):
    weight = np.repeat(weight, n_parallel, axis=1)  # so that there are ties within kernels too
    weight[:, ::2] *= np.float64(0.5)
    layer = by_channel(as_layer(weight), n_parallel)
    bound, barcode = layer_bound(layer, spanning_forest(layer)), barcode_of(layer)

    def is_kept(k):
        kept = np.where(keep_strongest(weight, k), weight, 0)
        return barcode_of(by_channel(as_layer(kept), n_parallel)).equals(barcode)

    assert (bound.n_weights, bound.n_edges) == (weight.size, np.count_nonzero(weight))
    assert is_kept(bound.safe_count)
    assert bound.safe_count == 0 or not is_kept(bound.safe_count - 1)


@given(st.lists(weights(rows=st.integers(2, 6), columns=st.integers(2, 6)), min_size=1, max_size=3))
def test_the_global_safe_count_is_tight(tmp_path_factory, arrays):
    from topoimp.checkpoint import write_arrays

    path = tmp_path_factory.mktemp("global") / "model.safetensors"
    write_arrays(path, {f"layer{k}": array for k, array in enumerate(arrays)}, {})
    stream = stream_of(path)
    layers = read_all(stream.layers)
    forests = {layer.name: spanning_forest(layer) for layer in layers}
    bounds = {layer.name: layer_bound(layer, forests[layer.name]) for layer in layers}
    order = sorted(
        (-abs(float(array.flat[index])), f"layer{k}", index)
        for k, array in enumerate(arrays)
        for index in np.flatnonzero(array).tolist()
    )

    safe = global_safe_count(stream, bounds)

    def all_are_kept(count):
        chosen = {name: [index for _, layer, index in order[:count] if layer == name] for name in forests}
        kept = {layer.name: np.isin(np.arange(layer.n_weights), chosen[layer.name]) for layer in layers}
        return all(
            barcode_of_forest(spanning_forest(masked_layer(layer, kept[layer.name].reshape(layer.codes.shape)))).equals(
                barcode_of_forest(forests[layer.name])
            )
            for layer in layers
        )

    if safe is None:
        assert not order
    else:
        assert all_are_kept(safe.count)
        assert not all_are_kept(safe.count - 1)
        assert order[safe.count - 1][1] == safe.layer


def test_lenet_300_100_can_be_compressed_167_fold():
    floor = (300 + 784 - 1) + (100 + 300 - 1) + (10 + 100 - 1)

    assert floor == 1591
    assert critical_compression(floor, 266_200) == pytest.approx(167.3, abs=0.05)
    assert critical_density(floor, 266_200) == floor / 266_200


def test_a_layer_of_zeros_has_no_critical_density():
    bound = bound_of(np.zeros((2, 3)))

    assert (bound.floor, bound.tau, bound.safe_count, bound.vertex) == (0, None, 0, None)
    assert critical_density(0, 0) is None
    assert critical_compression(0, 0) is None


def test_two_blocks_bind_at_the_edge_between_them_and_no_vertex_does():
    weight = np.array([[4.0, 0.0, 0.0], [3.0, 1.0, 0.0], [0.0, 2.0, 2.5]])

    assert bound_of(weight).tau == 1.0
    assert bound_of(weight).vertex is None
