"""What others do: the same forest, by the tools that people would pick."""

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

Strengths = np.ndarray


def gudhi_forest(strengths: Strengths) -> int:
    """Give the number of finite H0 bars, by GUDHI's simplex tree."""
    import gudhi

    rows, columns = np.nonzero(strengths)
    complex_ = gudhi.SimplexTree()
    vertices = np.arange(sum(strengths.shape), dtype=np.int32)
    complex_.insert_batch(vertices[None, :], np.full(len(vertices), -strengths.max()))
    edges = np.stack([rows, strengths.shape[0] + columns]).astype(np.int32)
    complex_.insert_batch(edges, -strengths[rows, columns])
    complex_.compute_persistence(min_persistence=-1, persistence_dim_max=False)
    return int(np.isfinite(complex_.persistence_intervals_in_dimension(0)[:, 1]).sum())


def scipy_forest(strengths: Strengths) -> int:
    """Give the number of forest edges, by SciPy's minimum spanning tree of a sparse graph."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    rows, columns = np.nonzero(strengths)
    n = sum(strengths.shape)
    # Weights must be above 0, or they count as absent.
    distances = 2 * strengths.max() - strengths[rows, columns]
    graph = coo_array((distances, (rows, strengths.shape[0] + columns)), shape=(n, n)).tocsr()
    return int(minimum_spanning_tree(graph, overwrite=True).nnz)


def giotto_forest(strengths: Strengths) -> int:
    """Give the number of finite H0 bars, by giotto-ph's parallel ripser."""
    from gph import ripser_parallel
    from scipy.sparse import coo_matrix

    rows, columns = np.nonzero(strengths)
    n = sum(strengths.shape)
    distances = 2 * strengths.max() - strengths[rows, columns]
    graph = coo_matrix((distances, (rows, strengths.shape[0] + columns)), shape=(n, n))
    bars = ripser_parallel(graph, metric="precomputed", maxdim=0, n_threads=-1)["dgms"][0]
    return int(np.isfinite(bars[:, 1]).sum())


def prim_forest(strengths: Strengths) -> int:
    """Give the number of forest edges of a connected layer, by Prim's rule on the dense matrix."""
    n_rows, n_columns = strengths.shape
    transposed = np.ascontiguousarray(strengths.T)
    row_best, column_best = np.full(n_rows, -1.0, strengths.dtype), strengths[0].copy()
    row_done, column_done = np.zeros(n_rows, bool), np.zeros(n_columns, bool)
    row_done[0] = True
    n_edges = 0
    for _ in range(n_rows + n_columns - 1):
        row = int(np.argmax(np.where(row_done, -1, row_best)))
        column = int(np.argmax(np.where(column_done, -1, column_best)))
        best_row, best_column = (
            -1 if row_done[row] else row_best[row],
            -1 if column_done[column] else column_best[column],
        )
        if max(best_row, best_column) <= 0:
            break
        n_edges += 1
        if best_row >= best_column:
            row_done[row] = True
            np.maximum(column_best, strengths[row], out=column_best)
        else:
            column_done[column] = True
            np.maximum(row_best, transposed[column], out=row_best)
    return n_edges


def sort_forest(strengths: Strengths) -> int:
    """Give the number of forest edges, by sorting all edges and joining them: what one would write in an afternoon."""
    from topoimp.kernels.components import join_edges

    order = np.argsort(-strengths.ravel(), kind="stable")
    n_vertices = sum(strengths.shape)
    joining = np.empty(n_vertices - 1, np.int64)
    return int(join_edges(order, strengths.shape[1], np.arange(n_vertices), n_vertices - 1, joining))


PEERS: MappingProxyType[str, Callable[[Strengths], int]] = MappingProxyType(
    {
        "GUDHI": gudhi_forest,
        "SciPy": scipy_forest,
        "giotto-ph": giotto_forest,
        "dense Prim": prim_forest,
        "argsort and union-find": sort_forest,
    }
)
