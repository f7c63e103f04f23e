"""The Betti curves that chance alone would give a layer: beta0 and beta1 to expect of its k strongest edges.

If strengths say nothing about where edges are, the k edges that reach a level are k random ones: every set of k is
equally likely, and equal strengths change nothing, as they reach a level together. Zeros stay where they are, so that
at the level 0 the expected numbers are those of the layer itself.
"""

import numpy as np

from topoimp.arrays import IndexArray
from topoimp.chance.drawing import generator_of
from topoimp.chance.nulls import FEW_ZEROS, ExpectedBettiNumbers, betti_curve_iid
from topoimp.chance.shuffling import NOTHING, live_shape, shuffled
from topoimp.choices import Shuffle
from topoimp.layers.layer import Layer
from topoimp.topology.forest import Forest

N_SIMULATIONS = 20
"""Enough for a standard error of about a fifth of one simulation's deviation."""

LARGEST_SIMULATED = 4_000_000
"""Edges up to which a layer is simulated: all of them are put in a random order, each time."""


def expected_betti_curve(
    layer: Layer, forest: Forest, n_edges: IndexArray, *, seed: int = 0
) -> ExpectedBettiNumbers | None:
    """Give the Betti numbers to expect of the k strongest edges of a layer if strengths had no structure.

    In closed form (``nulls.betti_curve_iid``) where all weights of the live rows and columns are edges and neither side
    is short; elsewhere by simulation, unless a layer is large and has a few zeros (``nulls.FEW_ZEROS``) only. Dead rows
    and columns are components.

    Args:
        layer: its weights.
        forest: its maximum spanning forest.
        n_edges: the numbers k, each from 0 to the edges that the layer has, in any order, shape (n,).
        seed: of the simulations, at least 0; together with the layer's name it chooses them.

    Returns:
        None if a layer that needs simulation has more than ``LARGEST_SIMULATED`` edges.
    """
    n_rows, n_columns = live_shape(forest)
    n_zeros, is_large = n_rows * n_columns - forest.n_edges, forest.n_edges > LARGEST_SIMULATED
    if n_zeros == 0 < n_rows or (is_large and n_zeros <= FEW_ZEROS * n_rows * n_columns):
        live = betti_curve_iid(n_rows, n_columns, n_edges.tolist())
        if live is not None:
            n_dead = forest.n_vertices - n_rows - n_columns
            return ExpectedBettiNumbers(n_edges, live.beta0 + n_dead, live.beta1)
    if is_large:
        return None
    drawing, rng = shuffled(layer, forest, NOTHING, Shuffle.EDGES), generator_of(layer.name, seed)
    ranks = [np.searchsorted(drawing.joining_draws(rng), n_edges, side="right") for _ in range(N_SIMULATIONS)]
    beta0 = forest.n_vertices - np.mean(ranks, axis=0)
    return ExpectedBettiNumbers(n_edges, beta0, n_edges - forest.n_vertices + beta0)
