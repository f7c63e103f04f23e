"""What docs/theory.md says: the tests that it names exist, and its numbers are those that come out."""

import ast
import re
from itertools import combinations
from math import ceil, e, sqrt

import numpy as np
import pytest
from conftest import REPOSITORY, SAMPLES
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import connected_probabilities, masked_layer, slow_components, slow_forest, tight_chance
from strategies import persistences, weights

from topoimp.chance.closed_forms import (
    connectivity_probability,
    connectivity_threshold,
    expected_forest_edges_iid,
    guaranteed_forest_edges,
)
from topoimp.chance.simulation import simulated_forest_edges_iid
from topoimp.commands.barcode import barcode_report
from topoimp.layers.layer import as_layer
from topoimp.layers.spatial import InputSize, spatial_graph
from topoimp.pruning.bounds import (
    certificate_of,
    critical_compression,
    magnitude_safe_count,
)
from topoimp.pruning.schedule import count_after, exact_rate, rounds_above
from topoimp.topology.barcode import Barcode, barcode_of_forest, neural_persistence
from topoimp.topology.distance import bottleneck_distance
from topoimp.topology.forest import spanning_forest

THEORY = (REPOSITORY / "docs" / "theory.md").read_text(encoding="utf-8")

LENET_300_100 = {"fc1": (235_200, 1_083), "fc2": (30_000, 399), "fc3": (1_000, 109)}
"""Edges and floor of each layer."""


def named_in(text):
    return set(re.findall(r"tests/[\w/]+\.py::\w+", text))


def defined_in(path):
    names = (node.name for node in ast.parse(path.read_text(encoding="utf-8")).body if hasattr(node, "name"))
    return {f"{path.relative_to(REPOSITORY).as_posix()}::{name}" for name in names if name.startswith("test_")}


def missing_in(text):
    return named_in(text) - set().union(*map(defined_in, (REPOSITORY / "tests").rglob("test_*.py")))


