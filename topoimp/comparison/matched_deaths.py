"""The deaths of a layer's bars in a reference and in another checkpoint, matched by rank."""

from dataclasses import dataclass

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.comparison.comparison import LayerComparison
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class MatchedDeaths:
    """Deaths of one layer as levels at the scale of the reference; the largest of both are a pair, and so on.

    Args:
        reference: deaths in the reference, descending, shape (n,).
        other: deaths in the other checkpoint, descending, shape (n,).
        bound: no pair differs by more than that.
    """

    reference: FloatArray
    other: FloatArray
    bound: float


def matched_deaths(layer: LayerComparison, scale: float | None) -> MatchedDeaths:
    """Return the matched deaths of a compared layer, at the scale of the reference; undivided if that is None.

    An essential bar counts as one that dies at 0, as in the distances, so that both have as many deaths as the layer
    has rows and columns. Without edges all are 0.
    """
    pair = layer.pair
    divisor = scale or 1.0
    with np.errstate(over="ignore"):  # another checkpoint may have far larger weights
        reference, other = (_all_deaths(forest) / divisor for forest in (pair.reference, pair.other))
    return MatchedDeaths(reference, other, pair.largest_shift / divisor)


def _all_deaths(forest: Forest) -> FloatArray:
    return np.concatenate([forest.strengths, np.zeros(forest.n_components)])
