"""The maximum spanning forest of a layer: the weights that hold it together.

Edges are totally ordered by descending strength (|w|), equal strengths by ascending flat index. The forest is the
unique maximum spanning forest in that order, so it depends neither on threads nor on the machine. A stored zero is no
edge; a layer without edges has an empty forest and as many components as vertices.

The time is about that of reading the layer once, by *filter, then finish*. ``strong_edges`` collects a few edges per
vertex, which Kruskal's rule joins; they connect most of the layer. ``boruvka`` joins the remaining components. Both
compare edges by the total order, and the collected edges are a prefix of it, so together they find the one forest.
"""

from dataclasses import dataclass

import numpy as np

from topoimp.arrays import FloatArray, IndexArray
from topoimp.kernels.threads import thread_count
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.topology.boruvka import finish, joining
from topoimp.topology.strong_edges import collect


class ForestCounts:
    """The counts of a forest, and the strengths of its edges: what a ``Forest`` and a ``ForestSummary`` share.

    ``strengths`` are the exact |w| of the forest's edges, descending, shape (n,).
    """

    n_rows: int
    n_columns: int
    n_edges: int
    strengths: FloatArray

    @property
    def n_vertices(self) -> int:
        """Rows and columns together."""
        return self.n_rows + self.n_columns

    @property
    def n_components(self) -> int:
        """Connected components (beta0); a row or column without edges is one."""
        return self.n_vertices - len(self.strengths)

    @property
    def n_cycles(self) -> int:
        """Independent cycles (beta1) of the layer."""
        return self.n_edges - len(self.strengths)

    @property
    def weakest(self) -> float | None:
        """Strength of the forest's weakest edge; None without edges."""
        return float(self.strengths[-1]) if len(self.strengths) else None

    @property
    def strongest(self) -> float | None:
        """Strength of the layer's strongest edge, which every maximum spanning forest contains; None without edges."""
        return float(self.strengths[0]) if len(self.strengths) else None


@dataclass(frozen=True)
class Forest(ForestCounts):
    """The maximum spanning forest of a layer with ``n_edges`` edges, one forest edge per finite bar of its barcode.

    ``indices`` are the flat indices of the forest's edges, strongest first, equal ones by index, and ``strengths``
    their exact |w|; both have the shape (n,).
    """

    n_rows: int
    n_columns: int
    n_edges: int
    indices: IndexArray
    strengths: FloatArray


def spanning_forest(layer: Layer, *, threads: int = 1) -> Forest:
    """Return the maximum spanning forest of a layer; a single row or column is a layer too.

    Raises:
        LayerError: if a weight is NaN or infinite.
        OptionError: if the number of threads is below 1.

    >>> from topoimp.layers.layer import as_layer
    >>> spanning_forest(as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))).indices
    array([0, 2, 1])
    """
    threads = thread_count(threads)
    strong = collect(layer, threads)
    if strong.largest >= layer.number_format.first_special:
        layer.check_finite()

    # Filter: Kruskal's rule on the strongest edges.
    parent = np.arange(layer.n_vertices)
    most = layer.n_vertices - 1
    indices = joining(strong.indices, layer.n_columns, parent, most)

    # Finish: Boruvka's rule on the components that they leave.
    if not strong.is_all and len(indices) < most:
        indices = np.concatenate([indices, finish(layer, parent, most - len(indices), threads)])

    strengths = layer.number_format.strengths(layer.codes.reshape(-1)[indices])
    return Forest(layer.n_rows, layer.n_columns, strong.n_edges, indices, strengths)


def spanning_forests(stream: LayerStream) -> dict[str, Forest]:
    """Return the maximum spanning forest of each layer of a checkpoint, by layer name."""
    return stream.each(_forest_of)


def _forest_of(layer: Layer, threads: int) -> Forest:
    return spanning_forest(layer, threads=threads)
