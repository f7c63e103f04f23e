"""Repaired masks beside all masks of the same size."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from conftest import info_of
from hypothesis import given
from hypothesis import strategies as st
from oracles import slow_forest
from strategies import SEEDS, make_weight, weights

from topoimp.layers.layer import as_layer
from topoimp.pruning.applied_masks import write_where
from topoimp.pruning.repaired_masks import RepairedMask, repair_of
from topoimp.pruning.rules import kept_of


class Flags:
    """A pruner that keeps given weights."""

    def __init__(self, kept):
        self.kept = np.asarray(kept, np.bool_).reshape(-1)

    def on(self, layer, threads):  # noqa: ARG002  # of a protocol
        return partial(write_where, layer, lambda start, stop: self.kept[start:stop])


def repaired(weight, kept, threads=1):
    """The flags of the repaired mask, and the repair."""
    layer = as_layer(weight)
    repair = repair_of(Flags(kept), layer, threads)
    mask = RepairedMask(Flags(kept), info_of(layer), repair)
    return kept_of(mask, layer, threads).reshape(weight.shape) & (weight != 0), repair


def deaths(weight):
    return sorted(abs(float(weight.ravel()[index])) for index in slow_forest(weight))


def keeps_barcode(weight, kept):
    return deaths(np.where(kept, weight, 0)) == deaths(weight)


@given(weights(), SEEDS, st.floats(0, 1), st.integers(1, 3))
def test_a_repaired_mask_has_the_size_of_the_mask_or_of_the_forest_and_keeps_the_barcode(weight, seed, share, threads):
    kept = (np.random.default_rng(seed).random(weight.shape) < share) & (weight != 0)

    found, repair = repaired(weight, kept, threads)

    floor = len(slow_forest(weight))
    assert np.count_nonzero(found) == max(np.count_nonzero(kept), floor)
    assert keeps_barcode(weight, found)
    assert repair.n_missing == np.count_nonzero(found & ~kept)
    assert repair.is_at_floor == (np.count_nonzero(kept) < floor)
    assert repair.reference.indices.tolist() == slow_forest(weight)


@given(weights(), SEEDS)
def test_a_mask_that_keeps_the_barcode_stays_as_it_is(weight, seed):
    """With equal strengths it may have another forest than the first in the order."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(weight.size)
    order = np.argsort(-np.abs(weight.ravel()[shuffled].astype(np.float64)), kind="stable")
    by_chance = np.empty(weight.size)
    by_chance[shuffled[order]] = np.arange(weight.size, 0, -1)  # a random order of equal strengths
    kept = np.zeros(weight.size, np.bool_)
    kept[slow_forest(np.where(weight == 0, 0, by_chance.reshape(weight.shape)))] = True
    kept = kept.reshape(weight.shape) | ((rng.random(weight.shape) < 0.2) & (weight != 0))

    found, repair = repaired(weight, kept)

    assert repair.n_missing == 0
    assert (found == kept).all()


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("kind", ["normal", "ties", "sparse"])
def test_no_mask_of_the_same_size_that_keeps_the_barcode_is_nearer(seed, kind):
    weight = make_weight(seed, 3, 3, kind, np.float32)
    rng = np.random.default_rng(seed)
    edges = np.flatnonzero(weight)
    kept = np.zeros(weight.shape, np.bool_)
    kept.flat[rng.choice(edges, size=min(len(edges), 6), replace=False)] = True

    found, _ = repaired(weight, kept)

    n_kept = np.count_nonzero(found)
    distances = []
    for chosen in combinations(edges.tolist(), n_kept):
        other = np.zeros(weight.shape, np.bool_)
        other.flat[list(chosen)] = True
        if keeps_barcode(weight, other):
            distances.append(np.count_nonzero(other != kept))
    assert np.count_nonzero(found != kept) == min(distances)


def test_the_weakest_weights_outside_the_forest_go_and_equal_ones_from_the_last():
    weight = np.array([[9.0, 8.0, 1.0], [7.0, 2.0, 2.0], [3.0, 2.0, 6.0]])
    kept = np.array([[True, True, False], [False, True, True], [True, True, True]])

    found, repair = repaired(weight, kept)

    assert slow_forest(weight) == [0, 1, 3, 8, 6]  # 9, 8, 7, 6, 3
    assert repair.n_missing == 1  # the 7
    assert found.tolist() == [[True, True, False], [True, True, True], [True, False, True]]
