import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mask_files import pack_mask, write_masks
from strategies import KINDS, SEEDS, make_weight

from topoimp.chance.forest_by_chance import forest_edges_by_chance
from topoimp.chance.null import Null
from topoimp.checkpoint import open_checkpoint
from topoimp.choices import View
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.compare import comparison_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import CheckpointError, OptionError
from topoimp.layers.layer import as_layer
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers
from topoimp.pruning.options import PruningOptions
from topoimp.reports.rows import DISTANCES, distance_columns
from topoimp.topology.barcode import barcode_of
from topoimp.topology.distance import barcode_distances
from topoimp.topology.forest import spanning_forest

SEVERAL_FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each case writes its own


@pytest.fixture
def pruned(lenet):
    """LeNet-300-100 pruned by magnitude."""
    return prune_checkpoint(lenet, PruningOptions(rounds=10, method="magnitude")).outputs


@pytest.fixture
def rounds(lenet, tmp_path):
    """The folder of one pruning: round 0, and one that kept a tenth; round 2 is not finished."""
    folder = tmp_path / "run" / "seed-4" / "magnitude"
    outputs = prune_checkpoint(
        lenet, PruningOptions(sparsity=0.9, method="magnitude"), output=tmp_path / "tenth.safetensors"
    ).outputs
    whole = prune_checkpoint(
        lenet, PruningOptions(sparsity=1e-9, method="magnitude"), output=tmp_path / "whole.safetensors"
    ).outputs
    for number, files in enumerate((whole, outputs, outputs)):
        target = folder / f"round-{number:02}"
        target.mkdir(parents=True)
        shutil.copy(files.checkpoint, target / "model.safetensors")
        shutil.copy(files.mask, target / "mask.safetensors")
    (folder / "pruning.toml").touch()
    (folder / "round-00" / "metrics.json").touch()
    (folder / "round-01" / "metrics.json").touch()
    return folder


def test_a_checkpoint_compared_with_itself_is_unchanged(lenet):
    report = comparison_report(lenet, lenet)

    assert report.network["density"] == 1.0
    assert report.network["retention"] == 1.0
    assert report.network["barcode_kept"] is True
    assert report.network["np_rieck"] == report.network["np_rieck_reference"]


def test_its_neural_persistences_are_those_of_barcode(lenet):
    report, barcodes = comparison_report(lenet, lenet), barcode_report(lenet)

    for name in ("np_rieck", "np_rieck_finite", "np_balwani"):
        assert [row[name] for row in report.rows] == [row[name] for row in barcodes.rows]
        assert report.network[f"{name}_total"] == barcodes.network[f"{name}_total"]
        assert report.network[f"{name}_total_reference"] == barcodes.network[f"{name}_total"]


PERSISTENCES = ("np_rieck", "np_rieck_finite", "np_balwani")


def persistences(report, suffix=""):
    """The neural persistences of all rows of a report, layer by layer, with the means and totals of the network."""
    totals = [report.network[f"{name}_total{suffix}"] for name in PERSISTENCES]
    return [[row[name + suffix] for name in PERSISTENCES] for row in report.rows], totals


@SEVERAL_FILES
@given(SEEDS, st.sampled_from(KINDS), st.sampled_from(KINDS), st.sampled_from([np.float16, np.float32, np.float64]))
def test_neural_persistences_are_those_of_barcode_for_any_other(write, seed, kind, other_kind, dtype):
    shapes = {"a": (5, 4), "b": (2 + seed % 3, 7)}
    p = 1 + seed % 5 / 2
    reference = write({name: make_weight(seed, *shape, kind) for name, shape in shapes.items()}, "reference")
    weights = {name: make_weight(seed + 1, *shape, other_kind, dtype) for name, shape in shapes.items()}
    other = write({name: 3 * weight for name, weight in weights.items()}, "other")

    report = comparison_report(reference, other, p=p)

    assert persistences(report) == persistences(barcode_report(other, p=p))
    assert persistences(report, "_reference") == persistences(barcode_report(reference, p=p))


