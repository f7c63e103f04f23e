"""The columns of a network as one graph, of the commands that prune and compare, beside networkx."""

import csv
import re
import shutil

import networkx as nx
import numpy as np
import pytest
from conftest import REPOSITORY
from random_networks import edges_between, in_networkx, live_in_networkx
from safetensors.numpy import load_file, save_file

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.compare import comparison_report
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_run
from topoimp.commands.train import train_run
from topoimp.layers.records import LayerPatterns
from topoimp.network.graph import chain_graph
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.reports.path_columns import GLUED, ON_PATHS

SPARSE = PruningOptions(sparsity=0.97, method="magnitude")


def in_rows(weights):
    """By layer, and by None for the network, the columns of a chain of layers, found by networkx."""
    graph = chain_graph({name: weight.shape for name, weight in weights.items()})
    live = live_in_networkx(graph, weights)
    found = {}
    for each in graph.connections:
        edges = edges_between(each, graph, weights)
        n_off_path = sum(not {source, target} <= live for source, target, _ in edges)
        found[each.layer] = n_off_path, (len(edges) - n_off_path) / weights[each.layer].size

    n_off_path = sum(n for n, _ in found.values())
    n_kept = sum(np.count_nonzero(weight) for weight in weights.values())
    density = (n_kept - n_off_path) / sum(weight.size for weight in weights.values())
    beta0 = nx.number_weakly_connected_components(in_networkx(graph, weights))
    return {**found, None: (n_off_path, density, len(live), beta0)}


def columns_in(rows):
    return {
        row.get("layer"): tuple(row[name] for name in (ON_PATHS if row["level"] == "layer" else (*ON_PATHS, *GLUED)))
        for row in rows
    }


def weights_in(path):
    return {name: array for name, array in load_file(path).items() if array.ndim > 1}


def kept_by_round(folder, number):
    masks = read_masks(folder / f"round-{number:02}/mask.safetensors")
    return {name: mask.kept() for name, mask in masks.items()}


def test_rounds_have_the_facts_of_their_masks(run):
    pruning = prune_run(run, PruningOptions(rounds=3, rate=0.7, method="magnitude"), seeds=[0])

    (folder,) = pruning.folders
    for number in range(4):
        rows = [row for row in pruning.report.rows if row["round"] == number]
        assert columns_in(rows) == in_rows(kept_by_round(folder, number))
    assert pruning.report.rows[-1]["n_off_path"] > 0


def test_tables_of_a_run_have_the_facts_and_their_means(run):
    report = prune_run(run, PruningOptions(rounds=2, rate=0.8, method="magnitude")).report

    with (run / "rounds.csv").open(newline="") as file:
        rounds = list(csv.DictReader(file))
    with (run / "summary.csv").open(newline="") as file:
        summary = list(csv.DictReader(file))
    assert list(rounds[0])[-4:] == [*ON_PATHS, *GLUED]
    assert [row["n_off_path"] for row in rounds] == [str(row["n_off_path"]) for row in report.rows]
    found = [row["n_off_path"] for row in report.rows if (row["level"], row["round"]) == ("network", 2)]
    means = [
        float(row["mean"])
        for row in summary
        if (row["quantity"], row["level"], row["round"]) == ("n_off_path", "network", "2")
    ]
    assert means == [sum(found) / 2]


@pytest.mark.parametrize("reference", ["round-0", "previous"])
def test_comparisons_of_rounds_have_the_facts_of_each_round(run, reference):
    pruned = prune_run(run, PruningOptions(rounds=2, rate=0.8, method="magnitude"), seeds=[0]).report

    compared = comparison_report(run, reference=reference)

    expected = [[row[name] for name in ON_PATHS] for row in pruned.rows if row["round"] >= (reference == "previous")]
    assert [[row[name] for name in ON_PATHS] for row in compared.rows] == expected
    assert compared.rows[-1]["beta0_glued"] == pruned.rows[-1]["beta0_glued"]


def test_a_kept_weight_of_0_is_on_a_path_in_a_round(run):
    """The mask is the truth, not the zeros of the trained weights."""
    pruning = prune_run(run, PruningOptions(rounds=1, method="magnitude"), seeds=[0])
    path = pruning.folders[0] / "round-01/model.safetensors"
    weights = load_file(path)
    weights["fc1.weight"][:] = 0
    save_file(weights, path)

    rows = comparison_report(run / "seed-0/model.safetensors", run, rounds=[1]).rows

    assert columns_in(rows) == in_rows(kept_by_round(pruning.folders[0], 1))


