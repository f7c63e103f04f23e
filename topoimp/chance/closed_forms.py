"""The iid null and the other closed forms: how much of a layer's forest chance keeps, by counting, without a weight.

Keeping the k strongest weights keeps exactly rank(top k) = V - beta0(top-k graph) edges of the forest, for V vertices:
those that Kruskal's rule takes of the first k. A layer is here a number of rows and of columns, both 1 or more, with
all weights edges; leave dead rows and columns out. Numbers out of range are an ``OptionError``. ``forest_by_chance``
decides which layers the closed form of the iid null holds for. Proofs and derivations: docs/theory.md, 6 and 7.
"""

from math import exp, expm1, isqrt, log, log1p

from topoimp.errors import OptionError

_MOST_STEPS = 200
"""Newton's rule takes about six steps, and about fifty where a giant component just appears."""


def guaranteed_forest_edges(n_rows: int, n_columns: int, n_kept: int) -> int:
    """Return the fewest forest edges that the strongest weights keep in any layer of this shape. Exact.

    It is the minimum of a + b - 1 over the blocks of a <= n_rows rows and b <= n_columns columns with room for
    ``n_kept`` weights, a b >= n_kept, and 0 for none: about 2 sqrt(n_kept) - 1. It is reached if the strongest weights
    fill such a block.

    >>> guaranteed_forest_edges(300, 784, 2352)  # one weight in a hundred
    96
    """
    _check(n_rows, n_columns, n_kept)
    if n_kept == 0:
        return 0

    # A block of s = a + b has room for (s/2)^2, rounded down: s is the least number with s^2 >= 4 n_kept, unless its
    # half is more than the short side has; then that side is used whole.
    short = min(n_rows, n_columns)
    both = isqrt(4 * n_kept - 1) + 1
    return both - 1 if both // 2 <= short else short - (-n_kept // short) - 1


def expected_forest_edges_iid(n_rows: int, n_columns: int, n_kept: int) -> float:
    """Return the mean number of forest edges that the strongest weights keep if strengths are independent and alike.

    With p = n_kept / (n_rows n_columns), a row is outside the giant component with probability q, the smallest solution
    of q = (1 - p (1 - r))^n_columns, r = (1 - p (1 - q))^n_rows, r being the same of a column. The components
    outside are nearly all trees: as many as vertices there less edges there. So their number is about n_rows q +
    n_columns r - n_kept (1 - p (1 - r))^(n_columns - 1) (1 - p (1 - q))^(n_rows - 1), and one more if there is a giant
    component, (n_rows - 1) (n_columns - 1) p^2 > 1. The forest has V less that many edges, at least
    the guaranteed number and at most min(n_kept, V - 1).

    Against simulation, for short sides from 9 to 1000, it is off by less than 1 % or less than half an edge: at worst
    by 3 %, 0.4 of 13.7 edges, in 9 x 18 at 14 weights, just where a giant component appears. Simulate shorter sides.

    Source: the survival probability of two-type branching processes, as of random bipartite graphs in Newman, Strogatz,
    Watts, "Random graphs with arbitrary degree distributions and their applications", 2001; the count is ours.
    """
    _check(n_rows, n_columns, n_kept)
    p = n_kept / (n_rows * n_columns)
    row_outside, column_outside = _outside_the_giant(n_rows, n_columns, p)
    edges_outside = (
        n_kept * (1 - p * (1 - column_outside)) ** (n_columns - 1) * (1 - p * (1 - row_outside)) ** (n_rows - 1)
    )
    trees = n_rows * row_outside + n_columns * column_outside - edges_outside
    n_giant = 1 if (n_rows - 1) * (n_columns - 1) * p * p > 1 else 0
    n_vertices = n_rows + n_columns
    guaranteed = guaranteed_forest_edges(n_rows, n_columns, n_kept)
    return float(min(max(n_vertices - trees - n_giant, guaranteed), n_kept, n_vertices - 1))


