import numpy as np
import pytest

from topoimp.chance.holm import holm
from topoimp.choices import Method, Scope, View
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.bound_shapes import architecture_bound_report, shape_bound_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import OptionError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.options import PruningOptions


def test_a_trained_network_by_its_definitions(lenet):
    report = bound_report(lenet)

    assert [row["floor"] for row in report.layers] == [1083, 399, 109]
    assert report.network["critical_compression"] == pytest.approx(266_200 / 1_591)
    assert report.network["rounds_to_floor"] == 9
    assert report.network["safe_count"] == sum(row["safe_count"] for row in report.layers)
    assert report.network["safe_rounds"] == min(row["safe_rounds"] for row in report.layers)
    assert report.network["tau"] == min(row["tau"] for row in report.layers)
    assert report.network["binding_layer"] == "fc1.weight"


def test_by_hand(write):
    report = bound_report(write({"a": np.array([[4.0, 1.0], [2.0, 0.5]]), "b": np.array([[8.0, 3.0], [6.0, 0.0]])}))

    a, b = report.layers
    assert (a["floor"], a["tau"], a["safe_count"], a["safe_sparsity"], a["binding_vertex"]) == (
        3,
        1.0,
        3,
        0.25,
        "column 1",
    )
    assert (b["floor"], b["tau"], b["safe_count"], b["safe_sparsity"], b["n_edges"]) == (3, 3.0, 3, 0.25, 3)
    assert [(row["n_vertices"], row["certificate"], row["certificate_tight"]) for row in report.rows] == [
        (4, 1.0, True),
        (4, 3.0, True),
        (8, 1.0, True),
    ]
    assert (report.network["safe_count_global"], report.network["binding_layer"]) == (6, "a")
    assert report.network["safe_sparsity_global"] == 0.25


def test_layers_of_zeros_bound_nothing(write):
    report = bound_report(write({"a": np.zeros((2, 3))}))

    assert report.layers[0]["undefined"] == "a layer of zeros"
    assert report.layers[0]["critical_density"] is None
    assert report.network["undefined"] == "all layers are zero"
    assert (report.network["safe_count_global"], report.network["safe_sparsity_global"]) == (0, 1.0)
    assert (report.network["safe_rounds_global"], report.network["binding_layer"]) == (None, None)
    assert (report.network["certificate_tight"], report.network["binding_vertex"]) == (None, None)


@pytest.mark.parametrize("densities", [[], [0.5, 0.25]])
@pytest.mark.parametrize("n_zeros", [1, 2])
def test_layers_of_zeros_have_every_column_that_others_have(write, densities, n_zeros):
    weights = {"a": np.ones((2, 3)), "b": np.ones((3, 2))}
    zeros = {name: np.zeros((2, 3)) for name in list(weights)[:n_zeros]}

    with_zeros = bound_report(write(weights | zeros), BoundOptions(densities=densities))
    without = bound_report(write(weights), BoundOptions(densities=densities))

    assert columns_by_level(with_zeros) == columns_by_level(without)


def columns_by_level(report):
    """The columns of the rows of each level, in order."""
    return {str(row["level"]): list(row) for row in report.rows}


@pytest.mark.parametrize(
    ("model", "floor"),
    [("lenet-300-100", 1_591), ("mlp:784-300-100-10", 1_591), ("lenet-5", 2_401), ("conv-2", 18_144)],
)
def test_an_architecture_alone_has_its_floors(model, floor):
    report = architecture_bound_report(model)

    assert report.network["floor"] == floor
    assert "safe_count" not in report.network


def test_a_single_row_or_column_is_no_layer_of_an_architecture_either():
    report = architecture_bound_report("mlp:784-300-1-10")

    assert [row["layer"] for row in report.layers] == ["fc1.weight"]
    with pytest.raises(OptionError, match=r"mlp:784-1-10 has no layer of two rows and two columns or more"):
        architecture_bound_report("mlp:784-1-10")


