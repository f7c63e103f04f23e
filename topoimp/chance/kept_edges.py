"""How much of its forest a layer keeps at some densities: what is guaranteed, what chance keeps, and what is so.

A density is the share of a layer's weights that is kept, the strongest first; stored zeros are never kept, so that
there may be fewer than asked for. Without its weights, a layer is so many rows and columns, and nothing is observed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from topoimp.chance.nulls import (
    FEW_ZEROS,
    connectivity_probability,
    expected_forest_edges_iid,
    expected_forest_edges_random,
    guaranteed_forest_edges,
)
from topoimp.chance.shuffling import live_shape
from topoimp.chance.simulation import FEW_TIES, forest_edges_by_chance, simulated_forest_edges_iid
from topoimp.choices import Method
from topoimp.errors import OptionError
from topoimp.layers.catalogue import LayerInfo
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import InHand
from topoimp.pruning.bounds import round_half_up
from topoimp.pruning.rules import Keep, keep_each, rule_for
from topoimp.topology.forest import Forest

LARGEST_SIMULATED = 1_000_000
"""Weights of a shape that is simulated: a simulation has a byte for each."""


@dataclass(frozen=True)
class KeptEdges:
    """How many edges of a layer's forest are among its strongest weights.

    Args:
        density: share of the weights that is to be kept.
        n_kept: weights kept: that share, rounded, halves up, or all edges if they are fewer.
        floor: edges of the forest.
        guaranteed: forest edges kept at least, whatever the weights.
        iid: forest edges to expect if strengths were independent and alike; simulated where there is no closed form.
            None if that would take too long: of a shape alone, larger than ``LARGEST_SIMULATED``, with a short side.
        random: forest edges that a random mask of as many edges is expected to meet.
        observed: forest edges kept; None if the weights are not known.
        connected: about how likely the rows and columns that have edges are in one piece if each edge is kept with the
            probability ``n_kept`` / edges, whatever the others; None if there are zeros in between.
    """

    density: float
    n_kept: int
    floor: int
    guaranteed: int
    iid: float | None
    random: float
    observed: int | None
    connected: float | None


def exact_densities(densities: Sequence[float]) -> list[Fraction]:
    """Give densities as the decimal fractions that they are written as.

    Raises:
        OptionError: if one is not in [0, 1].
    """
    for density in densities:
        if not 0 <= density <= 1:
            raise OptionError(f"a density is {density}; it must be at least 0 and at most 1")
    return [Fraction(str(density)) for density in densities]


def kept_edges_of(
    layer: Layer,
    info: LayerInfo,
    forest: Forest,
    densities: Sequence[float],
    *,
    seed: int = 0,
    threads: int,
) -> list[KeptEdges]:
    """Give how much of its forest a layer keeps at some densities, in the order given.

    What is expected without structure is as ``forest_edges_by_chance`` has it, which sorts the layer; where there is a
    closed form, that is spared.

    Args:
        layer: its weights, in the view ``matrix``.
        info: what the catalogue says of it.
        forest: its maximum spanning forest.
        densities: each in [0, 1].
        seed: of the simulations, where the number without structure has to be simulated; at least 0.
        threads: number of cores to use, at least 1. The result does not depend on it.

    Raises:
        OptionError: if a density is out of range, or the layer is in the view ``channel``, whose edges are no weights.
    """
    if layer.parallel is not None:
        raise OptionError("the view is channel; densities are of weights, and need the view matrix")
    targets = [min(round_half_up(share * layer.n_weights), forest.n_edges) for share in exact_densities(densities)]
    rule = rule_for([info], Method.MAGNITUDE, seed)
    keeps = keep_each([info], {info.name: forest}, targets, rule, InHand(layer, threads))
    sides = live_shape(forest)
    kept = []
    for density, target, keep in zip(densities, targets, (of_all[info.name] for of_all in keeps), strict=True):
        iid = _closed_form(forest, sides, keep)
        if iid is None:
            iid = forest_edges_by_chance(layer, target, forest=forest, seed=seed).iid
        guaranteed = guaranteed_forest_edges(*sides, target) if target else 0
        random = expected_forest_edges_random(forest.n_edges, len(forest.indices), target).mean
        observed = keep.n_kept_of(forest, layer, threads)
        is_dense = 0 < forest.n_edges == prod(sides)
        connected = connectivity_probability(*sides, target / forest.n_edges) if is_dense else None
        kept.append(KeptEdges(density, target, len(forest.indices), guaranteed, iid, random, observed, connected))
    return kept


def _closed_form(forest: Forest, sides: tuple[int, int], keep: Keep) -> float | None:
    """Give the number without structure if it need not be simulated.

    The conditions are those of ``forest_edges_by_chance``, but that a few zeros do not matter.
    """
    share = keep.share
    is_split = 0 < share.n_equal < share.n_of_rank
    has_zeros = forest.n_edges == 0 or forest.n_edges < (1 - FEW_ZEROS) * prod(sides)
    if has_zeros or (is_split and share.n_equal > FEW_TIES * keep.n_kept):
        return None
    return expected_forest_edges_iid(*sides, keep.n_kept)


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
        if iid is None and n_edges <= LARGEST_SIMULATED:
            iid = simulated_forest_edges_iid(n_rows, n_columns, n_kept, seed=seed).mean
        guaranteed = guaranteed_forest_edges(n_rows, n_columns, n_kept)
        random = expected_forest_edges_random(n_edges, floor, n_kept).mean
        connected = connectivity_probability(n_rows, n_columns, n_kept / n_edges)
        kept.append(KeptEdges(density, n_kept, floor, guaranteed, iid, random, None, connected))
    return kept
