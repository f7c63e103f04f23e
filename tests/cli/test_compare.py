import json

import numpy as np
import pytest


def test_both_facts_are_shown_apart(topoimp, lenet):
    topoimp("prune", lenet, "--rounds", 10, "--method", "magnitude")

    outcome = topoimp("compare", lenet, lenet.with_name("lenet-300-100-mnist.pruned.safetensors"))

    header, network = outcome.out.splitlines()[1], outcome.out.splitlines()[-3]
    assert "beta0 kept" in header
    assert "barcode kept" in header
    assert network.split()[0] == "network"
    assert network.split().count("no") == 2


def test_the_convention_shown_can_be_chosen(topoimp, lenet):
    assert "np balwani before" in topoimp("compare", lenet, lenet, "--np", "balwani").out


def test_json_has_every_convention_of_both(topoimp, lenet):
    network = json.loads(topoimp("compare", lenet, lenet, "--format", "json").out)["network"]

    for convention in ("np_rieck", "np_rieck_finite", "np_balwani"):
        assert network[convention] == network[f"{convention}_reference"] > 0


@pytest.fixture
def pruned(topoimp, lenet):
    """LeNet-300-100 pruned by magnitude, and by topology."""

    def prune(method):
        output = lenet.with_name(f"{method}.safetensors")
        assert topoimp("prune", lenet, "--rounds", 10, "--method", method, "-o", output, "-q").status == 0
        return output

    return prune


def header_of(outcome):
    return outcome.out.splitlines()[1].split("  ")


def test_ten_columns_are_shown_and_it_is_said_how_to_see_the_rest(topoimp, lenet):
    outcome = topoimp("compare", lenet, lenet)

    assert "(all columns: --format csv)" in outcome.out.splitlines()[0]
    assert [name.strip() for name in header_of(outcome) if name] == [
        "layer", "density", "beta0", "beta0 kept", "barcode kept", "retention", "by chance", "bottleneck",
        "np rieck before", " after".strip(),
    ]  # fmt: skip


def test_with_shuffles_they_take_the_place_of_neural_persistences(topoimp, lenet, pruned):
    outcome = topoimp("compare", lenet, pruned("magnitude"), "--null", "shuffle:3", "--seed", 1)

    assert [name.strip() for name in header_of(outcome) if name] == [
        "layer", "density", "beta0", "beta0 kept", "barcode kept", "retention", "null", "excess", "z-score",
        "p-value",
    ]  # fmt: skip


def test_several_nulls_are_named(topoimp, lenet, pruned):
    outcome = topoimp("compare", lenet, pruned("magnitude"), "--null", "degrees:2", "--null", "random")

    lines = outcome.out.splitlines()
    assert lines[1].split()[:3] == ["layer", "null", "model"]
    assert [line.split()[1] for line in lines if line.startswith("fc1.weight")] == ["degrees:2", "random"]


def test_gates_take_p_values(topoimp, lenet, pruned):
    gate = ("--fail-if", "network:p_holm<0.05")
    outcome = topoimp("compare", lenet, pruned("magnitude"), "--null", "random", *gate, "-q")

    assert outcome.status == 3
    assert outcome.err.startswith("error: gate 'network:p_holm<0.05': the network has p_holm ")


def test_several_others_are_counted_once_beside_several_nulls(topoimp, lenet):
    outcome = topoimp("compare", lenet, lenet, lenet, "--null", "degrees:2", "--null", "random")

    assert outcome.out.startswith(f"2 others against {lenet}")
    assert [line.split()[1] for line in outcome.out.splitlines()[3:7]] == ["degrees:2", "random"] * 2


def test_both_are_shown_if_both_are_asked_for(topoimp, lenet):
    header = topoimp("compare", lenet, lenet, "--null", "shuffle:2:rows", "--np", "balwani").out.splitlines()[1]

    assert "z-score" in header
    assert "np balwani before" in header


def test_the_norm_of_neural_persistence_can_be_chosen(topoimp, lenet):
    network = json.loads(topoimp("compare", lenet, lenet, "--p", "1", "--format", "json").out)["network"]
    usual = json.loads(topoimp("compare", lenet, lenet, "--format", "json").out)["network"]

    assert network["np_rieck"] == network["np_rieck_reference"] < usual["np_rieck"]


