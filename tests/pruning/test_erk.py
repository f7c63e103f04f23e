from fractions import Fraction

import numpy as np
import pytest
from conftest import stream_of
from hypothesis import given
from hypothesis import strategies as st

from topoimp.checkpoint.number_format import F32
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import OptionError
from topoimp.layers.records import LayerInfo
from topoimp.pruning.erk import erk_counts
from topoimp.pruning.options import PruningOptions

SHAPES = st.lists(st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple), min_size=1, max_size=5)


def layers_of(shapes):
    """Layers of these shapes, whose names are not in the order of the list."""
    names = [f"layer{len(shapes) - k}" for k in range(len(shapes))]
    return [
        LayerInfo(name, name, shape, shape[0], int(np.prod(shape[1:])), F32)
        for name, shape in zip(names, shapes, strict=True)
    ]


def one_by_one(infos, n_edges, target):
    """Return the counts if weights are given one by one, each to the layer that rounds up at the smallest x."""
    counts = dict.fromkeys(n_edges, 0)
    for _ in range(target):
        _, name = min(
            (Fraction(2 * counts[info.name] + 1, 2 * sum(info.shape)), info.name)
            for info in infos
            if counts[info.name] < n_edges[info.name]
        )
        counts[name] += 1
    return counts


def published_densities(shapes, density):
    """The densities of Evci et al., in fractions: proportional to sum / product of the sides, layers at 1 set aside."""
    dense = set()
    while True:
        others = [k for k in range(len(shapes)) if k not in dense]
        n_left = density * sum(Fraction(int(np.prod(s))) for s in shapes) - sum(int(np.prod(shapes[k])) for k in dense)
        scale = n_left / sum(sum(shapes[k]) for k in others)
        found = {k: scale * sum(shapes[k]) / int(np.prod(shapes[k])) for k in others}
        above = {k for k in others if found[k] > 1}
        if not above:
            return [Fraction(1) if k in dense else found[k] for k in range(len(shapes))]
        dense |= {max(above, key=lambda k: found[k])}


@given(SHAPES, st.data())
def test_the_counts_are_those_of_giving_one_weight_after_the_other(shapes, data):
    infos = layers_of(shapes)
    n_edges = {info.name: data.draw(st.integers(0, info.n_weights)) for info in infos}
    target = data.draw(st.integers(0, sum(n_edges.values())))

    counts = erk_counts(infos, n_edges, target)

    assert counts == one_by_one(infos, n_edges, target)
    assert sum(counts.values()) == target


@given(SHAPES, st.data())
def test_a_smaller_target_gives_no_layer_more(shapes, data):
    infos = layers_of(shapes)
    n_edges = {info.name: info.n_weights for info in infos}
    target = data.draw(st.integers(1, sum(n_edges.values()) + 3))

    more, less = erk_counts(infos, n_edges, target), erk_counts(infos, n_edges, target - 1)

    assert all(less[name] <= more[name] for name in more)


@pytest.mark.parametrize("density", [Fraction(1, 2), Fraction(1, 10), Fraction(1, 50)])
@pytest.mark.parametrize(
    "shapes",
    [
        [(300, 784), (100, 300), (10, 100)],
        [(64, 3, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3), (128, 64, 1, 1), (10, 128)],
    ],
)
def test_the_densities_are_the_published_ones_but_for_rounding(shapes, density):
    infos = layers_of(shapes)
    n_weights = sum(info.n_weights for info in infos)
    target = int(density * n_weights)

    counts = erk_counts(infos, {info.name: info.n_weights for info in infos}, target)

    # Rounding moves x by at most half a weight for each layer, shared by all of them.
    expected = published_densities(shapes, Fraction(target, n_weights))
    for info, share in zip(infos, expected, strict=True):
        assert abs(counts[info.name] - share * info.n_weights) <= Fraction(1 + len(infos), 2)


def test_lenet_at_a_tenth():
    infos = layers_of([(300, 784), (100, 300), (10, 100)])

    counts = erk_counts(infos, {info.name: info.n_weights for info in infos}, 26_620)

    assert list(counts.values()) == [1000, 6906, 18714]  # the output layer is whole; 17.264 weights for each side


def test_rounds_keep_the_counts_and_the_sum_is_the_target_of_all_layers(lenet):
    pruning = prune_checkpoint(lenet, PruningOptions(rounds=3, rate=0.5, method="magnitude", scope="erk"))

    infos = stream_of(lenet).layers.infos
    n_edges = {info.name: info.n_weights for info in infos}
    shared = PruningOptions(rounds=3, rate=0.5).pruning_schedule().targets(n_weights=266_200, n_edges=266_200)
    for number, target in enumerate(shared, start=1):
        rows = {row.get("layer"): row for row in pruning.report.rows if row["round"] == number}
        counts = erk_counts(infos, n_edges, target)
        assert {name: rows[name]["n_kept"] for name in counts} == counts
        assert rows[None]["target"] == rows[None]["n_kept"] == target


def test_rates_of_layers_need_the_scope_layer(lenet):
    with pytest.raises(OptionError, match="in the scope erk shapes decide; rates of layers need the scope"):
        prune_checkpoint(lenet, PruningOptions(rounds=1, scope="erk", layer_rates={"fc1*": 0.1}))
