from fractions import Fraction

import numpy as np
import pytest
from conftest import read_all, stream_of
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import weights

from topoimp.checkpoint import write_arrays
from topoimp.choices import Scope
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.pruning.masks import read_masks
from topoimp.pruning.methods.lamp import Lamp, lamp_ranks, lamp_scores
from topoimp.pruning.one_shot import sweep
from topoimp.pruning.options import PruningOptions, Scheme
from topoimp.pruning.schedule import plan_schedule
from topoimp.torch_modules.pruning import masks_of_round

INTEGERS = st.integers(2, 5).flatmap(
    lambda columns: st.lists(
        st.lists(st.integers(-4, 4).map(float), min_size=columns, max_size=columns), min_size=2, max_size=5
    ).map(np.array)
)
"""Weights with ties and zeros whose scores are exact but for one rounding, so that equal scores are equal floats."""


def exact_scores(weight):
    """The published formula, in fractions: by flat index."""
    squares = [Fraction(float(w)) ** 2 for w in weight.ravel()]
    return [w / sum(v for v in squares if v >= w) if w else Fraction(0) for w in squares]


@given(weights())
def test_the_scores_are_those_of_the_formula(weight):
    scores = lamp_scores(np.abs(weight.astype(np.float64)))

    np.testing.assert_allclose(scores.ravel(), [float(score) for score in exact_scores(weight)], rtol=1e-13)


@given(st.lists(INTEGERS, min_size=1, max_size=3), st.integers(1, 6))
def test_masks_keep_the_largest_scores_of_all_layers_and_of_equal_ones_the_first(tmp_path_factory, arrays, n_rounds):
    path = tmp_path_factory.mktemp("lamp") / "model.safetensors"
    named = {f"layer{k}": array for k, array in enumerate(arrays)}
    write_arrays(path, named, {})
    stream = stream_of(path)
    schedule = plan_schedule(rounds=n_rounds, sparsity=None, rate=0.3)

    rounds = sweep(stream, Scheme(schedule, Lamp(), Scope.GLOBAL)).rounds

    order = sorted(
        (-score, name, place)
        for name, array in named.items()
        for place, score in enumerate(exact_scores(array))
        if score > 0
    )
    for k, round_ in enumerate(rounds, start=1):
        target = int(len(order) * Fraction(7, 10) ** k + Fraction(1, 2))
        expected = {(name, place) for _, name, place in order[:target]}
        found = {
            (name, int(place))
            for name, mask in masks_of_round(stream, round_).items()
            for place in np.flatnonzero(mask)
        }
        assert found == expected


@given(weights())
def test_within_a_layer_the_order_is_that_of_the_magnitude(weight):
    layer = as_layer(weight)

    ranks = lamp_ranks(layer)

    strengths = layer.strengths().ravel()
    assert (ranks > 0).all()
    assert_array_equal(np.unique(ranks, return_inverse=True)[1], np.unique(strengths, return_inverse=True)[1])


def test_different_magnitudes_keep_their_order_where_rounding_makes_their_scores_equal():
    layer = as_layer(np.array([[1.0, 1e-300], [2e-300, 3e-200]]))

    ranks = lamp_ranks(layer)

    assert len(set(lamp_scores(layer.strengths()).ravel().tolist())) == 2
    assert np.argsort(ranks).tolist() == [1, 2, 3, 0]


@pytest.mark.parametrize("factor", [2.0**-900, 2.0**-3, 2.0**900])
def test_scaling_a_layer_changes_nothing(factor):
    weight = np.random.default_rng(0).normal(size=(5, 6))

    assert_array_equal(lamp_ranks(as_layer(weight * factor)), lamp_ranks(as_layer(weight)))


def test_a_layer_of_zeros_has_scores_of_zero():
    assert_array_equal(lamp_scores(np.zeros((2, 3))), np.zeros((2, 3)))


def test_lamp_needs_no_scope_and_spares_the_small_layer(lenet):
    by_lamp = prune_checkpoint(lenet, PruningOptions(sparsity=0.98, method="lamp"))
    masks = read_masks(by_lamp.outputs.mask)

    by_magnitude = prune_checkpoint(
        lenet, PruningOptions(sparsity=0.98, method="magnitude", scope="global"), force=True
    )

    assert by_lamp.report.settings["scope"] == "global"
    n_kept = {name: mask.n_kept for name, mask in masks.items()}
    assert sum(n_kept.values()) == 5324
    rows = {row["layer"]: row for row in by_magnitude.report.rows if row["level"] == "layer"}
    assert n_kept["fc3.weight"] > rows["fc3.weight"]["n_kept"]


def test_lamp_in_the_scope_layer_is_refused():
    with pytest.raises(OptionError, match=r"^the method lamp has the scope global alone, not layer$"):
        PruningOptions(rounds=1, method="lamp", scope="layer")


def test_types_compare_by_their_exact_scores(write):
    half = np.array([[1.0, 2.0], [3.0, 4.0]], np.float16)
    stream = stream_of(write({"a": half, "b": half.astype(np.float64) * 7, "c": half.astype(np.float32) / 8}))

    ranks = [lamp_ranks(layer).tolist() for layer in read_all(stream.layers)]

    assert ranks[0] == ranks[1] == ranks[2]
