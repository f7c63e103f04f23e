"""Sums over paths against all paths of small networks, in exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from path_oracle import edges_of, paths_of, small_network, weighted

from topoimp.network.graph import chain_graph
from topoimp.network.path_sums import path_sums


@pytest.mark.parametrize("seed", range(200))
def test_sums_are_those_over_all_paths(seed):
    graph, weights, inputs, norms, _ = small_network(seed)
    exact = {name: [Fraction(0)] * weight.size for name, weight in weights.items()}
    for strength, path in paths_of(graph, edges_of(graph, weights, norms), inputs):
        for layer, flat in (edge.weight for edge in path if edge.weight is not None):
            exact[layer][flat] += strength**2

    found = path_sums(weighted(graph, weights, inputs, norms))

    # In one unit, a power of two, in which the largest lies in [0.5, 1).
    largest = max(max(sums) for sums in exact.values())
    unit = Fraction(2) ** int(np.frexp(float(largest))[1]) if largest else Fraction(1)
    for name, sums in exact.items():
        expected = [float(each / unit) for each in sums]
        np.testing.assert_allclose(found[name].reshape(-1), expected, rtol=1e-12, atol=0)


def test_products_outside_the_range_of_floats_keep_their_ratios():
    weights = {f"fc{k}": np.array([[2.0**-60, 2.0**-61], [2.0**-62, 2.0**-60]]) for k in range(30)}
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})
    rescaled = {name: weight * 2.0**60 for name, weight in weights.items()}

    small, usual = (path_sums(weighted(graph, each, None, {})) for each in (weights, rescaled))

    assert all(np.array_equal(small[name], usual[name]) for name in weights)
    assert max(sums.max() for sums in usual.values()) >= 0.5


def test_a_network_without_a_path_has_sums_of_0():
    weights = {"fc1": np.zeros((2, 2)), "fc2": np.ones((2, 2))}
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})

    assert not any(sums.any() for sums in path_sums(weighted(graph, weights, None, {})).values())
