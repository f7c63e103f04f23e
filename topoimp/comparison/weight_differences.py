"""How far two layers of one shape agree: weight by weight, and edge by edge of their forests.

Strengths are compared exactly, whatever the types of the two; signs do not matter. A stored zero is no edge.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from topoimp.arrays import CodeArray
from topoimp.checkpoint.number_format import BF16, F8_E4M3, F8_E5M2, F16, F32, F64, NumberFormat, common_bits
from topoimp.errors import LayerError
from topoimp.kernels.comparing import compare_weights, compare_wide_weights
from topoimp.kernels.threads import PIECE, in_parallel, pieces
from topoimp.layers.layer import Layer
from topoimp.topology.forest import Forest

Piece = Callable[[int, int], None]
"""Told of the weights from one flat index to another."""

_AS_FLOAT32 = MappingProxyType({F32: (0, 0), BF16: (16, 0), F16: (13, 112), F8_E5M2: (21, 112), F8_E4M3: (20, 120)})
"""By format, how far to the left its codes are those of float32, and by which power of two these are too small."""


@dataclass(frozen=True)
class Agreement:
    """How far two layers agree, weight by weight.

    Args:
        n_both: weights that are not zero in both.
        n_changed: those of them whose strengths differ.
        largest_difference: the largest of | |w| - |w'| | over all weights, zeros included.
    """

    n_both: int
    n_changed: int
    largest_difference: float

    def is_masked(self, n_edges: int) -> bool:
        """Whether the other, of so many edges, is the first under a mask: all of them are there, as strong as here."""
        return self.n_changed == 0 and self.n_both == n_edges


def agreement_of(
    layer: Layer,
    other: Layer,
    *,
    threads: int,
    before: Piece = lambda _start, _stop: None,
    after: Piece = lambda _start, _stop: None,
) -> Agreement:
    """Hold the weights of two layers against each other, in one pass over both.

    In the view ``channel`` all weights of the kernels are looked at.

    Args:
        layer: one of them.
        other: the other, of the same shape; its type may differ, which takes longer.
        threads: number of cores to use, at least 1. The result does not depend on it.
        before: told of a piece that will be looked at, so that it can be fetched; by several threads.
        after: told of a piece that has been, so that its memory can be given back.

    Raises:
        LayerError: if the shapes differ.

    >>> from topoimp.layers.layer import as_layer
    >>> one = as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))
    >>> agreement_of(one, as_layer(np.array([[3.0, 0.0], [-1.5, 0.5]])), threads=1)
    Agreement(n_both=3, n_changed=1, largest_difference=1.0)
    """
    if layer.codes.shape != other.codes.shape or layer.n_weights != other.n_weights:
        raise LayerError(
            f"layer {other.name!r} of shape {other.codes.shape} cannot be held against one of {layer.codes.shape}"
        )
    hold = _holding(layer, other)

    def look(start: int, stop: int) -> Agreement:
        found = []
        for first, end in pieces(start, stop):
            before(first, end)
            found.append(hold(first, end))
            after(first, end)
        return _together(found)

    return _together(in_parallel(look, layer.n_weights, threads, unit=PIECE))


def n_shared_edges(one: Forest, other: Forest) -> int:
    """Give how many edges two forests of layers of one shape have in common."""
    return len(np.intersect1d(one.indices, other.indices, assume_unique=True))


def jaccard(n_both: int, n_one: int, n_other: int) -> float | None:
    """Give the share of what is in either of two sets that is in both; None if both are empty."""
    n_either = n_one + n_other - n_both
    return n_both / n_either if n_either else None


def _together(parts: Sequence[Agreement]) -> Agreement:
    return Agreement(
        sum(part.n_both for part in parts),
        sum(part.n_changed for part in parts),
        max((part.largest_difference for part in parts), default=0.0),
    )


def _holding(layer: Layer, other: Layer) -> Callable[[int, int], Agreement]:
    """Give what holds a part of one layer against the same part of the other."""
    formats, here, there = (layer.number_format, other.number_format), layer.weights, other.weights
    if formats[0] == formats[1]:
        return lambda start, stop: _held(formats[0], here, there, start, stop)
    n_bits = common_bits(formats)

    def widened(start: int, stop: int) -> Agreement:
        codes = formats[0].common_codes(here[start:stop], n_bits=n_bits)
        others = formats[1].common_codes(there[start:stop], n_bits=n_bits)
        return _held(F64 if n_bits == 64 else F32, codes, others, 0, stop - start)

    return widened


def _held(number_format: NumberFormat, here: CodeArray, there: CodeArray, start: int, stop: int) -> Agreement:
    mask, largest = number_format.code_dtype.type(number_format.magnitude_mask), np.zeros(1)
    if number_format == F64:
        return Agreement(*compare_wide_weights(here, there, start, stop, mask, largest), float(largest[0]))
    shift, exponent = _AS_FLOAT32[number_format]
    counts = compare_weights(here, there, start, stop, mask, np.uint32(shift), largest)
    return Agreement(*counts, float(np.ldexp(largest[0], exponent)))
