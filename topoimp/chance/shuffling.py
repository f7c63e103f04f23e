"""What shuffling a layer's weights keeps of its forest: the null that observed numbers are held against.

A layer is shuffled, the k strongest of its weights are kept, equal ones by index, and the edges of a forest of what is
kept are counted. That is repeated. Three things can be shuffled (``Shuffle``):

- ``edges``: strengths over the places of the layer's edges. Zeros stay where they are, so a dead row stays dead, and
  the shuffled layer has the floor of the real one. The default.
- ``block``: strengths and zeros over the rows and columns that have edges. It asks what the zeros' places do as well;
  of a layer without other zeros it is the same.
- ``rows``: strengths over the places of the edges of their row, which keeps how strong each row is.

No weight is moved for that. Whether a weight is among the k strongest does not depend on where it is, but for ties, so
in a shuffled layer the places of the k strongest are k random ones: every set of k is equally likely, and within rows
every choice of as many per row as the real layer has. Of the weights that are equal to the k-th, at random places too,
the first by index are taken; within rows they are all taken up to one row, and of that row the first. So a few counts
of the layer are enough, and random edges (``drawing``).
"""

from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.chance.drawing import Drawing, Tied
from topoimp.choices import Shuffle
from topoimp.errors import OptionError
from topoimp.kernels.threads import PIECE
from topoimp.layers.layer import Layer
from topoimp.topology.forest import Forest, spanning_forest


@dataclass(frozen=True)
class Strongest:
    """Where the strongest weights of a layer end.

    Args:
        code: magnitude code of the weakest of them; 0 if there is none.
        n_above: how many weights are stronger than that.
        n_tied: how many are as strong.
        n_first: how many of these, by index, belong to the strongest.
    """

    code: int
    n_above: int
    n_tied: int
    n_first: int

    @property
    def is_split(self) -> bool:
        """Whether some of several equal weights belong and others do not."""
        return self.n_first < self.n_tied


NOTHING = Strongest(0, 0, 0, 0)
"""None of the weights."""


def strongest_of(layer: Layer, forest: Forest, n_kept: int) -> Strongest:
    """Give where the so many strongest edges of a layer end.

    Args:
        layer: its weights.
        forest: its maximum spanning forest.
        n_kept: from 0 to the number of edges.

    Raises:
        OptionError: if that is outside its range.
    """
    if not 0 <= n_kept <= forest.n_edges:
        raise OptionError(
            f"{n_kept} edges of layer {layer.name!r} are kept; it must be from 0 to the {forest.n_edges} that it has"
        )
    if n_kept == 0:
        return NOTHING
    codes = layer.magnitudes().reshape(-1)
    place = codes.size - n_kept
    codes.partition(place)
    n_above = int(np.count_nonzero(codes[place:] > codes[place]))
    n_tied = n_kept - n_above + int(np.count_nonzero(codes[:place] == codes[place]))
    return Strongest(int(codes[place]), n_above, n_tied, n_kept - n_above)


def n_forest_edges_of(layer: Layer, forest: Forest, top: Strongest) -> int:
    """Count the edges of a layer's forest that are among its strongest weights."""
    if top.n_first == 0:
        return 0
    codes = layer.number_format.magnitudes(layer.codes.reshape(-1)[forest.indices])
    tied = forest.indices[codes == top.code]
    n_above = int(np.count_nonzero(codes > top.code))
    if not top.is_split or len(tied) == 0:
        return n_above + len(tied)
    last = np.flatnonzero(layer.magnitudes().reshape(-1) == top.code)[top.n_first - 1]
    return n_above + int(np.count_nonzero(tied <= last))


def live_shape(forest: Forest) -> tuple[int, int]:
    """Give how many rows and how many columns have edges."""
    rows, columns = _live(forest)
    return int(np.count_nonzero(rows)), int(np.count_nonzero(columns))