def test_what_of_an_architecture_is_no_layer_is_said():
    assert architecture_bound_report("mlp:784-300-1-10").left_out == {
        "fc2.weight": "a single row",
        "fc3.weight": "a single column",
    }


def test_a_negative_seed_is_refused_even_if_nothing_is_simulated():
    with pytest.raises(OptionError, match="the seed is -1; it must be at least 0"):
        shape_bound_report([(20, 50)], BoundOptions(densities=[0.5], seed=-1))


def test_random_masks_of_layers_without_zeros_have_a_threshold_and_chances_of_being_in_one_piece(write):
    dense, sparse = np.arange(1.0, 101.0).reshape(10, 10), np.arange(12.0).reshape(3, 4)

    report = bound_report(write({"a": dense, "b": sparse}), BoundOptions(densities=[0.3]))

    assert [row["random_threshold"] for row in report.layers] == [pytest.approx(1 - 10**-0.1), None]
    assert [row["random_connected"] for row in report.densities] == [
        pytest.approx((1 - 0.7**10) ** 20),
        None,
    ]


def test_kernels_have_no_threshold_of_single_weights(write):
    path = write({"conv": np.ones((2, 2, 1, 2)) * np.array([1.0, 0.0])})

    report = bound_report(path, patterns=LayerPatterns(view=View.CHANNEL))

    assert report.layers[0]["n_edges"] == 4
    assert report.layers[0]["random_threshold"] is None


def test_an_architecture_has_the_floors_of_its_trained_network(lenet):
    columns = ("layer", "rows", "columns", "n_edges", "floor", "critical_compression", "rounds_to_floor")

    trained, alone = (
        bound_report(lenet, BoundOptions(rate=0.3)),
        architecture_bound_report("lenet-300-100", BoundOptions(rate=0.3)),
    )

    assert [[row[c] for c in columns] for row in alone.layers] == [[row[c] for c in columns] for row in trained.layers]


def test_a_certificate_that_is_not_tight_shows_blocks(write):
    blocks = np.array([[4.0, 0.0, 0.0], [3.0, 1.0, 0.0], [0.0, 2.0, 2.5]])

    (row,) = bound_report(write({"a": blocks})).layers

    assert (row["tau"], row["certificate"], row["certificate_tight"], row["binding_vertex"]) == (1.0, 2.0, False, None)


@pytest.mark.parametrize(("scope", "column"), [(Scope.LAYER, "safe_rounds"), (Scope.GLOBAL, "safe_rounds_global")])
def test_magnitude_pruning_keeps_all_barcodes_for_the_safe_rounds_and_not_one_more(sample, scope, column):
    path = sample("lenet-5-mnist.safetensors")
    rounds = bound_report(path, BoundOptions(rate=0.05)).network[column]

    pruned = prune_checkpoint(
        path, PruningOptions(rounds=rounds + 1, rate=0.05, method=Method.MAGNITUDE, scope=scope)
    ).report

    assert [row["barcode_kept"] for row in pruned.rounds] == [True] * rounds + [False]


@pytest.mark.parametrize(
    ("scope", "column"), [(Scope.LAYER, "rounds_to_floor"), (Scope.GLOBAL, "rounds_to_floor_global")]
)
def test_the_floor_binds_right_after_the_rounds_that_fit_above_it(sample, scope, column):
    path = sample("mlp-digits.safetensors")
    rounds = bound_report(path).network[column]

    pruned = prune_checkpoint(path, PruningOptions(rounds=rounds + 1, scope=scope)).report

    assert [row["floor_binds"] for row in pruned.rounds] == [False] * rounds + [True]


def test_densities_add_a_row_for_each_of_every_layer(lenet):
    report = bound_report(lenet, BoundOptions(densities=[0.5, 0.01]))

    assert [(row["layer"], row["density"]) for row in report.densities] == [
        (f"fc{k}.weight", density) for k in (1, 2, 3) for density in (0.5, 0.01)
    ]
    assert all(row["forest_guaranteed"] <= row["forest_kept"] <= row["floor"] for row in report.densities)
    assert [row["retention"] == row["forest_kept"] / row["floor"] for row in report.densities] == [True] * 6
    assert (report.settings["densities"], report.settings["seed"]) == (["0.5", "0.01"], 0)


