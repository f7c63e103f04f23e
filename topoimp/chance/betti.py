"""The Betti curves of a layer by chance: beta0 and beta1 of its k strongest edges if strengths had no structure.

The k edges that reach a level are then k random ones: every set of k is equally likely. Equal strengths change nothing,
because they reach a level together. Zeros stay where they are, so at level 0 the numbers are those of the layer itself.
"""

from dataclasses import dataclass

import numpy as np

from topoimp.arrays import FloatArray, IndexArray
from topoimp.chance.drawing import generator_of
from topoimp.chance.forest_by_chance import closed_form, closed_form_decision
from topoimp.chance.shuffling import live_shape, shuffled, strongest_weights
from topoimp.chance.simulation import N_SIMULATIONS
from topoimp.choices import Shuffle
from topoimp.layers.layer import Layer
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class ExpectedBettiNumbers:
    """Mean Betti numbers of the graphs of the ``n_kept`` strongest weights; each array has the shape (n,)."""

    n_kept: IndexArray
    beta0: FloatArray
    beta1: FloatArray


def expected_betti_curve(
    layer: Layer, forest: Forest, n_edges: IndexArray, *, seed: int = 0
) -> ExpectedBettiNumbers | None:
    """Return the mean Betti numbers of the ``n_edges`` strongest edges of a layer if strengths had no structure.

    Dead rows and columns are components. The numbers are those of the closed form where it holds, and of 20 random
    orders of the edges elsewhere (``forest_by_chance`` has the rule); ``seed`` and the layer's name choose them.

    Returns:
        None if the layer would have to be simulated and is too large.

    Raises:
        OptionError: if a number of edges is out of range, or the seed is negative.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.topology.forest import spanning_forest
    >>> layer = as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))
    >>> expected_betti_curve(layer, spanning_forest(layer), np.array([0, 1, 4])).beta0
    array([4., 3., 1.])
    """
    live = live_shape(forest)
    floor = len(forest.indices)
    decision = closed_form_decision(live, forest.n_edges)
    if decision.is_simulated:
        ranks = _simulated_ranks(layer, forest, n_edges, seed)
        beta0 = forest.n_vertices - np.mean(ranks, axis=0)
        return ExpectedBettiNumbers(n_edges, beta0, n_edges - forest.n_vertices + beta0)
    if decision.reason is not None:
        return None

    n_live = sum(live)
    beta0 = n_live - np.array([closed_form(live, floor, k) for k in n_edges.tolist()], np.float64)
    return ExpectedBettiNumbers(n_edges, beta0 + (forest.n_vertices - n_live), n_edges - n_live + beta0)


def _simulated_ranks(layer: Layer, forest: Forest, n_edges: IndexArray, seed: int) -> list[IndexArray]:
    """Return, for each random order of the edges, the rank of its first k edges for every k."""
    (none,) = strongest_weights(layer, forest, [0], threads=1)
    drawing = shuffled(layer, forest, none, Shuffle.EDGES, threads=1)
    rng = generator_of(layer.name, seed)
    return [np.searchsorted(drawing.joining_draws(rng), n_edges, side="right") for _ in range(N_SIMULATIONS)]
