"""The Betti curves of a layer: components and independent cycles of the graph of all edges that reach a level.

The level of an edge is its strength divided by the scale; the graph at level t has the edges of level t or above, and
all vertices: at level 0 all edges. Its components follow from the forest: beta0 = V - (forest edges of level t or
above). A bipartite graph has no triangles, so that its cycles are never filled in: beta1 = (edges of level t or above)
- V + beta0. These edges are counted in one pass over the layer, whatever the number of levels. Nothing is rounded but
the one division: an edge that dies at the level t, as reports and files of bars say it, is there at t.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, FloatArray, IndexArray
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

    ``strengths`` holds the least strength that reaches each level, 0 for the level 0; NaN without a scale. ``n_edges``
    edges reach it: beta0 (components) and beta1 (independent cycles) by chance depend on this number alone.
    """

    levels: FloatArray
    strengths: FloatArray
    n_edges: IndexArray
    beta0: IndexArray
    beta1: IndexArray


def betti_curve(layer: Layer, forest: Forest, levels: Sequence[float], *, unit: Unit, threads: int = 1) -> BettiNumbers:
    """Return the Betti numbers of a layer at some levels, in any order; exact.

    Raises:
        OptionError: if a level is negative or no finite number, or the number of threads is below 1.

    >>> from topoimp.topology.forest import spanning_forest
    >>> from topoimp.layers.layer import as_layer
    >>> layer = as_layer(np.array([[4.0, 1.0], [2.0, 2.0]]))
    >>> betti_curve(layer, spanning_forest(layer), [1, 0.5, 0], unit=Unit(1.0, 4.0)).beta0
    array([3, 1, 1])
    """
    threads = thread_count(threads)
    check_levels(levels)
    level_array = np.array(levels, np.float64)
    strengths = reaching_strengths(level_array, unit)

    n_edges = count_reaching(layer, strengths, threads=threads)
    n_joining = np.searchsorted(-forest.strengths, -strengths, side="right")
    beta0 = forest.n_vertices - np.where(np.isnan(strengths), 0, n_joining)
    return BettiNumbers(level_array, strengths, n_edges, beta0, n_edges - forest.n_vertices + beta0)


def check_levels(levels: Sequence[float]) -> None:
    """Raise an ``OptionError`` if a level is negative or no finite number."""
    for level in levels:
        if not 0 <= level < inf:
            raise OptionError(f"a level is {level}; levels are finite numbers, 0 or above")


def reaching_strengths(levels: FloatArray, unit: Unit) -> FloatArray:
    """Return the least number that, divided by the scale, is at least each level; NaN without a scale.

    Found by halving, as a product of level and scale may be off by a rounding either way.
    """
    divisor = unit.divisor
    if divisor is None:
        return np.full(len(levels), np.nan)
    infinity = int(np.array(inf).view(np.int64))
    with np.errstate(over="ignore"):
        bits = _least(lambda bits: bits.view(np.float64) / divisor >= levels, 0, infinity, len(levels))
    return bits.view(np.float64)


def count_reaching(layer: Layer, strengths: FloatArray, *, threads: int) -> IndexArray:
    """Count the edges of a layer that are at least as strong as each of some strengths; none reaches a NaN.

    In the view ``channel`` edges are counted, not weights.
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
    codes = layer.codes.reshape(-1)
    mask = layer.codes.dtype.type(layer.number_format.magnitude_mask)

    def count(start: int, stop: int) -> IndexArray:
        counts = np.zeros((LANES, len(bounds)), np.int64)
        places = np.empty(_BLOCK, np.uint32)
        count_between(codes, start, stop, mask, shift, table.astype(np.uint32), bounds, most_in_one, counts, places)
        return np.asarray(counts.sum(axis=0))

    n_between = np.sum(in_parallel(count, codes.size, threads, unit=_BLOCK), axis=0, dtype=np.int64)
    n_reaching = codes.size - np.cumsum(n_between)
    return np.asarray(n_reaching[np.searchsorted(ascending, firsts)])


def _first_codes(number_format: NumberFormat, strengths: FloatArray) -> CodeArray:
    """Return the least magnitude code, above 0, that is as strong as each strength, or the first special code."""
    dtype = number_format.code_dtype

    def are_as_strong(codes: IndexArray) -> BoolArray:
        return number_format.strengths(codes.astype(dtype)) >= strengths

    return _least(are_as_strong, 1, number_format.first_special, len(strengths)).astype(dtype)


def _least(holds: Callable[[IndexArray], BoolArray], first: int, end: int, n: int) -> IndexArray:
    """Return, for each of n claims, the least number from ``first`` on of which it holds, or ``end``, by halving.

    A claim that holds of a number must hold of all larger ones.
    """
    low = np.full(n, first - 1)
    high = np.full(n, end)
    while (high - low > 1).any():
        middle = low + (high - low) // 2
        is_high = (middle > low) & holds(np.maximum(middle, first))
        low, high = np.where(is_high, low, middle), np.where(is_high, middle, high)
    return high
