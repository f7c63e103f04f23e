"""Kernels that match two lists of persistences, above 0 and descending, at the least cost, and read the matching back.

A matching that keeps the order is a path through a grid, from (0, 0) to (len(u), len(v)): a step of (1, 1) matches a
bar of u with one of v, a step of (1, 0) or (0, 1) sends one bar to the diagonal. Only some pairs are tried: bar i of u
with the bars ``first[i]`` to ``end[i] - 1`` of v, where neither ``first`` nor ``end`` descends; ``steps[starts[i]]``
belongs to the first of them. The memory is one row of the grid, and one byte for each pair.
"""

from topoimp.arrays import ByteArray, FloatArray, IndexArray
from topoimp.kernels.compiled import compiled

MATCH, DROP_U, DROP_V = 0, 1, 2
"""The steps of a path."""


@compiled()
def cost_of(length: float, order: int) -> float:
    """Return the cost of a step: its length, or the square of it for order 2."""
    return length if order == 1 else length * length


@compiled("u", "v", "first", "end", "starts")
def align(
    u: FloatArray,
    v: FloatArray,
    first: IndexArray,
    end: IndexArray,
    starts: IndexArray,
    order: int,
    costs: FloatArray,
    steps: ByteArray,
) -> None:
    """Find the cheapest path, with squared costs for order 2; of equally cheap steps a match comes first.

    Written: ``costs``, shape (len(v) + 1,), whose last entry is the cost of the path, and ``steps``: for each pair, the
    last step of the cheapest path that ends behind the pair.
    """
    costs[0] = 0.0
    reached = 0  # costs up to here belong to the row before; no pair lies beyond them yet
    for i in range(u.size):
        low, high = first[i], end[i]
        while reached < high:
            costs[reached + 1] = costs[reached] + cost_of(v[reached] / 2, order)
            reached += 1

        x = u[i]
        drop_u = cost_of(x / 2, order)
        before, left = costs[low], costs[low] + drop_u
        costs[low] = left
        for j in range(low, high):
            y = v[j]
            drop_v = cost_of(y / 2, order)
            above = costs[j + 1]
            best, step = before + cost_of(abs(x - y), order), MATCH
            if above + drop_u < best:
                best, step = above + drop_u, DROP_U
            if left + drop_v < best:
                best, step = left + drop_v, DROP_V
            costs[j + 1] = best
            steps[starts[i] + j - low] = step
            before, left = above, best

    while reached < v.size:
        costs[reached + 1] = costs[reached] + cost_of(v[reached] / 2, order)
        reached += 1


@compiled("first", "end", "starts", "steps")
def read_partners(
    first: IndexArray, end: IndexArray, starts: IndexArray, steps: ByteArray, n_v: int, partners: IndexArray
) -> None:
    """Walk the cheapest path back, and write the place in v of each bar's partner; -1 for the diagonal."""
    j = n_v
    for i in range(first.size - 1, -1, -1):
        low = first[i]
        j = min(j, end[i])
        while j > low and steps[starts[i] + j - 1 - low] == DROP_V:
            j -= 1
        if j > low and steps[starts[i] + j - 1 - low] == MATCH:
            j -= 1
            partners[i] = j
        else:
            partners[i] = -1
