"""The null model ``initial``: as many weights of the network before training, with a forest of their own."""

import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from topoimp.chance.null_models import null_forest_edges
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.compare import comparison_report
from topoimp.commands.compare_over_seeds import comparison_over_seeds
from topoimp.commands.prune_run import prune_run
from topoimp.errors import CheckpointError, LayerError, OptionError
from topoimp.layers.layer import as_layer
from topoimp.pruning.options import PruningOptions

DENSITIES = ("critical", "4*critical", 0.5)


def at_densities(path, null):
    report = bound_report(path, BoundOptions(densities=DENSITIES, null=null))
    return [row for row in report.rows if row["level"] == "density"]


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """A run folder with rounds of magnitude pruning; tests only read it."""
    run = shutil.copytree(trained, tmp_path_factory.mktemp("pruned") / "run")
    prune_run(run, PruningOptions(rounds=2, method="magnitude", rate=0.5), jobs=1)
    return run


def test_the_number_is_that_of_the_initial_weights_themselves(trained):
    of_initial = at_densities(trained / "seed-0/init.safetensors", None)

    rows = at_densities(trained / "seed-0/model.safetensors", "initial")

    expected = [row["forest_kept"] / row["floor"] for row in of_initial]
    assert [row["retention_null"] for row in rows] == expected
    assert [row["excess"] for row in rows] == pytest.approx(
        [row["retention"] - share for row, share in zip(rows, expected, strict=True)], abs=1e-12
    )


def test_initial_weights_beside_themselves_have_no_excess(trained):
    rows = at_densities(trained / "seed-0/init.safetensors", "initial")

    assert {row["excess"] for row in rows} == {0}


def test_a_single_network_has_no_deviation_and_tests_nothing(trained):
    rows = at_densities(trained / "seed-0/model.safetensors", "initial")

    blank = ("excess_low", "excess_high", "z_score", "p_value", "p_holm")
    assert {row[name] for row in rows for name in blank} == {None}
    assert "the initial weights are a single network" in rows[0]["undefined"]


def test_a_named_file_takes_the_place_of_the_run_folder(trained, tmp_path):
    elsewhere = shutil.copy(trained / "seed-0/model.safetensors", tmp_path)
    in_run = at_densities(trained / "seed-0/model.safetensors", "initial")

    rows = at_densities(elsewhere, f"initial:{trained}/seed-0/init.safetensors")

    assert [row["retention_null"] for row in rows] == [row["retention_null"] for row in in_run]


@pytest.mark.parametrize("reference", ["round-0", "previous"])
def test_each_round_is_beside_the_initial_weights_of_its_own_seed(run, reference):
    report = comparison_report(run, reference=reference, null=["initial", "random"])

    rows = [row for row in report.rows if row["level"] == "layer" and row["null"] == "initial"]
    for row in rows:
        initial = bound_report(run / f"seed-{row['seed']}/init.safetensors", BoundOptions(densities=[row["density"]]))
        kept = {each["layer"]: each["forest_kept"] for each in initial.rows if each["level"] == "density"}
        assert row["retention_null"] == pytest.approx(kept[row["layer"]] / row["floor"])
    assert {row["seed"] for row in rows} == {0, 1}


def excess_at_last_round(run, seed):
    report = comparison_report(run, null="initial", rounds=["last"], seeds=[seed])
    return {row["layer"]: row["excess"] for row in report.rows if row["level"] == "layer"}


def test_seeds_give_the_excess_over_initial_weights_an_interval(run):
    report = comparison_over_seeds(comparison_report(run, null="initial", rounds=["last"]))

    of_seeds = {seed: excess_at_last_round(run, seed) for seed in (0, 1)}
    rows = [row for row in report.rows if row.get("quantity") == "excess" and row["level"] == "layer"]
    assert {row["layer"]: row["mean"] for row in rows} == {
        layer: pytest.approx((of_seeds[0][layer] + of_seeds[1][layer]) / 2) for layer in of_seeds[0]
    }
    assert all(row["mean_low"] <= row["mean"] <= row["mean_high"] for row in rows)


def test_fewer_initial_edges_than_kept_weights_are_the_whole_forest(tmp_path):
    rng = np.random.default_rng(0)
    save_file({"fc.weight": np.diag(np.arange(1.0, 6.0)).astype(np.float32)}, tmp_path / "initial.safetensors")
    save_file({"fc.weight": rng.normal(size=(5, 5)).astype(np.float32)}, tmp_path / "trained.safetensors")

    rows = at_densities(tmp_path / "trained.safetensors", f"initial:{tmp_path}/initial.safetensors")

    assert [row["retention_null"] * row["floor"] for row in rows] == [5, 5, 5]


def test_a_checkpoint_outside_a_run_folder_needs_a_file(trained, tmp_path):
    elsewhere = shutil.copy(trained / "seed-0/model.safetensors", tmp_path)

    with pytest.raises(OptionError) as error:
        at_densities(elsewhere, "initial")

    assert str(error.value) == (
        f"{elsewhere}: lies in no run folder; the null initial:FILE names the file of its initial weights"
    )


def test_initial_weights_that_are_missing_or_of_another_network_are_refused(trained, tmp_path):
    save_file({"fc9.weight": np.ones((3, 3), np.float32)}, tmp_path / "other.safetensors")

    with pytest.raises(CheckpointError, match="no-such"):
        at_densities(trained / "seed-0/model.safetensors", "initial:no-such.safetensors")
    with pytest.raises(LayerError, match="lacks layer"):
        at_densities(trained / "seed-0/model.safetensors", f"initial:{tmp_path}/other.safetensors")


def test_a_layer_in_memory_has_no_initial_weights():
    layer = as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))

    with pytest.raises(OptionError, match="the null 'initial' needs the initial weights of a checkpoint"):
        null_forest_edges(layer, 2, "initial")
