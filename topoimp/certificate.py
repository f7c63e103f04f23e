"""A bound of what magnitude pruning may remove that needs no forest: every vertex must keep its strongest edge.

A vertex that loses all of its edges becomes a component of its own, so a threshold above the largest strength at any
one vertex changes the barcode: the smallest of these, over the vertices that have an edge, is never below the strength
tau of the forest's last edge. It can be found in one pass over the weights, by the largest of each row and column, or
from a forest, which has the first strongest edge of every vertex. Where strengths have no structure it equals tau, with
a probability that tends to 1 in large layers: the last edge attaches the last lone vertex. A gap shows that the last
edge joins two larger parts.

Source: Bollobas & Thomason, "Random graphs of small order", 1985: random graphs become connected as the last lone
vertex goes.
"""

import numpy as np

from topoimp.forest import Forest


def certificate_of(forest: Forest) -> float | None:
    """Give the smallest, over the vertices that have an edge, of the vertex's largest strength; None without edges.

    Args:
        forest: of the layer.

    >>> from topoimp.forest import spanning_forest
    >>> from topoimp.layers import as_layer
    >>> certificate_of(spanning_forest(as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))))
    1.0
    """
    if len(forest.indices) == 0:
        return None
    rows, columns = np.divmod(forest.indices, forest.n_columns)
    largest = np.zeros(forest.n_vertices)
    # Written weakest first, so that what stays is the strongest of each vertex.
    largest[rows[::-1]] = forest.strengths[::-1]
    largest[forest.n_rows + columns[::-1]] = forest.strengths[::-1]
    return float(largest[largest > 0].min())
