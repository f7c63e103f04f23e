"""The pass that holds the weights of two layers of one shape against each other.

Arguments are as in ``forests``: stored codes, a mask that takes the sign away, and the part to look at. Strengths are
subtracted as numbers, whatever the format: the magnitude code of any format of 32 bits or less, moved to the left, is
the code of a float32 that is the strength divided by a power of two, one and the same for all weights.
"""

from typing import Any

import numpy as np

from topoimp.arrays import CodeArray, FloatArray
from topoimp.compilation import compiled
from topoimp.kernels import BLOCK


@compiled
def apart(a: Any, b: Any, shift: Any) -> float:
    """Give, for the other functions here, how far two strengths are apart, as float64."""
    x = np.uint32(np.uint32(a) << shift).view(np.float32)
    y = np.uint32(np.uint32(b) << shift).view(np.float32)
    return abs(np.float64(x) - np.float64(y))


@compiled
def hold_against(
    codes: CodeArray, others: CodeArray, start: int, stop: int, mask: Any, shift: Any, largest: FloatArray
) -> tuple[int, int]:
    """Count the weights of a part that both layers have and those that changed, and find the largest difference.

    Blocks are subtracted as float32, which is quick. One that may hold the largest difference is gone through again as
    float64; there are few, as one that stays behind the largest so far is passed over.

    Args:
        codes: weights of one layer of 32 bits or less, flat.
        others: those of the other, of the same format.
        start: first weight of the part.
        stop: one beyond its last.
        mask: takes the sign away.
        shift: how far to the left magnitude codes are moved, as uint32.
        largest: shape (1,); raised to the largest difference of the float32, if that is larger.

    Returns:
        how many weights are not zero in both, and how many of these differ in strength.
    """
    kind = codes.dtype.type
    n_both, n_changed = 0, 0
    to_beat = np.uint32(0)
    in_blocks = stop - (stop - start) % BLOCK
    for base in range(start, in_blocks, BLOCK):  # of a constant width, which is what makes it fast
        here, there = codes[base : base + BLOCK], others[base : base + BLOCK]
        n_lacking, n_same, furthest = kind(0), kind(0), np.uint32(0)
        for i in range(BLOCK):
            a, b = kind(here[i] & mask), kind(there[i] & mask)
            lacks = (kind(1) if a == kind(0) else kind(0)) | (kind(1) if b == kind(0) else kind(0))
            n_lacking = kind(n_lacking + lacks)
            n_same = kind(n_same + (lacks | (kind(1) if a == b else kind(0))))
        for i in range(BLOCK):
            x = np.uint32(np.uint32(here[i] & mask) << shift).view(np.float32)
            y = np.uint32(np.uint32(there[i] & mask) << shift).view(np.float32)
            code = np.float32(abs(x - y)).view(np.uint32)  # without a sign, codes order like the numbers
            furthest = code if code > furthest else furthest
        n_both += BLOCK - int(n_lacking)
        n_changed += BLOCK - int(n_same)
        if furthest >= to_beat and furthest > np.uint32(0):
            to_beat = furthest
            for i in range(base, base + BLOCK):
                largest[0] = max(largest[0], apart(codes[i] & mask, others[i] & mask, shift))
    for i in range(in_blocks, stop):  # what is left of the last block
        a, b = kind(codes[i] & mask), kind(others[i] & mask)
        n_both += 1 if a != kind(0) and b != kind(0) else 0
        n_changed += 1 if a != kind(0) and b != kind(0) and a != b else 0
        largest[0] = max(largest[0], apart(a, b, shift))
    return n_both, n_changed


@compiled
def hold_against_wide(
    codes: CodeArray, others: CodeArray, start: int, stop: int, mask: Any, largest: FloatArray
) -> tuple[int, int]:
    """Do what ``hold_against`` does with weights of 64 bits."""
    zero = codes.dtype.type(0)
    n_both, n_changed = 0, 0
    for i in range(start, stop):
        a, b = np.uint64(codes[i] & mask), np.uint64(others[i] & mask)
        n_both += 1 if a != zero and b != zero else 0
        n_changed += 1 if a != zero and b != zero and a != b else 0
        largest[0] = max(largest[0], abs(a.view(np.float64) - b.view(np.float64)))
    return n_both, n_changed
