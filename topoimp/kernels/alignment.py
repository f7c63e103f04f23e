"""The pass that matches two sorted lists of bars, and the one that reads the matching.

Lists are persistences above 0, descending. A matching that keeps the order is a path through a grid, from (0, 0) to
(len(u), len(v)): a step of (1, 1) matches a bar of u with one of v, a step of (1, 0) or (0, 1) leaves one without a
partner. Only some pairs are looked at: those of bar i of u with the bars ``first[i]`` to ``end[i] - 1`` of v; neither
``first`` nor ``end`` descends. One row of the grid is kept, and one byte for each pair.
"""

from topoimp.arrays import ByteArray, FloatArray, IndexArray
from topoimp.compilation import compiled

MATCH, DROP_U, DROP_V = 0, 1, 2


@compiled
def cost_of(length: float, order: int) -> float:
    """Give what a step costs, for the other functions here: a length, or its square for order 2."""
    return length if order == 1 else length * length


@compiled
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
    """Find the cheapest path. Of equally cheap steps a match comes first.

    Args:
        u: descending, shape (n,).
        v: descending, shape (m,).
        first: of the pairs of each bar of u, where they begin in v; shape (n,).
        end: one beyond their last, at least ``first`` and at most m.
        starts: where the pairs of each bar of u begin in ``steps``.
        order: 1, or 2 to square what each step costs.
        costs: shape (m + 1,), written; the last is the cost of the path.
        steps: one per pair, written: the last step of the cheapest path to behind that pair.
    """
    costs[0] = 0.0
    reached = 0  # costs up to here are of the row before; beyond them lies no pair yet
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


@compiled
def read_partners(
    first: IndexArray, end: IndexArray, starts: IndexArray, steps: ByteArray, n_v: int, partners: IndexArray
) -> None:
    """Walk the cheapest path back: for each bar of u its partner's place in v, -1 if it goes to the diagonal.

    Args:
        first: as for ``align``, and so are ``end``, ``starts`` and ``steps``.
        end: the same.
        starts: the same.
        steps: the same.
        n_v: length of v.
        partners: shape (n,), written.
    """
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
