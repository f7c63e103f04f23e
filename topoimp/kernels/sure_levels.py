"""A kernel that tells by products in float32 on which side of two limits the weights of a layer lie."""

import numpy as np
from numpy.typing import NDArray

from topoimp.arrays import ByteArray
from topoimp.kernels.compiled import compiled


@compiled("weights", "by_column", "lows", "highs")
def write_sure_levels(
    weights: NDArray[np.float32],
    by_column: NDArray[np.float32],
    lows: NDArray[np.float32],
    highs: NDArray[np.float32],
    level_above: int,
    undecided: int,
    levels: ByteArray,
) -> None:
    """Write the level of each weight by the product of its magnitude and the factor of its column.

    It is ``level_above`` from the upper limit of the weight's row on, 0 below the lower limit, and ``undecided`` in
    between. ``weights`` and ``levels`` have the shape (rows, columns).
    """
    for row in range(weights.shape[0]):
        low, high, part, out = lows[row], highs[row], weights[row], levels[row]
        for column in range(by_column.size):
            product = np.float32(np.abs(part[column]) * by_column[column])
            level = undecided if product >= low else 0
            out[column] = level_above if product >= high else level
