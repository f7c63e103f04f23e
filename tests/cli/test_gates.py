"""Gates of every command that has them: the same words, the same messages, the same exit status."""

import json

import numpy as np
import pytest


@pytest.fixture
def halves(write):
    """Two layers: the identity, in two parts, with a dead column beside; and a full one."""
    split = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0]])
    return write({"split.weight": split, "whole.weight": np.array([[4.0, 3.0], [2.0, 1.0]])})


def test_barcode_names_every_row_at_which_a_gate_fires(topoimp, halves):
    outcome = topoimp(
        "barcode", halves, "--fail-if", "layer:beta0>1", "--fail-if", "dead_columns>0", "--fail-if", "tau<0.1"
    )

    assert outcome.status == 3
    assert outcome.out.splitlines()[-2].startswith("network")
    assert outcome.err.splitlines() == [
        "error: gate 'layer:beta0>1': layer 'split.weight' has beta0 3",
        "error: gate 'dead_columns>0': layer 'split.weight' has dead_columns 1",
        "error: gate 'dead_columns>0': the network has dead_columns 1",
    ]


def test_bound_names_every_row_at_which_a_gate_fires(topoimp, halves):
    words = ("--densities", "0.5", "--fail-if", "layer:safe_sparsity<0.5", "--fail-if", "retention<1")

    outcome = topoimp("bound", halves, *words, "-q")

    assert outcome.status == 3
    assert outcome.err.splitlines() == [
        "error: gate 'layer:safe_sparsity<0.5': layer 'whole.weight' has safe_sparsity 0.25",
        "error: gate 'retention<1': layer 'whole.weight' at density 0.5 has retention 0.6666666666666666",
    ]


@pytest.mark.parametrize(
    ("words", "subjects"),
    [
        (("--shape", "3x4"), ["layer '3x4'", "the network"]),
        (("--arch", "mlp:3-4-2"), ["layer 'fc1.weight'", "layer 'fc2.weight'", "the network"]),
    ],
)
def test_bound_gates_shapes_alone(topoimp, words, subjects):
    outcome = topoimp("bound", *words, "--fail-if", "critical_compression<100", "-q")

    assert outcome.status == 3
    assert [line.split(" has ")[0] for line in outcome.err.splitlines()] == [
        f"error: gate 'critical_compression<100': {subject}" for subject in subjects
    ]


def test_sums_of_the_view_spatial_are_named(topoimp):
    words = ("--arch", "lenet-5", "--view", "spatial", "--fail-if", "critical_compression>1")

    lines = topoimp("bound", *words, "-q").err.splitlines()

    assert [line.partition("': ")[2].split(" has ")[0] for line in lines[-3:]] == [
        "all convolutions", "all dense layers", "the network",
    ]  # fmt: skip


def test_a_layer_of_zeros_has_no_value_and_does_not_pass(topoimp, write):
    path = write({"zero": np.zeros((2, 3)), "one": np.ones((2, 3))})

    outcome = topoimp("bound", path, "--fail-if", "layer:tau<0", "-q")

    assert outcome.status == 3
    assert outcome.err == (
        "error: gate 'layer:tau<0': layer 'zero' has no tau (a layer of zeros), and an undefined value does not pass\n"
    )


def test_prune_looks_at_the_last_round_and_leaves_what_it_wrote(topoimp, lenet):
    words = ("--rounds", 6, "--method", "magnitude", "--emit-rounds", "1", "-q")

    outcome = topoimp("prune", lenet, *words, "--fail-if", "layer:barcode_kept==0", "--fail-if", "density>0.5")

    assert outcome.status == 3
    assert outcome.out.splitlines()[0].endswith("method magnitude, scope layer")
    assert outcome.err == "error: gate 'layer:barcode_kept==0': layer 'fc3.weight' has barcode_kept false\n"
    written = sorted(path.name.removeprefix("lenet-300-100-mnist.pruned.") for path in lenet.parent.iterdir())
    assert written == [
        "csv",
        "lenet-300-100-mnist.safetensors",
        "mask.safetensors",
        "round-01.safetensors",
        "safetensors",
    ]


