"""The one rule for chance: how many edges of a layer's forest its k strongest weights keep if weights had no structure.

``closed_form_decision`` decides whether the closed form of independent strengths holds, and every command asks it:

- *Zeros.* Dead rows and columns are left out. Of the other weights at most one in a thousand may be zero.
- *Short sides.* At least ``LEAST_SIDE`` rows and as many columns have edges.
- *Ties.* Equal strengths are kept by index, so if the k-th strongest weight has equals that are pruned, the kept
  ones lie in the layer's first rows. At most half as many weights as are kept may be as strong as the k-th. The type
  does not matter: weights of 8 bits are judged by their ties, as all weights are.

Where the closed form does not hold, the number is the mean of shuffles (``shuffling``), except in a layer of more than
``LARGEST_SIMULATED`` edges that has zeros or a short side: there it is unknown, and the record says why. The errors of
the closed form under this rule are measured in docs/theory.md, 6.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from topoimp.chance.closed_forms import expected_forest_edges_iid, expected_forest_edges_random, guaranteed_forest_edges
from topoimp.chance.null import Null
from topoimp.chance.null_distribution import Distribution, added_up
from topoimp.chance.null_models import null_distribution
from topoimp.chance.overlap import LeastExpected
from topoimp.chance.shuffling import live_shape, shuffled, strongest_weights
from topoimp.chance.simulation import N_SIMULATIONS, simulated_forest_edges_iid, simulated_ranks
from topoimp.choices import Shuffle
from topoimp.layers.layer import Layer
from topoimp.pruning.rules import Keep
from topoimp.pruning.selection import LayerSelection
from topoimp.topology.forest import Forest, spanning_forest

FEW_ZEROS = 0.001
"""Largest share of zeros, beside dead rows and columns, under which the closed form holds wherever they are."""

LEAST_SIDE = 9
"""Rows and columns with edges from which on the closed form holds."""

MANY_TIES = 0.5
"""Largest number of weights as strong as the k-th, as a share of k, under which the closed form holds."""

LARGEST_SIMULATED = 4_000_000
"""Edges up to which a layer with zeros or a short side is simulated: its edges are listed, or put in random order."""


@dataclass(frozen=True)
class ClosedFormDecision:
    """Whether the closed form of independent strengths holds, and whether shuffles replace it; if neither, unknown.

    The reason says why it does not hold; None if it holds.
    """

    reason: str | None = None
    is_simulated: bool = False


def closed_form_decision(
    live: tuple[int, int], n_edges: int, selection: LayerSelection | None = None
) -> ClosedFormDecision:
    """Decide whether the closed form holds for the selected strongest weights of a layer of some live rows and columns.

    Without a selection no equal weights are split, as at a level of a Betti curve.
    """
    n_rows, n_columns = live
    is_large = n_edges > LARGEST_SIMULATED
    if n_edges < (1 - FEW_ZEROS) * n_rows * n_columns:
        reason = "the layer has zeros beside dead rows and columns"
    elif min(live) < LEAST_SIDE:
        reason = f"fewer than {LEAST_SIDE} rows or columns have edges"
    elif selection is not None and selection.n_equal < selection.n_of_rank > MANY_TIES * selection.n_kept:
        return ClosedFormDecision("too many weights are as strong as the weakest that is kept", is_simulated=True)
    else:
        return ClosedFormDecision()
    return ClosedFormDecision(f"{reason}, and too many edges to be simulated" if is_large else reason, not is_large)


@dataclass(frozen=True)
class ForestByChance:
    """The number of a layer's forest edges that are kept, and those that chance alone would keep.

    Args:
        n_kept: weights kept.
        floor: edges of the forest.
        observed: forest edges kept; None if the weights are not known.
        guaranteed: fewest that any layer with as many live rows and columns keeps.
        iid: mean if strengths are independent and alike, simulated where ``reason`` is given; None if unknown.
        random: mean among ``n_kept`` random edges.
        least_expected: a lower bound of the mean if every order of the strengths is equally likely (``overlap``).
        nulls: their numbers under null models.
        is_strongest: whether the kept weights are the ``n_kept`` strongest, as null models suppose.
        reason: why ``iid`` is not the closed form; None if it is.
    """

    n_kept: int
    floor: int
    observed: int | None
    guaranteed: int
    iid: float | None
    random: float
    least_expected: float
    nulls: Mapping[Null, Distribution] = field(default_factory=dict)
    is_strongest: bool = True
    reason: str | None = None


def forests_by_chance(
    layer: Layer,
    forest: Forest,
    n_kept: Sequence[int],
    *,
    nulls: Sequence[Null] = (),
    n_simulations: int = N_SIMULATIONS,
    seed: int = 0,
    threads: int,
) -> list[ForestByChance]:
    """Return, for each number of kept edges, how much of its forest a layer keeps, beside chance.

    ``n_simulations`` shuffles replace the closed form where it does not hold; a null has its own number.

    Raises:
        OptionError: if a number is out of range.
    """
    live = live_shape(forest)
    floor = len(forest.indices)
    least_expected = LeastExpected.of_layer(layer, forest, threads)

    def by_chance(strongest: Keep) -> ForestByChance:
        k = strongest.n_kept
        reason = None
        iid: float | None = float(min(k, floor))  # without edges, or with all of them
        if 0 < k < forest.n_edges:
            decision = closed_form_decision(live, forest.n_edges, strongest.selection)
            iid = None
            reason = decision.reason
            if decision.is_simulated:
                drawing = shuffled(layer, forest, strongest, Shuffle.EDGES, threads)
                iid = simulated_ranks(drawing, k, layer.name, n_simulations=n_simulations, seed=seed).mean
            elif reason is None:
                iid = closed_form(live, floor, k)

        return ForestByChance(
            n_kept=k,
            floor=floor,
            observed=strongest.n_kept_of(forest, replace(layer, parallel=None), threads),
            guaranteed=guaranteed_forest_edges(*live, k) if k else 0,
            iid=iid,
            random=expected_forest_edges_random(forest.n_edges, floor, k),
            least_expected=least_expected.forest_edges(k),
            nulls={
                null: null_distribution(layer, forest, strongest, null, seed=seed, threads=threads) for null in nulls
            },
            reason=reason,
        )

    return [by_chance(strongest) for strongest in strongest_weights(layer, forest, n_kept, threads)]


def forest_edges_by_chance(
    layer: Layer,
    n_kept: int,
    *,
    forest: Forest | None = None,
    n_simulations: int = N_SIMULATIONS,
    seed: int = 0,
    threads: int = 1,
) -> ForestByChance:
    """Return the number of forest edges that the strongest weights of a layer keep, beside the numbers by chance.

    Args:
        layer: of any type.
        n_kept: edges kept, from 0 to the number of edges.
        forest: the layer's maximum spanning forest; found if None.
        n_simulations: shuffles where the closed form does not hold; at least 1.
        seed: of the shuffles; at least 0.
        threads: number of cores to use. The result does not depend on it.

    Raises:
        OptionError: if a number is out of range.
        LayerError: if a weight is NaN or infinite.

    >>> import numpy as np
    >>> from topoimp.layers.layer import as_layer
    >>> found = forest_edges_by_chance(as_layer(np.diag([3.0, 2.0, 1.0]) + 0.5), 5)
    >>> found.floor, found.observed, found.guaranteed
    (5, 5, 4)
    """
    forest = spanning_forest(layer, threads=threads) if forest is None else forest
    (found,) = forests_by_chance(layer, forest, [n_kept], n_simulations=n_simulations, seed=seed, threads=threads)
    return found


def shape_by_chance(n_rows: int, n_columns: int, n_kept: int, *, seed: int = 0) -> ForestByChance:
    """Return the same for a layer of which only the shape is known, all of its weights being edges and different."""
    n_edges = n_rows * n_columns
    floor = n_rows + n_columns - 1
    decision = closed_form_decision((n_rows, n_columns), n_edges)
    iid = None
    if decision.is_simulated:
        iid = simulated_forest_edges_iid(n_rows, n_columns, n_kept, seed=seed).mean
    elif decision.reason is None:
        iid = closed_form((n_rows, n_columns), floor, n_kept)

    return ForestByChance(
        n_kept=n_kept,
        floor=floor,
        observed=None,
        guaranteed=guaranteed_forest_edges(n_rows, n_columns, n_kept),
        iid=iid,
        random=expected_forest_edges_random(n_edges, floor, n_kept),
        least_expected=LeastExpected(n_rows, n_columns).forest_edges(n_kept),
        reason=decision.reason,
    )


def added_up_by_chance(layers: Sequence[ForestByChance]) -> ForestByChance:
    """Return the sums over several layers, shuffle by shuffle; a sum is None if a layer lacks the number."""
    observed = [layer.observed for layer in layers if layer.observed is not None]
    iid = [layer.iid for layer in layers if layer.iid is not None]
    unknown = [layer for layer in layers if layer.iid is None]
    n_kept = sum(layer.n_kept for layer in layers)

    return ForestByChance(
        n_kept=n_kept,
        floor=sum(layer.floor for layer in layers),
        observed=sum(observed) if len(observed) == len(layers) else None,
        guaranteed=sum(layer.guaranteed for layer in layers),
        iid=sum(iid) if len(iid) == len(layers) else None,
        random=sum(layer.random for layer in layers),
        least_expected=sum(layer.least_expected for layer in layers),
        nulls={null: added_up([layer.nulls[null] for layer in layers]) for null in (layers[0].nulls if layers else ())},
        is_strongest=all(layer.is_strongest for layer in layers),
        reason=next((layer.reason for layer in unknown or layers if layer.reason), None),
    )


def closed_form(live: tuple[int, int], floor: int, n_kept: int) -> float:
    """Return the closed form, at most the floor: a few zeros can leave a component more."""
    return min(expected_forest_edges_iid(*live, n_kept), float(floor))
