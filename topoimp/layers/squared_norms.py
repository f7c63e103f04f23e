"""The squared Frobenius norm of a layer, sum of w^2, and the part of it that the weights that are kept have.

The share that is kept is 1 - |W - W'|^2 / |W|^2 for a layer W and its pruned copy W'. A part of a layer gives the same
sums whatever the number of threads, and sums of parts are exact but for one rounding.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import frexp, fsum, ldexp

import numpy as np

from topoimp.arrays import CodeArray
from topoimp.checkpoint.number_format import AS_FLOAT32, F64, NumberFormat
from topoimp.kernels.squares import LANES, add_squares, add_wide_squares
from topoimp.kernels.threads import PIECE, in_parallel, pieces
from topoimp.layers.layer import Layer

_LEAST_EXPONENT = -1000  # the power of two by which float64 weights are multiplied is a float64 too


@dataclass(frozen=True)
class SquaredNorms:
    """Sums of squared weights, those of the kept ones and of all, in units of 4^exponent, so that none overflows."""

    kept: float
    total: float
    exponent: int = 0

    @property
    def share_kept(self) -> float | None:
        """Share of the squared norm that the kept weights have; None for a layer of zeros."""
        return self.kept / self.total if self.total else None


def squared_norms(layer: Layer, kept: Layer, threads: int) -> SquaredNorms:
    """Return the squared norms of a layer and of its weights that are not zero in another of its shape and type.

    >>> from topoimp.layers.layer import as_layer
    >>> layer, kept = as_layer([[3.0, -2.0], [1.0, 0.0]]), as_layer([[3.0, 0.0], [0.0, 0.0]])
    >>> squared_norms(layer, kept, 1).share_kept == 9 / 14
    True
    """

    def look(start: int, stop: int) -> list[SquaredNorms]:
        return [
            squared_norms_of_part(layer.number_format, layer.weights[first:last], kept.weights[first:last])
            for first, last in pieces(start, stop)
        ]

    return added_norms(part for found in in_parallel(look, layer.n_weights, threads, unit=PIECE) for part in found)


def squared_norms_of_part(number_format: NumberFormat, codes: CodeArray, others: CodeArray) -> SquaredNorms:
    """Return the squared norms of some weights, and of those that are not zero in as many others of the same type."""
    mask = number_format.code_dtype.type(number_format.magnitude_mask)
    sums = np.zeros((2, LANES))
    if number_format == F64:
        largest = float(number_format.magnitudes(codes).max(initial=0).view(np.float64))
        exponent = max(frexp(largest)[1], _LEAST_EXPONENT)
        add_wide_squares(codes, others, mask, ldexp(1.0, -exponent), sums)
    else:
        shift, exponent = AS_FLOAT32[number_format]
        add_squares(codes, others, mask, np.uint32(shift), sums)
    return SquaredNorms(fsum(sums[0]), fsum(sums[1]), exponent)


def added_norms(parts: Iterable[SquaredNorms]) -> SquaredNorms:
    """Return the squared norms of all parts together, of layers of any types."""
    nonzero = [part for part in parts if part.total]
    exponent = max((part.exponent for part in nonzero), default=0)
    kept, total = (
        fsum(ldexp(value, 2 * (part.exponent - exponent)) for value, part in zip(values, nonzero, strict=True))
        for values in ([part.kept for part in nonzero], [part.total for part in nonzero])
    )
    return SquaredNorms(kept, total, exponent)
