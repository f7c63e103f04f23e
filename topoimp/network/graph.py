"""The glued graph of a network: which vertices the layers share, without any weights.

A *place* is a row of vertices: the inputs, the neurons or channels behind a layer, the sum at the end of a residual
block. A *connection* joins the vertices of one place to those of a later one: by the weights of a layer, or one to one.
Activations and pooling change no vertex and do not appear. A path goes from an input to an output along connections.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod

from topoimp.errors import LayerError


@dataclass(frozen=True)
class Connection:
    """Edges from one place to another.

    Args:
        source: the place that the edges leave.
        target: the place that they enter.
        layer: the layer whose weights are the edges: that in row r and column c goes from vertex
            ``first_source + c // columns_per_vertex`` to vertex ``first_target + r``. The columns of a vertex are the
            weights of a kernel, the pixels of a flattened channel, or both. None for edges that are never pruned
            and have strength 1: from vertex ``first_source + i`` to vertex ``first_target + i``, for all i that both
            places have.
        columns_per_vertex: columns of the layer that belong to one vertex of the source.
        first_source: the first vertex of the source that the edges leave; not 0 for later groups of a convolution.
        first_target: the first vertex of the target that they enter; not 0 for later ones of channels in a row.
        norm: the module of batch norm that multiplies what enters each vertex of the target; None for 1.
        norm_epsilon: added to the variance by that norm.
        groups: groups of a convolution: equal runs of rows, of which each reads the vertices that follow those of the
            run before it, as many as a row has.
    """

    source: str
    target: str
    layer: str | None = None
    columns_per_vertex: int = 1
    first_source: int = 0
    first_target: int = 0
    norm: str | None = None
    norm_epsilon: float = 1e-5
    groups: int = 1


@dataclass(frozen=True)
class NetworkGraph:
    """The places of a network and their numbers of vertices, inputs first, outputs last, and what joins them.

    Every connection enters a place later than the one that it leaves, every place but the first is entered, and every
    place but the last is left.

    Raises:
        LayerError: if that does not hold.
    """

    places: Mapping[str, int]
    connections: tuple[Connection, ...]

    def __post_init__(self) -> None:
        """Check the order of the places."""
        order = {place: number for number, place in enumerate(self.places)}
        for connection in self.connections:
            if order[connection.source] >= order[connection.target]:
                raise LayerError(f"the places {connection.source} and {connection.target} are not in forward order")
        lone = [
            place
            for place in order
            if (place != self.inputs and all(place != each.target for each in self.connections))
            or (place != self.outputs and all(place != each.source for each in self.connections))
        ]
        if lone:
            raise LayerError(f"nothing joins the place {lone[0]} to the inputs or to the outputs of the network")

    @property
    def inputs(self) -> str:
        """The first place."""
        return next(iter(self.places))

    @property
    def outputs(self) -> str:
        """The last place."""
        return list(self.places)[-1]

    @property
    def layers(self) -> list[str]:
        """The names of the layers, in the order of the connections."""
        return [connection.layer for connection in self.connections if connection.layer is not None]

    @property
    def by_target(self) -> list[Connection]:
        """The connections in the order of the places that they enter: after all that lead to their sources."""
        order = {place: number for number, place in enumerate(self.places)}
        return sorted(self.connections, key=lambda each: order[each.target])

    @property
    def first_vertices(self) -> dict[str, int]:
        """The number of each place's first vertex, if all vertices are counted in the order of the places."""
        return dict(zip(self.places, accumulate(self.places.values(), initial=0), strict=False))

    @property
    def n_vertices(self) -> int:
        """Vertices of all places together."""
        return sum(self.places.values())


