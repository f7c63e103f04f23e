from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import info_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import SEEDS, make_weight

from topoimp.checkpoint.number_format import common_bits
from topoimp.layers.layer import as_layer
from topoimp.layers.streaming import InHand
from topoimp.pruning.ranking import StrengthRanking
from topoimp.pruning.selection import Digits, LayerSelection, Threshold, layer_selections, threshold_of

NOTHING = np.empty(0, np.int64)


@dataclass(frozen=True)
class Listed:
    """Ranks in a plain array: the slow twin of a layer."""

    name: str
    ranks: np.ndarray
    n_bits: int

    @property
    def info(self):
        return SimpleNamespace(name=self.name, place=(self.name, 0), n_weights=self.ranks.size)

    def known_digits(self, _shift, _prefix):
        return None

    def count_digits(self, _layer, shift, prefixes, _threads):
        return [self.digits_after(prefix, shift) for prefix in prefixes]

    def digits_after(self, prefix, shift):
        counts = Counter(
            rank >> shift & 0xFFFF
            for rank in self.ranks.tolist()
            if rank and (prefix is None or rank >> (shift + 16) == prefix)
        )
        digits = sorted(counts)
        return Digits(np.array(digits, np.int64), np.array([counts[digit] for digit in digits], np.int64))

    def place_of(self, _layer, rank, n, _threads):
        return int(np.flatnonzero(self.ranks == rank)[n - 1])


@dataclass(frozen=True)
class Names:
    """A source of layers that are nothing but their names."""

    layers: list

    def each_with(self, look, arguments):
        return {layer.name: look(layer, arguments[layer.name], 1) for layer in self.layers}


def selections_of(layers, targets):
    return layer_selections(layers, targets, Names(layers))


def kept(layer, selection):
    threshold, ranks = threshold_of(selection, layer, layer, threads=1), layer.ranks
    is_first = np.arange(ranks.size) <= threshold.last
    return (ranks > threshold.rank) | ((ranks == threshold.rank) & is_first & (ranks > 0))


def slow_kept(layers, k):
    """Sort everything: which weights are kept, layer by layer."""
    ranked = [(rank, layer.name, place) for layer in layers for place, rank in enumerate(layer.ranks.tolist())]
    entries = sorted((-rank, name, place) for rank, name, place in ranked if rank)
    chosen = {(name, place) for _, name, place in entries[: max(k, 0)]}
    return {layer.name: [(layer.name, place) in chosen for place in range(layer.ranks.size)] for layer in layers}


@st.composite
def several_layers(draw):
    """Ranks of a few layers, with many ties, some spread over all bits, and zeros."""
    n_bits = draw(st.sampled_from([32, 64]))
    rng = np.random.default_rng(draw(SEEDS))
    top = draw(st.sampled_from([3, 200, 70_000, 2**n_bits - 1]))
    names = draw(st.permutations(["a", "b", "c", "d"]))[: draw(st.integers(1, 4))]
    return [
        Listed(name, rng.integers(0, top, draw(st.integers(1, 40)), f"uint{n_bits}", endpoint=True), n_bits)
        for name in names
    ]


@given(several_layers(), st.lists(st.integers(-1, 170), min_size=1, max_size=4))
def test_cuts_keep_what_sorting_everything_would_for_every_target(layers, targets):
    for target, selections in zip(targets, selections_of(layers, targets), strict=True):
        expected = slow_kept(layers, target)
        assert {layer.name: kept(layer, selections[layer.name]).tolist() for layer in layers} == expected
        assert {layer.name: selections[layer.name].n_kept for layer in layers} == {
            name: sum(of_layer) for name, of_layer in expected.items()
        }


