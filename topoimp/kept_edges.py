"""How much of its forest a layer keeps at some densities: what is guaranteed, what chance keeps, and what is so.

A density is the share of a layer's weights that is kept, the strongest first; stored zeros are never kept, so that
there may be fewer than asked for. Without its weights, a layer is so many rows and columns, and nothing is observed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from topoimp.bounds import round_half_up
from topoimp.chances import forest_edges_by_chance, simulated_forest_edges_iid
from topoimp.errors import OptionError
from topoimp.forest import Forest
from topoimp.layers import Layer
from topoimp.nulls import expected_forest_edges_iid, expected_forest_edges_random, guaranteed_forest_edges


@dataclass(frozen=True)
class KeptEdges:
    """How many edges of a layer's forest are among its strongest weights.

    Args:
        density: share of the weights that is to be kept.
        n_kept: weights kept: that share, rounded, halves up, or all edges if they are fewer.
        floor: edges of the forest.
        guaranteed: forest edges kept at least, whatever the weights.
        iid: forest edges to expect if strengths were independent and alike; simulated where there is no closed form.
        random: forest edges that a random mask of as many edges is expected to meet.
        observed: forest edges kept; None if the weights are not known.
    """

    density: float
    n_kept: int
    floor: int
    guaranteed: int
    iid: float
    random: float
    observed: int | None


def exact_densities(densities: Sequence[float]) -> list[Fraction]:
    """Give densities as the decimal fractions that they are written as.

    Raises:
        OptionError: if one is not in [0, 1].
    """
    for density in densities:
        if not 0 <= density <= 1:
            raise OptionError(f"a density is {density}; it must be at least 0 and at most 1")
    return [Fraction(str(density)) for density in densities]


def kept_edges_of(layer: Layer, forest: Forest, densities: Sequence[float], *, seed: int = 0) -> list[KeptEdges]:
    """Give how much of its forest a layer keeps at some densities, in the order given.

    Args:
        layer: its weights, in the view ``matrix``.
        forest: its maximum spanning forest.
        densities: each in [0, 1].
        seed: of the simulations, where the number without structure has to be simulated; at least 0.

    Raises:
        OptionError: if a density is out of range, or the layer is in the view ``channel``, whose edges are no weights.
    """
    if layer.parallel is not None:
        raise OptionError("the view is channel; densities are of weights, and need the view matrix")
    kept = []
    for density, share in zip(densities, exact_densities(densities), strict=True):
        n_kept = min(round_half_up(share * layer.n_weights), forest.n_edges)
        found = forest_edges_by_chance(layer, n_kept, forest=forest, seed=seed)
        counts = found.guaranteed, found.iid, found.random, found.observed
        kept.append(KeptEdges(density, n_kept, len(forest.indices), *counts))
    return kept


def kept_edges_of_shape(n_rows: int, n_columns: int, densities: Sequence[float], *, seed: int = 0) -> list[KeptEdges]:
    """Give what is known of a layer without its weights, all of them being non-zero.

    Args:
        n_rows: at least 1.
        n_columns: at least 1.
        densities: each in [0, 1].
        seed: of the simulations, where a side is too short for the closed form; at least 0.

    Raises:
        OptionError: if a number is out of range.
    """
    n_edges, floor = n_rows * n_columns, n_rows + n_columns - 1
    kept = []
    for density, share in zip(densities, exact_densities(densities), strict=True):
        n_kept = round_half_up(share * n_edges)
        iid = expected_forest_edges_iid(n_rows, n_columns, n_kept)
        if iid is None:
            iid = simulated_forest_edges_iid(n_rows, n_columns, n_kept, seed=seed).mean
        guaranteed = guaranteed_forest_edges(n_rows, n_columns, n_kept)
        random = expected_forest_edges_random(n_edges, floor, n_kept).mean
        kept.append(KeptEdges(density, n_kept, floor, guaranteed, iid, random, None))
    return kept
