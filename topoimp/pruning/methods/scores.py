"""Orders by scores: an array of numbers for each layer in, the rule that keeps the larger scores first out.

Equal scores are ordered by (tensor name, flat index), so masks are nested for every target. A stored zero is never
kept, whatever its score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import CodeArray
from topoimp.checkpoint.number_format import F32, F64
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerSource
from topoimp.pruning.rank_ranking import RankRanking, RanksInArray
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class RankRule:
    """Keeps the weights with the larger ranks, by an array for each layer.

    Args:
        ranks: by layer name, integers above 0 in an unsigned type of ``n_bits``, by flat index.
        n_bits: 32 or 64.
    """

    ranks: Mapping[str, CodeArray]
    n_bits: int = 64
    is_by_strength: bool = False

    def n_protected(self, forest: Forest) -> int:  # noqa: ARG002  # of a protocol
        """Return 0: nothing is protected."""
        return 0

    def ranking(self, info: LayerInfo, forest: Forest) -> RankRanking:  # noqa: ARG002  # of a protocol
        """Return the ranking of a layer's weights."""
        return RankRanking(info, RanksInArray(self.ranks[info.name]), self.n_bits)


def ranks_of_scores(scores: NDArray[Any]) -> CodeArray:
    """Return 64-bit ranks above 0 in the order of scores, flat; equal scores have equal ranks.

    Scores are compared as float64; 0.0 and -0.0 are equal, infinities are the first and the last. There must be no NaN.

    >>> np.argsort(ranks_of_scores(np.array([0.5, -2.0, 3.0, -np.inf]))).tolist()
    [3, 1, 0, 2]
    """
    bits = (scores.astype(np.float64).reshape(-1) + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
    sign = np.uint64(1 << 63)
    return np.where(bits & sign != 0, ~bits, bits | sign)


def weights_of(infos: Sequence[LayerInfo], source: LayerSource) -> dict[str, NDArray[Any]]:
    """Return the weights of layers in memory, by name in the order of ``infos``; they are read-only.

    An array has the shape of the layer's tensor (a group's is that of its part), and the type float64 if the stored
    type is, else float32, which holds every smaller type exactly. Pruned weights are 0.
    """
    by_name = {info.name: info for info in infos}

    def values(layer: Layer, threads: int) -> NDArray[Any]:  # noqa: ARG001  # of a protocol
        number_format = layer.number_format
        dtype = np.dtype(np.float64 if number_format is F64 else np.float32)
        is_float = number_format in (F32, F64)
        array = layer.weights.view(dtype).copy() if is_float else number_format.values(layer.weights).astype(dtype)
        array.flags.writeable = False
        return array.reshape(by_name[layer.name].shape)

    read = source.each(values)
    return {name: read[name] for name in by_name}