@pytest.mark.parametrize("n_layers", [1, 3, 40])
@pytest.mark.parametrize("n_bits", [32, 64])
def test_more_targets_than_one_pass_counts_for_are_all_met(n_layers, n_bits):
    rng = np.random.default_rng(n_layers)
    layers = [
        Listed(f"{k:02d}", rng.integers(0, 2**n_bits, 240 // n_layers, f"uint{n_bits}"), n_bits)
        for k in range(n_layers)
    ]
    targets = list(range(0, 240, 3))

    for target, selections in zip(targets, selections_of(layers, targets), strict=True):
        expected = slow_kept(layers, target)
        assert {layer.name: kept(layer, selections[layer.name]).tolist() for layer in layers} == expected


def test_ties_go_to_the_first_names_and_the_first_indices():
    ones = np.ones(4, np.uint32)

    (selections,) = selections_of([Listed("b", ones, 32), Listed("a", ones, 32)], [5])

    assert selections == {"a": LayerSelection(1, 4, 4, 4), "b": LayerSelection(1, 1, 4, 1)}


def test_all_are_kept_if_there_are_no_more():
    selections = selections_of([Listed("a", np.array([0, 2, 0], np.uint32), 32)], [1, 5])

    assert selections == [{"a": LayerSelection(0, 0, 0, 1)}, {"a": LayerSelection(0, 0, 0, 1)}]


@pytest.mark.parametrize("n_bits", [32, 64])
def test_the_largest_and_the_smallest_rank_can_be_where_the_cut_is(n_bits):
    ranks = np.array([2**n_bits - 1, 1, 2**n_bits - 1], f"uint{n_bits}")

    one, two = selections_of([Listed("a", ranks, n_bits)], [1, 2])

    assert one == {"a": LayerSelection(2**n_bits - 1, 1, 2, 1)}
    assert two == {"a": LayerSelection(2**n_bits - 1, 2, 2, 2)}
    layer = Listed("a", ranks, n_bits)
    assert threshold_of(one["a"], layer, layer, threads=1) == Threshold(2**n_bits - 1, last=0)
    assert threshold_of(two["a"], layer, layer, threads=1) == Threshold(2**n_bits - 1, last=2)


def by_strength(layer, n_bits, protected):
    strengths = layer.strengths().ravel()[protected]
    return StrengthRanking(info_of(layer), n_bits=n_bits, protected=protected, protected_strengths=strengths)


def kept_by_strength(layer, ranked, selection):
    """What is kept, written in two parts that meet in the middle of the layer."""
    pruned, threshold = np.empty(layer.n_weights, layer.codes.dtype), threshold_of(selection, ranked, layer, threads=2)
    for start, stop in pairwise([0, layer.n_weights // 2, layer.n_weights]):
        ranked.write_kept(layer, threshold, start, pruned[start:stop])
    return pruned != 0


TYPES = st.sampled_from(["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])


def typed_layer(name, seed, kind, dtype):
    import torch

    shape = (5 + seed % 9, 3 + seed % 11)
    return as_layer(torch.from_numpy(make_weight(seed, *shape, kind)).to(getattr(torch, dtype)), name=name)


@pytest.mark.parametrize("few", [1, 1 << 14])
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(SEEDS, st.sampled_from(["normal", "ties", "sparse", "zero"]), TYPES), min_size=1, max_size=3),
    SEEDS,
    st.integers(-1, 300),
)
def test_layers_of_any_types_are_cut_as_their_exact_values_say(monkeypatch, few, described, seed, target):
    monkeypatch.setattr("topoimp.pruning.ranking._FEW", few)  # counted, or sorted
    layers = [typed_layer(f"layer{k}", *description) for k, description in enumerate(described)]
    n_bits = common_bits(layer.number_format for layer in layers)
    rng = np.random.default_rng(seed)
    protected = {
        layer.name: np.flatnonzero(layer.edges().ravel() & (rng.random(layer.n_weights) < 0.2)) for layer in layers
    }
    ranked = [by_strength(layer, n_bits, protected[layer.name]) for layer in layers]

    (selections,) = layer_selections(ranked, [target], Names(layers))

    entries = sorted(
        (-strength, layer.name, place)
        for layer in layers
        for place, strength in enumerate(layer.strengths().ravel().tolist())
        if strength and place not in protected[layer.name]
    )
    chosen = {(name, place) for _, name, place in entries[: max(target, 0)]}
    for layer, of_layer in zip(layers, ranked, strict=True):
        mask = kept_by_strength(layer, of_layer, selections[layer.name])
        expected = [(layer.name, p) in chosen or p in protected[layer.name] for p in range(layer.n_weights)]
        assert_array_equal(mask.ravel(), expected)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float8_e5m2"])
@pytest.mark.parametrize("share", [0.001, 0.3, 0.999])
def test_a_larger_layer_of_many_ties_is_cut_exactly(dtype, share):
    import torch

    weight = torch.randn(700, 500, generator=torch.Generator().manual_seed(0)).to(getattr(torch, dtype))
    layer = as_layer(weight)
    n_bits = common_bits([layer.number_format])
    target = int(share * layer.n_weights)

    ranked = by_strength(layer, n_bits, NOTHING)
    (selections,) = layer_selections([ranked], [target], InHand(layer, threads=2))

    order = np.argsort(-layer.strengths().ravel(), kind="stable")[: min(target, np.count_nonzero(layer.edges()))]
    mask = kept_by_strength(layer, ranked, selections["weight"])
    assert np.flatnonzero(mask).tolist() == np.sort(order).tolist()
