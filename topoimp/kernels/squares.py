"""Kernels that add up squared weights: of all weights of a part, and of those that another layer has too.

Sums are of float64, in a fixed order: each of several lanes adds every so many-th weight. So they are the same on every
machine, and a processor adds the lanes side by side.
"""

import numpy as np

from topoimp.arrays import Code, CodeArray, FloatArray
from topoimp.kernels.compiled import compiled

LANES = 32
"""Partial sums that are added to in turn."""


@compiled("codes", "others")
def add_squares(codes: CodeArray, others: CodeArray, mask: Code, shift: np.uint32, sums: FloatArray) -> None:
    """Add up the squares of weights of 32 bits or less, shifted left by ``shift`` and read as float32.

    ``sums``, shape (2, LANES), gets the squares of the weights that are not zero in ``others``, which has the same
    shape, and those of all weights.
    """
    kind = codes.dtype.type
    in_lanes = codes.size - codes.size % LANES
    kept, total = sums[0], sums[1]
    for base in range(0, in_lanes, LANES):
        block, other_block = codes[base : base + LANES], others[base : base + LANES]
        for i in range(LANES):
            x = np.float64(np.uint32(np.uint32(block[i] & mask) << shift).view(np.float32))
            square = x * x
            total[i] += square
            kept[i] += square if kind(other_block[i] & mask) != kind(0) else 0.0

    for i in range(in_lanes, codes.size):
        x = np.float64(np.uint32(np.uint32(codes[i] & mask) << shift).view(np.float32))
        square = x * x
        total[i - in_lanes] += square
        kept[i - in_lanes] += square if kind(others[i] & mask) != kind(0) else 0.0


@compiled("codes", "others")
def add_wide_squares(codes: CodeArray, others: CodeArray, mask: Code, factor: float, sums: FloatArray) -> None:
    """Do the same as ``add_squares`` for weights of 64 bits, each multiplied by ``factor`` first."""
    in_lanes = codes.size - codes.size % LANES
    kept, total = sums[0], sums[1]
    for base in range(0, in_lanes, LANES):
        block, other_block = codes[base : base + LANES], others[base : base + LANES]
        for i in range(LANES):
            x = np.uint64(block[i] & mask).view(np.float64) * factor
            square = x * x
            total[i] += square
            kept[i] += square if np.uint64(other_block[i] & mask) != np.uint64(0) else 0.0

    for i in range(in_lanes, codes.size):
        x = np.uint64(codes[i] & mask).view(np.float64) * factor
        square = x * x
        total[i - in_lanes] += square
        kept[i - in_lanes] += square if np.uint64(others[i] & mask) != np.uint64(0) else 0.0