def test_a_dry_run_has_the_gates_of_the_pruning_and_those_of_chance(topoimp, lenet):
    words = ("prune", lenet, "--rounds", 6, "--method", "magnitude", "--dry-run", "-q")

    outcome = topoimp(*words, "--fail-if", "layer:barcode_kept==0", "--fail-if", "network:retention_iid<1")

    assert outcome.status == 3
    assert [line.split(" has ")[0] for line in outcome.err.splitlines()] == [
        "error: gate 'layer:barcode_kept==0': layer 'fc3.weight'",
        "error: gate 'network:retention_iid<1': the network",
    ]
    assert [path.name for path in lenet.parent.iterdir()] == [lenet.name]


def test_pruning_by_a_mask_has_gates(topoimp, lenet, lenet_init):
    outcome = topoimp("prune", lenet, "--apply-mask", lenet_init, "-q", "--fail-if", "network:density<=1")

    assert outcome.status == 3
    assert outcome.err == "error: gate 'network:density<=1': the network has density 1.0\n"
    assert lenet.with_name("lenet-300-100-mnist.pruned.safetensors").is_file()


TRAINER = ("--rewind", "none", "--trainer", "sh -c 'cp $0 $2' {init} {mask} {out}")


def test_rounds_with_training_have_gates_on_the_last_round_of_each_seed(topoimp, run):
    words = ("prune", run, "--rounds", 2, "--method", "magnitude", *TRAINER, "-q")

    outcome = topoimp(*words, "--fail-if", "network:density<0.7", "--fail-if", "network:test_accuracy<0.5")

    assert outcome.status == 3
    assert outcome.err.splitlines() == [
        "error: gate 'network:density<0.7': the network of seed 0 has density 0.6398648648648648",
        "error: gate 'network:density<0.7': the network of seed 1 has density 0.6398648648648648",
        "error: gate 'network:test_accuracy<0.5': the network of seed 0 has no test_accuracy, and an undefined value "
        "does not pass",
        "error: gate 'network:test_accuracy<0.5': the network of seed 1 has no test_accuracy, and an undefined value "
        "does not pass",
    ]
    assert topoimp(*words, "--fail-if", "density>0.7").status == 0
    assert (run / "rounds.csv").is_file()


def test_what_a_plan_of_training_cannot_know_does_not_pass(topoimp, run):
    words = ("prune", run, "--rounds", 2, "--seeds", "0,", "--dry-run", "-q")

    assert topoimp(*words, "--fail-if", "network:target<900").status == 0
    outcome = topoimp(*words, "--fail-if", "network:round_retention<1")
    assert outcome.status == 3
    assert outcome.err.endswith("the network has no round_retention, and an undefined value does not pass\n")


def test_gates_do_not_go_with_a_list(topoimp, halves):
    outcome = topoimp("barcode", halves, "--list", "--fail-if", "rows>1")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "error: --fail-if does not go with --list, which shows tensors and no topology\n"


@pytest.mark.parametrize("command", [("barcode",), ("bound",), ("prune", "--rounds", "1")])
@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("tau", "error: the gate is 'tau'; it must be a column, one of <=, >=, ==, !=, <, > and a number, as in "),
        ("z_score<1", "error: the gate is 'z_score<1'; no row of this report has a column 'z_score'"),
        ("dtype==1", "error: the gate is 'dtype==1'; the column 'dtype' holds text, and a gate needs numbers"),
    ],
)
def test_a_gate_that_means_nothing_ends_with_2_and_nothing_is_written_or_printed(
    topoimp, lenet, command, gate, message
):
    outcome = topoimp(*command, lenet, "--fail-if", gate)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(message)
    assert [path.name for path in lenet.parent.iterdir()] == [lenet.name]


def test_a_gate_on_a_column_that_rounds_do_not_have_is_refused_before_training(topoimp, run):
    outcome = topoimp("prune", run, "--rounds", 1, "--fail-if", "p_value<1")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "error: the gate is 'p_value<1'; no row of this report has a column 'p_value'\n"
    assert sorted(path.name for path in (run / "seed-0").iterdir()) == [
        "init.safetensors", "metrics.csv", "model.safetensors", "rewind.safetensors",
    ]  # fmt: skip


def test_the_report_of_a_gate_that_fires_is_whole(topoimp, halves):
    outcome = topoimp("barcode", halves, "--fail-if", "largest>0", "--format", "json")

    assert json.loads(outcome.out)["network"]["largest"] == 4.0
