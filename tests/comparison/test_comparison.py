from itertools import pairwise

import numpy as np
import pytest
from conftest import stream_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mask_files import pack_mask
from oracles import slow_order
from strategies import KINDS, SEEDS, make_weight

from topoimp.chance.forest_by_chance import forest_edges_by_chance
from topoimp.chance.null import Null
from topoimp.choices import View
from topoimp.comparison.comparison import compare_in_turn, compare_layers, keeps_strongest
from topoimp.comparison.others import MaskedReference, ReferenceItself, other_checkpoint
from topoimp.errors import CheckpointError, LayerError
from topoimp.layers.layer import as_layer
from topoimp.pruning.applied_masks import MaskPruner
from topoimp.pruning.preservation import total_preservation
from topoimp.reports.rows import preservation_columns
from topoimp.topology.forest import spanning_forest


def compared(one, other):
    reference = stream_of(one)
    (layers,) = compare_layers(reference, [other_checkpoint(reference.layers, stream_of(other).layers)])
    return [layer.pair for layer in layers]


def test_by_hand(write):
    reference = write({"a": np.array([[3.0, 1.0], [2.0, 0.5]])}, "reference")
    other = write({"a": np.array([[3.0, 0.0], [0.0, 0.5]])}, "other")

    (layer,) = compared(reference, other)

    assert preservation_columns(layer.preservation) == {
        "n_weights": 4,
        "n_edges": 4,
        "n_kept": 2,
        "density": 0.5,
        "sparsity": 0.5,
        "compression_ratio": 2.0,
        "floor": 3,
        "beta0": 2,
        "beta0_reference": 1,
        "beta1": 0,
        "beta0_kept": False,
        "barcode_kept": False,
        "retention": 1 / 3,
    }


def test_connected_is_not_the_same_as_unchanged(write):
    reference = write({"a": np.array([[3.0, 1.0], [2.0, 0.5]])}, "reference")
    other = write({"a": np.array([[3.0, 0.0], [2.0, 0.5]])}, "other")

    (layer,) = compared(reference, other)

    assert (layer.preservation.beta0_kept, layer.preservation.barcode_kept) == (True, False)


def test_with_ties_a_barcode_can_be_kept_without_the_order_forest(write):
    reference = write({"a": np.ones((2, 2))}, "reference")
    other = write({"a": np.array([[0.0, 1.0], [1.0, 1.0]])}, "other")

    (layer,) = compared(reference, other)

    assert (layer.preservation.barcode_kept, layer.preservation.n_forest_kept) == (True, 2)


def test_the_same_values_in_another_type_are_the_same(write):
    values = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float16)
    reference, other = write({"a": values}, "reference"), write({"a": values.astype(np.float64)}, "other")

    (layer,) = compared(reference, other)

    assert layer.preservation.barcode_kept


def test_the_order_of_tensors_in_the_files_does_not_matter(write):
    a, b = np.random.default_rng(0).normal(size=(2, 5, 4))
    reference, other = write({"a": a, "b": b}, "reference"), write({"b": b, "a": a}, "other")

    assert [(layer.info.name, layer.preservation.barcode_kept) for layer in compared(reference, other)] == [
        ("a", True),
        ("b", True),
    ]


def test_several_layers_keep_a_thing_only_if_each_of_them_does(write):
    a = np.random.default_rng(0).normal(size=(5, 4))
    reference, other = write({"a": a, "b": a}, "reference"), write({"a": a, "b": a * 0}, "other")

    total = total_preservation([layer.preservation for layer in compared(reference, other)])

    assert (total.n_kept, total.beta0, total.beta0_reference) == (20, 10, 2)
    assert (total.beta0_kept, total.barcode_kept) == (False, False)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": np.ones((2, 2))}, r"other: lacks layer 'b' of .*reference \(1 of 2 in all\); `include` and `exclude`"),
        (
            {"a": np.ones((2, 2)), "b": np.ones((2, 3)), "c": np.ones((2, 2))},
            r"reference: lacks layer 'c' of .*other \(1 of 3 in all\)",
        ),
        (
            {"a": np.ones((2, 2)), "b": np.ones((3, 2))},
            r"other: layer 'b' has the shape \[3, 2\]; .*reference has \[2, 3\]",
        ),
    ],
)
def test_layers_that_differ_are_refused(write, other, message):
    reference = write({"a": np.ones((2, 2)), "b": np.ones((2, 3))}, "reference")

    with pytest.raises(LayerError, match=message):
        compared(reference, write(other, "other"))


