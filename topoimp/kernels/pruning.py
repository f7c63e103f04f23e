"""The passes that prune weights, and that hold pruned ones against what they were.

Arguments are as in ``forests``: stored codes, a mask that takes the sign away, and the part to look at.
"""

from typing import Any

from topoimp.arrays import BoolArray, CodeArray
from topoimp.compilation import compiled


@compiled
def write_kept(codes: CodeArray, start: int, stop: int, mask: Any, code: Any, last: int, pruned: CodeArray) -> None:
    """Write a part's weights, but 0 for those that are weaker than a magnitude code or have it and come after ``last``.

    Args:
        codes: all weights of the layer, flat.
        start: first weight of the part.
        stop: one beyond its last.
        mask: takes the sign away.
        code: the magnitude code.
        last: flat index of the last weight of that code that is kept; -1 if none is.
        pruned: the codes written, shape (stop - start,); zeros come out as +0.0.
    """
    kind = codes.dtype.type
    middle = min(max(last + 1, start), stop)
    for i in range(start, middle):
        rank = kind(codes[i] & mask)
        pruned[i - start] = codes[i] if (rank >= code) & (rank != kind(0)) else kind(0)
    for i in range(middle, stop):
        pruned[i - start] = codes[i] if kind(codes[i] & mask) > code else kind(0)


@compiled
def count_wrong(original: CodeArray, written: CodeArray, kept: BoolArray, mask: Any) -> tuple[int, int, int]:
    """Count the weights that are not zero as written, the kept ones that changed, and the others that are left.

    Args:
        original: codes as they were, flat.
        written: codes as they were written, of the same shape.
        kept: which of them were to be kept; the others were to become +0.0.
        mask: takes the sign away; a kept -0.0 becomes +0.0.
    """
    kind = written.dtype.type
    n_present, n_changed, n_left = 0, 0, 0
    for i in range(written.size):
        was = original[i] if kind(original[i] & mask) != kind(0) else kind(0)
        n_present += 1 if written[i] != kind(0) else 0
        n_changed += 1 if kept[i] & (written[i] != was) else 0
        n_left += 1 if (not kept[i]) & (written[i] != kind(0)) else 0
    return n_present, n_changed, n_left