@pytest.mark.parametrize("method", ["topological", "magnitude", "random"])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_pruning_a_file_of_a_run_folder_has_the_facts_of_every_round(run, method, scope):
    options = PruningOptions(rounds=3, rate=0.7, method=method, scope=scope, seed=1 if method == "random" else 0)

    pruning = prune_checkpoint(run / "seed-0/model.safetensors", options, emit_rounds=[1, 2])

    for number, path in (*pruning.outputs.rounds.items(), (3, pruning.outputs.checkpoint)):
        rows = [row for row in pruning.report.rows if row["round"] == number]
        assert columns_in(rows) == in_rows(weights_in(path))


def test_a_mask_has_its_facts_when_it_is_applied_and_when_it_is_compared(run):
    path = run / "seed-0/model.safetensors"
    pruning = prune_checkpoint(path, SPARSE)
    expected = in_rows(weights_in(pruning.outputs.checkpoint))

    assert columns_in(apply_mask(path, pruning.outputs.mask, output=run / "again.safetensors").report.rows) == expected
    assert columns_in(comparison_report(path, pruning.outputs.mask).rows) == expected
    assert columns_in(comparison_report(path, pruning.outputs.checkpoint).rows) == expected


def test_layers_that_are_not_pruned_are_part_of_the_network(run):
    options = PruningOptions(sparsity=0.98, method="magnitude", patterns=LayerPatterns(include=("fc1.weight",)))

    pruning = prune_checkpoint(run / "seed-0/model.safetensors", options)

    expected = in_rows(weights_in(pruning.outputs.checkpoint))
    rows = columns_in(pruning.report.rows)
    assert rows["fc1.weight"] == expected["fc1.weight"]
    assert rows[None] == (*expected["fc1.weight"], *expected[None][2:])


def test_a_convolutional_network_has_channels_as_vertices(tmp_path):
    rng = np.random.default_rng(0)
    images = tmp_path / "images.npz"
    arrays = {f"x_{part}": rng.random((20, 1, 8, 8), np.float32) for part in ("train", "test")}
    np.savez(images, **arrays, **{f"y_{part}": np.arange(20) % 3 for part in ("train", "test")})
    train_run("conv-2", data=images, output=tmp_path / "run", epochs=0, jobs=1)
    options = PruningOptions(sparsity=0.999, method="random", scope="global")

    pruning = prune_checkpoint(tmp_path / "run/seed-0/model.safetensors", options)

    assert columns_in(pruning.report.rows) == in_rows(weights_in(pruning.outputs.checkpoint))
    assert pruning.report.network["n_off_path"] > 0


def test_where_no_graph_is_known_the_columns_are_blank(run, tmp_path):
    path = shutil.copy(run / "seed-0/model.safetensors", tmp_path / "alone.safetensors")

    pruned = prune_checkpoint(path, SPARSE)
    compared = comparison_report(path, pruned.outputs.mask)

    assert {row["n_off_path"] for row in (*pruned.report.rows, *compared.rows)} == {None}
    assert pruned.report.network["beta0_glued"] is None


def test_gates_look_at_paths(run, topoimp):
    path = run / "seed-0/model.safetensors"

    passed = topoimp("prune", path, "--rounds", 1, "--fail-if", "n_off_path>0")
    failed = topoimp(
        *("prune", path, "--sparsity", 0.97, "--method", "magnitude", "-o", run / "out.safetensors"),
        *("--fail-if", "network:n_off_path>0"),
    )

    assert passed.status == 0
    assert failed.status == 3
    assert "gate 'network:n_off_path>0': the network has n_off_path " in failed.err


def test_a_gate_on_an_unknown_graph_fires(lenet, topoimp):
    failed = topoimp("prune", lenet, "--rounds", 1, "--fail-if", "network:n_off_path>0")

    assert failed.status == 3
    assert "the network has no n_off_path, and an undefined value does not pass" in failed.err


CHAIN = ["fc1", "fc2", "fc3"]


