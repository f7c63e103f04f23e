"""The null models: how many forest edges the k strongest weights of a layer would keep under each (``NullModel``)."""

from dataclasses import replace
from itertools import islice

import numpy as np

from topoimp.chance.degrees import degree_preserving_ranks, graph_of
from topoimp.chance.drawing import Drawing, generator_of
from topoimp.chance.null import Null
from topoimp.chance.null_distribution import Distribution, NullDistribution, hypergeometric
from topoimp.chance.scales import scaled_strengths
from topoimp.chance.shuffling import live_shape, shuffled
from topoimp.chance.simulation import simulated_ranks
from topoimp.choices import NullModel, Shuffle
from topoimp.layers.layer import Layer
from topoimp.pruning.rules import Keep, kept_of
from topoimp.topology.forest import Forest


def null_distribution(
    layer: Layer, forest: Forest, strongest: Keep, null: Null, *, seed: int, threads: int
) -> Distribution:
    """Return the distribution of a null model; ``strongest`` are the k strongest weights, and every model keeps k.

    - The shuffles of ``Shuffle`` are those of ``shuffling``.
    - ``scales`` shuffles what is left of strengths without the scales of rows and columns (``scales``).
    - ``degrees`` are random graphs in which every row and column has as many edges as in the graph of the k strongest
      weights (``degrees``). Zeros do not matter: a stored zero is a place as any other.
    - ``iid`` draws k places among all rows and columns that have edges, zeros included: the k strongest of independent
      strengths without ties.
    - ``random`` is a random mask of k edges of the layer; it is exact. It keeps edges of the layer's own forest, while
      each of the other models has a forest of its own.

    Where zeros do not stay in place, a model can keep more edges than the forest of the layer has.
    """
    if null.model is NullModel.RANDOM:
        return hypergeometric(forest.n_edges, len(forest.indices), strongest.n_kept)

    rng = generator_of(layer.name, seed)
    if null.model is NullModel.SCALES:
        ranks = scaled_strengths(layer, len(forest.indices)).ranks(strongest.n_kept, rng)
        return NullDistribution(strongest.n_kept, tuple(islice(ranks, null.n_simulations)))
    if null.model is NullModel.DEGREES:
        flat = np.flatnonzero(kept_of(strongest, replace(layer, parallel=None), threads))
        of_graphs = degree_preserving_ranks(graph_of(flat, layer.n_columns), null.n_simulations, rng)
        return NullDistribution(strongest.n_kept, tuple(of_graphs))

    if null.model is NullModel.IID:
        n_rows, n_columns = live_shape(forest)
        starts = np.array([0, n_rows * n_columns])
        most = max(n_rows + n_columns - 1, 0)
        drawing = Drawing(n_rows, n_columns, None, starts, np.array([strongest.n_kept]), most)
    else:
        drawing = shuffled(layer, forest, strongest, Shuffle(null.model), threads)
    return simulated_ranks(drawing, strongest.n_kept, layer.name, n_simulations=null.n_simulations, seed=seed)
