"""Distances between barcodes whose bars are all born at the same level.

Such a barcode is a list of finite persistences, in any order, possibly empty. A distance pairs the bars of two barcodes
with each other and sends the rest to the diagonal. In GUDHI's ground metric (internal L-infinity) pairing persistences
x and y costs |x - y| and sending x to the diagonal costs x / 2. The bottleneck distance is the smallest possible
largest cost; W_p is the smallest possible p-norm of all costs. Bars of length zero change nothing. A persistence that
is NaN or infinite is an ``OptionError``.

A bar that dies above the scale (in another checkpoint, with larger weights) has a negative persistence and lies on the
other side of the diagonal, at |x| / 2. It is never cheaper to pair bars across the diagonal than to send both there:
each side is a problem of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import frexp, inf

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.choices import Essential, chosen
from topoimp.errors import OptionError
from topoimp.topology.alignment import cheapest_alignment
from topoimp.topology.barcode import Barcode


@dataclass(frozen=True)
class BarcodeDistances:
    """Distances of two barcodes in units of the scale; infinite if essential bars never die and their numbers differ.

    ``bottleneck`` is at most 1/2 between persistences from 0 to 1, and at most ``sorted_linf``.
    """

    bottleneck: float
    sorted_linf: float
    wasserstein_1: float
    wasserstein_2: float


def barcode_distances(
    reference: Barcode, other: Barcode, *, scale: float | None, essential: Essential | str = Essential.DIES_AT_ZERO
) -> BarcodeDistances | None:
    """Return the distances between two barcodes, whose strengths are divided by the reference's scale.

    Pruning a weight sets its strength to 0, so by default a bar that loses its generator dies at 0, and so do essential
    bars: their persistence is 1. Distances are then finite, and continuous in the weights. If pruned weights count as
    removed from the graph instead, an essential bar never dies and can only be paired with another one: where their
    numbers differ, every distance is infinite, which says that the number of components changed and nothing more.

    Without edges the scale may be None. The scale ``none`` has births at the largest strength S and divides nothing:
    its distances are S times those at the scale S. The result is None if edges have no scale, or a strength overflows.

    Raises:
        OptionError: if the scale is not a finite number above 0, or ``essential`` is another word.

    >>> pruned = Barcode(np.array([2.0]), n_essential=2)
    >>> barcode_distances(Barcode(np.array([2.0, 0.5]), n_essential=1), pruned, scale=2.0).bottleneck
    0.25
    """
    essential = chosen(Essential, essential)
    if scale is not None and not 0 < scale < inf:
        raise OptionError(f"the scale is {scale}; it must be a finite number above 0")
    if scale is None and (len(reference.deaths) or len(other.deaths)):
        return None

    u, v = reference.persistences(scale or 1.0), other.persistences(scale or 1.0)
    if not (np.isfinite(u).all() and np.isfinite(v).all()):
        return None

    if essential is Essential.NEVER_DIES:
        if reference.n_essential != other.n_essential:
            return BarcodeDistances(inf, inf, inf, inf)
        u, v = u[: len(reference.deaths)], v[: len(other.deaths)]
    w_1, w_2 = (wasserstein_distance(u, v, order=order) for order in (1, 2))
    return BarcodeDistances(bottleneck_distance(u, v), sorted_linf_distance(u, v), w_1, w_2)


def sorted_linf_distance(u: FloatArray, v: FloatArray) -> float:
    """Return the largest difference between the sorted persistences, the shorter list filled up with zeros.

    For layers of one shape at one scale s it is at most max | |w_A| - |w_B| | / s, and the bottleneck distance is at
    most this.

    Source: Cohen-Steiner, Edelsbrunner, Harer, "Stability of Persistence Diagrams", 2007.
    """
    u, v = _descending(*_finite(u, v))
    with np.errstate(over="ignore"):
        return float(np.max(np.abs(u - v), initial=0.0))


def bottleneck_distance(u: FloatArray, v: FloatArray) -> float:
    """Return the bottleneck distance, exact: the smallest possible largest cost of a pairing.

    It is the minimum over r of max(max_{i<=r} |u_i - v_i|, u_{r+1} / 2, v_{r+1} / 2), both lists descending and filled
    up with zeros: the r longest bars of each are paired in order, the rest goes to the diagonal (proof: docs/theory.md,
    8.1).

    >>> bottleneck_distance(np.array([1.0, 0.5]), np.array([0.875]))
    0.25
    """
    u, v = _finite(u, v)
    return max(_bottleneck(_positive(u), _positive(v)), _bottleneck(_positive(-u), _positive(-v)))


def wasserstein_distance(u: FloatArray, v: FloatArray, *, order: int) -> float:
    """Return the Wasserstein distance W_1 or W_2: the smallest possible p-norm of the costs of a pairing.

    Bars are paired in order, as |x - y|^p is convex; ``alignment`` finds the bars that go to the diagonal. Sorted lists
    of equal length are paired one by one if the longest of all bars is at most 3 (W_1) or (4 + sqrt 7) / 3 (W_2) times
    the shortest: then no pair is cheaper at the diagonal. Exact up to rounding in sums of as many costs as there are
    bars.

    Raises:
        OptionError: if a persistence is NaN or infinite, or the order is neither 1 nor 2.

    >>> wasserstein_distance(np.array([9.0, 3.0]), np.array([3.0, 1.0]), order=1)
    5.0
    """
    if order not in (1, 2):
        raise OptionError(f"the order of the Wasserstein distance is {order}; it must be 1 or 2")
    u, v = _finite(u, v)

    # Scale by a power of two, which is exact, so that the longest bar lies between 1/2 and 1 and no square overflows.
    longest = max(np.max(np.abs(u), initial=0.0), np.max(np.abs(v), initial=0.0))
    exponent = frexp(longest)[1]
    u, v = np.ldexp(u, -exponent), np.ldexp(v, -exponent)

    cost = _cost(_positive(u), _positive(v), order) + _cost(_positive(-u), _positive(-v), order)
    with np.errstate(over="ignore"):
        return float(np.ldexp(cost if order == 1 else cost**0.5, exponent))


def _finite(u: FloatArray, v: FloatArray) -> Iterator[FloatArray]:
    for which, persistences in (("first", u), ("second", v)):
        wrong = np.flatnonzero(~np.isfinite(persistences))
        if len(wrong):
            raise OptionError(
                f"the {which} barcode holds {len(wrong)} persistences that are NaN or infinite, the first at index "
                f"{wrong[0]}; distances need finite ones"
            )
        yield np.asarray(persistences, np.float64)


def _descending(u: FloatArray, v: FloatArray) -> Iterator[FloatArray]:
    """Return both lists descending, the shorter one filled up with zeros."""
    length = max(len(u), len(v))
    return (np.sort(np.concatenate([each, np.zeros(length - len(each))]))[::-1] for each in (u, v))


def _positive(persistences: FloatArray) -> FloatArray:
    """Return the persistences above 0, descending."""
    return np.ascontiguousarray(np.sort(persistences[persistences > 0])[::-1])


def _bottleneck(u: FloatArray, v: FloatArray) -> float:
    u, v = _descending(u, v)
    paired = np.maximum.accumulate(np.concatenate([[0.0], np.abs(u - v)]))
    left = np.concatenate([np.maximum(u, v) / 2, [0.0]])
    return float(np.min(np.maximum(paired, left)))


def _cost(u: FloatArray, v: FloatArray, order: int) -> float:
    """Return the sum of the costs, each to the power of the order, of the best matching of two descending lists."""
    n_in_order = _n_in_order(u, v, order)
    in_order = np.abs(u[:n_in_order] - v[:n_in_order])
    u, v = u[n_in_order:].copy(), v[n_in_order:].copy()
    partners = cheapest_alignment(u, v, order=order)
    is_paired = partners >= 0
    apart = np.abs(u[is_paired] - v[partners[is_paired]])
    alone = np.concatenate([u[~is_paired], np.delete(v, partners[is_paired])]) / 2
    return float(np.sum(in_order**order) + np.sum(apart**order) + np.sum(alone**order))


def _n_in_order(u: FloatArray, v: FloatArray, order: int) -> int:
    """Return the number of longest bars that every best matching pairs one by one.

    If it costs more to send the next bar of u to the diagonal than to pair the rest in order, and the same of the next
    bar of v, then both have partners; and as the matching keeps the order, they are each other's.
    """
    n = min(len(u), len(v))
    alone = np.sum((np.concatenate([u[n:], v[n:]]) / 2) ** order)
    in_order = np.cumsum((np.abs(u[:n] - v[:n]) ** order)[::-1])[::-1] + alone
    is_open = (np.minimum(u[:n], v[:n]) / 2) ** order <= in_order * (1 + 1e-9)
    return int(np.argmax(is_open)) if is_open.any() else n