def test_for_layers_too_large_to_be_simulated_a_note_names_the_option_that_does(topoimp, write, monkeypatch):
    monkeypatch.setattr("topoimp.chance.forest_by_chance.LARGEST_SIMULATED", 5)
    weights = {f"{name}.weight": np.full((2, 3), float(name != "dead")) for name in ("a", "b", "dead")}
    path, other = write(weights, "one"), write({name: np.tril(weight) for name, weight in weights.items()}, "other")

    noted, shuffled = topoimp("compare", path, other), topoimp("compare", path, other, "--null", "shuffle:2")

    assert (
        noted.err
        == "by chance: unknown for a.weight, b.weight, 2 in all, too large to simulate; --null shuffle:20 does\n"
    )
    assert shuffled.err == ""


def test_of_several_others_each_has_a_line(topoimp, lenet, lenet_init, pruned):
    outcome = topoimp("compare", lenet, lenet_init, pruned("magnitude"))

    lines = outcome.out.splitlines()
    assert lines[0].startswith(f"2 others against {lenet} (all ")
    assert lines[0].endswith(" columns, and the layers: --format csv)")
    assert [line.split()[0] for line in lines[3:5]] == [str(lenet_init), str(lenet.with_name("magnitude.safetensors"))]


@pytest.mark.parametrize(("method", "status"), [("topological", 0), ("magnitude", 3)])
def test_a_pipeline_stops_where_the_barcode_is_not_kept(topoimp, lenet, pruned, method, status):
    outcome = topoimp("compare", lenet, pruned(method), "--fail-if", "barcode_kept==0", "-q")

    assert outcome.status == status
    assert outcome.out.splitlines()[-3].startswith("network")
    subjects = [*(f"layer 'fc{n}.weight'" for n in (1, 2, 3)), "the network"] if status else []
    assert outcome.err == "".join(
        f"error: gate 'barcode_kept==0': {subject} has barcode_kept false\n" for subject in subjects
    )


def test_each_row_at_which_a_gate_fires_has_a_line_and_the_report_is_printed(topoimp, lenet, pruned):
    gates = ("--fail-if", "network:retention<1", "--fail-if", "beta0>1e9", "--fail-if", "layer:dead_columns>0")

    outcome = topoimp("compare", lenet, pruned("magnitude"), *gates, "--format", "json", "-q")

    retention = json.loads(outcome.out)["network"]["retention"]
    assert outcome.status == 3
    assert outcome.err.splitlines()[0] == f"error: gate 'network:retention<1': the network has retention {retention}"
    dead = {row["layer"]: row["dead_columns"] for row in json.loads(outcome.out)["layers"]}
    assert outcome.err.splitlines()[1:] == [
        f"error: gate 'layer:dead_columns>0': layer '{name}' has dead_columns {n_dead}" for name, n_dead in dead.items()
    ]
    assert min(dead.values()) > 0