def test_at_a_density_the_forest_edges_are_those_that_magnitude_pruning_retains(lenet):
    pruned = prune_checkpoint(lenet, PruningOptions(rounds=1, sparsity=0.9, method=Method.MAGNITUDE)).report

    report = bound_report(lenet, BoundOptions(densities=[0.1]))

    assert [row["retention"] for row in report.densities] == [row["retention"] for row in pruned.layers]


def test_the_overlap_of_a_layer_is_its_retention_at_the_critical_density(lenet):
    report = bound_report(lenet, BoundOptions(densities=["critical", "4*critical"]))

    shares = [row["retention"] for row in report.densities[::2]]
    assert [row["overlap"] for row in report.layers] == shares
    assert [round(share, 3) for share in shares] == [0.582, 0.609, 0.743]
    assert [row["overlap_bound"] for row in report.layers] == [row["overlap_bound"] for row in report.densities[::2]]
    n_shared = sum(row["forest_kept"] for row in report.densities[::2])
    assert report.network["overlap"] == n_shared / report.network["floor"]
    assert report.settings["densities"] == ["critical", "4*critical"]


def test_a_shape_has_the_bound_of_the_overlap_alone():
    report = shape_bound_report([(100, 784), (10, 100)])

    assert [round(row["overlap_bound"], 4) for row in report.layers] == [0.0548, 0.0491]
    assert {row["overlap"] for row in report.rows} == {None}
    assert report.network["overlap_bound"] == pytest.approx((0.054806654 * 883 + 0.0490894775 * 109) / 992)


def test_a_layer_of_zeros_has_no_overlap(write):
    report = bound_report(write({"a": np.zeros((3, 4), np.float32)}))

    assert (report.network["overlap"], report.network["overlap_bound"]) == (None, None)


def test_without_densities_nothing_is_said_of_them(lenet):
    report = bound_report(lenet)

    assert report.densities == []
    assert "densities" not in report.settings
    assert '"densities"' not in report.to_json()


def test_shapes_alone_are_the_layers_of_a_checkpoint_of_such_shapes(lenet):
    columns = ("rows", "columns", "n_vertices", "n_edges", "beta0", "floor", "critical_density", "rounds_to_floor")

    trained, alone = bound_report(lenet), shape_bound_report([(300, 784), (100, 300), (10, 100)])

    assert [[row[c] for c in columns] for row in alone.layers] == [[row[c] for c in columns] for row in trained.layers]
    assert alone.network["rounds_to_floor_global"] == trained.network["rounds_to_floor_global"] == 22
    assert "dtype" not in alone.layers[0]


def test_a_shape_given_twice_is_two_layers():
    report = shape_bound_report([(64, 3, 3, 3), (10, 20), (64, 3, 3, 3)], BoundOptions(densities=[0.5]))

    assert [row["layer"] for row in report.layers] == ["64x3x3x3", "10x20", "64x3x3x3#2"]
    assert [row["forest_kept"] for row in report.densities] == [None] * 3
    assert report.settings["shapes"] == ["64x3x3x3", "10x20", "64x3x3x3#2"]


@pytest.mark.parametrize("shape", [(5,), (1, 5), (5, 1, 1), (5, 0), (0, 5), ()])
def test_a_shape_that_is_no_layer_is_refused(shape):
    with pytest.raises(OptionError, match="a layer has two rows and two columns or more"):
        shape_bound_report([shape])


