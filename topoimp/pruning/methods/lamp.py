"""Method ``lamp``: the weights of all layers in the order of their LAMP scores, one target for all of them.

The score of a weight w is w^2 divided by the sum of the squares of all weights of its layer that are not smaller in
magnitude. It is the square of the relative error that the layer gets if w is the next weight to be pruned. Within a
layer the order is that of |w|; across layers, it protects small layers. Scores do not change when a layer is scaled.

Source: Lee et al., "Layer-adaptive sparsity for the magnitude-based pruning", ICLR 2021, equation 4. There, equal
weights have different scores, by index; here they share one, and equal scores are ordered by (tensor name, flat index).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import CodeArray, FloatArray
from topoimp.choices import Method, Scope
from topoimp.layers.layer import Layer
from topoimp.pruning.methods.method import RuleInputs
from topoimp.pruning.methods.scores import RankRule


def lamp_scores(strengths: FloatArray) -> FloatArray:
    """Return the LAMP score of each weight of a layer, in the shape of its |w|; 0 for a stored zero.

    Squares are of |w| divided by a power of two near the largest, so that none overflows.

    >>> (14 * 13 * lamp_scores(np.array([[1.0, 2.0, 3.0, 0.0]]))).round(9)
    array([[ 13.,  56., 182.,   0.]])
    """
    distinct, places, counts = np.unique(strengths, return_inverse=True, return_counts=True)
    return _scores_of_distinct(distinct, counts)[places].reshape(strengths.shape)


def lamp_ranks(layer: Layer) -> CodeArray:
    """Return 64-bit ranks in the order of the LAMP scores of a layer, flat; stored zeros have rank 1.

    Ranks of different |w| differ, as their exact scores do, even where rounding makes the scores equal.
    """
    codes, places, counts = np.unique(
        layer.number_format.magnitudes(layer.weights), return_inverse=True, return_counts=True
    )
    scores = _scores_of_distinct(layer.number_format.strengths(codes), counts)
    steps = np.arange(len(scores), dtype=np.int64)
    ranks = np.maximum.accumulate(scores.view(np.int64) - steps) + steps + 1  # positive floats order as their bits
    return ranks.astype(np.uint64)[places]


def _scores_of_distinct(strengths: FloatArray, counts: np.ndarray) -> FloatArray:
    """Return the scores of distinct |w|, ascending, each of which occurs as often as ``counts`` says."""
    if strengths[-1] == 0:
        return np.zeros_like(strengths)
    exponent = np.frexp(strengths[-1])[1]
    squares = np.ldexp(strengths, -exponent) ** 2
    not_smaller = np.cumsum((squares * counts)[::-1])[::-1]
    return np.asarray(squares / not_smaller)


@dataclass(frozen=True)
class Lamp:
    """The method ``lamp``."""

    name: str = Method.LAMP.value
    protects_forest: bool = False
    takes_seed: bool = False
    is_by_strength: bool = False
    only_scope: Scope = Scope.GLOBAL
    holds_all_layers: bool = True

    def provenance(self) -> Mapping[str, str]:
        """Return nothing: the name says all."""
        return {}

    def rule(self, inputs: RuleInputs) -> RankRule:
        """Return the rule by the scores of all layers, each read once."""
        return RankRule(inputs.source.each(lambda layer, _threads: lamp_ranks(layer)))
