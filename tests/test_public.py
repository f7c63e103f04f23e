"""The public names, pinned: adding or removing one is a decision."""

import subprocess
import sys
from inspect import get_annotations, isfunction

import pytest

import topoimp

NAMES = [
    "COLUMNS",
    "BarConvention",
    "Barcode",
    "BarcodeDistances",
    "Bars",
    "BettiBesideChance",
    "BettiNumbers",
    "BoundOptions",
    "Checkpoint",
    "CheckpointError",
    "Components",
    "Connection",
    "Data",
    "DataError",
    "EngineError",
    "DeathHistogram",
    "DeepGraphPersistence",
    "EdgeCounts",
    "Essential",
    "Evaluation",
    "EvaluationError",
    "ExactDistribution",
    "ExpectedBettiNumbers",
    "FilterBarcodes",
    "Forest",
    "GateError",
    "GluedPersistence",
    "HeldMask",
    "InputSize",
    "IterativePruning",
    "Layer",
    "LayerBound",
    "LayerError",
    "LayerPatterns",
    "MaskShuffle",
    "Method",
    "MethodError",
    "ModulePruner",
    "ModulePruning",
    "NetworkGraph",
    "NeuralPersistence",
    "NullDistribution",
    "OptionError",
    "OutputError",
    "PackedMask",
    "Preset",
    "Pruning",
    "PruningOptions",
    "PruningPlan",
    "PruningSchedule",
    "Report",
    "Scale",
    "Scope",
    "Shuffle",
    "SpatialConvention",
    "TopoimpError",
    "TopologicalUnstructured",
    "Trainer",
    "Training",
    "TrainingError",
    "Unit",
    "VectorSettings",
    "VerificationError",
    "View",
    "activation_norms",
    "apply_mask",
    "architecture_bound_report",
    "as_layer",
    "barcode_distances",
    "barcode_of",
    "barcode_report",
    "bars_of",
    "betti_beside_chance",
    "betti_curve",
    "bottleneck_distance",
    "bound_report",
    "chain_graph",
    "comparison_over_seeds",
    "comparison_report",
    "components_of",
    "death_histogram",
    "deep_graph_persistence",
    "edge_counts",
    "expected_betti_curve",
    "filter_barcodes",
    "forest_edges_by_chance",
    "glued_persistence",
    "hold_mask",
    "layer_bound",
    "layer_names",
    "mask_report",
    "network_graph",
    "neural_persistence",
    "null_forest_edges",
    "open_checkpoint",
    "overlap",
    "parse_evaluation",
    "parse_trainer",
    "persistent_entropy",
    "plan_pruning",
    "plan_run",
    "prune_checkpoint",
    "prune_module",
    "prune_run",
    "prune_with_trainer",
    "read_layer",
    "read_masks",
    "rewind_module",
    "shape_bound_report",
    "shuffled_forest_edges",
    "sorted_linf_distance",
    "spanning_forest",
    "tensor_list",
    "topological_unstructured",
    "total_persistence",
    "train_run",
    "unit_of",
    "vectors_of",
    "wasserstein_distance",
    "write_masks",
]


def test_the_public_names_are_these():
    assert dir(topoimp) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_can_be_used_and_says_what_it_is(name):
    value = getattr(topoimp, name)

    assert name == "COLUMNS" or value.__doc__


TAKES_PATHS = [
    function
    for function in (getattr(topoimp, name) for name in NAMES)
    if isfunction(function) and "Path" in str(get_annotations(function))
]


@pytest.mark.parametrize("function", TAKES_PATHS)
def test_every_path_may_be_a_text(function):
    paths = [str(hint) for hint in get_annotations(function).values() if "Path" in str(hint)]

    assert [path for path in paths if "str | os.PathLike[str]" not in path] == []


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'topoimp' has no attribute 'bar_code'"):
        _ = topoimp.bar_code


def test_everything_can_be_imported_at_once():
    names = {}
    exec("from topoimp import *", names)  # noqa: S102  # the only way to import * into a scope of its own

    assert set(NAMES) - {"TopologicalUnstructured"} <= set(names)  # which would import torch


def modules_after(code):
    script = f"import sys\n{code}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_topoimp_imports_nothing_heavy():
    assert modules_after("import topoimp") & {"numpy", "numba", "torch", "pandas"} == set()


def test_commands_without_a_picture_do_not_import_matplotlib(lenet, lenet_init):
    code = (
        "import topoimp\n"
        f"lenet, init = {str(lenet)!r}, {str(lenet_init)!r}\n"
        "topoimp.barcode_report(lenet, threads=1)\n"
        "topoimp.bound_report(lenet, threads=1)\n"
        "topoimp.comparison_report(init, lenet, threads=1)\n"
        "topoimp.prune_checkpoint(lenet, topoimp.PruningOptions(rounds=1), threads=1)\n"
    )

    assert {"topoimp.commands.pictures", "matplotlib"} & modules_after(code) == {"topoimp.commands.pictures"}


def test_help_and_completion_import_nothing_heavy():
    assert modules_after("import topoimp_cli.app") & {"numpy", "numba", "torch", "pandas", "sklearn"} == set()


def test_only_training_needs_torch():
    assert modules_after("from topoimp import *") & {"torch", "pandas", "sklearn", "gudhi"} == set()


def test_what_derives_from_torch_imports_it_when_it_is_used():
    assert "torch" in modules_after("from topoimp import TopologicalUnstructured")


def test_the_bounds_of_an_architecture_need_no_torch():
    code = "from topoimp.commands.bound_shapes import architecture_bound_report as report; report('vgg-16')"

    assert modules_after(code) & {"torch", "pandas", "sklearn", "gudhi"} == set()