def test_an_undefined_value_fires(topoimp, lenet, pruned):
    outcome = topoimp("compare", lenet, pruned("magnitude"), "--null", "shuffle:2", "--fail-if", "layer:z_score>99")

    assert outcome.status == 3
    assert "layer 'fc1.weight' has no z_score (no excess_low, excess_high: fewer than 39" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fail-if", "retention"), "error: the gate is 'retention'; it must be a column, one of <=, "),
        (("--fail-if", "z_score<2"), "error: the gate is 'z_score<2'; no row of this report has a column 'z_score'"),
        (("--null", "shuffle:1"), "error: the null is 'shuffle:1'; it needs 2 simulations or more"),
        (("--null", "shuffle:2", "--seed", "-1"), "error: the seed is -1; it must be at least 0"),
    ],
)
def test_what_cannot_be_asked_ends_with_2_and_prints_nothing(topoimp, lenet, arguments, message):
    outcome = topoimp("compare", lenet, lenet, *arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(message)


def test_essential_bars_that_never_die_can_be_asked_for(topoimp, lenet, pruned):
    outcome = topoimp("compare", lenet, pruned("magnitude"), "--essential", "never-dies", "--format", "json")

    assert json.loads(outcome.out)["network"]["bottleneck"] is None


@pytest.fixture
def rounds(topoimp, lenet):
    """A folder of two rounds of a pruning of LeNet-300-100, whose trainer changes nothing, for two seeds."""
    trainer = "sh -c 'cp $0 $2' {init} {mask} {out} {seed}"
    arguments = ("--rounds", 2, "--method", "magnitude", "--rewind", "none", "--trainer", trainer, "--seeds", 2, "-q")
    assert topoimp("prune", lenet, *arguments).status == 0
    return lenet.with_name("lenet-300-100-mnist.rounds")


def test_a_run_needs_no_reference(topoimp, rounds):
    outcome = topoimp("compare", rounds)

    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert lines[0].startswith(f"6 rounds of {rounds} against their own round 0 (all ")
    assert [line.split()[0] for line in lines[3:9]] == [
        str(rounds / f"seed-{seed}/magnitude-rewind-none/round-0{number}") for seed in (0, 1) for number in (0, 1, 2)
    ]


def test_the_reference_and_the_rounds_can_be_chosen(topoimp, rounds):
    words = ("--reference", "previous", "--rounds", "1,last", "--seeds", "1,", "--method", "magnitude")

    outcome = topoimp("compare", rounds, *words)
    in_json = json.loads(topoimp("compare", rounds, *words, "--null", "shuffle:2", "--format", "json").out)

    assert outcome.out.startswith(f"2 rounds of {rounds} against the round before (all ")
    assert [(row["seed"], row["pruning"], row["round"]) for row in in_json["others"]] == [
        (1, "magnitude-rewind-none", 1),
        (1, "magnitude-rewind-none", 2),
    ]
    assert [row["n_edges"] for row in in_json["others"]] == [266200, 212960]
    assert in_json["settings"]["reference"] == "previous"
    assert in_json["settings"]["rounds"] == ["1", "last"]


def test_means_over_the_seeds_can_be_shown(topoimp, rounds):
    lines = topoimp("compare", rounds, "--over-seeds", "--rounds", "last").out.splitlines()

    assert lines[0] == f"{rounds} over the seeds, against their own round 0 (all quantities: --format csv)"
    header = "pruning less round quantity seeds mean 95 % from to minimum maximum"
    assert lines[1].split() == header.split()
    assert [line.split()[:5] for line in lines[3:6]] == [
        ["magnitude-rewind-none", "-", "2", name, "2"] for name in ("retention", "retention_iid", "excess")
    ]


def test_a_gate_applies_to_the_means_that_are_shown(topoimp, rounds):
    words = ("compare", rounds, "--over-seeds", "--rounds", "last")

    assert topoimp(*words, "--fail-if", "n_seeds<2").status == 0
    fired = topoimp(*words, "--fail-if", "network:n_seeds<3", "-q")
    assert fired.status == 3
    assert fired.err.splitlines()[0] == "error: gate 'network:n_seeds<3': n_kept of the network has n_seeds 2"


def test_rounds_of_another_network_are_compared_only_if_that_is_asked_for(topoimp, rounds, lenet, lenet_init):
    refused = topoimp("compare", lenet_init, rounds)

    assert topoimp("compare", lenet, rounds).status == 0
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.endswith("and --across-seeds compares it with this one all the same\n")
    assert topoimp("compare", lenet_init, rounds, "--across-seeds").status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rounds", "2,first"), "error: --rounds names 'first'; it must be numbers from 0 on, or last"),
        (("--rounds", ""), "error: --rounds names ''; it must be numbers from 0 on, or last"),
        (("--rounds", "9"), "error: --rounds is about rounds of pruning, and none is compared"),
        (("--reference", "previous"), "holds no rounds of pruning; only rounds have references of their own"),
    ],
)
def test_options_about_rounds_need_rounds(topoimp, lenet, arguments, message):
    outcome = topoimp("compare", lenet, lenet, *arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err
