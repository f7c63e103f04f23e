"""Shuffled layers as random graphs: the drawing whose rank is the number of forest edges kept after a shuffle.

A layer is shuffled, its k strongest weights are kept, equal ones by index, and the forest edges among them are counted.
Three things can be shuffled (``Shuffle``):

- ``edges``: strengths over the places of the layer's edges. Zeros stay where they are, so a dead row stays dead, and
  the shuffled layer has the floor of the real one. The default.
- ``block``: strengths and zeros over the rows and columns that have edges. Without other zeros it is ``edges``.
- ``rows``: strengths over the places of the edges of their row, which keeps the scale of each row.

No weight is moved. The places of the k strongest weights of a shuffled layer are k random ones: every set of k is
equally likely, and within rows every choice of as many per row as the real layer has. Of the weights equal to the k-th,
at random places too, the first by index are kept; within rows all of them up to one row, and of that row the first. So
a few counts of the layer and random edges (``drawing``) are enough (proof: docs/theory.md, 6.5).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.chance.drawing import Drawing, Tied
from topoimp.choices import Method, Shuffle, chosen
from topoimp.errors import OptionError
from topoimp.kernels.threads import PIECE
from topoimp.layers.catalogue import LayerInfo
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import InHand
from topoimp.pruning.rules import Keep, keep_each, rule_for
from topoimp.topology.forest import Forest, spanning_forest

FEWEST_SHUFFLES = 2
"""A single shuffle has no standard deviation."""


@dataclass(frozen=True)
class Null:
    """The null hypothesis of a comparison: the kind and the number of shuffles of the reference, at least 2."""

    n_shuffles: int
    shuffle: Shuffle = Shuffle.EDGES

    def __str__(self) -> str:
        return f"shuffle:{self.n_shuffles}:{self.shuffle}"


def parse_null(text: str) -> Null:
    """Return the null that a text ``shuffle:N`` or ``shuffle:N:WHAT`` names; any other is an ``OptionError``.

    >>> parse_null("shuffle:20:rows")
    Null(n_shuffles=20, shuffle=<Shuffle.ROWS: 'rows'>)
    """
    found = re.fullmatch(r"shuffle:([0-9]{1,9})(?::(.+))?", text, re.ASCII)
    if found is None:
        raise OptionError(f"the null is {text!r}; it must be shuffle:N or shuffle:N:WHAT, as in 'shuffle:20:rows'")

    null = Null(int(found[1]), chosen(Shuffle, found[2] or Shuffle.EDGES))
    if null.n_shuffles < FEWEST_SHUFFLES:
        raise OptionError(f"the null is {text!r}; it needs {FEWEST_SHUFFLES} shuffles or more")
    return null


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
    rule = rule_for([info], Method.MAGNITUDE, seed=0)
    keeps = keep_each([info], {layer.name: forest}, n_kept, rule, InHand(graph, threads))
    return [keep[layer.name] for keep in keeps]


def live_shape(forest: Forest) -> tuple[int, int]:
    """Return the numbers of rows and of columns that have edges."""
    rows, columns = live_vertices(forest)
    return int(np.count_nonzero(rows)), int(np.count_nonzero(columns))


def shuffled(layer: Layer, forest: Forest, strongest: Keep, shuffle: Shuffle, threads: int) -> Drawing:
    """Return the drawing whose rank is distributed as that of the strongest weights of the shuffled layer."""
    live_rows, live_columns = live_vertices(forest)
    n_rows, n_columns = live_shape(forest)
    most = n_rows + n_columns - 1 if shuffle is Shuffle.BLOCK else len(forest.indices)

    # The places of edges, and the number of them in each row.
    if shuffle is Shuffle.BLOCK or forest.n_edges == n_rows * n_columns:
        flat = None
        n_by_row = np.full(n_rows, n_columns)
    else:
        is_edge = layer.edges()[live_rows][:, live_columns]
        flat = np.flatnonzero(is_edge).astype(np.int32 if is_edge.size < 1 << 31 else np.int64)
        n_by_row = np.count_nonzero(is_edge, axis=1)

    if shuffle is not Shuffle.ROWS:
        selection = strongest.selection
        tied = None
        if selection.n_equal < selection.n_of_rank:
            tied = Tied(0, selection.n_of_rank, selection.n_equal)
        n_drawn = np.array([selection.n_kept - (tied.n_first if tied else 0)])
        return Drawing(n_rows, n_columns, flat, np.array([0, n_by_row.sum()]), n_drawn, max(most, 0), tied)

    n_drawn, tied = _by_row(layer, live_rows, strongest)
    is_used = n_drawn > 0
    if tied is not None:
        is_used[tied.group] = True
    if not is_used.any():
        most = 0
    elif not is_used.all():  # the rank is at most that of the rows drawn from
        drawn_from = Layer(layer.name, layer.codes[np.flatnonzero(live_rows)[is_used]], layer.number_format)
        most = len(spanning_forest(drawn_from, threads=threads).indices)
    starts = np.concatenate([[0], np.cumsum(n_by_row)])
    return Drawing(n_rows, n_columns, flat, starts, n_drawn, most, tied)


def _by_row(layer: Layer, live_rows: BoolArray, strongest: Keep) -> tuple[IndexArray, Tied | None]:
    """Return how many of the strongest weights each live row has, and the row whose equal weights are split."""
    selection = strongest.selection
    if selection.n_kept == 0:
        return np.zeros(int(np.count_nonzero(live_rows)), np.int64), None
    code = layer.number_format.code_at_most(selection.rank, n_bits=strongest.rule.n_bits)
    n_above, n_equal = (counts[live_rows] for counts in _compared_by_row(layer, code))
    if selection.n_equal == 0:  # all edges are kept
        return n_above, None

    before = np.cumsum(n_equal) - n_equal
    n_first = np.clip(selection.n_equal - before, 0, n_equal)
    split = np.flatnonzero((n_first > 0) & (n_first < n_equal))
    if len(split) == 0:
        return n_above + n_first, None
    row = int(split[0])
    tied = Tied(row, int(n_equal[row]), int(n_first[row]))
    n_first[row] = 0
    return n_above + n_first, tied


def _compared_by_row(layer: Layer, code: int) -> tuple[IndexArray, IndexArray]:
    """Count, by row, the weights stronger than a magnitude code, and the weights equal to it."""
    n_above, n_equal = np.zeros(layer.n_rows, np.int64), np.zeros(layer.n_rows, np.int64)
    step = max(PIECE // layer.n_columns, 1)
    for start in range(0, layer.n_rows, step):
        codes = layer.number_format.magnitudes(layer.codes[start : start + step])
        n_above[start : start + step] = np.count_nonzero(codes > code, axis=1)
        n_equal[start : start + step] = np.count_nonzero(codes == code, axis=1)
    return n_above, n_equal


def live_vertices(forest: Forest) -> tuple[BoolArray, BoolArray]:
    """Return which rows and which columns have edges: those with one in the forest."""
    rows, columns = np.divmod(forest.indices, forest.n_columns)
    live_rows, live_columns = np.zeros(forest.n_rows, np.bool_), np.zeros(forest.n_columns, np.bool_)
    live_rows[rows], live_columns[columns] = True, True
    return live_rows, live_columns
