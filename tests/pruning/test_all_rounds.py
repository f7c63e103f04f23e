"""Rounds without training by a method of whole networks: each is one round on the weights that the last one keeps."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.prune import prune_checkpoint
from topoimp.layers.records import LayerPatterns
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.network.chain import graph_of_chain
from topoimp.pruning.all_rounds import all_rounds
from topoimp.pruning.kept_weights import facts_of_checkpoint
from topoimp.pruning.masks import read_masks
from topoimp.pruning.methods.network_method import method_for
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import PruningOptions
from topoimp.pruning.rules import kept_of

ROUNDS = {"rounds": 6, "sparsity": 0.9, "scope": "global"}
OPTIONS = {
    "paths": {"method": "paths"},
    "paths below 0.4": {"method": "paths", "paths_below": 0.4},
    "paths alone": {"method": "paths", "paths_below": 1},
    "synflow-l2": {"method": "synflow-l2"},
}


def chain_of(seed, folder):
    """A file of a chain with ties, zeros, a dead neuron, and now and then a convolution; its layers in their order."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 9, 4)
    is_image = seed % 2 == 0
    first = (sizes[1], sizes[0], 3, 3) if is_image else (sizes[1], sizes[0])
    shapes = [first, (sizes[2], sizes[1] * (4 if is_image else 1)), (sizes[3], sizes[2])]
    weights = {}
    for number, shape in enumerate(shapes):
        weight = rng.normal(size=shape).astype(np.float32)
        weight = weight.round(int(rng.integers(0, 3))) if seed % 3 else weight  # ties, and zeros
        weight[rng.integers(shape[0])] *= rng.integers(0, 2)
        weights[f"{number}.weight"] = weight
    path = folder / "model.safetensors"
    save_file(weights, path)
    return path, list(weights)


def rounds_of(path, chain, do, **options):
    """The masks of each round, by layer name, and whether the last one is by paths."""
    checkpoint = open_checkpoint(path)
    stream = LayerStream(select_layers(checkpoint, LayerPatterns(include=tuple(chain))), 1)
    scheme = PruningOptions(**options).scheme(stream.layers.infos)
    scheme = replace(scheme, method=method_for(scheme.method, graph_of_chain(checkpoint, chain)))
    swept = do(stream, scheme)
    masks = [stream.each(lambda layer, n, r=r: kept_of(r.keeps[layer.name], layer, n)) for r in swept.rounds]
    return masks, [round_.target for round_ in swept.rounds], swept.is_of_network


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_round_is_one_round_on_the_weights_that_the_round_before_keeps(options, tmp_path):
    n_by_paths = 0
    for seed in range(14):
        path, chain = chain_of(seed, tmp_path)
        weights = load_file(path)
        n_weights = sum(weight.size for weight in weights.values())
        found, targets, _ = rounds_of(path, chain, all_rounds, **ROUNDS, **options)

        is_by_paths = False
        for masks, target in zip(found, targets, strict=True):
            one = {**ROUNDS, **options, "rounds": 1, "sparsity": 1 - target / n_weights}
            one |= {"paths_below": 1} if is_by_paths and options["method"] == "paths" else {}
            (expected,), _, is_of_network = rounds_of(path, chain, lambda *given: sweep(*given, only=1), **one)
            is_by_paths |= is_of_network
            for name in chain:
                assert np.array_equal(masks[name], expected[name])
                weights[name] = weights[name] * masks[name].reshape(weights[name].shape)
            save_file(weights, path)
        n_by_paths += is_by_paths
    assert n_by_paths > 9


def test_the_last_mask_is_that_of_the_written_weights_and_cuts_one_path_at_most(tmp_path):
    for seed in range(1, 12, 2):
        path, chain = chain_of(seed, tmp_path)
        options = PruningOptions(**ROUNDS, method="paths", paths_below=0.5)
        pruned = prune_checkpoint(path, options, chain=chain, force=True, threads=1)

        written = open_checkpoint(pruned.outputs.checkpoint)
        for name, mask in read_masks(pruned.outputs.mask).items():
            assert np.array_equal(mask.kept().reshape(-1), written.codes(name) != 0)
        facts = facts_of_checkpoint(graph_of_chain(written, chain), written)
        n_off_path = facts.total(chain).n_off_path
        assert n_off_path == pruned.report.network["n_off_path"] < len(chain)


def test_a_plan_has_the_rows_of_the_pruning(tmp_path):
    path, chain = chain_of(1, tmp_path)
    options = PruningOptions(**ROUNDS, method="synflow-l2")
    planned = plan_pruning(path, options, chain=chain, threads=1).report
    pruned = prune_checkpoint(path, options, chain=chain, threads=1).report

    columns = ("round", "target", "n_kept", "beta0", "retention", "n_off_path", "beta0_glued")
    rows = [[{name: row.get(name) for name in columns} for row in report.rows] for report in (planned, pruned)]
    assert rows[0] == rows[1]


def test_rounds_of_paths_are_said_to_be_no_one_shot(tmp_path):
    path, chain = chain_of(3, tmp_path)
    for method, note in {"synflow-l2": "paths are those of the weights that", "magnitude": "they equal one sh"}.items():
        options = PruningOptions(rounds=2, rate=0.1, method=method)
        notes = prune_checkpoint(path, options, chain=chain, force=True, threads=1).report.notes
        assert sum(note in each for each in notes) == 1
