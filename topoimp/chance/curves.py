"""A layer beside chance, for pictures: Betti numbers by the number of edges, and deaths by level.

Every number follows from how many edges of the forest the k strongest edges keep, for some numbers k: observed, if
strengths were independent (``forest_by_chance``), and in the simulations of a null model. Each number k is simulated on
its own. A layer without edges has beta0 = V everywhere, and no deaths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import FloatArray, IndexArray
from topoimp.chance.forest_by_chance import ForestByChance, forests_by_chance
from topoimp.chance.null import Null, parse_null
from topoimp.chance.null_distribution import NullDistribution
from topoimp.choices import NullModel
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer
from topoimp.topology.barcode import Unit
from topoimp.topology.betti import betti_curve
from topoimp.topology.forest import Forest

BAND = (0.05, 0.95)
"""Shares of the simulations that lie below the lower and the upper end of a band."""

N_POINTS = 60
"""Points of a curve, about evenly spaced on a logarithmic axis."""

N_BINS = 40
"""Bins of a histogram."""


@dataclass(frozen=True)
class BettiBesideChance:
    """Betti numbers of the graphs of the strongest edges of a layer; each array has the shape (n,).

    Args:
        n_vertices: rows and columns.
        n_kept: numbers of strongest edges, ascending, equal ones by index; from 1 to all, or 0 alone without edges.
        beta0: components of their graphs.
        beta0_iid: mean if strengths are independent and alike; None if unknown.
        beta0_null: 5 and 95 % quantiles of a null model's simulations, shape (2, n); None without a null model.
        null: the null model.
    """

    n_vertices: int
    n_kept: IndexArray
    beta0: IndexArray
    beta0_iid: FloatArray | None = None
    beta0_null: FloatArray | None = None
    null: Null | None = None

    def beta1(self, beta0: IndexArray | FloatArray) -> IndexArray | FloatArray:
        """Return the independent cycles of graphs with so many components: n_kept - V + beta0."""
        return self.n_kept - self.n_vertices + beta0


def betti_beside_chance(
    layer: Layer, forest: Forest, *, null: Null | str | None = None, seed: int = 0, threads: int = 1
) -> BettiBesideChance:
    """Return the Betti numbers of the graphs of a layer's strongest edges, at about 60 numbers of edges.

    Args:
        layer: of any type, in the view ``matrix`` or ``channel``; an edge is then a pair of channels.
        forest: the layer's maximum spanning forest.
        null: a null model that is simulated, as in ``edges:20``.
        seed: of simulations, at least 0.
        threads: number of cores to use. The result does not depend on it.

    Raises:
        OptionError: if there is no such null model, it is not simulated, or a number is out of range.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.topology.forest import spanning_forest
    >>> layer = as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))
    >>> betti_beside_chance(layer, spanning_forest(layer)).beta0
    array([3, 2, 1, 1])
    """
    null = checked_null(null)
    n_kept = numbers_of_edges(forest.n_edges)
    found = _by_chance(layer, forest, n_kept, null, seed, threads)
    observed, iid, simulated = _forest_edges(found, null)
    beta0_null = None
    if simulated is not None:
        beta0_null = np.quantile(forest.n_vertices - simulated, BAND, axis=1)
    return BettiBesideChance(
        forest.n_vertices,
        np.array(n_kept),
        forest.n_vertices - observed,
        None if iid is None else forest.n_vertices - iid,
        beta0_null,
        null,
    )


def numbers_of_edges(n_edges: int) -> list[int]:
    """Return up to 60 different numbers of edges, from 1 to all, about evenly spaced on a logarithmic axis.

    >>> numbers_of_edges(5)
    [1, 2, 3, 4, 5]
    """
    if n_edges == 0:
        return [0]
    spaced = np.geomspace(1, n_edges, N_POINTS).round().astype(int)
    return sorted({*spaced.tolist(), n_edges})


@dataclass(frozen=True)
class DeathHistogram:
    """Numbers of finite bars by the level of their death.

    Args:
        levels: edges of the bins, ascending from 0 to the level of birth, shape (n + 1,). A bin has its lower edge, and
            the last bin both.
        observed: numbers of deaths, shape (n,).
        iid: mean numbers if strengths are independent and alike; None if unknown.
        simulated: mean numbers in the simulations of a null model; None without a null model.
        null: the null model.
    """

    levels: FloatArray
    observed: IndexArray
    iid: FloatArray | None = None
    simulated: FloatArray | None = None
    null: Null | None = None


def death_histogram(
    layer: Layer, forest: Forest, *, unit: Unit, null: Null | str | None = None, seed: int = 0, threads: int = 1
) -> DeathHistogram:
    """Return the histogram of a layer's deaths, in 40 bins of equal width, beside those by chance.

    By chance, the edges of the forest that are as strong as a level are those that as many random edges as the layer
    has there would have. Where such a number falls by a rounding, from one level to a lower one, it counts as equal.
    Options and errors are those of ``betti_beside_chance``; ``unit`` is that of the levels.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.topology.forest import spanning_forest
    >>> layer = as_layer(np.array([[4.0, 1.0], [0.0, 2.0]]))
    >>> death_histogram(layer, spanning_forest(layer), unit=Unit(1.0, 4.0)).observed.nonzero()
    (array([10, 20, 39]),)
    """
    null = checked_null(null)
    levels = np.linspace(0, unit.birth, N_BINS + 1)
    n_reaching = betti_curve(layer, forest, levels.tolist(), unit=unit, threads=threads).n_edges.tolist()
    numbers = sorted(set(n_reaching))
    found = dict(zip(numbers, _by_chance(layer, forest, numbers, null, seed, threads), strict=True))
    observed, iid, simulated = _forest_edges([found[n] for n in n_reaching], null)
    return DeathHistogram(
        levels,
        _in_bins(observed),
        None if iid is None else _in_bins(iid),
        None if simulated is None else _in_bins(simulated.mean(axis=1)),
        null,
    )


def _in_bins(n_reaching: np.ndarray) -> np.ndarray:
    """Return the numbers in bins, from the numbers that reach the edges of the bins, ascending."""
    falling = np.maximum.accumulate(n_reaching[::-1])[::-1]
    return np.append(falling[:-2] - falling[1:-1], falling[-2])


def checked_null(null: Null | str | None) -> Null | None:
    """Return a null model that a curve can have; raise an ``OptionError`` for another.

    A random mask is not one of the strongest weights, and initial weights are not simulated.
    """
    model = parse_null(null) if isinstance(null, str) else null
    if model is not None and model.model in (NullModel.RANDOM, NullModel.INITIAL):
        raise OptionError(f"the null is '{model}'; a curve needs one that is simulated, as in 'edges:20'")
    return model


def _by_chance(
    layer: Layer, forest: Forest, n_kept: Sequence[int], null: Null | None, seed: int, threads: int
) -> list[ForestByChance]:
    nulls = () if null is None else (null,)
    return forests_by_chance(layer, forest, n_kept, nulls=nulls, seed=seed, threads=threads)


def _forest_edges(
    found: Sequence[ForestByChance], null: Null | None
) -> tuple[IndexArray, FloatArray | None, IndexArray | None]:
    """Return the numbers of forest edges: observed, shape (n,), by independent strengths, and (n, simulations)."""
    observed = np.array([each.observed for each in found])
    iid = [each.iid for each in found if each.iid is not None]
    simulated = None
    if null is not None:
        distributions = [each.nulls[null] for each in found]
        simulated = np.array([each.counts for each in distributions if isinstance(each, NullDistribution)])
    return observed, np.array(iid) if len(iid) == len(found) else None, simulated