def test_what_is_missing_is_known_by_its_strength(write):
    reference = write({"a": np.array([[3.0, 1.0], [2.0, 0.5]])}, "reference")

    (none,) = compared(reference, reference)
    (some,) = compared(reference, write({"a": np.array([[3.0, 0.0], [0.0, 0.5]])}, "other"))

    assert (none.strongest_missing, some.strongest_missing) == (0.0, 2.0)
    assert (none.n_forest_shared, some.n_forest_shared) == (3, 1)
    assert (none.is_masked, some.is_masked) == (True, True)


def test_retrained_weights_are_not_masked_ones(write):
    reference = write({"a": np.array([[3.0, 1.0], [2.0, 0.5]])}, "reference")

    (layer,) = compared(reference, write({"a": np.array([[3.0, 0.0], [2.5, 0.5]])}, "other"))

    assert (layer.is_masked, layer.largest_difference, layer.n_both) == (False, 1.0, 3)


def test_a_weight_that_only_the_other_has_is_no_mask(write):
    reference = write({"a": np.array([[3.0, 0.0], [2.0, 0.5]])}, "reference")

    (layer,) = compared(reference, write({"a": np.array([[3.0, 1.0], [2.0, 0.5]])}, "other"))

    assert layer.is_masked is False


def test_a_mask_leaves_what_its_checkpoint_holds(write):
    weight = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    kept = np.random.default_rng(1).random((40, 30)) < 0.2
    reference = stream_of(write({"a": weight}, "reference"))
    masked = stream_of(write({"a": weight * kept}, "other"))

    ((by_mask,), (by_weights,)) = compare_layers(
        reference,
        [
            MaskedReference(
                reference.layers, {"a": MaskPruner(pack_mask(kept, (40, 30)), reference.layers.infos[0].block)}
            ),
            other_checkpoint(reference.layers, masked.layers),
        ],
    )

    assert by_mask.chance == by_weights.chance
    assert by_mask.pair.preservation == by_weights.pair.preservation
    assert by_mask.pair.is_masked is by_weights.pair.is_masked is True
    assert by_mask.pair.strongest_missing == by_weights.pair.strongest_missing


def test_a_kept_weight_that_is_zero_counts_as_kept(write):
    weight = np.array([[3.0, 1.0], [2.0, 0.5]])
    reference = stream_of(write({"a": weight}, "reference"))
    trained = stream_of(write({"a": np.array([[3.0, 0.0], [0.0, 0.5]])}, "other"))
    masks = {"a": pack_mask(np.array([[True, True], [False, True]]), (2, 2))}

    ((layer,),) = compare_layers(reference, [other_checkpoint(reference.layers, trained.layers, masks)])

    preservation, other = layer.pair.preservation, layer.pair.other
    assert (preservation.n_kept, preservation.beta0, preservation.n_forest_kept) == (3, 1, 2)
    assert (other.n_edges, other.n_components, preservation.barcode_kept) == (2, 2, False)
    assert (layer.chance.n_kept, layer.chance.observed) == (3, 2)


def test_by_chance_no_more_edges_are_kept_than_the_reference_has(write):
    reference = stream_of(write({"a": np.array([[3.0, 0.0], [2.0, 0.5]])}, "reference"))
    other = stream_of(write({"a": np.ones((2, 2))}, "other"))

    ((layer,),) = compare_layers(reference, [other_checkpoint(reference.layers, other.layers)], nulls=[Null(2)])

    assert (layer.chance.n_kept, layer.chance.iid, layer.chance.nulls[Null(2)].counts) == (3, 3.0, (3, 3))


@pytest.mark.parametrize("n_steps", [8, 20, 1000])
def test_chance_is_what_the_strongest_weights_of_the_reference_have_by_it(write, n_steps):
    weight = np.abs(np.random.default_rng(0).normal(size=(60, 80)))
    weight = np.ceil(n_steps * weight / weight.max())
    kept = np.zeros((60, 80), bool)
    kept.flat[np.argsort(-weight, axis=None, kind="stable")[:240]] = True
    reference, other = stream_of(write({"a": weight}, "reference")), stream_of(write({"a": weight * kept}, "other"))

    ((layer,),) = compare_layers(reference, [other_checkpoint(reference.layers, other.layers)])

    assert layer.chance == forest_edges_by_chance(as_layer(weight, name="a"), 240)