def test_a_common_factor_of_all_weights_changes_no_neural_persistence(write):
    weights = {"a": np.array([[4.0, 1.0], [2.0, 0.5]]), "b": np.array([[1.0, 0.25], [0.0, 3.0]])}
    halves = {name: weight / 2 for name, weight in weights.items()}
    report = comparison_report(write(weights, "reference"), write(halves, "other"))

    # Bars of a at its own scale: 1, 1 - 2/4, 1 - 1/4 and 0; the essential one counts in rieck. V = 4.
    assert report.layers[0]["np_rieck"] == pytest.approx(((1 + 0.25 + 0.5625) / 3) ** 0.5)
    assert report.layers[0]["np_balwani"] == pytest.approx(((0.25 + 0.5625) / 2) ** 0.5)
    assert persistences(report) == persistences(report, "_reference")
    assert report.network["bottleneck"] > 0


def test_distances_are_measured_at_the_scale_of_the_reference(write):
    weight = np.array([[4.0, 1.0], [2.0, 0.5]])
    report = comparison_report(write({"a": weight}, "reference"), write({"a": 2 * weight}, "other"))

    assert report.network["sorted_linf"] == 1.0  # the deaths 4 and 8, divided by 4


def test_the_scale_of_a_mask_s_bars_is_the_largest_kept_weight(write, tmp_path):
    weight = np.array([[4.0, 1.0], [2.0, 0.5]])
    kept = np.array([[False, True], [True, True]])
    write_masks(tmp_path / "mask.safetensors", {"a": pack_mask(kept, (2, 2))}, {})
    report = comparison_report(write({"a": weight}, "reference"), tmp_path / "mask.safetensors")

    assert persistences(report) == persistences(barcode_report(write({"a": weight * kept}, "masked")))


def test_a_layer_beside_a_reference_of_zeros_has_its_own_scale(write):
    report = comparison_report(write({"a": np.zeros((2, 2))}, "reference"), write({"a": np.ones((2, 2))}, "other"))

    row = report.layers[0]
    assert (row["np_rieck_reference"], row["np_balwani_reference"]) == (pytest.approx((4 / 3) ** 0.5), None)
    assert (row["np_rieck"], row["np_balwani"]) == (pytest.approx((1 / 3) ** 0.5), 0.0)
    assert (row["bottleneck"], row["retention"], row["barcode_kept"]) == (None, None, False)


def test_a_scale_far_below_the_other_has_no_distance_but_a_reason(write):
    report = comparison_report(
        write({"a": np.full((2, 2), 1e-300)}, "reference"), write({"a": np.full((2, 2), 1e300)}, "other")
    )

    row = report.layers[0]
    assert (row["bottleneck"], row["np_rieck"]) == (None, row["np_rieck_reference"])
    assert "no bottleneck, sorted_linf, wasserstein_1, wasserstein_2, distance_bound: " in row["undefined"]
    assert report.to_json()


def test_nothing_left_has_no_compression_ratio(write):
    report = comparison_report(write({"a": np.ones((2, 2))}, "reference"), write({"a": np.zeros((2, 2))}, "other"))

    assert (report.network["compression_ratio"], report.network["density"], report.network["beta0"]) == (None, 0.0, 4)


def test_embeddings_are_left_out_and_named(write):
    path = write({"a": np.ones((2, 2)), "embed": np.ones((2, 2))})

    assert comparison_report(path, path).left_out == {"embed": "an embedding or a head"}


@SEVERAL_FILES
@given(SEEDS, st.sampled_from(KINDS), st.floats(0, 1))
def test_under_any_mask_the_bottleneck_is_within_its_bound(write, seed, kind, share):
    weight = make_weight(seed, 7, 9, kind)
    kept = np.random.default_rng(seed).random(weight.shape) < share

    network = comparison_report(write({"a": weight}, "reference"), write({"a": weight * kept}, "other")).network

    bound = network["distance_bound"]
    assert (bound is None and not weight.any()) or network["bottleneck"] <= bound + 1e-12


@SEVERAL_FILES
@given(SEEDS, st.integers(0, 63))
def test_pruning_by_magnitude_reaches_the_bound(write, seed, n_kept):
    weight = make_weight(seed, 7, 9, "normal")
    least = np.sort(np.abs(weight).ravel())[::-1][n_kept] if n_kept < 63 else 0.0
    pruned = np.where(np.abs(weight) > least, weight, 0)

    network = comparison_report(write({"a": weight}, "reference"), write({"a": pruned}, "other")).network

    assert network["bottleneck"] == pytest.approx(network["distance_bound"], abs=1e-12)


