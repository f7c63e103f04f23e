"""How far a layer can be pruned with its barcode preserved, by any method and by magnitude.

A mask that leaves kept weights unchanged preserves the barcode if and only if it contains a maximum spanning forest,
which has V - c edges (V vertices, c components): the *floor*. Magnitude pruning preserves the barcode while it keeps
the forest's last edge; the number of weights up to it in the order is the *magnitude-safe* count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from topoimp.checkpoint.number_format import common_bits
from topoimp.kernels.threads import thread_count
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.line_positions import safe_count_by_line
from topoimp.pruning.ranking import count_by_strength, ranks_of
from topoimp.pruning.selection import Threshold
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class Vertex:
    """A row or a column of a layer."""

    side: str
    index: int

    def __str__(self) -> str:
        return f"{self.side} {self.index}"


def critical_density(floor: int, n_edges: int) -> float | None:
    """Return the smallest share of the edges that can keep the barcode; None without edges."""
    return floor / n_edges if n_edges else None


def critical_compression(floor: int, n_edges: int) -> float | None:
    """Return the largest compression of the edges that can keep the barcode; None without edges.

    >>> round(critical_compression(300 + 784 - 1 + 100 + 300 - 1 + 10 + 100 - 1, 266_200), 1)  # LeNet-300-100
    167.3
    """
    return n_edges / floor if n_edges else None


@dataclass(frozen=True)
class LayerBound:
    """How far one layer can be pruned.

    Args:
        n_weights: weights, stored zeros included.
        n_edges: weights that are not zero, in the view ``channel`` too.
        n_components: connected components.
        floor: edges of its forest.
        tau: strength (magnitude) of the forest's last edge; None without edges.
        safe_count: fewest strongest weights that keep the barcode; 0 without edges.
        vertex: the row or column that the forest's last edge attaches; None if it joins two larger components.
        last: flat index of the weight that is the forest's last edge; None without edges.
        certificate: upper bound of tau, as ``certificate_of``; None without edges.
        safe_count_row: number of weights from which on magnitude pruning in the scope ``row`` keeps the barcode; None
            in the view ``channel``.
    """

    n_weights: int
    n_edges: int
    n_components: int
    floor: int
    tau: float | None
    safe_count: int
    vertex: Vertex | None
    last: int | None = None
    certificate: float | None = None
    safe_count_row: int | None = None

    @property
    def n_vertices(self) -> int:
        """Rows and columns together."""
        return self.floor + self.n_components

    @property
    def is_tight(self) -> bool | None:
        """Whether the certificate equals tau; None without edges."""
        return None if self.tau is None else self.certificate == self.tau


def layer_bound(layer: Layer, forest: Forest, *, by_column: bool = False, threads: int = 1) -> LayerBound:
    """Return how far a layer can be pruned, from its weights and its maximum spanning forest.

    In the view ``channel`` the counts are of weights, and the first strongest weight of a kernel is its edge. The
    outputs of the layer are its rows, or with ``by_column`` its columns.
    """
    n_edges = layer.n_edges_in_parallel()
    n_threads = thread_count(threads)
    by_row = None if n_edges is not None else safe_count_by_line(layer, forest, by_column=by_column, threads=n_threads)
    return LayerBound(
        n_weights=layer.n_weights,
        n_edges=forest.n_edges if n_edges is None else n_edges,
        n_components=forest.n_components,
        floor=len(forest.indices),
        tau=forest.weakest,
        safe_count=magnitude_safe_count(layer, forest, threads=n_threads),
        vertex=binding_vertex(forest),
        last=_last_weight(layer, forest),
        certificate=certificate_of(forest),
        safe_count_row=by_row,
    )


def magnitude_safe_count(layer: Layer, forest: Forest, *, threads: int) -> int:
    """Return the position of the forest's last edge in the order of strengths, ties by index; 0 without edges."""
    last = _last_weight(layer, forest)
    if last is None:
        return 0
    n_bits = common_bits([layer.number_format])
    rank = int(ranks_of(forest.strengths[-1:], n_bits)[0])
    return count_by_strength(layer, Threshold(rank, last), n_bits=n_bits, threads=threads)