def test_a_mask_of_another_shape_is_refused(write):
    reference = stream_of(write({"a": np.ones((2, 2))}))

    with pytest.raises(CheckpointError, match=r"tensor 'a' has the shape \[2, 2\]; the mask beside it has \[2, 3\]"):
        other_checkpoint(reference.layers, reference.layers, {"a": pack_mask(np.ones((2, 3), bool), (2, 3))})


SEVERAL_FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def facts(layers):
    """All that is known of compared layers, but for arrays."""
    names = ("info", "preservation", "n_both", "n_kept", "is_masked", "largest_difference", "n_forest_shared")
    return [({name: getattr(layer.pair, name) for name in names}, layer.chance) for layer in layers]


@SEVERAL_FILES
@given(SEEDS, st.lists(st.sampled_from(KINDS), min_size=2, max_size=4), st.integers(1, 6), st.integers(1, 9))
def test_in_turn_each_is_compared_as_it_is_with_the_one_before_alone(write, seed, kinds, n_rows, n_columns):
    streams = [
        stream_of(write({"a": make_weight(seed + k, n_rows, n_columns, kind), "b": np.ones((2, 2))}, f"{k}"))
        for k, kind in enumerate(kinds)
    ]
    others = [other_checkpoint(before.layers, after.layers) for before, after in pairwise(streams)]

    found = compare_in_turn(streams[0], others, nulls=[Null(3)], seed=seed)

    alone = [
        compare_layers(before, [other_checkpoint(before.layers, after.layers)], nulls=[Null(3)], seed=seed)[0]
        for before, after in pairwise(streams)
    ]
    assert [facts(layers) for layers in found] == [facts(layers) for layers in alone]


@pytest.mark.parametrize("view", [View.MATRIX, View.CHANNEL])
@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_itself_is_to_all_facts_a_second_copy(write, view, kind):
    path = write({"a": make_weight(3, 6, 8, kind).reshape(6, 4, 2)})
    reference = stream_of(path, view=view)

    itself, copy = compare_layers(reference, [ReferenceItself(), other_checkpoint(reference.layers, reference.layers)])

    (one, chance), (other, other_chance) = facts(itself)[0], facts(copy)[0]
    assert ({**one, "largest_difference": 0.0}, chance) == (other, other_chance)


@given(SEEDS, st.sampled_from(KINDS), st.floats(0, 1), st.integers(0, 2))
def test_whether_the_strongest_weights_are_kept_is_seen_in_their_order(seed, kind, share, n_exchanged):
    layer = as_layer(make_weight(seed, 6, 8, kind))
    forest = spanning_forest(layer)
    order = slow_order(make_weight(seed, 6, 8, kind))
    k = round(share * len(order))
    n_exchanged = min(n_exchanged, k, len(order) - k)
    kept = np.zeros(48, bool)
    kept[order[: k - n_exchanged]] = True
    kept[order[k : k + n_exchanged]] = True

    found = keeps_strongest(layer, forest, lambda start, stop: kept[start:stop], k, 1)

    assert found is (n_exchanged == 0)


def test_all_others_say_which_weights_they_keep(write):
    weight = np.array([[3.0, 1.0], [2.0, 0.0]])
    reference = stream_of(write({"a": weight}, "reference"))
    trained = stream_of(write({"a": weight * [[0, 1], [1, 1]]}, "trained"))
    mask = {"a": pack_mask(np.array([[1, 0], [1, 0]], bool), (2, 2))}
    masked = MaskedReference(reference.layers, {"a": MaskPruner(mask["a"], reference.layers.infos[0].block)})
    others = [
        ReferenceItself(),
        other_checkpoint(reference.layers, trained.layers),
        other_checkpoint(reference.layers, trained.layers, mask),
        masked,
    ]

    compared = compare_layers(reference, others, nulls=[Null(2)])

    assert [layer.chance.is_strongest for (layer,) in compared] == [True, False, True, True]


def test_without_a_null_nobody_asks_which_weights_are_the_strongest(write, monkeypatch):
    monkeypatch.setattr("topoimp.comparison.comparison.keeps_strongest", None)
    path = write({"a": np.array([[3.0, 1.0], [2.0, 0.0]])})

    assert compared(path, path)