@SEVERAL_FILES
@given(SEEDS, st.sampled_from(KINDS), st.sampled_from(KINDS))
def test_of_any_other_weights_the_sorted_distance_is_within_the_stability_bound(write, seed, kind, other_kind):
    one, other = make_weight(seed, 7, 9, kind), make_weight(seed + 1, 7, 9, other_kind)
    changed = np.abs(other) + 1.5  # no zeros, and hardly ever the same strength

    network = comparison_report(write({"a": one}, "reference"), write({"a": changed}, "other")).network

    linf, bound = network["sorted_linf"], network["distance_bound"]
    assert (linf is None and bound is None) or linf <= bound * (1 + 1e-12)


def test_distances_are_those_of_the_barcodes_at_the_scale_of_the_network(write):
    rng = np.random.default_rng(0)
    a, b, other = rng.normal(size=(6, 7)), 5 * rng.normal(size=(4, 5)), rng.normal(size=(6, 7))

    row = comparison_report(write({"a": a, "b": b}, "reference"), write({"a": other, "b": b}, "other")).layers[0]

    scale = float(np.abs(b).max())
    expected = barcode_distances(barcode_of(as_layer(a)), barcode_of(as_layer(other)), scale=scale)
    assert {name: row[name] for name in DISTANCES} == distance_columns(expected)
    assert row["distance_bound"] == pytest.approx(np.abs(np.abs(a) - np.abs(other)).max() / scale)


def test_the_distances_of_the_network_are_the_largest_of_its_layers(lenet, pruned):
    report = comparison_report(lenet, pruned.checkpoint)

    for name in (*DISTANCES, "distance_bound"):
        assert report.network[name] == max(row[name] for row in report.layers)


def test_weights_of_few_values_are_simulated_unless_all_are_kept(write):
    signs = np.sign(np.random.default_rng(0).normal(size=(20, 30))).astype(np.float32)
    reference, pruned = write({"a": signs}, "reference"), write({"a": np.where(np.arange(30) < 9, signs, 0)}, "pruned")

    report = comparison_report(reference, pruned, reference)

    first, second = report.layers
    by_chance = forest_edges_by_chance(as_layer(signs, name="a"), 180)
    assert (first["retention_iid"], second["retention_iid"]) == (by_chance.iid / 49, 1.0)
    assert first["excess"] == pytest.approx(first["retention"] - first["retention_iid"])
    assert first["undefined"] is None


def test_a_layer_too_large_to_simulate_has_no_expectation_and_the_reason(write, monkeypatch):
    monkeypatch.setattr("topoimp.chance.forest_by_chance.LARGEST_SIMULATED", 5)
    weight = np.arange(1.0, 7).reshape(2, 3)
    reference, other = write({"a": weight}, "reference"), write({"a": weight * (weight > 3)}, "other")

    report = comparison_report(reference, other)

    reason = "no retention_iid, excess: fewer than 9 rows or columns have edges, and too many edges to be simulated"
    assert report.layers[0]["retention_iid"] is None
    assert report.layers[0]["undefined"] == reason
    assert report.network["undefined"] == f"{reason} (a)"


@pytest.mark.parametrize(
    ("seed", "n_steps", "iid"),
    [(0, 8, 133.95), (0, 20, 133.55), (1, 20, 134.1165)],  # the first two are simulated, the last is the closed form
)
def test_compare_and_bound_have_one_number_for_one_layer_and_k(write, seed, n_steps, iid):
    weight = in_steps(seed, n_steps)
    order = np.argsort(-weight, axis=None, kind="stable")
    pruned = np.where(np.isin(np.arange(weight.size), order[:240]).reshape(weight.shape), weight, 0)
    reference = write({"a": weight}, "reference")

    (row,) = comparison_report(reference, write({"a": pruned}, "pruned")).layers

    (at_density,) = bound_report(reference, BoundOptions(densities=[0.05])).densities
    assert (row["n_kept"], at_density["n_kept"]) == (240, 240)
    assert row["retention_iid"] == at_density["forest_iid"] / 139
    assert row["retention"] == at_density["retention"]
    assert at_density["forest_iid"] == pytest.approx(iid, abs=1e-4)