def expected_forest_edges_random(n_edges: int, floor: int, n_kept: int) -> float:
    """Return the mean number of the forest's ``floor`` edges that a random mask keeps. Exact: it is hypergeometric.

    It counts the edges of the reference's forest that are present, not the edges that a forest of the masked layer has:
    those follow ``expected_forest_edges_iid``.
    """
    if not 0 <= floor <= n_edges:
        raise OptionError(f"the forest has {floor} edges; it must have from 0 to the layer's {n_edges}")
    if not 0 <= n_kept <= n_edges:
        raise OptionError(f"{n_kept} edges are kept; it must be from 0 to the layer's {n_edges}")
    return n_kept * floor / n_edges if n_edges else 0.0  # exactly the floor if all are kept


def connectivity_probability(n_rows: int, n_columns: int, p: float) -> float:
    """Return about how likely a layer is connected if each weight is kept with probability p, independently.

    It is the probability that no vertex is alone, as if vertices were independent: [1 - (1-p)^n_columns]^n_rows
    [1 - (1-p)^n_rows]^n_columns. From the exact value it differs by 0.051 at most (3 x 3), and by less in larger
    layers: 0.0143 at 10 x 10. A layer of one row or column is connected only whole; that probability is exact.
    """
    _check(n_rows, n_columns, 0)
    if not 0 <= p <= 1:
        raise OptionError(f"the probability is {p}; it must be from 0 to 1")
    if p in (0, 1):
        return float(p)
    if min(n_rows, n_columns) == 1:
        return float(p ** max(n_rows, n_columns))
    row_alone, column_alone = exp(n_columns * log1p(-p)), exp(n_rows * log1p(-p))
    if 1.0 in (row_alone, column_alone):  # p is too small for 1 - p to differ from 1
        return 0.0
    return exp(n_rows * log1p(-row_alone) + n_columns * log1p(-column_alone))


def connectivity_threshold(n_rows: int, n_columns: int) -> float:
    """Return the density about which random masks stop leaving a layer connected.

    At that density one row, or one column, is alone on average, whichever takes the higher density:
    max(1 - n_rows^(-1/n_columns), 1 - n_columns^(-1/n_rows)). Of large layers about one in e is connected there, of
    square ones one in e^2. A 1 x 1 layer has the threshold 0.

    Source: Erdos, Renyi, "On random graphs I", 1959, whose argument for other graphs is the same.
    """
    _check(n_rows, n_columns, 0)
    return max(-expm1(-log(n_rows) / n_columns), -expm1(-log(n_columns) / n_rows))


def _check(n_rows: int, n_columns: int, n_kept: int) -> None:
    if min(n_rows, n_columns) < 1:
        raise OptionError(f"the layer is {n_rows} x {n_columns}; it must have at least one row and one column")
    if not 0 <= n_kept <= n_rows * n_columns:
        raise OptionError(
            f"{n_kept} weights are kept of {n_rows} x {n_columns}; it must be from 0 to {n_rows * n_columns}"
        )


def _outside_the_giant(n_rows: int, n_columns: int, p: float) -> tuple[float, float]:
    """Return how likely a row, and a column, is outside the giant component.

    The right side of q = F(q) is convex and increasing, as are the two powers that it is made of, so Newton's rule
    climbs from 0 to the smallest solution and never beyond.
    """
    q = 0.0
    for _ in range(_MOST_STEPS):
        column_base = 1 - p * (1 - q)
        row_base = 1 - p * (1 - column_base**n_rows)
        slope = n_columns * row_base ** (n_columns - 1) * p * n_rows * column_base ** (n_rows - 1) * p
        gap = row_base**n_columns - q
        if gap <= 1e-15 or slope >= 1:  # solved, up to rounding
            break
        q = min(q + gap / (1 - slope), 1.0)
    return q, (1 - p * (1 - q)) ** n_rows
