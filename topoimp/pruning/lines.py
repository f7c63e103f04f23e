"""The scope ``row``: weights compete within their output, a row of the layer, or a column where columns are outputs.

Each line, a row or such a column, keeps the same number of weights (``topoimp.pruning.line_counts``): its protected
weights, and of the others the first ones in the order of the method, equal ranks by flat index.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, IndexArray
from topoimp.kernels.lines import find_thresholds
from topoimp.kernels.pruning import write_kept_in_columns, write_kept_in_rows
from topoimp.kernels.threads import in_parallel, pieces
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.pruning.layer_lines import Lines, lines_of
from topoimp.pruning.line_counts import line_counts
from topoimp.pruning.line_positions import positions_in_lines
from topoimp.pruning.methods.method import Rule
from topoimp.pruning.ranking import write_protected
from topoimp.pruning.rules import PartPruner
from topoimp.pruning.selection import Ranking
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class OrderedForest:
    """The edges of a layer's forest in the orders of their lines, in the order of the forest.

    Args:
        lines: the line of each edge.
        positions: its position in the line, from 1, by strength; None for a method that does not go by strength.
    """

    lines: IndexArray
    positions: IndexArray | None

    def n_within(self, counts: IndexArray, first: int, end: int) -> int | None:
        """Count the edges, from ``first`` to ``end``, among the strongest weights of their lines, so many of each."""
        if self.positions is None:
            return None
        part = slice(first, end)
        return int(np.count_nonzero(self.positions[part] <= counts[self.lines[part]]))


@dataclass(frozen=True)
class LineKeep:
    """The weights that a layer keeps if its lines keep equal numbers.

    Args:
        rule: the order of the weights.
        ranking: the ranking of the layer's weights by the rule.
        protected: flat indices of the weights that are kept whatever the target, ascending.
        target: weights to keep in all.
        n_kept: weights kept: the protected ones at least, the edges of the layer at most.
        lines: the lines.
        forest: the edges of the layer's forest in them; the first ones are protected.
    """

    rule: Rule
    ranking: Ranking
    protected: IndexArray
    target: int
    n_kept: int
    lines: Lines
    forest: OrderedForest

    @property
    def n_protected(self) -> int:
        """Weights that are kept whatever the target."""
        return len(self.protected)

    @property
    def known_norms(self) -> None:
        """Squared norms, which the counts of lines do not tell."""

    @property
    def n_forest_kept(self) -> int | None:
        """Edges of the forest that a method by strength keeps; None for another method."""
        others = self.forest.n_within(self._counts, self.n_protected, len(self.forest.lines))
        return None if others is None else self.n_protected + others

    @property
    def n_only_protected(self) -> int | None:
        """Protected edges that the same target drops without protection; None if the method is not by strength."""
        counts = line_counts(np.zeros_like(self.lines.edges), self.lines.edges, self.target)
        n_strong = self.forest.n_within(counts, 0, self.n_protected)
        return None if n_strong is None else self.n_protected - n_strong

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

    @property
    def _n_protected_by_line(self) -> IndexArray:
        return np.bincount(self.forest.lines[: self.n_protected], minlength=len(self.lines.edges))

    @property
    def _counts(self) -> IndexArray:
        """The number of weights that each line keeps."""
        return line_counts(self._n_protected_by_line, self.lines.edges, self.n_kept)

    def _thresholds(self, layer: Layer, threads: int) -> tuple[CodeArray, IndexArray]:
        """Return the rank above which each line keeps its weights, and the last place of an equal one that it keeps."""
        n_others = self._counts - self._n_protected_by_line
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
    positions = positions_in_lines(layer, forest, lines, threads) if rule.is_by_strength else None
    ordered = OrderedForest(lines.of(layer, forest.indices), positions)
    ranking = rule.ranking(info, forest)
    protected = np.sort(forest.indices[: rule.n_protected(forest)])
    counts = [min(max(target, len(protected)), forest.n_edges) for target in targets]
    return [
        LineKeep(rule, ranking, protected, target, n_kept, lines, ordered)
        for target, n_kept in zip(targets, counts, strict=True)
    ]