@pytest.mark.parametrize("n_steps", [8, 20])
def test_the_curve_has_the_number_of_bound_for_as_many_edges(write, tmp_path, n_steps):
    path = write({"a": in_steps(0, n_steps)})

    barcode_report(path, curve=tmp_path / "c.csv", levels=[k / n_steps for k in range(1, n_steps + 1)])

    lines = [line.split(",") for line in (tmp_path / "c.csv").read_text().splitlines()[1:]]
    rows = bound_report(path, BoundOptions(densities=[int(line[3]) / 4800 for line in lines])).densities
    assert [row["n_kept"] for row in rows] == [int(line[3]) for line in lines]
    assert [row["forest_iid"] for row in rows] == pytest.approx([140 - float(line[6]) for line in lines], rel=1e-12)


def in_steps(seed, n_steps):
    strengths = np.abs(make_weight(seed, 60, 80, "normal"))
    return np.ceil(n_steps * strengths / strengths.max())


def test_bars_that_never_die_have_no_finite_distance_once_their_number_changes(write):
    reference, other = write({"a": np.ones((2, 2))}, "reference"), write({"a": np.eye(2)}, "other")

    row = comparison_report(reference, other, essential="never-dies").layers[0]

    assert [row[name] for name in (*DISTANCES, "distance_bound")] == [None] * 5
    assert row["undefined"] == (
        "no bottleneck, sorted_linf, wasserstein_1, wasserstein_2, distance_bound: infinite, as the numbers of "
        "essential bars differ and they never die"
    )


def test_a_mask_and_the_checkpoint_that_it_leaves_are_the_same_to_every_column(lenet, pruned):
    by_mask, by_weights = comparison_report(lenet, pruned.mask), comparison_report(lenet, pruned.checkpoint)

    assert by_mask.rows == by_weights.rows


def test_overlaps_and_dead_rows_by_hand(write):
    reference = write({"a": np.array([[3.0, 1.0, 0.0], [2.0, 0.5, 0.0]])}, "reference")
    other = write({"a": np.array([[3.0, 0.0, 0.0], [0.0, 0.0, 4.0]])}, "other")

    row = comparison_report(reference, other).layers[0]

    assert (row["mask_overlap"], row["forest_overlap"]) == (1 / 5, 1 / 4)
    assert (row["dead_rows"], row["dead_columns"]) == (0, 1)
    assert (row["dead_rows_reference"], row["dead_columns_reference"]) == (0, 1)


def test_forests_of_retrained_weights_overlap_as_their_edges_do(lenet, lenet_init):
    report = comparison_report(lenet, lenet_init, patterns=LayerPatterns(include=("fc2*",)))

    one, other = (spanning_forest(layer).indices for layer in (weight_of(lenet), weight_of(lenet_init)))
    assert report.layers[0]["forest_overlap"] == len(set(one) & set(other)) / len(set(one) | set(other))


def weight_of(path):
    layers = select_layers(open_checkpoint(path), LayerPatterns(include=("fc2*",)))
    return layers.read(layers.infos[0])


def test_shuffles_add_their_columns(lenet, pruned):
    without = comparison_report(lenet, pruned.checkpoint)
    report = comparison_report(lenet, pruned.checkpoint, null="shuffle:3", seed=5)

    assert set(report.network) - set(without.network) == {
        "null", "retention_null", "excess_low", "excess_high", "z_score", "p_value", "p_holm", "uninformative"
    }  # fmt: skip
    assert (report.settings["null"], report.settings["seed"]) == ("shuffle:3:edges", 5)
    assert (without.settings["null"], without.settings["seed"]) == (None, 0)
    assert report.rows == comparison_report(lenet, pruned.checkpoint, null=Null(3), seed=5, threads=1).rows
    last = report.layers[2]
    assert last["excess"] == pytest.approx(last["retention"] - last["retention_null"])


def test_a_dense_other_has_all_and_chance_would_too(lenet, lenet_init):
    network = comparison_report(lenet, lenet_init, null="shuffle:2").network

    assert (network["retention"], network["retention_null"], network["excess"], network["z_score"]) == (1, 1, 0, 0)


def test_shuffles_that_all_agree_leave_a_reason_in_place_of_infinity(lenet, pruned):
    row = comparison_report(lenet, pruned.checkpoint, null="shuffle:2").layers[0]

    assert row["z_score"] is None
    assert row["undefined"] == (
        "no excess_low, excess_high: fewer than 39 simulations; "
        "no z_score: the null always keeps the same number, and the other keeps another"
    )


