"""The standardised magnitudes of a layer: |w - mean| / standard deviation, over all weights of the layer.

Computed in float64, whatever the type of the weights, a few rows at a time. The standard deviation is that of the
population, without Bessel's correction. A stored zero counts as a weight of 0 and has the magnitude |mean| / deviation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.errors import LayerError
from topoimp.layers.layer import Layer
from topoimp.network.logarithms import row_pieces


@dataclass(frozen=True)
class StandardisedLayer:
    """A layer with the mean and the standard deviation of its weights, and its largest standardised magnitude."""

    layer: Layer
    mean: float
    deviation: float
    largest: float

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Yield some rows after the other with their standardised magnitudes, shape (rows, columns)."""
        for rows, values in _blocks(self.layer):
            yield rows, np.abs(values - self.mean) / self.deviation


def standardised(layer: Layer) -> StandardisedLayer:
    """Return a layer with its mean and deviation; the layer is read twice.

    Raises:
        LayerError: if a weight is NaN or infinite, if all weights are equal, or if their mean or deviation is outside
            the range of float64.

    >>> from topoimp.layers.layer import as_layer
    >>> layer = standardised(as_layer(np.array([[1.0, 3.0]])))
    >>> layer.mean, layer.deviation, layer.largest
    (2.0, 1.0, 1.0)
    """
    layer.check_finite()
    lowest, highest, total = inf, -inf, 0.0
    for _, values in _blocks(layer):
        lowest = min(lowest, float(values.min()))
        highest = max(highest, float(values.max()))
        total += float(values.sum())
    if lowest == highest:
        raise LayerError(
            f"layer {layer.name!r} has the weight {lowest:g} alone; a layer is divided by the deviation of its "
            "weights, which needs two different ones"
        )

    mean = total / layer.n_weights
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = sum(float(np.square(values - mean).sum()) for _, values in _blocks(layer))
    deviation = sqrt(squares / layer.n_weights)
    if not 0 < deviation < inf:  # also true for NaN
        raise LayerError(
            f"layer {layer.name!r} has the mean {mean:g} and the deviation {deviation:g}; a layer is divided by its "
            "deviation, which needs both in the range of float64"
        )
    return StandardisedLayer(layer, mean, deviation, max(highest - mean, mean - lowest) / deviation)


def _blocks(layer: Layer) -> Iterator[tuple[slice, FloatArray]]:
    """Yield some rows after the other with their weights."""
    for start, stop in row_pieces(layer, 0, layer.n_rows):
        yield slice(start, stop), layer.number_format.values(layer.codes[start:stop])