def statements_of(text):
    """Each numbered statement with all that follows it, up to the next heading."""
    return re.findall(r"^### (\d+\.\d+) .*?\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)


def unfounded_in(text):
    """The statements that lack a proof, source or measurement, or a line that says what checks them."""
    grounds = r"\*(Proof|Source|Definition|Measured|Derivation)"
    return [
        number for number, body in statements_of(text) if not re.search(grounds, body) or "*Checked by*" not in body
    ]


def test_every_test_that_the_theory_names_exists():
    assert len(named_in(THEORY)) > 50
    assert missing_in(THEORY) == set()


def test_a_test_that_does_not_exist_is_noticed():
    text = "by `tests/test_theory.py::test_that_nobody_wrote` and `tests/test_theory.py::missing_in`"

    assert missing_in(text) == {"tests/test_theory.py::test_that_nobody_wrote", "tests/test_theory.py::missing_in"}


def test_every_statement_has_its_ground_and_says_what_checks_it():
    assert len(statements_of(THEORY)) > 25
    assert unfounded_in(THEORY) == []


def test_a_statement_without_a_ground_or_a_check_is_noticed():
    text = "### 1.1 A\n*Proof.* yes\n\n### 1.2 B\n*Checked by* x\n\n## 2\n### 2.1 C\n*Source.* x *Checked by* x\n"

    assert unfounded_in(text) == ["1.1", "1.2"]


# Forests and masks.

SMALL = st.lists(st.integers(0, 3), min_size=6, max_size=6).map(lambda flat: np.array(flat, float).reshape(2, 3))


def holds_a_maximum_forest(weight, kept):
    """Whether some of the kept edges are acyclic, as many as a forest has, and as strong: by trying all."""
    forest = slow_forest(weight)
    edges = [index for index in np.flatnonzero(kept) if weight.flat[index]]
    total = weight.flat[forest].sum() if forest else 0.0
    return any(
        slow_components(np.isin(np.arange(6), chosen).reshape(2, 3)) == 5 - len(forest)
        and sum(weight.flat[index] for index in chosen) == total
        for chosen in combinations(edges, len(forest))
    )


@given(SMALL, st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_mask_keeps_the_barcode_if_and_only_if_it_holds_some_maximum_spanning_forest(weight, kept):
    kept = np.array(kept).reshape(2, 3)
    layer = as_layer(weight)
    before, after = (barcode_of_forest(spanning_forest(part)) for part in (layer, masked_layer(layer, kept)))

    assert after.equals(before) == holds_a_maximum_forest(weight, kept)


@given(weights(kinds=("ties", "constant")), st.lists(st.booleans(), min_size=144, max_size=144))
def test_the_order_forest_of_a_mask_that_holds_the_order_forest_is_the_same(weight, more):
    forest = spanning_forest(as_layer(weight))
    kept = np.array(more[: weight.size])
    kept[forest.indices] = True
    again = spanning_forest(masked_layer(as_layer(weight), kept.reshape(weight.shape)))

    assert_array_equal(again.indices, forest.indices)


def test_with_ties_the_order_keeps_fewer_than_a_threshold_would():
    layer = as_layer(np.ones((2, 2)))
    forest = spanning_forest(layer)

    assert magnitude_safe_count(layer, forest, threads=2) == 3
    assert [np.count_nonzero(layer.strengths() >= t) for t in (forest.weakest, np.nextafter(1, 2))] == [4, 0]


# Neural persistence.


@given(weights(), st.sampled_from([1.0, 2.0, 3.0]))
def test_rieck_finite_lacks_one_essential_bar_of_rieck_and_nothing_else(weight, p):
    barcode = barcode_of_forest(spanning_forest(as_layer(weight)))
    scale = float(np.abs(weight).max()) or None
    whole, finite = (neural_persistence(barcode, name, scale=scale, p=p) for name in ("rieck", "rieck-finite"))

    assert finite**p == pytest.approx(whole**p - 1 / (barcode.n_vertices - 1), abs=1e-12)


@pytest.mark.parametrize(("total", "percent"), [(50.252, 0.999985), (50.251, 1.000005), (6.46, 8.065173)])
def test_rieck_finite_is_lower_by_a_share_that_the_total_persistence_alone_decides(total, percent):
    barcode = Barcode(np.full(1, 10.0 - 10.0 * sqrt(total - int(total))), n_essential=int(total))
    whole, finite = (neural_persistence(barcode, name, scale=10.0) for name in ("rieck", "rieck-finite"))

    assert 100 * (1 - finite / whole) == pytest.approx(percent, abs=1e-6)


def differences(name):
    """By how many percent ``rieck-finite`` and ``balwani`` differ from ``rieck``: each layer, then the network."""
    report = barcode_report(SAMPLES / name)
    rows = [*report.layers, report.network]
    finite = [100 * (row["np_rieck_finite"] / row["np_rieck"] - 1) for row in rows]
    balwani = [100 * (row["np_balwani"] / row["np_rieck"] - 1) for row in rows]
    return finite, balwani


@pytest.mark.parametrize(
    ("name", "finite", "balwani"),
    [
        ("lenet-300-100-mnist.safetensors", [-0.2, -0.5, -2.1, -0.9], [-0.1, -12.0, -9.2, -6.9]),
        ("lenet-300-100-mnist-init.safetensors", [-0.1, -0.5, -2.4, -0.8], [-49.4, -34.3, -1.9, -31.8]),
        ("mlp-digits.safetensors", [-2.0, -8.2, -4.7], [-23.4, -7.1, -16.3]),
    ],
)
def test_conventions_differ_by_up_to_8_and_49_percent(name, finite, balwani):
    assert differences(name) == (pytest.approx(finite, abs=0.06), pytest.approx(balwani, abs=0.06))


# Rounds.


def rounds_of_lenet(rates):
    return {name: rounds_above(*LENET_300_100[name], rate) for name, rate in rates.items()}


def test_at_a_uniform_rate_the_output_layer_of_lenet_300_100_binds_first():
    assert rounds_of_lenet({"fc1": 0.2, "fc2": 0.2, "fc3": 0.2}) == {"fc1": 24, "fc2": 19, "fc3": 9}


def test_with_the_output_layer_at_half_rate_the_100_by_300_layer_binds_first_at_round_20():
    assert rounds_of_lenet({"fc1": 0.2, "fc2": 0.2, "fc3": 0.1}) == {"fc1": 24, "fc2": 19, "fc3": 21}


@pytest.mark.parametrize(
    ("layer", "rate", "k", "target"),
    [("fc3", 0.2, 10, 107), ("fc2", 0.2, 20, 346), ("fc3", 0.1, 22, 98), ("fc1", 0.2, 25, 889)],
)
def test_the_round_at_which_a_layer_of_lenet_300_100_reaches_its_floor_asks_for_fewer_and_the_one_before_does_not(
    layer, rate, k, target
):
    n_edges, floor = LENET_300_100[layer]

    assert count_after(n_edges, 1 - exact_rate(rate), k) == target < floor
    assert count_after(n_edges, 1 - exact_rate(rate), k - 1) >= floor


# The certificate.


def share_tight(n_rows, n_columns, n_layers):
    """In how many of so many random layers the last forest edge attaches a lone vertex."""
    rng = np.random.default_rng(7)
    forests = [spanning_forest(as_layer(rng.random((n_rows, n_columns))), threads=1) for _ in range(n_layers)]
    return np.mean([certificate_of(forest) == forest.weakest for forest in forests])


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "n_layers", "share", "within"),
    [
        (1, 9, 100, 1.0, 0),
        (4, 4, 2000, 0.657, 0.035),
        (10, 10, 2000, 0.820, 0.03),
        (100, 100, 1000, 0.975, 0.018),
        (10, 100, 500, 1.0, 0),
    ],
)
def test_the_certificate_is_tight_in_small_layers_without_structure_as_often_as_measured(
    n_rows, n_columns, n_layers, share, within
):
    assert share_tight(n_rows, n_columns, n_layers) == pytest.approx(share, abs=within)


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "share"),
    [(2, 2, 2 / 3), (3, 3, 22 / 35), (4, 4, 9862 / 15015), (6, 6, 0.7276), (10, 10, 0.8196), (2, 50, 1.0)],
)
def test_how_often_the_certificate_is_tight_is_counted_exactly_in_small_layers(n_rows, n_columns, share):
    assert float(tight_chance(n_rows, n_columns)) == pytest.approx(share, abs=5e-5)


