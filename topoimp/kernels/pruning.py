"""The passes that prune weights, and that hold pruned ones against what they were.

Arguments are as in ``forests``: stored codes, a mask that takes the sign away, and the part to look at.
"""

from typing import Any

from topoimp.arrays import BoolArray, CodeArray
from topoimp.compilation import compiled
from topoimp.kernels import BLOCK


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
    part, n_until = codes[start:stop], min(max(last + 1 - start, 0), stop - start)
    least = code if code != kind(0) else kind(1)
    for i in range(n_until):
        pruned[i] = part[i] if kind(part[i] & mask) >= least else kind(0)
    rest, pruned_rest = part[n_until:], pruned[n_until:]  # counted from 0, or the loop would not be widened
    for i in range(rest.size):
        pruned_rest[i] = rest[i] if kind(rest[i] & mask) > code else kind(0)


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
    n_present, n_changed, n_wrong = 0, 0, 0
    for base in range(0, written.size, BLOCK):
        stop = min(base + BLOCK, written.size)
        was, now, keeps = original[base:stop], written[base:stop], kept[base:stop]
        present, changed, wrong = kind(0), kind(0), kind(0)
        for i in range(now.size):
            is_kept = kind(1) if keeps[i] else kind(0)
            meant = kind(was[i] * is_kept) if kind(was[i] & mask) != kind(0) else kind(0)
            differs = kind(1) if now[i] != meant else kind(0)
            present = kind(present + (kind(1) if now[i] != kind(0) else kind(0)))
            changed = kind(changed + kind(differs & is_kept))
            wrong = kind(wrong + differs)
        n_present += int(present)
        n_changed += int(changed)
        n_wrong += int(wrong)
    return n_present, n_changed, n_wrong - n_changed
