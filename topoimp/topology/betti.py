"""The Betti curves of a layer: components and independent cycles of the graph of all edges that reach a level.

The level of an edge is its strength divided by the scale; the graph at level t has the edges of level t or above, and
all vertices. Its components follow from the forest: beta0 = V - (forest edges of level t or above). A bipartite graph
has no triangles, so that its cycles are never filled in: beta1 = (edges of level t or above) - V + beta0. These edges
are counted in one pass over the layer, whatever the number of levels. Nothing is rounded but the one division: an edge
that dies at the level t, as reports and files of bars say it, is there at t.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from topoimp.arrays import CodeArray, FloatArray, IndexArray
from topoimp.checkpoint.number_format import NumberFormat
from topoimp.errors import OptionError
from topoimp.kernels.counting import LANES, count_between
from topoimp.kernels.threads import in_parallel, thread_count
from topoimp.layers.layer import Layer
from topoimp.topology.barcode import Unit
from topoimp.topology.forest import Forest

DEFAULT_LEVELS = tuple(k / 100 for k in range(100, -1, -1))
"""From the birth of all bars down to 0, as shares of the level of birth."""

_TABLE_BITS = 16
"""Magnitude codes are looked up by so many of their first bits."""

_BLOCK = 4096
"""Weights that are looked up together, so that their results stay in the cache."""


@dataclass(frozen=True)
class BettiNumbers:
    """Betti numbers of the graphs of all edges that reach some levels; each array has the shape (n,).

    Args:
        levels: in the order in which they were asked for.
        strengths: the least strength that reaches each level, 0 for the level 0; NaN without a scale.
        n_edges: edges that reach it; the values of beta0 and beta1 by chance depend on this number alone.
        beta0: components.
        beta1: independent cycles.
    """

    levels: FloatArray
    strengths: FloatArray
    n_edges: IndexArray
    beta0: IndexArray
    beta1: IndexArray


def betti_curve(layer: Layer, forest: Forest, levels: Sequence[float], *, unit: Unit, threads: int = 1) -> BettiNumbers:
    """Return the Betti numbers of a layer at some levels; exact.

    Args:
        layer: its weights.
        forest: of the layer.
        levels: at least 0, in any order; at 0 all edges are there.
        unit: unit of the levels.
        threads: number of cores to use, at least 1. The result does not depend on it.

    Raises:
        OptionError: if a level is negative or no finite number.

    >>> from topoimp.topology.forest import spanning_forest
    >>> from topoimp.layers.layer import as_layer
    >>> layer = as_layer(np.array([[4.0, 1.0], [2.0, 2.0]]))
    >>> betti_curve(layer, spanning_forest(layer), [1, 0.5, 0], unit=Unit(1.0, 4.0)).beta0
    array([3, 1, 1])
    """
    threads = thread_count(threads)
    check_levels(levels)
    wanted = np.array(levels, np.float64)
    strengths = reaching_strengths(wanted, unit)
    n_edges = count_reaching(layer, strengths, threads=threads)
    n_joining = np.searchsorted(-forest.strengths, -strengths, side="right")
    beta0 = forest.n_vertices - np.where(np.isnan(strengths), 0, n_joining)
    return BettiNumbers(wanted, strengths, n_edges, beta0, n_edges - forest.n_vertices + beta0)


def check_levels(levels: Sequence[float]) -> None:
    """Check that levels are finite and at least 0.

    Raises:
        OptionError: if one is negative or no finite number.
    """
    for level in levels:
        if not 0 <= level < inf:
            raise OptionError(f"a level is {level}; levels are finite numbers, 0 or above")


def reaching_strengths(levels: FloatArray, unit: Unit) -> FloatArray:
    """Return the least number that, divided by the scale, is at least each level; NaN without a scale.

    Found by halving, as a product of level and scale may be off by a rounding either way.
    """
    if unit.divisor is None:
        return np.full(len(levels), np.nan)
    low, high = np.full(len(levels), -1, np.int64), np.full(len(levels), _bits(np.array([inf]))[0])
    with np.errstate(over="ignore"):
        while (high - low > 1).any():
            middle = low + (high - low) // 2
            reaches = (middle >= 0) & (np.maximum(middle, 0).view(np.float64) / unit.divisor >= levels)
            low, high = np.where(reaches, low, middle), np.where(reaches, middle, high)
    return high.view(np.float64)


def count_reaching(layer: Layer, strengths: FloatArray, *, threads: int) -> IndexArray:
    """Count the edges of a layer that are at least as strong as each of some strengths; none reaches a NaN.

    In the view ``channel`` edges are counted, not weights. It takes one pass over the layer, whatever their number.
    """
    firsts = _first_codes(layer.number_format, strengths)
    ascending = np.sort(firsts)
    shift = max(layer.number_format.n_bits - 1 - _TABLE_BITS, 0)
    # How many of the codes asked for are at most the first code of each part of the table.
    beginnings = (ascending.astype(np.uint64) + np.uint64((1 << shift) - 1)) >> np.uint64(shift)
    n_parts = (layer.number_format.magnitude_mask >> shift) + 1
    table = np.bincount(beginnings.astype(np.int64), minlength=n_parts + 1).cumsum()
    most_in_one = int(np.diff(table).max())
    bounds = np.append(ascending, np.iinfo(ascending.dtype).max).astype(ascending.dtype)
    codes, mask = layer.codes.reshape(-1), layer.codes.dtype.type(layer.number_format.magnitude_mask)

    def count(start: int, stop: int) -> IndexArray:
        counts, places = np.zeros((LANES, len(bounds)), np.int64), np.empty(_BLOCK, np.uint32)
        count_between(codes, start, stop, mask, shift, table.astype(np.uint32), bounds, most_in_one, counts, places)
        return np.asarray(counts.sum(axis=0))

    n_between = np.sum(in_parallel(count, codes.size, threads, unit=_BLOCK), axis=0, dtype=np.int64)
    n_reaching = codes.size - np.cumsum(n_between)
    return np.asarray(n_reaching[np.searchsorted(ascending, firsts)])


def _first_codes(number_format: NumberFormat, strengths: FloatArray) -> CodeArray:
    """Return the least magnitude code, above 0, that is as strong as each strength; else the first that is no number.

    The magnitude codes of a format order like the numbers, so that halving finds it.
    """
    low, high = np.zeros(len(strengths), np.uint64), np.full(len(strengths), number_format.first_special, np.uint64)
    while (high - low > 1).any():
        middle = low + (high - low) // np.uint64(2)
        reaches = (middle > 0) & (number_format.strengths(middle.astype(number_format.code_dtype)) >= strengths)
        low, high = np.where(reaches, low, middle), np.where(reaches, middle, high)
    return high.astype(number_format.code_dtype)


def _bits(numbers: FloatArray) -> IndexArray:
    return numbers.view(np.int64)
