"""The scope ``row``: weights compete within their output, a row of the layer, or a column where columns are outputs.

Each line, a row or such a column, keeps the same number of weights (``topoimp.pruning.line_counts``): its protected
weights, and of the others the first ones in the order of the method, equal ranks by flat index.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, IndexArray
from topoimp.kernels.lines import find_thresholds
from topoimp.kernels.pruning import write_kept_in_columns, write_kept_in_rows
from topoimp.kernels.threads import PIECE, in_parallel, pieces
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.pruning.line_counts import line_counts, safe_target
from topoimp.pruning.methods.method import Rule
from topoimp.pruning.ranking import write_protected
from topoimp.pruning.rules import PartPruner
from topoimp.pruning.selection import Ranking
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class Lines:
    """The lines of a layer, and their edges.

    Args:
        by_column: whether the lines are columns, not rows.
        edges: nonzero weights of each line.
    """

    by_column: bool
    edges: IndexArray

    def of(self, layer: Layer, indices: IndexArray) -> IndexArray:
        """Return the line of each weight, by flat index."""
        return indices % layer.n_columns if self.by_column else indices // layer.n_columns

    def places(self, layer: Layer, indices: IndexArray) -> IndexArray:
        """Return the place of each weight within its line."""
        return indices // layer.n_columns if self.by_column else indices % layer.n_columns

    def parts(self, layer: Layer, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Return consecutive (start, stop) pairs that cover the lines from ``first`` to ``end``, a piece at a time."""
        step = max(PIECE // (layer.n_rows if self.by_column else layer.n_columns), 1)
        for start in range(first, end, step):
            yield start, min(start + step, end)


def lines_of(layer: Layer, forest: Forest, *, by_column: bool, threads: int) -> Lines:
    """Return the lines of a layer; a layer without zeros is not read.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.topology.forest import spanning_forest
    >>> layer = as_layer(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]))
    >>> lines_of(layer, spanning_forest(layer), by_column=False, threads=1).edges
    array([2, 1])
    """
    n_lines, n_places = (layer.n_columns, layer.n_rows) if by_column else (layer.n_rows, layer.n_columns)
    if forest.n_edges == layer.n_weights:
        return Lines(by_column, np.full(n_lines, n_places))

    def is_edge(part: slice) -> BoolArray:
        return np.not_equal(layer.number_format.magnitudes(layer.codes[part]), 0)

    return Lines(by_column, _counted_by_line(layer, is_edge, by_column=by_column, threads=threads))


@dataclass(frozen=True)
class LineKeep:
    """The weights that a layer keeps if its lines keep equal numbers.

    Args:
        rule: the order of the weights.
        ranking: the ranking of the layer's weights by the rule.
        protected: flat indices of the weights that are kept whatever the target, ascending.
        n_kept: weights kept in all.
        lines: the lines.
    """

    rule: Rule
    ranking: Ranking
    protected: IndexArray
    n_kept: int
    lines: Lines

    @property
    def n_protected(self) -> int:
        """Weights that are kept whatever the target."""
        return len(self.protected)

    def on(self, layer: Layer, threads: int) -> PartPruner:
        """Return the function that writes parts of the layer, once the threshold of each line is known."""
        thresholds, lasts = self._thresholds(layer, threads)
        write_kept = write_kept_in_columns if self.lines.by_column else write_kept_in_rows
        mask = layer.codes.dtype.type(layer.number_format.magnitude_mask)
        codes, n_columns = layer.weights, layer.n_columns

        def write(start: int, pruned: CodeArray) -> BoolArray:
            for first, end in pieces(start, start + len(pruned)):
                ranks = self.ranking.ranks_in(layer, first, end)
                part = pruned[first - start : end - start]
                write_kept(codes[first:end], ranks, first, n_columns, mask, thresholds, lasts, part)
            write_protected(layer, self.protected, start, pruned)
            return np.not_equal(pruned, 0)

        return write

    def keeps_forest(self, forest: Forest, layer: Layer, threads: int) -> bool:
        """Whether a method by strength keeps all edges of the layer's maximum spanning forest."""
        thresholds, lasts = self._thresholds(layer, threads)
        others = forest.indices[self.n_protected :]
        lines, ranks = self.lines.of(layer, others), layer.number_format.magnitudes(layer.weights[others])
        is_first = self.lines.places(layer, others) <= lasts[lines]
        return bool(((ranks > thresholds[lines]) | ((ranks == thresholds[lines]) & is_first)).all())

    def _thresholds(self, layer: Layer, threads: int) -> tuple[CodeArray, IndexArray]:
        """Return the rank above which each line keeps its weights, and the last place of an equal one that it keeps."""
        protected = np.bincount(self.lines.of(layer, self.protected), minlength=len(self.lines.edges))
        n_others = line_counts(protected, self.lines.edges, self.n_kept) - protected
        thresholds = np.empty(len(n_others), self.ranking.ranks_in(layer, 0, 0).dtype)
        lasts = np.empty(len(n_others), np.int64)

        def find(first: int, end: int) -> None:
            for start, stop in self.lines.parts(layer, first, end):
                part = slice(start, stop)
                find_thresholds(self._ranks(layer, start, stop), n_others[part], thresholds[part], lasts[part])

        in_parallel(find, len(n_others), threads)
        return thresholds, lasts

    def _ranks(self, layer: Layer, start: int, stop: int) -> CodeArray:
        """Return the ranks of some lines, each laid out as a row."""
        if self.lines.by_column:
            return np.ascontiguousarray(self.ranking.ranks_in_columns(layer, start, stop).T)
        n = layer.n_columns
        return self.ranking.ranks_in(layer, start * n, stop * n).reshape(-1, n)


def keep_lines(
    info: LayerInfo,
    layer: Layer,
    forest: Forest,
    targets: Sequence[int],
    rule: Rule,
    *,
    by_column: bool,
    threads: int,
) -> list[LineKeep]:
    """Return, for each target of a layer, the weights that it keeps if its lines keep equal numbers."""
    lines = lines_of(layer, forest, by_column=by_column, threads=threads)
    ranking = rule.ranking(info, forest)
    protected = np.sort(forest.indices[: rule.n_protected(forest)])
    counts = [min(max(target, len(protected)), forest.n_edges) for target in targets]
    return [LineKeep(rule, ranking, protected, n_kept, lines) for n_kept in counts]


def safe_count_by_line(layer: Layer, forest: Forest, *, by_column: bool, threads: int) -> int:
    """Return a number of weights from which on magnitude pruning in the scope ``row`` keeps the layer's barcode.

    It is the smallest at which every edge of the order forest is kept; of equal strengths, fewer may do. 0 without
    edges.
    """
    lines = lines_of(layer, forest, by_column=by_column, threads=threads)
    if len(forest.indices) == 0:
        return 0

    # The weakest forest edge of each line, and the number of its line's weights up to it in the order.
    of_edges = lines.of(layer, forest.indices)
    weakest = np.full(len(lines.edges), -1)
    weakest[of_edges] = np.arange(len(of_edges))  # strongest first, so that the weakest stays
    has_edge = weakest >= 0
    indices = forest.indices[weakest[has_edge]]
    n_bits = layer.number_format.n_bits
    codes = np.full(len(weakest), (1 << n_bits) - 1, layer.codes.dtype)
    codes[has_edge] = layer.number_format.magnitudes(layer.weights[indices])
    lasts = np.full(len(weakest), -1)
    lasts[has_edge] = lines.places(layer, indices)

    rows, columns = np.arange(layer.n_rows)[:, None], np.arange(layer.n_columns)

    def is_needed(part: slice) -> BoolArray:
        magnitudes = layer.number_format.magnitudes(layer.codes[part])
        if by_column:
            return np.asarray((magnitudes > codes) | ((magnitudes == codes) & (rows[part] <= lasts)))
        threshold = codes[part, None]
        return np.asarray((magnitudes > threshold) | ((magnitudes == threshold) & (columns <= lasts[part, None])))

    return safe_target(_counted_by_line(layer, is_needed, by_column=by_column, threads=threads), lines.edges)


def _counted_by_line(
    layer: Layer, is_counted: Callable[[slice], BoolArray], *, by_column: bool, threads: int
) -> IndexArray:
    """Return how many weights of each line count; ``is_counted`` says it of some rows, shape (rows, columns)."""
    step = max(PIECE // layer.n_columns, 1)

    def count(first: int, end: int) -> IndexArray:
        counts = np.zeros(layer.n_columns if by_column else layer.n_rows, np.int64)
        for start in range(first, end, step):
            part = slice(start, min(start + step, end))
            if by_column:
                counts += np.count_nonzero(is_counted(part), axis=0)
            else:
                counts[part] = np.count_nonzero(is_counted(part), axis=1)
        return counts

    return np.asarray(np.sum(in_parallel(count, layer.n_rows, threads), axis=0))
