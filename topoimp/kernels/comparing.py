"""Kernels that compare the weights of two layers of one shape.

Magnitudes are subtracted as numbers in every format: shifted left, the magnitude code of any format of 32 bits or less
is the code of a float32, namely the magnitude divided by a power of two that is the same for all weights.
"""

import numpy as np

from topoimp.arrays import Code, CodeArray, FloatArray
from topoimp.kernels import BLOCK
from topoimp.kernels.compiled import compiled


@compiled()
def difference_of(a: Code, b: Code, shift: np.uint32) -> float:
    """Return the difference of two magnitudes as float64."""
    x = np.uint32(np.uint32(a) << shift).view(np.float32)
    y = np.uint32(np.uint32(b) << shift).view(np.float32)
    return abs(np.float64(x) - np.float64(y))


@compiled("codes", "others")
def compare_weights(
    codes: CodeArray, others: CodeArray, start: int, stop: int, mask: Code, shift: np.uint32, largest: FloatArray
) -> tuple[int, int]:
    """Count a part's weights, of 32 bits or less, that are not zero in both layers, and those that differ in magnitude.

    ``largest``, shape (1,), is raised to the largest difference of the magnitude codes, shifted left by ``shift`` and
    read as float32. A block is subtracted as float32, which is quick. Only a block that may hold the largest difference
    so far is subtracted again as float64; such blocks are few.
    """
    kind = codes.dtype.type
    n_both, n_changed = 0, 0
    to_beat = np.uint32(0)
    in_blocks = stop - (stop - start) % BLOCK

    for base in range(start, in_blocks, BLOCK):
        # Loops of constant length are the fast ones.
        block, other_block = codes[base : base + BLOCK], others[base : base + BLOCK]
        n_lacking, n_same, furthest = kind(0), kind(0), np.uint32(0)
        for i in range(BLOCK):
            a, b = kind(block[i] & mask), kind(other_block[i] & mask)
            lacks = (kind(1) if a == kind(0) else kind(0)) | (kind(1) if b == kind(0) else kind(0))
            n_lacking = kind(n_lacking + lacks)
            n_same = kind(n_same + (lacks | (kind(1) if a == b else kind(0))))
        for i in range(BLOCK):
            x = np.uint32(np.uint32(block[i] & mask) << shift).view(np.float32)
            y = np.uint32(np.uint32(other_block[i] & mask) << shift).view(np.float32)
            code = np.float32(abs(x - y)).view(np.uint32)  # without a sign, codes order like the numbers
            furthest = code if code > furthest else furthest
        n_both += BLOCK - int(n_lacking)
        n_changed += BLOCK - int(n_same)

        if furthest >= to_beat and furthest > np.uint32(0):
            to_beat = furthest
            for i in range(base, base + BLOCK):
                largest[0] = max(largest[0], difference_of(codes[i] & mask, others[i] & mask, shift))

    # The weights behind the last whole block.
    for i in range(in_blocks, stop):
        a, b = kind(codes[i] & mask), kind(others[i] & mask)
        n_both += 1 if a != kind(0) and b != kind(0) else 0
        n_changed += 1 if a != kind(0) and b != kind(0) and a != b else 0
        largest[0] = max(largest[0], difference_of(a, b, shift))
    return n_both, n_changed


@compiled("codes", "others")
def compare_wide_weights(
    codes: CodeArray, others: CodeArray, start: int, stop: int, mask: Code, largest: FloatArray
) -> tuple[int, int]:
    """Do the same as ``compare_weights`` for weights of 64 bits."""
    zero = codes.dtype.type(0)
    n_both, n_changed = 0, 0
    for i in range(start, stop):
        a, b = np.uint64(codes[i] & mask), np.uint64(others[i] & mask)
        n_both += 1 if a != zero and b != zero else 0
        n_changed += 1 if a != zero and b != zero and a != b else 0
        largest[0] = max(largest[0], abs(a.view(np.float64) - b.view(np.float64)))
    return n_both, n_changed
