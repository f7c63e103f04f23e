"""The compiled passes over a layer's weights, and nothing else.

Vertices are numbered rows first: row i is vertex i, column j is vertex n_rows + j. Components are kept as a union-find
forest in one array ``parent`` of shape (n_vertices,), a root being its own parent.
"""

import numba as nb
import numpy as np

from topoimp.arrays import IndexArray


@nb.njit(cache=True)
def root_of(parent: IndexArray, vertex: int) -> int:
    """Give the root of a vertex's component, halving the path to it."""
    while parent[vertex] != vertex:
        parent[vertex] = parent[parent[vertex]]
        vertex = parent[vertex]
    return vertex


@nb.njit(cache=True)
def join_edges(edges: IndexArray, n_columns: int, parent: IndexArray) -> IndexArray:
    """Give those of the edges that join two components, taking the edges in the order given (Kruskal's rule).

    Args:
        edges: flat indices into the layer, shape (n,).
        n_columns: columns of the layer.
        parent: components so far, shape (n_vertices,); updated.

    Returns:
        the joining edges, in the order given.
    """
    n_rows = parent.size - n_columns
    joining = np.empty(min(edges.size, parent.size), np.int64)
    n_joining = 0
    for edge in edges:
        row_root = root_of(parent, edge // n_columns)
        column_root = root_of(parent, n_rows + edge % n_columns)
        if row_root != column_root:
            parent[column_root] = row_root
            joining[n_joining] = edge
            n_joining += 1
    return joining[:n_joining]