def test_several_nulls_have_the_rows_that_each_has_alone(lenet, pruned):
    nulls = ("shuffle:3:rows", "degrees:2", "random")

    report = comparison_report(lenet, pruned.checkpoint, null=nulls)

    assert report.rows == [row for each in nulls for row in comparison_report(lenet, pruned.checkpoint, null=each).rows]
    assert report.settings["null"] == list(nulls)
    content = json.loads(report.to_json())
    assert [row["null"] for row in content["nulls"]] == list(nulls)
    assert (len(content["layers"]), content["network"]) == (9, content["nulls"][-1])


def test_one_null_has_no_list_of_nulls_in_json(lenet):
    assert "nulls" not in json.loads(comparison_report(lenet, lenet, null="random").to_json())


def test_a_random_mask_fits_the_random_null_and_is_not_tested_against_shuffles(lenet):
    """With a fixed seed; of seeds at random, 1 in 100 has a score beyond 3 in one of the four rows."""
    masked = prune_checkpoint(lenet, PruningOptions(sparsity=0.9, method="random", seed=0)).outputs.mask

    shuffled, random = (comparison_report(lenet, masked, null=null) for null in ("shuffle:39", "random"))

    assert {(row["z_score"], row["p_value"], row["p_holm"]) for row in shuffled.rows} == {(None, None, None)}
    reason = "no z_score, p_value, p_holm: the other does not keep the strongest weights of the reference"
    assert {row["undefined"] for row in shuffled.layers} == {reason}
    assert shuffled.network["undefined"] == f"{reason} (fc1.weight)"
    assert max(abs(row["z_score"]) for row in random.rows) < 3
    assert min(row["p_value"] for row in random.rows) > 0.002
    assert [row["retention_null"] for row in random.rows] == pytest.approx(
        [row["retention_random"] for row in random.rows]
    )


def test_the_strongest_weights_are_tested_and_their_p_values_are_corrected(lenet, pruned):
    report = comparison_report(lenet, pruned.mask, null="shuffle:99")

    least = 2 / 100
    assert [row["p_value"] for row in report.layers[:2]] == [least, least]
    assert [row["p_holm"] for row in report.layers[:2]] == pytest.approx([3 * least, 3 * least])
    assert report.network["p_holm"] == report.network["p_value"] == least
    assert report.network["excess_low"] < report.network["excess"] < report.network["excess_high"] < 0


@pytest.mark.parametrize("null", ["shuffle:39", "degrees:39", "scales:39", "iid:39", "random"])
def test_a_layer_of_zeros_adds_nothing_to_the_network(write, null):
    weight = make_weight(3, 12, 15, "normal")
    masked = weight * (np.abs(weight) > 1)
    with_zeros = [write({"a": each, "zero": np.zeros((3, 4))}, f"with-{n}") for n, each in enumerate((weight, masked))]
    without = [write({"a": each}, f"without-{n}") for n, each in enumerate((weight, masked))]

    network, alone = (comparison_report(*files, null=null).network for files in (with_zeros, without))

    columns = ("retention_null", "excess", "excess_low", "excess_high", "z_score", "p_value", "p_holm")
    assert [network[name] for name in columns] == pytest.approx([alone[name] for name in columns])
    assert alone["p_value"] is not None


@pytest.mark.parametrize("null", ["shuffle:2:columns", "degrees:2", "iid:2", "random"])
def test_most_nulls_are_of_weights_and_need_the_view_matrix(lenet, null):
    with pytest.raises(OptionError) as error:
        comparison_report(lenet, lenet, null=null, patterns=LayerPatterns(view=View.CHANNEL))

    assert str(error.value) == f"the view is channel; the null {null} is of weights, and needs the view matrix"


def test_shuffles_of_edges_and_rows_work_in_the_view_channel(lenet):
    report = comparison_report(lenet, lenet, null=["rows:2", "edges:2"], patterns=LayerPatterns(view=View.CHANNEL))

    assert [row["excess"] for row in report.rounds] == [0, 0]


def test_several_others_have_the_rows_that_each_has_alone(lenet, lenet_init, pruned):
    others = (pruned.checkpoint, lenet_init, pruned.mask)

    report = comparison_report(lenet, *others)

    expected = [{**row, "other": str(other)} for other in others for row in comparison_report(lenet, other).rows]
    assert report.rows == expected
    assert report.inputs == {"reference": lenet, "other-1": others[0], "other-2": others[1], "other-3": others[2]}
    content = json.loads(report.to_json())
    assert [row["other"] for row in content["others"]] == [str(other) for other in others]
    assert (len(content["layers"]), content["network"]) == (9, content["others"][-1])