def shuffled(layer: Layer, forest: Forest, top: Strongest, shuffle: Shuffle) -> Drawing:
    """Give what to draw so that its rank is distributed as that of the strongest weights of the shuffled layer.

    Args:
        layer: its weights.
        forest: its maximum spanning forest.
        top: where the strongest weights end.
        shuffle: what is shuffled.
    """
    live_rows, live_columns = _live(forest)
    n_rows, n_columns = live_shape(forest)
    most = n_rows + n_columns - 1 if shuffle is Shuffle.BLOCK else len(forest.indices)
    if shuffle is Shuffle.BLOCK or forest.n_edges == n_rows * n_columns:
        flat, n_by_row = None, np.full(n_rows, n_columns)
    else:
        is_edge = layer.edges()[live_rows][:, live_columns]
        flat = np.flatnonzero(is_edge).astype(np.int32 if is_edge.size < 1 << 31 else np.int64)
        n_by_row = np.count_nonzero(is_edge, axis=1)
    if shuffle is not Shuffle.ROWS:
        starts = np.array([0, n_by_row.sum()])
        tied = Tied(0, top.n_tied, top.n_first) if top.is_split else None
        wanted = np.array([top.n_above if top.is_split else top.n_above + top.n_first])
        return Drawing(n_rows, n_columns, flat, starts, wanted, max(most, 0), tied)
    wanted, tied = _by_row(layer, live_rows, top)
    used = wanted > 0
    if tied is not None:
        used[tied.group] = True
    if not used.all():  # or the draw would wait for rows that give nothing
        most = _forest_edges_within(layer, live_rows, used)
    return Drawing(n_rows, n_columns, flat, np.concatenate([[0], np.cumsum(n_by_row)]), wanted, most, tied)


def _by_row(layer: Layer, live_rows: BoolArray, top: Strongest) -> tuple[IndexArray, Tied | None]:
    """Give how many of the strongest weights each live row has, and what is drawn where equal ones are split."""
    n_above, n_tied = (counts[live_rows] for counts in _compared_by_row(layer, top.code))
    if top.n_first == 0:
        return np.zeros_like(n_above), None
    before = np.cumsum(n_tied) - n_tied
    n_first = np.clip(top.n_first - before, 0, n_tied)
    split = np.flatnonzero((n_first > 0) & (n_first < n_tied))
    if len(split) == 0:
        return n_above + n_first, None
    row = int(split[0])
    tied = Tied(row, int(n_tied[row]), int(n_first[row]))
    n_first[row] = 0
    return n_above + n_first, tied


def _compared_by_row(layer: Layer, code: int) -> tuple[IndexArray, IndexArray]:
    """Count, by row, the weights that are stronger than a code, and those that are as strong."""
    n_above, n_tied = np.zeros(layer.n_rows, np.int64), np.zeros(layer.n_rows, np.int64)
    step = max(PIECE // layer.n_columns, 1)
    for start in range(0, layer.n_rows, step):
        codes = layer.number_format.magnitudes(layer.codes[start : start + step])
        n_above[start : start + step] = np.count_nonzero(codes > code, axis=1)
        n_tied[start : start + step] = np.count_nonzero(codes == code, axis=1)
    return n_above, n_tied


def _forest_edges_within(layer: Layer, live_rows: BoolArray, used: BoolArray) -> int:
    """Give how many edges a forest of some of the live rows has."""
    rows = np.flatnonzero(live_rows)[used]
    if len(rows) == 0:
        return 0
    part = Layer(layer.name, layer.codes[rows], layer.number_format, layer.origin)
    return len(spanning_forest(part, threads=1).indices)


def _live(forest: Forest) -> tuple[BoolArray, BoolArray]:
    """Give which rows and which columns have edges: those have one in the forest."""
    rows, columns = np.divmod(forest.indices, forest.n_columns)
    live_rows, live_columns = np.zeros(forest.n_rows, np.bool_), np.zeros(forest.n_columns, np.bool_)
    live_rows[rows], live_columns[columns] = True, True
    return live_rows, live_columns
