from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import SEEDS, make_weight

from topoimp.layers import as_layer
from topoimp.number_format import common_bits
from topoimp.ranking import ByStrength, kept_by_strength
from topoimp.selection import KEEP_ALL, N_DIGITS, Cut, cuts_keeping

NOTHING = np.empty(0, np.int64)


@dataclass(frozen=True)
class Listed:
    """Ranks in a plain array: the slow twin of a layer."""

    name: str
    ranks: np.ndarray
    n_bits: int

    @property
    def n_weights(self):
        return self.ranks.size

    def count_digits(self, shift, prefix):
        counts = np.zeros(N_DIGITS, np.int64)
        for rank in self.ranks.tolist():
            if rank and (prefix is None or rank >> (shift + 16) == prefix):
                counts[rank >> shift & 0xFFFF] += 1
        return counts

    def place_of(self, rank, n):
        return int(np.flatnonzero(self.ranks == rank)[n - 1])


def kept(ranks, cut):
    indices = np.arange(ranks.size)
    return (ranks > cut.rank) | ((ranks == cut.rank) & (indices <= cut.last) & (ranks > 0))


def slow_kept(layers, k):
    """Sort everything: which weights are kept, layer by layer."""
    ranked = [(rank, layer.name, place) for layer in layers for place, rank in enumerate(layer.ranks.tolist())]
    entries = sorted((-rank, name, place) for rank, name, place in ranked if rank)
    chosen = {(name, place) for _, name, place in entries[: max(k, 0)]}
    return {layer.name: [(layer.name, place) in chosen for place in range(layer.n_weights)] for layer in layers}


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
    for target, cuts in zip(targets, cuts_keeping(layers, targets), strict=True):
        expected = slow_kept(layers, target)
        assert {layer.name: kept(layer.ranks, cuts[layer.name]).tolist() for layer in layers} == expected


def test_ties_go_to_the_first_names_and_the_first_indices():
    ones = np.ones(4, np.uint32)

    (cuts,) = cuts_keeping([Listed("b", ones, 32), Listed("a", ones, 32)], [5])

    assert cuts == {"a": Cut(rank=1, last=3), "b": Cut(rank=1, last=0)}


def test_all_are_kept_if_there_are_no_more():
    assert cuts_keeping([Listed("a", np.array([0, 2, 0], np.uint32), 32)], [1, 5]) == [{"a": KEEP_ALL}] * 2


@pytest.mark.parametrize("n_bits", [32, 64])
def test_the_largest_and_the_smallest_rank_can_be_where_the_cut_is(n_bits):
    ranks = np.array([2**n_bits - 1, 1, 2**n_bits - 1], f"uint{n_bits}")

    one, three = cuts_keeping([Listed("a", ranks, n_bits)], [1, 2])

    assert one == {"a": Cut(rank=2**n_bits - 1, last=0)}
    assert three == {"a": Cut(rank=2**n_bits - 1, last=2)}


TYPES = st.sampled_from(["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])


def typed_layer(name, seed, kind, dtype):
    import torch

    shape = (5 + seed % 9, 3 + seed % 11)
    return as_layer(torch.from_numpy(make_weight(seed, *shape, kind)).to(getattr(torch, dtype)), name=name)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(SEEDS, st.sampled_from(["normal", "ties", "sparse", "zero"]), TYPES), min_size=1, max_size=3),
    SEEDS,
    st.integers(-1, 300),
)
def test_layers_of_any_types_are_cut_as_their_exact_values_say(described, seed, target):
    layers = [typed_layer(f"layer{k}", *description) for k, description in enumerate(described)]
    n_bits = common_bits(layer.number_format for layer in layers)
    rng = np.random.default_rng(seed)
    protected, ranked = {}, []
    for layer in layers:
        protected[layer.name] = np.flatnonzero(layer.edges().ravel() & (rng.random(layer.n_weights) < 0.2))
        described = (layer.name, layer.n_weights, layer.number_format)
        ranked.append(ByStrength(*described, lambda layer=layer: layer, n_bits, protected[layer.name]))

    (cuts,) = cuts_keeping(ranked, [target])

    entries = sorted(
        (-strength, layer.name, place)
        for layer in layers
        for place, strength in enumerate(layer.strengths().ravel().tolist())
        if strength and place not in protected[layer.name]
    )
    chosen = {(name, place) for _, name, place in entries[: max(target, 0)]}
    for layer in layers:
        mask = kept_by_strength(layer, cuts[layer.name], protected[layer.name], n_bits=n_bits)
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

    (cuts,) = cuts_keeping(
        [ByStrength("weight", layer.n_weights, layer.number_format, lambda: layer, n_bits, NOTHING)], [target]
    )

    order = np.argsort(-layer.strengths().ravel(), kind="stable")[: min(target, np.count_nonzero(layer.edges()))]
    mask = kept_by_strength(layer, cuts["weight"], NOTHING, n_bits=n_bits)
    assert np.flatnonzero(mask).tolist() == np.sort(order).tolist()
