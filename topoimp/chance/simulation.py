"""Simulated numbers of forest edges that the strongest weights keep, in random or shuffled layers."""

import numpy as np

from topoimp.chance.closed_forms import guaranteed_forest_edges
from topoimp.chance.drawing import Drawing, generator_of
from topoimp.chance.null_distribution import NullDistribution
from topoimp.chance.shuffling import shuffled, strongest_weights
from topoimp.choices import Shuffle, chosen
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer
from topoimp.topology.forest import Forest, spanning_forest

N_SIMULATIONS = 20
"""Enough for a standard error of about a fifth of one simulation's deviation."""


def simulated_forest_edges_iid(
    n_rows: int, n_columns: int, n_kept: int, *, n_simulations: int = 200, seed: int = 0
) -> NullDistribution:
    """Simulate how many forest edges the strongest weights keep if strengths are independent, alike and without ties.

    More simulations of one seed begin with the numbers of fewer. A number out of range is an ``OptionError``.
    """
    guaranteed_forest_edges(n_rows, n_columns, n_kept)  # it checks their ranges
    starts = np.array([0, n_rows * n_columns])
    n_drawn = np.array([n_kept])
    drawing = Drawing(n_rows, n_columns, None, starts, n_drawn, most=n_rows + n_columns - 1)
    return simulated_ranks(drawing, n_kept, f"{n_rows}x{n_columns}", n_simulations=n_simulations, seed=seed)


def shuffled_forest_edges(
    layer: Layer,
    n_kept: int,
    *,
    forest: Forest | None = None,
    shuffle: Shuffle | str = Shuffle.EDGES,
    n_simulations: int = N_SIMULATIONS,
    seed: int = 0,
    threads: int = 1,
) -> NullDistribution:
    """Simulate how many forest edges the strongest weights of a layer keep when the layer is shuffled.

    Most of the time goes into the k-th strongest weight, found once. A simulation takes milliseconds for a layer of any
    size, unless the kept weights leave it in many components. Memory: a byte per weight, and four bytes per edge if
    there are zeros beside dead rows and columns.

    Args:
        layer: of any type. In the view ``channel`` edges are shuffled and counted.
        n_kept: edges kept, from 0 to the number of edges; of a mask or another checkpoint, its edges.
        forest: the layer's maximum spanning forest; found if None.
        shuffle: selects the weights that change places.
        n_simulations: at least 1.
        seed: at least 0; together with the layer's name it chooses the shuffles. More simulations of one seed begin
            with the numbers of fewer.
        threads: number of cores to use. The result does not depend on it.

    Raises:
        OptionError: if a number is out of range, or there is no such shuffle.
        LayerError: if a weight is NaN or infinite.

    >>> from topoimp.layers.layer import as_layer
    >>> shuffled_forest_edges(as_layer(np.array([[3.0, 1.0], [2.0, 0.5]])), 4, n_simulations=3)
    NullDistribution(n_kept=4, counts=(3, 3, 3))
    """
    shuffle = chosen(Shuffle, shuffle)
    forest = spanning_forest(layer, threads=threads) if forest is None else forest
    (strongest,) = strongest_weights(layer, forest, [n_kept], threads)
    drawing = shuffled(layer, forest, strongest, shuffle, threads)
    return simulated_ranks(drawing, n_kept, layer.name, n_simulations=n_simulations, seed=seed)


def simulated_ranks(drawing: Drawing, n_kept: int, name: str, *, n_simulations: int, seed: int) -> NullDistribution:
    """Simulate the rank of a drawing; the name of the layer is part of the seed."""
    if n_simulations < 1:
        raise OptionError(f"the number of simulations is {n_simulations}; it must be at least 1")
    rng = generator_of(name, seed)
    return NullDistribution(n_kept, tuple(drawing.rank(rng) for _ in range(n_simulations)))
