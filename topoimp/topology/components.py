"""The connected components of a layer: their sizes, and a file of them.

A component is a set of rows and columns that edges join. A row or a column without an edge is a component of its own; a
layer of zeros has only such ones. The edges of the forest alone join the same components as all edges do.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from topoimp.arrays import IndexArray
from topoimp.kernels.components import join_edges, label_components
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class Components:
    """The components of a layer, the largest first, equal ones by their first row, then by their first column.

    Each array has the shape (beta0,). ``first_row`` and ``first_column`` are -1 where there is none.
    """

    n_vertices: IndexArray
    n_rows: IndexArray
    n_columns: IndexArray
    first_row: IndexArray
    first_column: IndexArray

    @property
    def n_joined(self) -> int:
        """Components of two vertices or more."""
        return int(np.count_nonzero(self.n_vertices > 1))

    @property
    def n_dead_rows(self) -> int:
        """Components that are a single row, which has no edge."""
        return int(np.count_nonzero(self.n_columns == 0))

    @property
    def n_dead_columns(self) -> int:
        """Components that are a single column, which has no edge."""
        return int(np.count_nonzero(self.n_rows == 0))


def components_of(forest: Forest) -> Components:
    """Return the components of a layer.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.topology.forest import spanning_forest
    >>> components_of(spanning_forest(as_layer(np.array([[4.0, 1.0, 0.0], [0.0, 0.0, 0.0]])))).n_vertices
    array([3, 1, 1])
    """
    parent = np.arange(forest.n_vertices)
    joining = np.empty(len(forest.indices), np.int64)
    join_edges(forest.indices, forest.n_columns, parent, len(joining), joining)
    labels = np.empty(forest.n_vertices, np.int32)
    label_components(parent, labels, np.empty_like(labels))

    # Components are numbered by their label, then put in order; rows are the first vertices.
    roots, first, number = np.unique(labels, return_index=True, return_inverse=True)
    n_rows = np.bincount(number[: forest.n_rows], minlength=len(roots))
    n_columns = np.bincount(number[forest.n_rows :], minlength=len(roots))
    order = np.lexsort((first, -(n_rows + n_columns)))

    first_column = np.full(len(roots), -1)
    with_columns, columns = np.unique(number[forest.n_rows :], return_index=True)
    first_column[with_columns] = columns
    first_row = np.where(first < forest.n_rows, first, -1)
    return Components(*(each[order] for each in (n_rows + n_columns, n_rows, n_columns, first_row, first_column)))


def largest_component(forest: Forest) -> int:
    """Return the number of vertices of the largest component."""
    return int(components_of(forest).n_vertices[0])


def write_components_csv(path: Path, layers: Iterable[tuple[str, Components]]) -> None:
    """Write components as CSV, a line each: layer, component (from 0, the largest), and the fields of ``Components``.

    The first row of a component without rows, and the first column of one without columns, are blank.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["layer", "component", *(field.name for field in fields(Components))])
        for name, components in layers:
            columns = [getattr(components, field.name).tolist() for field in fields(Components)]
            for number, sizes in enumerate(zip(*columns, strict=True)):
                table.writerow([name, number, *(None if size < 0 else size for size in sizes)])