# Chance.


@given(st.integers(1, 300), st.integers(0, 300), st.data())
def test_where_the_short_side_has_room_the_guarantee_is_twice_the_root_rounded_up_less_one(short, more, data):
    k = data.draw(st.integers(1, short * short))

    assert guaranteed_forest_edges(short, short + more, k) == ceil(2 * sqrt(k)) - 1


def outside_at_two():
    """The smallest solution of q = exp(-2 (1 - q))."""
    q = 0.0
    for _ in range(200):
        q = e ** (-2 * (1 - q))
    return q


def test_the_share_of_large_square_layers_is_that_of_two_edges_per_vertex():
    q = outside_at_two()

    assert q == pytest.approx(0.2032, abs=5e-5)
    assert 1 - q * (1 - q) == pytest.approx(0.8381, abs=5e-5)
    assert expected_forest_edges_iid(10**6, 10**6, 2 * 10**6 - 1) / (2 * 10**6 - 1) == pytest.approx(0.8381, abs=5e-5)


@pytest.mark.parametrize("short", [9, 20, 100])
def test_the_share_of_very_long_layers_is_that_of_columns_with_an_edge(short):
    critical = short + 10**8 - 1

    share = expected_forest_edges_iid(short, 10**8, critical) / critical

    assert share == pytest.approx(1 - (1 - 1 / short) ** short, abs=1e-4)
    assert share > 1 - 1 / e


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "k", "off"),
    [(9, 18, 14, -0.42), (9, 60, 25, -0.43), (40, 40, 42, -0.38), (60, 300, 134, 0.53)],
)
def test_where_the_giant_component_is_switched_on_an_expectation_is_off_by_half_an_edge(n_rows, n_columns, k, off):
    simulated = simulated_forest_edges_iid(n_rows, n_columns, k, n_simulations=1000, seed=3)

    error = expected_forest_edges_iid(n_rows, n_columns, k) - simulated.mean
    deviation = simulated.standard_deviation / 1000**0.5
    assert error == pytest.approx(off, abs=4 * deviation)
    assert abs(error) < max(0.01 * simulated.mean, 0.5) + 4 * deviation


# Connectivity.


def formula(n_rows, n_columns, p):
    return (1 - (1 - p) ** n_columns) ** n_rows * (1 - (1 - p) ** n_rows) ** n_columns


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "p", "off"),
    [(1, 1, 0.5, 0.25), (1, 2, 0.5, 0.0625), (3, 3, 0.54, 0.0503), (4, 4, 0.45, 0.0467), (10, 10, 0.24, 0.0143)],
)
def test_the_formula_of_connectivity_is_off_most_in_the_smallest_layers(n_rows, n_columns, p, off):
    exact = connected_probabilities(n_rows, n_columns, p)[n_rows, n_columns]

    assert abs(formula(n_rows, n_columns, p) - exact) == pytest.approx(off, abs=1e-4)


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "chance"), [(10, 10**6, 1 / e), (1000, 2000, 1 / e), (10**6, 10**6, 1 / e**2)]
)
def test_at_the_threshold_one_in_e_is_connected_and_of_square_layers_one_in_e_squared(n_rows, n_columns, chance):
    found = connectivity_probability(n_rows, n_columns, connectivity_threshold(n_rows, n_columns))

    assert found == pytest.approx(chance, abs=5e-4)


# Distances.


@pytest.mark.parametrize(("p", "ratio"), [(1, 3), (2, (4 + sqrt(7)) / 3)])
def test_at_the_largest_ratio_worth_pairing_both_ways_cost_the_same(p, ratio):
    assert (ratio - 1) ** p == pytest.approx((ratio**p + 1) / 2**p)
    assert (ratio - 0.99) ** p > ((ratio + 0.01) ** p + 1) / 2**p


@given(persistences(), persistences())
def test_two_bars_beyond_the_scale_can_be_further_apart_than_a_half(u, v):
    assert bottleneck_distance(np.append(u, -2.0), v) == 1.0


# Convolutions.


def test_a_512_by_512_convolution_of_3_by_3_has_other_critical_compressions_in_each_view():
    n_weights = 512 * 512 * 9

    assert critical_compression(512 + 512 * 9 - 1, n_weights) == pytest.approx(460.9, abs=0.05)  # matrix
    assert critical_compression(512 + 512 - 1, n_weights) == pytest.approx(2306.3, abs=0.05)  # channel
    assert spatial_graph((3, 3), InputSize((32, 32))).critical_compression == pytest.approx(4.23, abs=5e-3)


@given(st.integers(2, 600), st.integers(1, 600), st.integers(2, 49))
def test_the_view_channel_compresses_further_than_the_matrix_but_by_less_than_the_kernel(n_out, n_in, size):
    n_weights = n_out * n_in * size

    matrix = critical_compression(n_out + n_in * size - 1, n_weights)
    channel = critical_compression(n_out + n_in - 1, n_weights)

    assert 1 < channel / matrix < size
