"""Shuffled layers as random graphs: the drawing whose rank is the number of forest edges kept after a shuffle.

A layer is shuffled, its k strongest weights are kept, equal ones by index, and the forest edges among them are counted.
Four things can be shuffled (``Shuffle``):

- ``edges``: strengths over the places of the layer's edges. Zeros stay where they are, so a dead row stays dead, and
  the shuffled layer has the floor of the real one. The default.
- ``block``: strengths and zeros over the rows and columns that have edges. Without other zeros it is ``edges``.
- ``rows``: strengths over the places of the edges of their row, which keeps the strengths of each row.
- ``columns``: strengths over the places of the edges of their column, which keeps those of each column.

No weight is moved. The places of the k strongest weights of a shuffled layer are k random ones: every set of k is
equally likely, and within rows or columns every choice of as many of each as the real layer has. Of the weights equal
to the k-th, at random places too, the first by index are kept; within rows all of them up to one row, and of that row
the first. So a few counts of the layer and random edges (``drawing``) are enough (proof: docs/theory.md, 6.5).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.chance.drawing import Drawing, Tied
from topoimp.choices import Shuffle
from topoimp.errors import OptionError
from topoimp.kernels.threads import PIECE
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import InHand
from topoimp.pruning.methods.magnitude import strength_rule
from topoimp.pruning.rules import Keep, keep_each
from topoimp.topology.forest import Forest, spanning_forest


def strongest_weights(layer: Layer, forest: Forest, n_kept: Sequence[int], threads: int) -> list[Keep]:
    """Return, for each k in ``n_kept``, the selection of the k strongest edges, equal ones ordered by index.

    Raises:
        OptionError: if a k is not from 0 to the number of edges.
    """
    for k in n_kept:
        if not 0 <= k <= forest.n_edges:
            raise OptionError(
                f"{k} edges of layer {layer.name!r} are kept; it must be from 0 to the {forest.n_edges} that it has"
            )
    graph = replace(layer, parallel=None)  # in the view channel an edge is a pair of channels, not a weight
    info = LayerInfo(layer.name, layer.name, graph.codes.shape, graph.n_rows, graph.n_columns, graph.number_format)
    keeps = keep_each([info], {layer.name: forest}, n_kept, strength_rule([info]), InHand(graph, threads))
    return [keep[layer.name] for keep in keeps]


def live_shape(forest: Forest) -> tuple[int, int]:
    """Return the numbers of rows and of columns that have edges."""
    rows, columns = live_vertices(forest)
    return int(np.count_nonzero(rows)), int(np.count_nonzero(columns))


def shuffled(layer: Layer, forest: Forest, strongest: Keep, shuffle: Shuffle, threads: int) -> Drawing:
    """Return the drawing whose rank is distributed as that of the strongest weights of the shuffled layer."""
    if shuffle in (Shuffle.ROWS, Shuffle.COLUMNS):
        return _shuffled_within(layer, forest, strongest, shuffle, threads)

    n_rows, n_columns = live_shape(forest)
    if shuffle is Shuffle.BLOCK:
        flat = None
        n_places = n_rows * n_columns
        most = n_rows + n_columns - 1
    else:
        flat = _places(layer, forest, Shuffle.EDGES)
        n_places = forest.n_edges
        most = len(forest.indices)

    # Of several weights equal to the weakest that is kept, the first are counted.
    selection = strongest.selection
    tied = None
    if selection.n_equal < selection.n_of_rank:
        tied = Tied(np.array([selection.n_of_rank]), selection.n_equal)
    n_drawn = np.array([selection.n_kept - (tied.n_first if tied else 0)])
    return Drawing(n_rows, n_columns, flat, np.array([0, n_places]), n_drawn, max(most, 0), tied)


def _places(layer: Layer, forest: Forest, shuffle: Shuffle) -> np.ndarray | None:
    """Return the flat index of each edge among live rows and columns, ascending; None if all weights there are edges.

    For ``columns`` the layer is transposed.
    """
    n_rows, n_columns = live_shape(forest)
    if forest.n_edges == n_rows * n_columns:
        return None

    live_rows, live_columns = live_vertices(forest)
    is_edge = layer.edges()[live_rows][:, live_columns]
    is_edge = is_edge.T if shuffle is Shuffle.COLUMNS else is_edge
    return np.flatnonzero(is_edge).astype(np.int32 if is_edge.size < 1 << 31 else np.int64)


def _shuffled_within(layer: Layer, forest: Forest, strongest: Keep, shuffle: Shuffle, threads: int) -> Drawing:
    """Return the drawing for a shuffle within lines: ``rows`` or ``columns``."""
    is_by_column = shuffle is Shuffle.COLUMNS
    live_lines = live_vertices(forest)[is_by_column]
    n_above, n_equal = (counts[live_lines] for counts in _counts_within(layer, strongest, is_by_column))
    n_drawn, tied = _of_lines(n_above, n_equal, strongest.selection.n_equal, is_by_column)

    # The rank is at most that of the lines drawn from.
    is_used = n_drawn > 0 if tied is None else n_drawn + tied.n_drawn > 0
    most = len(forest.indices)
    if not is_used.any():
        most = 0
    elif not is_used.all():
        lines = np.flatnonzero(live_lines)[is_used]
        drawn_from = Layer(layer.name, layer.codes.take(lines, axis=int(is_by_column)), layer.number_format)
        most = len(spanning_forest(drawn_from, threads=threads).indices)

    flat = _places(layer, forest, shuffle)
    n_lines, n_others = live_shape(forest)[:: -1 if is_by_column else 1]
    sizes = np.full(n_lines, n_others) if flat is None else np.bincount(flat // n_others, minlength=n_lines)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return Drawing(n_lines, n_others, flat, starts, n_drawn, most, tied, is_transposed=is_by_column)


def _of_lines(
    n_above: IndexArray, n_equal: IndexArray, n_kept: int, is_by_column: bool
) -> tuple[IndexArray, Tied | None]:
    """Return how many of the strongest weights each line has, and the lines whose equal weights are split.

    The arguments count the weights of each line that are stronger than the weakest kept one, those equal to it, and the
    equal ones kept of the whole layer.
    """
    if n_kept in (0, n_equal.sum()):
        return n_above + (n_equal if n_kept else 0), None
    if is_by_column:  # the first by index may lie in any column
        return n_above, Tied(n_equal, n_kept)

    # All rows up to one keep their equal weights.
    before = np.cumsum(n_equal) - n_equal
    n_first = np.clip(n_kept - before, 0, n_equal)
    is_split = (n_first > 0) & (n_first < n_equal)
    if not is_split.any():
        return n_above + n_first, None
    n_split = int(n_first[is_split].sum())
    return n_above + np.where(is_split, 0, n_first), Tied(np.where(is_split, n_equal, 0), n_split)


def _counts_within(layer: Layer, strongest: Keep, is_by_column: bool) -> tuple[IndexArray, IndexArray]:
    """Count, by row or column, the weights stronger than the weakest of the strongest, and those equal to it."""
    n_lines = layer.n_columns if is_by_column else layer.n_rows
    n_above, n_equal = np.zeros(n_lines, np.int64), np.zeros(n_lines, np.int64)
    selection = strongest.selection
    if selection.n_kept == 0:
        return n_above, n_equal

    code = layer.number_format.code_at_most(selection.rank, n_bits=strongest.rule.n_bits)
    step = max(PIECE // layer.n_columns, 1)
    for start in range(0, layer.n_rows, step):
        codes = layer.number_format.magnitudes(layer.codes[start : start + step])
        lines = slice(None) if is_by_column else slice(start, start + step)
        n_above[lines] += np.count_nonzero(codes > code, axis=int(not is_by_column))
        n_equal[lines] += np.count_nonzero(codes == code, axis=int(not is_by_column))
    return n_above, n_equal


def live_vertices(forest: Forest) -> tuple[BoolArray, BoolArray]:
    """Return which rows and which columns have edges: those with one in the forest."""
    rows, columns = np.divmod(forest.indices, forest.n_columns)
    live_rows, live_columns = np.zeros(forest.n_rows, np.bool_), np.zeros(forest.n_columns, np.bool_)
    live_rows[rows], live_columns[columns] = True, True
    return live_rows, live_columns
