"""The neural persistence of a layer is one number, in every command and whichever layers are selected."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles import complete_persistences
from strategies import KINDS, SEEDS, make_weight

from topoimp.commands.barcode import barcode_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_run
from topoimp.commands.watching import watched_rows
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.options import PruningOptions

COLUMNS = ("np_rieck", "np_rieck_finite", "np_balwani")

SHAPES = {"fc1.weight": (4, 5), "fc2.weight": (3, 4), "embed.weight": (6, 3), "lm_head.weight": (5, 3)}

SELECTIONS = [
    {},
    {"embeddings": True},
    {"include": ("fc1*",)},
    {"include": ("fc*",)},
    {"include": ("embed*",)},
    {"include": ("*head*", "fc2*"), "embeddings": True},
]


def persistences(report, suffix=""):
    """The neural persistences of each layer in a report, by its name."""
    return {row["layer"]: tuple(row[column + suffix] for column in COLUMNS) for row in report.layers}


def is_part_of(some, all_):
    return some.items() <= all_.items()


def random_weights(seed, kinds):
    """Layers of which any may hold the largest weight."""
    factors = np.random.default_rng(seed).permutation([0.5, 1, 2, 4])
    return {
        name: factor * make_weight(seed + number, *shape, kind)
        for number, (factor, kind, (name, shape)) in enumerate(zip(factors, kinds, SHAPES.items(), strict=True))
    }


kinds_of_layers = st.lists(st.sampled_from(KINDS), min_size=4, max_size=4)
several_files = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@several_files
@given(SEEDS, kinds_of_layers, kinds_of_layers, st.sampled_from(SELECTIONS), st.sampled_from([1.0, 2.0, 3.5]))
def test_barcode_and_compare_have_the_same_number_for_any_selection(write, seed, kinds, other_kinds, selection, p):
    reference = write(random_weights(seed, kinds), "reference")
    other = write(random_weights(seed + 9, other_kinds), "other")
    patterns = LayerPatterns(**selection)

    of_reference, of_other = (persistences(barcode_report(path, p=p)) for path in (reference, other))
    compared = comparison_report(reference, other, patterns=patterns, p=p)

    assert is_part_of(persistences(barcode_report(other, patterns=patterns, p=p)), of_other)
    assert is_part_of(persistences(compared), of_other)
    assert is_part_of(persistences(compared, "_reference"), of_reference)


@several_files
@given(SEEDS, kinds_of_layers, st.sampled_from(SELECTIONS))
def test_it_is_that_of_networkx_at_the_largest_weight_of_the_network(write, seed, kinds, selection):
    weights = random_weights(seed, kinds)
    largest = max(float(np.abs(weight).max()) for weight in weights.values())

    found = persistences(barcode_report(write(weights), patterns=LayerPatterns(**selection)))

    for name, values in found.items():
        lengths = np.array(complete_persistences(weights[name], largest or 1.0))
        assert values[0] == pytest.approx(np.linalg.norm(lengths) / np.sqrt(sum(SHAPES[name]) - 1))
        assert values[1] == pytest.approx(np.linalg.norm(lengths[:-1]) / np.sqrt(sum(SHAPES[name]) - 1))


@several_files
@given(SEEDS, kinds_of_layers, st.sampled_from(SELECTIONS), st.sampled_from(["topological", "magnitude", "random"]))
def test_a_pruned_checkpoint_and_its_mask_have_the_same_number(write, seed, kinds, selection, method):
    reference = write(random_weights(seed, kinds), "reference.safetensors")
    patterns = LayerPatterns(**selection)
    options = PruningOptions(sparsity=0.7, method=method, seed=seed, patterns=patterns)
    pruned = prune_checkpoint(reference, options, force=True).outputs

    of_pruned = persistences(barcode_report(pruned.checkpoint))
    by_mask = persistences(comparison_report(reference, pruned.mask, patterns=patterns))

    assert is_part_of(by_mask, of_pruned)
    assert by_mask == persistences(comparison_report(reference, pruned.checkpoint, patterns=patterns))


def test_distances_are_those_of_the_bars_of_barcode_at_the_scale_of_the_reference(write):
    weights = {"fc": np.array([[4.0, 1.0], [2.0, 0.5]]), "embed": np.array([[8.0, 1.0], [2.0, 0.5]])}
    other = weights | {"fc": np.array([[4.0, 1.0], [3.0, 0.5]])}

    (row,) = comparison_report(write(weights, "reference"), write(other, "other")).layers

    assert row["sorted_linf"] == 1 / 8  # the deaths 2 and 3, divided by the largest weight of the embedding


@several_files
@given(SEEDS, kinds_of_layers)
def test_the_network_in_training_has_the_number_of_its_file(write, seed, kinds):
    weights = random_weights(seed, kinds)

    *watched, _ = watched_rows(weights, COLUMNS, threads=1)

    of_file = persistences(barcode_report(write(weights)))
    assert {row["layer"]: tuple(row[column] for column in COLUMNS) for row in watched} == of_file


@pytest.mark.parametrize("reference", ["round-0", "previous"])
@pytest.mark.parametrize("patterns", [LayerPatterns(include=("fc1*",)), LayerPatterns(include=("fc2*",))])
def test_rounds_have_the_number_of_barcode_if_only_some_layers_are_pruned(run, reference, patterns):
    folder = prune_run(run, PruningOptions(rounds=1, patterns=patterns), seeds=[0]).folders[0]

    of_rounds = [persistences(barcode_report(folder / f"round-0{k}" / "model.safetensors")) for k in (0, 1)]
    compared = comparison_report(folder, reference=reference, rounds=[1], patterns=patterns)

    of_run = json.loads((folder / "round-01" / "metrics.json").read_text())["layers"]
    assert [[row[column] for column in COLUMNS] for row in of_run] == [*map(list, persistences(compared).values())]
    assert is_part_of(persistences(compared), of_rounds[1])
    assert is_part_of(persistences(compared, "_reference"), of_rounds[0])
