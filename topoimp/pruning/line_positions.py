"""The positions of a forest's edges in the orders of their lines, and the safe count in the scope ``row``."""

import numpy as np

from topoimp.arrays import CodeArray, IndexArray
from topoimp.kernels.lines import find_positions
from topoimp.kernels.threads import in_parallel
from topoimp.layers.layer import Layer
from topoimp.pruning.layer_lines import Lines, lines_of
from topoimp.pruning.line_counts import safe_target
from topoimp.topology.forest import Forest

_MANY = 32
"""Edges of a line from which sorting the line is faster than counting the stronger weights of each edge."""


def positions_in_lines(layer: Layer, forest: Forest, lines: Lines, threads: int) -> IndexArray:
    """Return the position, from 1, of each edge of a forest among the weights of its line, the strongest first.

    Equal strengths are ordered by their place in the line.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.topology.forest import spanning_forest
    >>> layer = as_layer(np.array([[1.0, 3.0, 2.0], [0.5, 0.5, 0.0]]))
    >>> forest = spanning_forest(layer)
    >>> forest.indices.tolist(), positions_in_lines(layer, forest, lines_of(layer, forest), 1).tolist()
    ([1, 2, 0, 3], [1, 2, 3, 1])
    """
    of_edges = lines.of(layer, forest.indices)
    order = np.argsort(of_edges, kind="stable")
    starts = np.searchsorted(of_edges[order], np.arange(len(lines.edges) + 1))
    places = lines.places(layer, forest.indices)[order]
    found = np.empty(len(order), np.int64)

    def find(first: int, end: int) -> None:
        for start, stop in lines.parts(layer, first, end):
            ranks = lines.laid_out(layer, start, stop)
            own_starts = starts[start : stop + 1]
            is_long = np.diff(own_starts) >= _MANY
            find_positions(ranks, own_starts, places, is_long, found)
            for line in np.flatnonzero(is_long):
                part = slice(own_starts[line], own_starts[line + 1])
                found[part] = _sorted_positions(ranks[line])[places[part]]

    in_parallel(find, len(lines.edges), threads)
    positions = np.empty_like(found)
    positions[order] = found
    return positions


def safe_count_by_line(layer: Layer, forest: Forest, *, by_column: bool, threads: int) -> int:
    """Return a number of weights from which on magnitude pruning in the scope ``row`` keeps the layer's barcode.

    It is the smallest at which every edge of the order forest is kept; of equal strengths, fewer may do. 0 without
    edges.
    """
    lines = lines_of(layer, forest, by_column=by_column, threads=threads)
    needed = np.zeros(len(lines.edges), np.int64)
    positions = positions_in_lines(layer, forest, lines, threads)
    np.maximum.at(needed, lines.of(layer, forest.indices), positions)
    return safe_target(needed, lines.edges)


def _sorted_positions(ranks: CodeArray) -> IndexArray:
    """Return the position of each weight of a line, by a stable sort."""
    positions = np.empty(len(ranks), np.int64)
    positions[np.argsort(~ranks, kind="stable")] = np.arange(1, len(ranks) + 1)
    return positions