def _last_weight(layer: Layer, forest: Forest) -> int | None:
    """Return the flat index of the forest's last edge; of parallel edges, that of the first strongest."""
    if len(forest.indices) == 0:
        return None
    last = int(forest.indices[-1])
    if layer.parallel is None:
        return last
    n_parallel = layer.parallel.shape[2]
    kernel = layer.number_format.magnitudes(layer.weights[last * n_parallel : (last + 1) * n_parallel])
    return int(last * n_parallel + np.argmax(kernel))


@dataclass(frozen=True)
class GlobalSafeCount:
    """The position, in the order of all weights, of the last forest edge of all layers, and the layer of this edge."""

    count: int
    layer: str


def global_safe_count(stream: LayerStream, bounds: Mapping[str, LayerBound]) -> GlobalSafeCount | None:
    """Return the magnitude-safe count of one global order: (strength descending, tensor name, flat index).

    It is None if no layer has an edge. Each layer is read once, but for the one of the last forest edge.
    """
    infos = stream.layers.by_name
    taus = {name: bound.tau for name, bound in bounds.items() if bound.tau is not None}
    if not taus:
        return None
    tau = min(taus.values())
    binding = max((name for name in taus if taus[name] == tau), key=lambda name: infos[name].place)
    n_bits = common_bits(info.number_format for info in infos.values())
    rank = int(ranks_of(np.array([tau]), n_bits)[0])

    # Equal strengths are ordered by name, then by index. The binding layer keeps its own safe count, so it is not read
    # again.
    others = tuple(info for info in infos.values() if info.name != binding)
    ends = {info.name: info.n_weights - 1 if info.place < infos[binding].place else -1 for info in others}
    of_others = replace(stream, layers=replace(stream.layers, infos=others))
    counts = of_others.each_with(_CountAbove(rank, n_bits), ends) if others else {}
    return GlobalSafeCount(bounds[binding].safe_count + sum(counts.values()), binding)


@dataclass(frozen=True)
class _CountAbove:
    """Counts a layer's weights above a rank, and those of this rank up to an index."""

    rank: int
    n_bits: int

    def __call__(self, layer: Layer, end: int, threads: int) -> int:
        return count_by_strength(layer, Threshold(self.rank, end), n_bits=self.n_bits, threads=threads)


def binding_vertex(forest: Forest) -> Vertex | None:
    """Return the vertex that the forest's last edge attaches, if it was isolated before; the row if both were.

    Its strongest weight is tau, so magnitude pruning just beyond the safe count isolates it. None without edges, or if
    the last edge joins two larger components (block structure).
    """
    if len(forest.indices) == 0:
        return None
    rows, columns = np.divmod(forest.indices, forest.n_columns)
    if np.count_nonzero(rows == rows[-1]) == 1:
        return Vertex("row", int(rows[-1]))
    if np.count_nonzero(columns == columns[-1]) == 1:
        return Vertex("column", int(columns[-1]))
    return None


def certificate_of(forest: Forest) -> float | None:
    """Return the smallest, over the vertices that have an edge, of the vertex's largest strength; None without edges.

    For the weights [[3, 1], [2, 0.5]] it is 1, the largest of the second column.
    """
    if len(forest.indices) == 0:
        return None
    rows, columns = np.divmod(forest.indices, forest.n_columns)
    largest = np.zeros(forest.n_vertices)
    # Weakest first, so that the strongest edge of each vertex is the one that stays.
    largest[rows[::-1]] = forest.strengths[::-1]
    largest[forest.n_rows + columns[::-1]] = forest.strengths[::-1]
    return float(largest[largest > 0].min())
