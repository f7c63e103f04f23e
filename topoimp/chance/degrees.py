"""Random graphs with the degrees of a given one, by swaps of edges: the null model ``degrees``.

A graph is a set of places, each a row and a column. A step takes two edges at random and exchanges their columns,
unless a place of the new edges is taken; then the graph stays as it is, and the step counts all the same. So every row
and every column keeps its number of edges. A step leads from one graph to another as often as back, and steps lead from
every graph to every other with the same degrees, so that all of these become equally likely.

From the given graph, ``STEPS_PER_EDGE`` steps per edge lead to a *hub*, and as many from the hub to each sample. If the
given graph is a random one of its degrees, it and the samples are exchangeable, whatever the number of steps: a p-value
is exact even where steps mix slowly. docs/theory.md, 6.8, has the proofs, and measures how soon a graph is forgotten.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from topoimp.arrays import ByteArray, IndexArray
from topoimp.kernels.components import join_edges
from topoimp.kernels.swapping import swap_edges

STEPS_PER_EDGE = 10
"""About five times the steps after which the rank of a graph is forgotten."""

BATCH = 1 << 18
"""Steps whose random numbers are drawn together, and bytes of places that are looked at together."""


@dataclass(frozen=True)
class Graph:
    """A bipartite graph whose edges can be swapped.

    Of a graph that has more than half of its places, the holes are swapped in place of the edges: a hole is a place
    without an edge. That leads to the same graphs.

    Args:
        rows: row of each edge, or hole; shape (n,).
        columns: column of each, no place twice.
        n_rows: number of rows.
        n_columns: number of columns.
        taken: a bit for each place, set for edges, or for holes, the first in the lowest bit.
        has_holes: whether holes are listed, and not edges.
    """

    rows: IndexArray
    columns: IndexArray
    n_rows: int
    n_columns: int
    taken: ByteArray
    has_holes: bool

    def rank(self) -> int:
        """Return the number of edges of a spanning forest."""
        parent = np.arange(self.n_rows + self.n_columns)
        most = max(self.n_rows + self.n_columns - 1, 0)

        n_joined = 0
        for flat in self._edges():
            scratch = np.empty(min(len(flat), most - n_joined), np.int64)
            n_joined += join_edges(flat, self.n_columns, parent, most - n_joined, scratch)
            if n_joined == most:
                break
        return n_joined

    def after(self, n_steps: int, rng: np.random.Generator) -> "Graph":
        """Return the graph to which a number of random steps lead."""
        graph = replace(self, columns=self.columns.copy(), taken=self.taken.copy())
        for start in range(0, n_steps if len(self.rows) else 0, BATCH):
            pairs = rng.integers(len(self.rows), size=(min(BATCH, n_steps - start), 2))
            swap_edges(graph.rows, graph.columns, graph.n_columns, graph.taken, pairs)
        return graph

    def _edges(self) -> Iterator[IndexArray]:
        """Yield the flat indices of the edges, part by part."""
        if not self.has_holes:
            yield self.rows * self.n_columns + self.columns
            return

        n_places = self.n_rows * self.n_columns
        for start in range(0, len(self.taken), BATCH):
            bits = np.unpackbits(~self.taken[start : start + BATCH], bitorder="little")
            yield 8 * start + np.flatnonzero(bits[: n_places - 8 * start])


def graph_of(flat: IndexArray, n_columns: int) -> Graph:
    """Return the graph of the edges at flat indices of a layer, without the rows and columns that have none of them."""
    rows, columns = np.divmod(flat, n_columns)
    live_rows, rows = np.unique(rows, return_inverse=True)
    live_columns, columns = np.unique(columns, return_inverse=True)
    shape = len(live_rows), len(live_columns)

    is_taken = np.zeros(shape, np.bool_)
    is_taken[rows, columns] = True
    has_holes = 2 * len(flat) > is_taken.size
    if has_holes:
        is_taken = ~is_taken
        rows, columns = np.nonzero(is_taken)
    return Graph(rows, columns, *shape, np.packbits(is_taken, bitorder="little"), has_holes)


def degree_preserving_ranks(graph: Graph, n_simulations: int, rng: np.random.Generator) -> list[int]:
    """Return the ranks of random graphs with the degrees of a given one.

    A graph that no swap can change is the only one with its degrees, and so all ranks are its own. More simulations of
    one generator begin with the ranks of fewer.
    """
    n_steps = STEPS_PER_EDGE * len(graph.rows)
    hub = graph.after(n_steps, rng)
    return [hub.after(n_steps, rng).rank() for _ in range(n_simulations)]