def test_one_other_has_no_column_for_it(lenet):
    report = comparison_report(lenet, lenet)

    assert not any("other" in row for row in report.rows)
    assert "others" not in json.loads(report.to_json())


@pytest.mark.parametrize("part", [".", "..", "../.."])
def test_a_folder_of_rounds_stands_for_each_of_them(lenet, rounds, part):
    report = comparison_report(lenet, (rounds / part).resolve())

    assert [(row["seed"], row["round"], row["other"]) for row in report.rounds] == [
        (4, 0, str(rounds / "round-00")),
        (4, 1, str(rounds / "round-01")),
    ]
    assert [row["density"] for row in report.rounds] == [1.0, pytest.approx(0.1, abs=1e-3)]
    assert [row["barcode_kept"] for row in report.rounds] == [True, False]


def test_a_round_is_to_all_columns_what_its_checkpoint_is(lenet, rounds):
    of_folder = comparison_report(lenet, rounds).rounds[1]
    of_file = comparison_report(lenet, rounds / "round-01" / "model.safetensors").network

    assert {name: of_folder[name] for name in of_file} == of_file


def test_the_mask_of_a_round_says_what_is_kept_and_not_its_zeros(write, tmp_path):
    weight = np.array([[3.0, 1.0], [2.0, 0.5]])
    reference = write({"a": weight}, "reference")
    target = tmp_path / "seed-0" / "magnitude" / "round-00"
    target.mkdir(parents=True)
    shutil.copy(write({"a": weight * [[1, 0], [1, 1]]}, "trained"), target / "model.safetensors")
    write_masks(target / "mask.safetensors", {"a": pack_mask(np.ones((2, 2), bool), (2, 2))}, {})
    (target / "metrics.json").touch()
    (target.parent / "pruning.toml").touch()

    row = comparison_report(reference, target.parent, across_seeds=True).layers[0]

    assert (row["n_kept"], row["beta0_kept"], row["retention"], row["barcode_kept"]) == (4, True, 1.0, False)
    assert row["mask_overlap"] == 3 / 4


def test_each_round_keeps_less_of_what_the_one_before_kept(lenet, rounds):
    for before, after in pairwise(comparison_report(lenet, rounds).rounds):
        assert after["n_kept"] <= before["n_kept"]


def test_nothing_to_compare_with_is_refused(lenet):
    with pytest.raises(OptionError, match="there is nothing to compare it with; at least one other is needed"):
        comparison_report(lenet)
    with pytest.raises(OptionError, match=r"^there is nothing to compare; at least one other is needed"):
        comparison_report()


@pytest.mark.parametrize("null", [None, "shuffle:2"])
def test_a_negative_seed_is_refused_before_anything_is_read(tmp_path, null):
    with pytest.raises(OptionError, match="the seed is -1; it must be at least 0"):
        comparison_report(tmp_path / "missing", tmp_path / "missing", null=null, seed=-1)


def test_a_mask_is_no_reference(lenet, pruned):
    with pytest.raises(CheckpointError, match="is a mask; the reference needs weights"):
        comparison_report(pruned.mask, lenet)


@pytest.mark.parametrize("view", [View.MATRIX, View.CHANNEL])
def test_in_every_view_the_overlap_counts_weights(write, view):
    kernel = np.array([2.0, 1.0, 0.5]).reshape(1, 1, 3)
    reference = write({"a": np.ones((3, 4, 1)) * kernel}, "reference")
    other = write({"a": np.ones((3, 4, 1)) * kernel * [1, 0, 0]}, "other")

    row = comparison_report(reference, other, patterns=LayerPatterns(view=view)).layers[0]

    assert (row["mask_overlap"], row["n_kept"]) == (1 / 3, 12)
    assert row["barcode_kept"] is (view is View.CHANNEL)
    assert row["distance_bound"] == (0.0 if view is View.CHANNEL else 0.5)


def test_the_number_of_threads_does_not_matter(lenet, pruned):
    assert comparison_report(lenet, pruned.mask, threads=1).to_csv() == comparison_report(lenet, pruned.mask).to_csv()