def test_no_shape_is_refused():
    with pytest.raises(OptionError, match="no shape is given; at least one is needed, as in 64x3x3x3"):
        shape_bound_report([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 1.0}, "the rate is 1.0; it must be above 0 and below 1"),
        ({"densities": [0.5, 1.5]}, "a density is 1.5; it must be at least 0 and at most 1"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        BoundOptions(**options)


def test_densities_need_weights_as_edges(sample):
    with pytest.raises(OptionError, match="the view is channel; densities are of weights, and need the view matrix"):
        bound_report(
            sample("lenet-5-mnist.safetensors"),
            BoundOptions(densities=[0.5]),
            patterns=LayerPatterns(view=View.CHANNEL),
        )


def test_nulls_have_a_row_for_each_density_and_the_numbers_of_compare(lenet):
    pruned = prune_checkpoint(lenet, PruningOptions(sparsity=0.9, method="magnitude")).outputs
    nulls = ["degrees:39", "shuffle:39:rows"]

    report = bound_report(lenet, BoundOptions(densities=[0.5, 0.1], null=nulls, seed=3))

    compared = comparison_report(lenet, pruned.mask, null=nulls, seed=3)
    columns = ("layer", "null", "retention", "retention_null", "excess", "excess_low", "excess_high", "p_value")
    at_a_tenth = [row for row in report.densities if row["density"] == 0.1]
    expected = {(row["layer"], row["null"]): [row[name] for name in columns] for row in compared.layers}
    assert {(row["layer"], row["null"]): [row[name] for name in columns] for row in at_a_tenth} == expected
    assert [(row["density"], row["null"]) for row in report.densities] == [
        (density, null) for _ in range(3) for density in (0.5, 0.1) for null in nulls
    ]
    assert report.settings["null"] == nulls


def test_degrees_explain_what_a_trained_layer_lacks_at_its_critical_density(lenet):
    """The numbers are means of 300 shuffles of the weights by numpy, and for the degrees of 200 simulations."""
    nulls = ["edges:200", "rows:200", "columns:200", "degrees:200"]

    rows = bound_report(lenet, BoundOptions(densities=["critical"], null=nulls)).densities

    assert [row["retention"] for row in rows[:8:4]] == pytest.approx([0.5817, 0.6090], abs=1e-4)
    assert [row["retention_null"] for row in rows[:4]] == pytest.approx([0.801, 0.719, 0.669, 0.587], abs=0.004)
    assert [row["retention_null"] for row in rows[4:8]] == pytest.approx([0.790, 0.780, 0.618, 0.607], abs=0.004)


def test_p_values_at_all_densities_are_a_family(lenet):
    report = bound_report(lenet, BoundOptions(densities=["critical", "2*critical"], null="shuffle:999"))

    p_values = [row["p_value"] for row in report.densities]
    assert [row["p_holm"] for row in report.densities] == holm(p_values)
    assert min(p_values) == 2 / 1000
    assert min(row["p_holm"] for row in report.densities) == pytest.approx(6 * 2 / 1000)


def test_a_layer_of_zeros_has_no_excess_and_a_reason(write):
    path = write({"a": np.zeros((2, 3)), "b": np.ones((2, 3))})

    zeros, ones = bound_report(path, BoundOptions(densities=[0.5], null="random")).densities

    assert (zeros["excess"], zeros["p_value"], zeros["p_holm"]) == (None, None, None)
    assert "no excess: a layer of zeros" in zeros["undefined"]
    assert ones["p_value"] is not None


def test_without_a_null_the_rows_at_densities_have_none(lenet):
    report = bound_report(lenet, BoundOptions(densities=[0.5]))

    assert "null" not in report.settings
    assert not any("null" in row or "p_value" in row for row in report.densities)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BoundOptions(null="degrees:20"), "`null` is about densities, and none is given"),
        (
            lambda: shape_bound_report([(3, 4)], BoundOptions(densities=[0.5], null="degrees:20")),
            "the null degrees:20 is of weights, and shapes have none",
        ),
        (
            lambda: architecture_bound_report("lenet-5", BoundOptions(densities=[0.5], null="random")),
            "the null random is of weights, and shapes have none",
        ),
    ],
)
def test_a_null_without_densities_or_weights_is_refused(call, message):
    with pytest.raises(OptionError) as error:
        call()

    assert str(error.value) == message
