"""How far a layer can be pruned with its barcode preserved, by any method and by magnitude.

If kept weights are unchanged, a mask preserves the barcode exactly if and only if it contains a maximum spanning
forest. The forest has V - c edges (V vertices, c components): the *floor*. Magnitude pruning preserves the barcode
while it keeps the forest's last edge; the number of weights up to it in the order is the *magnitude-safe* count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from topoimp.checkpoint.number_format import common_bits
from topoimp.errors import OptionError
from topoimp.kernels.threads import thread_count
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
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


def round_half_up(value: Fraction) -> int:
    """Round to the nearest integer, halves up, exactly."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


_FIRST_DIGITS = 60
"""Decimal digits that nearly always decide the rounding of a count."""


def count_after(n_edges: int, kept: Fraction, rounds: int) -> int:
    """Return round(n_edges * kept^rounds), halves up, exactly.

    Sixty decimal digits decide all but the closest cases. After few rounds such a case can be a tie, which integers
    settle; after many it cannot, and more digits settle it.

    Args:
        n_edges: edges at round 0.
        kept: share that a round keeps, above 0 and below 1.
        rounds: at least 0.
    """
    # A tie needs the denominator of kept^rounds, 2^rounds at least, to divide twice the edges.
    can_tie = rounds <= (2 * n_edges).bit_length()
    digits = _FIRST_DIGITS
    while True:
        with localcontext() as context:
            context.prec = digits
            value = n_edges * (Decimal(kept.numerator) / kept.denominator) ** rounds + Decimal("0.5")
            # Only the side of the nearest integer matters.
            distance = abs(value - value.to_integral_value())
            if distance > Decimal(10) ** (10 - digits) * value * (rounds + 1):
                return int(value)
        if can_tie:
            return round_half_up(n_edges * kept**rounds)
        digits *= 2


def exact_rate(rate: float | Fraction) -> Fraction:
    """Return a rate as the fraction that its decimal digits say: 0.2 is 1/5.

    Raises:
        OptionError: if the rate is not above 0 and below 1.
    """
    if not 0 < rate < 1:
        raise OptionError(f"the rate is {rate}; it must be above 0 and below 1")
    return Fraction(str(rate))


def rounds_above(n_edges: int, n_needed: int, rate: float | Fraction) -> int | None:
    """Return the largest k with round(n_edges * (1 - rate)^k) >= n_needed, halves rounded up, exactly.

    Args:
        n_edges: edges at round 0.
        n_needed: the floor, or the magnitude-safe count; at most ``n_edges``.
        rate: share of the remaining weights that one round removes, above 0 and below 1.

    Returns:
        None if ``n_needed`` is 0: every k will do.

    >>> rounds_above(1000, 109, 0.2)
    9
    """
    if n_needed == 0:
        return None
    kept = 1 - exact_rate(rate)
    few, many = 0, 1  # few rounds leave enough, many do not
    while count_after(n_edges, kept, many) >= n_needed:
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if count_after(n_edges, kept, middle) >= n_needed else (few, middle)
    return few


@dataclass(frozen=True)
class LayerBound:
    """How far one layer can be pruned.

    Args:
        n_weights: weights, stored zeros included.
        n_edges: weights that are not zero.
        n_components: connected components.
        floor: edges of its forest.
        tau: strength (magnitude) of the forest's last edge; None without edges.
        safe_count: fewest strongest weights that keep the barcode; 0 without edges.
        vertex: the row or column that the forest's last edge attaches; None if it joins two larger components.
        last: flat index of the weight that is the forest's last edge; None without edges.
        certificate: upper bound of tau, as ``certificate_of``; None without edges.
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

    @property
    def n_vertices(self) -> int:
        """Rows and columns together."""
        return self.floor + self.n_components

    @property
    def is_tight(self) -> bool | None:
        """Whether the certificate equals tau; None without edges."""
        return None if self.tau is None else self.certificate == self.tau


def layer_bound(layer: Layer, forest: Forest, *, threads: int = 1) -> LayerBound:
    """Return how far a layer can be pruned, from its weights and its maximum spanning forest.

    In the view ``channel`` the counts are of weights, and the first strongest weight of a kernel stands for its edge.
    """
    n_edges = layer.n_edges_in_parallel()
    return LayerBound(
        n_weights=layer.n_weights,
        n_edges=forest.n_edges if n_edges is None else n_edges,
        n_components=forest.n_components,
        floor=len(forest.indices),
        tau=forest.weakest,
        safe_count=magnitude_safe_count(layer, forest, threads=thread_count(threads)),
        vertex=binding_vertex(forest),
        last=_last_weight(layer, forest),
        certificate=certificate_of(forest),
    )


def magnitude_safe_count(layer: Layer, forest: Forest, *, threads: int) -> int:
    """Return the fewest strongest weights that keep a layer's barcode: the position of its forest's last edge.

    With ties this can be fewer than a threshold on |w| would keep, as equal strengths are ordered by index. A layer
    without edges has 0.
    """
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
    """The strongest weights of all layers together that keep every layer's barcode.

    Args:
        count: position, in the order of all weights, of the forest edge that comes latest.
        layer: name of the layer of this edge.
    """

    count: int
    layer: str


def global_safe_count(stream: LayerStream, bounds: Mapping[str, LayerBound]) -> GlobalSafeCount | None:
    """Return the magnitude-safe count of one global order: (strength descending, tensor name, flat index).

    Args:
        stream: the layers; each is read once, but for the one that binds.
        bounds: by layer name, its bound.

    Returns:
        None if no layer has an edge.
    """
    infos = stream.layers.by_name
    taus = {name: bound.tau for name, bound in bounds.items() if bound.tau is not None}
    if not taus:
        return None
    tau = min(taus.values())
    binding = max((name for name in taus if taus[name] == tau), key=lambda name: infos[name].place)
    n_bits = common_bits(info.number_format for info in infos.values())
    rank = int(ranks_of(np.array([tau]), n_bits)[0])

    def count(layer: Layer, threads: int) -> int:
        # Equal strengths are ordered by name, then by index.
        end = layer.n_weights - 1 if infos[layer.name].place < infos[binding].place else -1
        return count_by_strength(layer, Threshold(rank, end), n_bits=n_bits, threads=threads)

    # The binding layer keeps its own safe count, so it is not read again.
    others = tuple(info for info in infos.values() if info.name != binding)
    counts = replace(stream, layers=replace(stream.layers, infos=others)).each(count) if others else {}
    return GlobalSafeCount(bounds[binding].safe_count + sum(counts.values()), binding)


def binding_vertex(forest: Forest) -> Vertex | None:
    """Return the vertex that the forest's last edge attaches, if it was isolated before; the row if both were.

    Its strongest weight is tau, so magnitude pruning just beyond the safe count isolates it.

    Returns:
        None without edges, or if the last edge joins two larger components (block structure).
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

    >>> from topoimp.topology.forest import spanning_forest
    >>> from topoimp.layers.layer import as_layer
    >>> certificate_of(spanning_forest(as_layer(np.array([[3.0, 1.0], [2.0, 0.5]]))))
    1.0
    """
    if len(forest.indices) == 0:
        return None
    rows, columns = np.divmod(forest.indices, forest.n_columns)
    largest = np.zeros(forest.n_vertices)
    # Weakest first, so that the strongest edge of each vertex is the one that stays.
    largest[rows[::-1]] = forest.strengths[::-1]
    largest[forest.n_rows + columns[::-1]] = forest.strengths[::-1]
    return float(largest[largest > 0].min())