def joined_vertices(graph: NetworkGraph, connection: Connection, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the vertices of the source and of the target that a layer of ``shape`` (rows, columns) joins.

    Vertices are numbered from 0 in each place. ``shape`` is not looked at for a connection that joins one to one.

    Raises:
        LayerError: if the layer does not have the rows and columns that the graph gives it, or has several groups.

    >>> graph = chain_graph({"conv": (20, 1, 5, 5), "fc": (10, 2880)})
    >>> joined_vertices(graph, graph.connections[1], (10, 2880))
    (slice(0, 20, None), slice(0, 10, None))
    """
    if connection.groups != 1:
        groups = f"{connection.groups} groups of rows, each of which joins other vertices"
        raise LayerError(f"layer {connection.layer} has {groups}; 1 is needed for one graph of the layer")
    n_outputs = graph.places[connection.target] - connection.first_target
    n_inputs = graph.places[connection.source] - connection.first_source
    if connection.layer is None:
        n_targets = n_sources = min(n_inputs, n_outputs)
    else:
        n_targets, n_columns = shape
        n_sources, rest = divmod(n_columns, connection.columns_per_vertex)
        if rest or n_sources > n_inputs or n_targets > n_outputs:
            raise LayerError(
                f"layer {connection.layer} has {n_targets} rows and {n_columns} columns, but the network has "
                f"{n_outputs} outputs and {n_inputs * connection.columns_per_vertex} inputs for it"
            )

    sources = slice(connection.first_source, connection.first_source + n_sources)
    targets = slice(connection.first_target, connection.first_target + n_targets)
    return sources, targets


def groups_of(connection: Connection, n_rows: int, n_columns: int) -> list[tuple[slice, Connection]]:
    """Return the rows of each group of a layer, and the connection that they are by themselves.

    Raises:
        LayerError: if the groups cannot have equal numbers of rows.

    >>> depthwise = Connection("inputs", "conv", "conv", columns_per_vertex=9, groups=2)
    >>> [(rows, each.first_source, each.first_target) for rows, each in groups_of(depthwise, 2, 9)]
    [(slice(0, 1, None), 0, 0), (slice(1, 2, None), 1, 1)]
    """
    if connection.groups == 1:
        return [(slice(0, n_rows), connection)]
    if n_rows % connection.groups:
        raise LayerError(f"layer {connection.layer} has {n_rows} rows, which are not {connection.groups} equal groups")

    height, n_read = n_rows // connection.groups, n_columns // connection.columns_per_vertex
    return [
        (
            slice(group * height, (group + 1) * height),
            replace(
                connection,
                first_source=connection.first_source + group * n_read,
                first_target=connection.first_target + group * height,
                groups=1,
            ),
        )
        for group in range(connection.groups)
    ]


def chain_graph(shapes: Mapping[str, tuple[int, ...]]) -> NetworkGraph:
    """Return the graph of layers that follow one another, the first one at the inputs.

    Args:
        shapes: the shape of each layer's tensor, (out, in) or (out, in, height, width) and so on, in their order. A
            layer may have a multiple of the columns that its vertices need: a convolution has one for each weight of
            a kernel, a dense layer behind a convolution one for each pixel of a flattened channel.

    Raises:
        LayerError: if there is no layer, or a layer does not fit the one before it.

    >>> chain_graph({"fc1": (300, 784), "fc2": (10, 300)}).places
    {'inputs': 784, 'fc1': 300, 'fc2': 10}
    >>> chain_graph({"conv": (20, 1, 5, 5), "fc": (10, 2880)}).connections[1].columns_per_vertex
    144
    """
    if not shapes:
        raise LayerError("a chain needs at least one layer")
    (_, n_inputs, *_), *_ = shapes.values()
    places = {"inputs": n_inputs}
    connections = []
    for (source, n_source), (name, (n_target, *axes)) in zip(_before(n_inputs, shapes), shapes.items(), strict=True):
        n_columns, side = prod(axes), prod(axes[1:])
        if n_columns % (n_source * side):
            raise LayerError(
                f"layer {name} reads {axes[0]} inputs, but {source} before it in the chain has {n_source} outputs; "
                "a layer needs as many, or a multiple of it behind a flattened image"
            )
        connections.append(Connection(source, name, name, n_columns // n_source))
        places[name] = n_target
    return NetworkGraph(places, tuple(connections))


def _before(n_inputs: int, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, int]]:
    """Return the place before each layer of a chain and its number of vertices."""
    yield "inputs", n_inputs
    yield from [(name, shape[0]) for name, shape in shapes.items()][:-1]
