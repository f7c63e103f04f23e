"""Which kept weights of a network lie on paths from its inputs to its outputs, and how many pieces they leave.

A vertex is *live* if a path of kept weights and one-to-one edges leads to it from an input, and one from it to an
output. A kept weight is *off-path* if an end of it is not live: nothing that depends on an input passes it, or nothing
of what it computes arrives. Both ends of any other kept weight are live, so that it lies on a path itself. An input
that no path leaves is not live, nor is an output that none reaches.

The components are those of the graph of all vertices, live or not, inputs and outputs included: a vertex without an
edge is a component of its own, as in a single layer.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.kernels.components import join_kept, join_one_to_one
from topoimp.kernels.reaching import reach_columns, reach_rows
from topoimp.kernels.threads import PIECE
from topoimp.network.graph import Connection, NetworkGraph, groups_of, joined_vertices

Flags: TypeAlias = Callable[[int, int], BoolArray]
"""A function that flags the kept weights of a layer from one flat index to another."""


@dataclass(frozen=True)
class KeptWeights:
    """The kept weights of a layer of ``shape`` (rows, columns), read a few rows at a time."""

    shape: tuple[int, int]
    flags: Flags

    def of_rows(self, rows: slice) -> "KeptWeights":
        """Return the kept weights of some rows."""
        first = rows.start * self.shape[1]
        shape = rows.stop - rows.start, self.shape[1]
        return KeptWeights(shape, lambda start, stop: self.flags(first + start, first + stop))

    def blocks(self) -> Iterator[tuple[slice, BoolArray]]:
        """Yield some rows after the other, and a flag for each of their weights, shape (rows, columns)."""
        n_rows, n_columns = self.shape
        step = max(PIECE // n_columns, 1)
        for start in range(0, n_rows, step):
            stop = min(start + step, n_rows)
            yield slice(start, stop), self.flags(start * n_columns, stop * n_columns).reshape(-1, n_columns)


@dataclass(frozen=True)
class OnPaths:
    """The kept weights of a layer, or of several.

    Args:
        n_weights: weights, kept or not.
        n_kept: weights kept.
        n_off_path: kept weights that lie on no path from an input to an output.
    """

    n_weights: int
    n_kept: int
    n_off_path: int

    @property
    def effective_density(self) -> float:
        """Share of the weights that are kept and lie on a path."""
        return (self.n_kept - self.n_off_path) / self.n_weights


@dataclass(frozen=True)
class PathFacts:
    """The kept weights of a network as one graph.

    Args:
        layers: the kept weights by layer, in the order of the connections.
        live: by place, whether each of its vertices is live.
        beta0_glued: components of the graph of all vertices.
    """

    layers: Mapping[str, OnPaths]
    live: Mapping[str, BoolArray]
    beta0_glued: int

    @property
    def live_vertices(self) -> int:
        """Number of live vertices."""
        return sum(int(np.count_nonzero(flags)) for flags in self.live.values())

    def total(self, layers: Sequence[str]) -> OnPaths:
        """Return the numbers of several layers together, at least one."""
        found = [self.layers[layer] for layer in layers]
        columns = zip(*((each.n_weights, each.n_kept, each.n_off_path) for each in found), strict=True)
        return OnPaths(*map(sum, columns))


def path_facts(graph: NetworkGraph, kept: Callable[[str], KeptWeights]) -> PathFacts:
    """Return the live vertices, off-path weights and components of a network.

    Args:
        graph: the network.
        kept: the kept weights of a layer, given its name. Each layer is read twice, first from the inputs to the
            outputs, then back.

    Raises:
        LayerError: if a layer does not have the rows and columns that the graph gives it.

    >>> from topoimp.network.graph import chain_graph
    >>> weights = {"fc1": np.array([[1, 1, 0], [0, 1, 0]]), "fc2": np.array([[0, 1], [0, 0]])}
    >>> graph = chain_graph({name: weight.shape for name, weight in weights.items()})
    >>> found = path_facts(graph, lambda name: kept_in(weights[name]))
    >>> {name: layer.n_off_path for name, layer in found.layers.items()}  # the row 0 of fc1 ends in nothing
    {'fc1': 2, 'fc2': 0}
    >>> found.live_vertices, found.beta0_glued
    (3, 3)
    """
    parent = np.arange(graph.n_vertices)
    reached, n_joining = _reached(graph, kept, parent)
    layers, reaching = _on_paths(graph, kept, reached)
    live = {place: reached[place] & reaching[place] for place in graph.places}
    return PathFacts(layers, live, graph.n_vertices - n_joining)


def off_path_share(graph: NetworkGraph, kept: Callable[[str], KeptWeights], names: Collection[str]) -> float:
    """Return which share of the kept weights of some layers together lies on no path; 0 if they keep none.

    Args:
        graph: the network.
        kept: the kept weights of each layer of the graph, as ``path_facts`` takes them.
        names: the layers whose weights count; names that the graph does not have are left alone.

    >>> from topoimp.network.graph import chain_graph
    >>> weights = {"fc1": np.array([[1, 1]]), "fc2": np.array([[1], [0]])}
    >>> graph = chain_graph({"fc1": (1, 2), "fc2": (2, 1)})
    >>> off_path_share(graph, lambda name: kept_in(weights[name]), ["fc1", "fc2"])
    0.0
    """
    reached, _ = _reached(graph, kept, None)
    layers, _ = _on_paths(graph, kept, reached)
    counted = [layers[name] for name in layers.keys() & names]
    return sum(layer.n_off_path for layer in counted) / max(sum(layer.n_kept for layer in counted), 1)


def kept_in(weight: np.ndarray) -> KeptWeights:
    """Return the weights of an array that are not 0 as the kept ones; all axes but the first are flattened."""
    flags = (weight if weight.dtype == np.bool_ else np.not_equal(weight, 0)).reshape(-1)
    return KeptWeights((len(weight), flags.size // len(weight)), lambda start, stop: flags[start:stop])


def _on_paths(
    graph: NetworkGraph, kept: Callable[[str], KeptWeights], reached: Mapping[str, BoolArray]
) -> tuple[dict[str, OnPaths], dict[str, BoolArray]]:
    """Return the kept weights by layer, and by place which vertices reach an output."""
    reaching = {place: np.zeros(size, dtype=np.bool_) for place, size in graph.places.items()}
    reaching[graph.outputs][:] = True

    # Connections that leave a place are looked at once all that follow it are.
    layers: dict[str, OnPaths] = {}
    for each in _by_source(graph):
        before, after = reaching[each.source], reaching[each.target]
        if each.layer is None:
            sources, targets = joined_vertices(graph, each, (0, 0))
            before[sources] |= after[targets]
            continue

        weights = kept(each.layer)
        counts = np.zeros(2, dtype=np.int64)
        for of_group, group in groups_of(each, *weights.shape):
            part = weights.of_rows(of_group)
            sources, targets = joined_vertices(graph, group, part.shape)
            for rows, flags in part.blocks():
                reach_columns(
                    flags,
                    each.columns_per_vertex,
                    after[targets][rows],
                    reached[each.source][sources],
                    before[sources],
                    counts,
                )
        n_kept, n_on_path = counts.tolist()
        layers[each.layer] = OnPaths(weights.shape[0] * weights.shape[1], n_kept, n_kept - n_on_path)

    return {layer: layers[layer] for layer in graph.layers}, reaching


def _reached(
    graph: NetworkGraph, kept: Callable[[str], KeptWeights], parent: IndexArray | None
) -> tuple[dict[str, BoolArray], int]:
    """Return by place which vertices the inputs reach, and how many edges joined two components.

    ``parent`` holds the components of all vertices, each alone at first; without it none are joined.
    """
    reached = {place: np.zeros(size, dtype=np.bool_) for place, size in graph.places.items()}
    reached[graph.inputs][:] = True
    first = graph.first_vertices
    n_joining = 0

    for each in graph.by_target:
        before, after = reached[each.source], reached[each.target]
        first_target, first_source = first[each.target], first[each.source]
        if each.layer is None:
            sources, targets = joined_vertices(graph, each, (0, 0))
            after[targets] |= before[sources]
            n_joined = targets.stop - targets.start
            ends = first_target + targets.start, first_source + sources.start
            n_joining += 0 if parent is None else join_one_to_one(*ends, n_joined, parent)
            continue

        weights = kept(each.layer)
        for of_group, group in groups_of(each, *weights.shape):
            part = weights.of_rows(of_group)
            sources, targets = joined_vertices(graph, group, part.shape)
            of_source = first_source + sources.start
            for rows, flags in part.blocks():
                reach_rows(flags, each.columns_per_vertex, before[sources], after[targets][rows])
                of_rows = first_target + targets.start + rows.start
                if parent is not None:
                    n_joining += join_kept(flags, each.columns_per_vertex, of_rows, of_source, parent)
    return reached, n_joining


def _by_source(graph: NetworkGraph) -> list[Connection]:
    order = list(graph.places)
    return sorted(graph.connections, key=lambda each: -order.index(each.source))
