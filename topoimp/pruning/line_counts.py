"""How many weights each line of a layer keeps in the scope ``row``; a line is an output: a row, or a column.

Every line keeps the same number of weights, the *level*, but at least its protected ones, and at most its edges. The
counts sum exactly to the target of the layer: of the lines that could keep one more, the first ones do. A smaller
target gives no line more weights, so masks are nested.
"""

import numpy as np

from topoimp.arrays import IndexArray


def line_counts(protected: IndexArray, edges: IndexArray, target: int) -> IndexArray:
    """Return the number of weights that each line keeps.

    Args:
        protected: weights of each line that are kept whatever the target, at most its edges.
        edges: nonzero weights of each line.
        target: weights to keep in all. Below the protected weights these are kept, above the edges all edges.

    >>> line_counts(np.array([0, 3, 0]), np.array([4, 4, 1]), target=7).tolist()
    [3, 3, 1]
    """
    if target >= int(edges.sum()):
        return edges.copy()

    # The largest level whose counts do not exceed the target; level 0 keeps the protected weights.
    low, high = 0, int(edges.max())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if np.clip(middle, protected, edges).sum() <= target else (low, middle)

    counts = np.clip(low, protected, edges)
    can_grow = np.flatnonzero(np.clip(low + 1, protected, edges) > counts)
    counts[can_grow[: max(target - int(counts.sum()), 0)]] += 1
    return np.asarray(counts)


def safe_target(needed: IndexArray, edges: IndexArray) -> int:
    """Return the smallest target of a layer at which no line keeps fewer weights than it needs; none are protected.

    >>> safe_target(np.array([1, 3, 1]), np.array([4, 4, 1]))  # counts of 3, 3 and 1; a target of 6 gives 3, 2 and 1
    7
    """
    level = int(needed.max())
    if level == 0:
        return 0
    last = int(np.flatnonzero(needed == level)[-1])
    below = np.minimum(edges, level - 1).sum()
    return int(below + np.count_nonzero(edges[: last + 1] >= level))