@pytest.mark.parametrize("method", ["topological", "random"])
def test_a_chain_gives_a_file_its_facts_whichever_command_reports_them(lenet, method):
    options = PruningOptions(rounds=2, rate=0.9, method=method)

    pruning = prune_checkpoint(lenet, options, emit_rounds=[1], chain=CHAIN)

    expected = in_rows(weights_in(pruning.outputs.checkpoint))
    assert columns_in([row for row in pruning.report.rows if row["round"] == 2]) == expected
    assert columns_in([row for row in pruning.report.rows if row["round"] == 1]) == in_rows(
        weights_in(pruning.outputs.rounds[1])
    )
    plan = plan_pruning(lenet, options, chain=CHAIN).report
    assert columns_in([row for row in plan.rows if row["round"] == 2]) == expected
    for other in (pruning.outputs.checkpoint, pruning.outputs.mask):
        assert columns_in(comparison_report(lenet, other, chain="fc1,fc2,fc3").rows) == expected
    masked = apply_mask(lenet, pruning.outputs.mask, output=lenet.parent / "masked.safetensors", chain="fc*")
    assert columns_in(masked.report.rows) == expected


def test_the_chain_of_the_layers_of_a_run_folder_is_its_network(run):
    path = run / "seed-0/model.safetensors"

    known, named = (prune_checkpoint(path, SPARSE, force=True, chain=chain).report for chain in (None, "fc1,fc2"))

    assert columns_in(named.rows) == columns_in(known.rows)
    assert "chain" not in known.settings
    assert named.settings["chain"] == ["fc1.weight", "fc2.weight"]


def test_layers_outside_a_chain_are_neither_pruned_nor_compared(lenet):
    pruning = prune_checkpoint(lenet, PruningOptions(rounds=1, sparsity=0.97, method="magnitude"), chain="fc1,fc2")

    assert [row["layer"] for row in pruning.report.layers] == ["fc1.weight", "fc2.weight"]
    assert pruning.report.settings["include"] == ["fc1.weight", "fc2.weight"]
    note = "1 layer is outside the chain and left out, such as fc3.weight; `include` selects layers"
    assert note in pruning.report.notes
    assert np.array_equal(weights_in(pruning.outputs.checkpoint)["fc3.weight"], load_file(lenet)["fc3.weight"])
    compared = comparison_report(lenet, pruning.outputs.mask, chain="fc1,fc2")
    assert [row.get("layer") for row in compared.rows] == ["fc1.weight", "fc2.weight", None]
    assert note in compared.notes


def test_a_layer_that_is_included_beside_a_chain_has_no_facts(lenet):
    patterns = LayerPatterns(include=("fc2*", "fc3*"))
    options = PruningOptions(rounds=1, sparsity=0.97, method="magnitude", patterns=patterns)

    rows = prune_checkpoint(lenet, options, chain="fc1,fc2").report.rows

    assert [row["n_off_path"] is None for row in rows] == [False, True, True]


def test_gates_look_at_the_paths_of_a_chain(lenet, topoimp):
    pruned = lenet.parent / "pruned.safetensors"
    topoimp("prune", lenet, "--rounds", 1, "--sparsity", 0.99, "--method", "magnitude", "-o", pruned)

    failed = topoimp("compare", lenet, pruned, "--chain", "fc1,fc2,fc3", "--fail-if", "network:n_off_path>0")
    refused = topoimp("prune", lenet, "--rounds", 1, "--chain", "fc1,fc3", "--dry-run")

    assert failed.status == 3
    assert "gate 'network:n_off_path>0': the network has n_off_path " in failed.err
    assert refused.err == (
        "error: --chain: the layer 'fc3.weight' is 10x100 and does not fit 'fc1.weight' before it, which is 300x784: "
        "it reads 100 inputs, and 300 are needed\n"
    )


def test_a_chain_does_not_go_with_rounds_that_have_a_graph_of_their_own(run, topoimp):
    prune_run(run, PruningOptions(rounds=1, method="magnitude"), seeds=[0])

    assert (
        "--chain is given, but rounds without REFERENCE have the graph" in topoimp("compare", run, "--chain", "a").err
    )
    assert (
        "--chain does not go with a run folder, whose network is known"
        in topoimp("prune", run, "--chain", "fc1,fc2").err
    )


def test_the_command_of_the_page_about_files_has_the_columns_of_its_chain(lenet, topoimp, monkeypatch):
    monkeypatch.chdir(lenet.parent)
    (command,) = re.findall(
        r"^topoimp (prune .* --chain .*)$", (REPOSITORY / "docs/checkpoints.md").read_text(), re.MULTILINE
    )

    outcome = topoimp(*command.split())

    rows = list(csv.DictReader(outcome.out.splitlines()))
    expected = in_rows(weights_in(lenet.with_suffix(".pruned.safetensors")))
    assert [rows[-1][name] for name in (*ON_PATHS, *GLUED)] == [str(value) for value in expected[None]]
