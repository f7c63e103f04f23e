"""The null models: how many forest edges the k strongest weights of a layer would keep under each (``NullModel``)."""

from dataclasses import replace
from itertools import islice

import numpy as np

from topoimp.chance.degrees import degree_preserving_ranks, graph_of
from topoimp.chance.drawing import Drawing, generator_of
from topoimp.chance.null import Null, parse_null
from topoimp.chance.null_distribution import Distribution, NullDistribution, hypergeometric
from topoimp.chance.scales import scaled_strengths
from topoimp.chance.shuffling import live_shape, shuffled, strongest_weights
from topoimp.chance.simulation import simulated_ranks
from topoimp.choices import NullModel, Shuffle
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer
from topoimp.pruning.rules import Keep, kept_of
from topoimp.topology.forest import Forest, spanning_forest


def null_distribution(
    layer: Layer, forest: Forest, strongest: Keep, null: Null, *, seed: int, threads: int
) -> Distribution:
    """Return the distribution of a null model; ``strongest`` are the k strongest weights, and every model keeps k.

    - The shuffles of ``Shuffle`` are those of ``shuffling``.
    - ``scales`` divides strengths by the scales of rows and columns, and shuffles the quotients (``scales``).
    - ``degrees`` are random graphs in which every row and column has as many edges as in the graph of the k strongest
      weights (``degrees``). Zeros do not matter: a stored zero is a place as any other.
    - ``iid`` draws k places among all rows and columns that have edges, zeros included: the k strongest of independent
      strengths without ties.
    - ``random`` is a random mask of k edges of the layer; it is exact. It keeps edges of the layer's own forest, while
      each of the other models has a forest of its own.
    - ``initial`` are the initial weights of the layer, of which the k strongest keep edges of their own forest: a
      single number. If they have fewer than k edges, they keep their whole forest.

    Where zeros do not stay in place, a model can keep more edges than the forest of the layer has.
    """
    if null.model is NullModel.RANDOM:
        return hypergeometric(forest.n_edges, len(forest.indices), strongest.n_kept)

    if null.model is NullModel.INITIAL:
        return NullDistribution(strongest.n_kept, (_kept_by_initial(layer.name, null, strongest.n_kept, threads),))
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


def _kept_by_initial(name: str, null: Null, n_kept: int, threads: int) -> int:
    """Return how many edges of their own forest the strongest initial weights of a layer keep."""
    if null.initial is None:
        raise OptionError("the null 'initial' needs the initial weights of a checkpoint")
    initial = null.initial.read(name)
    forest = spanning_forest(initial, threads=threads)
    (strongest,) = strongest_weights(initial, forest, [min(n_kept, forest.n_edges)], threads)
    return strongest.n_kept_of(forest, initial, threads)


def null_forest_edges(
    layer: Layer,
    n_kept: int,
    null: Null | str,
    *,
    forest: Forest | None = None,
    seed: int = 0,
    threads: int = 1,
) -> Distribution:
    """Return how many forest edges the strongest weights of a layer would keep under a null model.

    Memory: a byte per weight, of the model ``scales`` 40 bytes per edge. docs/reports.md has a table of the models, and
    the time that a simulation takes.

    Args:
        layer: of any type, in the view ``matrix``.
        n_kept: weights kept, from 0 to the number of edges; of a mask or another checkpoint, its edges.
        null: as in ``degrees:200`` or ``random``.
        forest: the layer's maximum spanning forest; found if None.
        seed: at least 0; together with the layer's name it chooses the simulations. More simulations of one seed begin
            with the numbers of fewer.
        threads: number of cores to use. The result does not depend on it.

    Returns:
        the simulated numbers; of the model ``random`` the exact distribution.

    Raises:
        OptionError: if a number is out of range, there is no such model, or it is ``initial``, which is about the
            layers of a checkpoint.
        LayerError: if a weight is NaN or infinite.

    >>> from topoimp.layers.layer import as_layer
    >>> layer = as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))
    >>> null_forest_edges(layer, 3, "degrees:4")
    NullDistribution(n_kept=3, counts=(3, 3, 3, 3))
    >>> null_forest_edges(layer, 2, "random").mean
    1.5
    """
    null = parse_null(null) if isinstance(null, str) else null
    forest = spanning_forest(layer, threads=threads) if forest is None else forest
    (strongest,) = strongest_weights(layer, forest, [n_kept], threads)
    return null_distribution(layer, forest, strongest, null, seed=seed, threads=threads)
