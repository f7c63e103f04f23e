"""The cheapest matching of two sorted lists of bars.

Lists are persistences above 0, descending; either may be empty. Matching x with y costs |x - y|^p, a bar without a
partner (x / 2)^p, p = 1 or 2. As the cost is convex, some cheapest matching keeps the order: it aligns the lists.

All pairs of 50,000 bars are too many. So a guess is improved with the pairs close to it alone, until none of these is
cheaper. The first guess pairs the lists in order, which is nearly right for similar layers. If that takes too long, the
second guess is a matching of every other bar of both lists. That is enough (proof: docs/theory.md, 8.4):

    A matching M that is the cheapest among the pairs *between its own* is the cheapest of all. Bars i and j are between
    the pairs of M if none of these separates them: i not above and j below it, nor the other way round.

Pairs with a ratio above 3 (p = 1) or (4 + sqrt 7) / 3 (p = 2) are left out: they cost more than two bars without
partners. The result is the cheapest matching up to rounding in a sum of all costs.
"""

import numpy as np

from topoimp.arrays import FloatArray, IndexArray
from topoimp.kernels.alignment import align, read_partners

_RATIO = {1: 3.0, 2: (4 + 7**0.5) / 3}
"""Where (r - 1)^p equals (r^p + 1) / 2^p."""

_FEW = 32
"""Longest length of the shorter list up to which all pairs are compared."""

_FIRST_REACHES = (2, 4)
"""Widths of the searches around the pairs in order, in bars, before the second guess."""

_REACH = 1
"""Width of the search that makes a guess, in bars; each later search is twice as wide."""

_ROUNDING = 2.0**-46
"""Share by which a smaller cost counts as equal: the sums of equally cheap matchings are rounded differently."""

Pairs = tuple[IndexArray, IndexArray]
"""For each bar of u, the first bar of v to compare it with, and the end of them."""


def cheapest_alignment(u: FloatArray, v: FloatArray, *, order: int) -> IndexArray:
    """Return, for each bar of u, its partner's place in v, or -1 without one; partners ascend.

    The squares of the persistences must not leave the range of numbers; the order is p.
    """
    worth = _pairs_worth_matching(u, v, order)
    if min(len(u), len(v)) <= _FEW:
        return _aligned(u, v, *worth, order)[0]

    # Around the pairs in order.
    partners, cost = _in_order(u, v, order)
    for reach in _FIRST_REACHES:
        better, cheapest = _aligned(u, v, *_near(partners, worth, len(v), reach), order)
        if cheapest >= cost * (1 - _ROUNDING):
            return partners
        partners, cost = better, cheapest

    # Around the second guess.
    partners, cost = _guessed(u, v, worth, order)
    reach = _REACH
    while True:
        reach *= 2
        partners, cheapest = _aligned(u, v, *_near(partners, worth, len(v), reach), order)
        if cheapest >= cost * (1 - _ROUNDING):
            return partners
        cost = cheapest


def _in_order(u: FloatArray, v: FloatArray, order: int) -> tuple[IndexArray, float]:
    """Pair the longest bars one by one; return the partners and the cost."""
    n = min(len(u), len(v))
    lengths = np.concatenate([np.abs(u[:n] - v[:n]), u[n:] / 2, v[n:] / 2])
    return np.where(np.arange(len(u)) < n, np.arange(len(u)), -1), float(np.sum(lengths**order))


def _guessed(u: FloatArray, v: FloatArray, worth: Pairs, order: int) -> tuple[IndexArray, float]:
    """Return a good matching and its cost: the best one near that of every other bar, found in the same way."""
    if min(len(u), len(v)) <= _FEW:
        return _aligned(u, v, *worth, order)
    coarse_u, coarse_v = u[::2].copy(), v[::2].copy()
    coarse, _ = _guessed(coarse_u, coarse_v, _pairs_worth_matching(coarse_u, coarse_v, order), order)
    return _aligned(u, v, *_near(_spread(coarse, len(u)), worth, len(v), _REACH), order)


def _spread(partners: IndexArray, n: int) -> IndexArray:
    """Return a matching of every other bar as one of all bars; the rest has no partner."""
    spread = np.full(n, -1)
    spread[::2] = np.where(partners >= 0, 2 * partners, -1)
    return spread


def _pairs_worth_matching(u: FloatArray, v: FloatArray, order: int) -> Pairs:
    """Return the pairs that can be cheaper than two bars without partners."""
    ratio = _RATIO[order] * (1 + 1e-12)  # a few pairs too many do no harm
    first = np.searchsorted(-v, -u * ratio, side="left")
    end = np.searchsorted(-v, -u / ratio, side="right")
    return first.astype(np.int64), end.astype(np.int64)


def _near(partners: IndexArray, worth: Pairs, n_v: int, reach: int) -> Pairs:
    """Return the pairs worth matching that no pair of a matching separates, and those up to ``reach`` bars away."""
    n = len(partners)
    before = np.maximum.accumulate(np.concatenate([[0], np.where(partners >= 0, partners, 0)]))[:n]
    after = np.concatenate([np.where(partners >= 0, partners, n_v - 1), [n_v - 1]])
    after = np.minimum.accumulate(after[::-1])[::-1][1:]
    rows = np.arange(n)
    first = np.maximum(before[np.maximum(rows - reach, 0)] - reach, worth[0])
    end = np.minimum(after[np.minimum(rows + reach, n - 1)] + reach + 1, worth[1])
    return first, np.maximum(end, first)


def _aligned(u: FloatArray, v: FloatArray, first: IndexArray, end: IndexArray, order: int) -> tuple[IndexArray, float]:
    """Return the best matching among some pairs, and its cost."""
    sizes = np.cumsum(end - first)
    starts = sizes - (end - first)
    costs = np.empty(len(v) + 1)
    steps = np.empty(sizes[-1] if len(sizes) else 0, np.uint8)
    partners = np.empty(len(u), np.int64)
    align(u, v, first, end, starts, order, costs, steps)
    read_partners(first, end, starts, steps, len(v), partners)
    return partners, float(costs[-1])
