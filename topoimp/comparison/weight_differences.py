"""How much the weights of two layers of one shape differ, and how many edges their forests share.

Strengths, |w|, are compared exactly, whatever the types of the two layers; signs do not matter. A stored zero is no
edge.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import CodeArray
from topoimp.checkpoint.number_format import AS_FLOAT32, F32, F64, NumberFormat, common_bits
from topoimp.errors import LayerError
from topoimp.kernels.comparing import compare_weights, compare_wide_weights
from topoimp.kernels.threads import PIECE, in_parallel, pieces
from topoimp.layers.layer import Layer
from topoimp.topology.forest import Forest

OnPiece = Callable[[int, int], None]
"""Called with the flat indices from which and up to which weights are compared."""


@dataclass(frozen=True)
class WeightDifferences:
    """Differences of two layers, weight by weight.

    Args:
        n_both: weights that are not zero in both.
        n_changed: those of them whose strengths differ.
        largest_difference: largest | |w| - |w'| | over all weights, zeros included.
    """

    n_both: int
    n_changed: int
    largest_difference: float

    def is_masked(self, n_edges: int) -> bool:
        """Whether the other layer, which has ``n_edges`` edges, is the first under a mask: no edge differs."""
        return self.n_changed == 0 and self.n_both == n_edges


def weight_differences(
    layer: Layer,
    other: Layer,
    *,
    threads: int,
    before: OnPiece = lambda _start, _stop: None,
    after: OnPiece = lambda _start, _stop: None,
) -> WeightDifferences:
    """Compare the weights of two layers, in one pass over both; in the view ``channel`` all weights of the kernels.

    Several threads call ``before`` before they compare a piece, so that it can be fetched, and ``after`` afterwards,
    so that its memory can be given back.

    Raises:
        LayerError: if the shapes differ.

    >>> from topoimp.layers.layer import as_layer
    >>> layer, other = as_layer(np.array([[3.0, 1.0], [2.0, 0.5]])), as_layer(np.array([[3.0, 0.0], [-1.5, 0.5]]))
    >>> weight_differences(layer, other, threads=1)
    WeightDifferences(n_both=3, n_changed=1, largest_difference=1.0)
    """
    if layer.codes.shape != other.codes.shape or layer.n_weights != other.n_weights:
        raise LayerError(
            f"layer {other.name!r} of shape {other.codes.shape} cannot be compared with one of {layer.codes.shape}"
        )
    compared = _compared_parts(layer, other)

    def compare(start: int, stop: int) -> WeightDifferences:
        found = []
        for first, end in pieces(start, stop):
            before(first, end)
            found.append(compared(first, end))
            after(first, end)
        return _together(found)

    return _together(in_parallel(compare, layer.n_weights, threads, unit=PIECE))


def n_shared_edges(one: Forest, other: Forest) -> int:
    """Return the number of edges that two forests of layers of one shape have in common."""
    return len(np.intersect1d(one.indices, other.indices, assume_unique=True))


def jaccard(n_both: int, n_one: int, n_other: int) -> float | None:
    """Return the size of the intersection of two sets over that of their union; None if both are empty."""
    n_either = n_one + n_other - n_both
    return n_both / n_either if n_either else None


def _together(parts: Sequence[WeightDifferences]) -> WeightDifferences:
    return WeightDifferences(
        sum(part.n_both for part in parts),
        sum(part.n_changed for part in parts),
        max((part.largest_difference for part in parts), default=0.0),
    )


def _compared_parts(layer: Layer, other: Layer) -> Callable[[int, int], WeightDifferences]:
    """Return a function that compares the weights from one flat index up to another."""
    formats = (layer.number_format, other.number_format)
    codes = layer.weights
    other_codes = other.weights
    if formats[0] == formats[1]:
        return lambda start, stop: _differences(formats[0], codes, other_codes, start, stop)

    n_bits = common_bits(formats)
    widest = F64 if n_bits == 64 else F32

    def widened(start: int, stop: int) -> WeightDifferences:
        wide, other_wide = (
            number_format.common_codes(part[start:stop], n_bits=n_bits)
            for number_format, part in zip(formats, (codes, other_codes), strict=True)
        )
        return _differences(widest, wide, other_wide, 0, stop - start)

    return widened


def _differences(
    number_format: NumberFormat, codes: CodeArray, other_codes: CodeArray, start: int, stop: int
) -> WeightDifferences:
    mask = number_format.code_dtype.type(number_format.magnitude_mask)
    largest = np.zeros(1)
    if number_format == F64:
        counts = compare_wide_weights(codes, other_codes, start, stop, mask, largest)
        return WeightDifferences(*counts, float(largest[0]))
    shift, exponent = AS_FLOAT32[number_format]
    counts = compare_weights(codes, other_codes, start, stop, mask, np.uint32(shift), largest)
    return WeightDifferences(*counts, float(np.ldexp(largest[0], exponent)))
