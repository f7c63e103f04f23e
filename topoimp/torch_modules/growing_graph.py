"""The places and connections of the part of a network that has been read, and the vertices that a tensor holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import prod

from topoimp.errors import LayerError
from topoimp.network.graph import Connection, NetworkGraph
from topoimp.network.merged_places import merged_places

INPUTS = "inputs"


class Axes(Enum):
    """The axes of a tensor, the batch first, on which its vertices lie."""

    UNREAD = "no layer has read these inputs"
    CHANNELS = "axis 1, and all further axes are pixels"
    LAST = "the last axis"
    FLAT = "axis 1, with all pixels of a channel in a row"


@dataclass(frozen=True)
class Vertices:
    """A tensor that has a number, or an image, for each vertex of a place.

    Args:
        place: the place.
        axes: where its vertices lie in the tensor.
        n_pixel_axes: axes behind axis 1, of channels.
    """

    place: str
    axes: Axes
    n_pixel_axes: int = 0


@dataclass
class GrowingGraph:
    """The graph of the first operations of a network; each adds a place, which may be merged with another in the end.

    The number of inputs is 0 until a layer reads them.
    """

    places: dict[str, int] = field(default_factory=lambda: {INPUTS: 0})
    connections: list[Connection] = field(default_factory=list)

    def finished(self, outputs: str) -> NetworkGraph:
        """Return the whole graph; ``outputs`` is the last place."""
        if outputs == INPUTS:
            raise unknown_graph("no layer lies between the inputs and the outputs")
        return merged_places(NetworkGraph(dict(self.places), tuple(self.connections)))

    def add_layer(self, source: Vertices, layer: str, shape: Sequence[int], groups: int) -> str:
        """Join vertices to a new place by a layer with weights of a shape (out, in, ...), and return the place.

        Each group of rows reads as many inputs as the shape says.
        """
        n_rows, n_of_group, *kernel = shape
        n_read = n_of_group * groups
        if not self.places[source.place]:
            self.places[source.place] = n_read
        n_sources = self.places[source.place]
        is_flat = source.axes is Axes.FLAT
        if n_read % n_sources or (n_read != n_sources and not is_flat):
            needed = "a multiple of it is needed" if is_flat else "as many are needed"
            raise unknown_graph(f"{layer} reads {n_read} inputs, but {source.place} has {n_sources} vertices; {needed}")
        columns_per_vertex = n_read // n_sources * prod(kernel)
        return self._add(layer, n_rows, [Connection(source.place, layer, layer, columns_per_vertex, groups=groups)])

    def add_norm(self, source: Vertices, norm: str, n_factors: int, epsilon: float, place: str) -> str:
        """Join vertices to those of a new place, each by the factor of a norm, and return the place."""
        if not self.places[source.place]:
            self.places[source.place] = n_factors
        n_sources = self.places[source.place]
        if n_factors != n_sources:
            raise unknown_graph(f"{norm} has {n_factors} factors, but {source.place} has {n_sources} vertices")
        return self._add(place, n_factors, [Connection(source.place, place, norm=norm, norm_epsilon=epsilon)])

    def add_sum(self, sources: Sequence[Vertices], place: str) -> str:
        """Join the places of a sum to a new one, vertex by vertex, and return it."""
        sizes = {self.places[source.place] for source in sources}
        if len(sizes) > 1:
            found = " and ".join(f"{self.places[source.place]} of {source.place}" for source in sources)
            raise unknown_graph(f"{place} adds vertices of different numbers: {found}")
        return self._add(place, max(sizes), [Connection(source.place, place) for source in sources])

    def add_row(self, sources: Sequence[Vertices], place: str) -> str:
        """Join the vertices of some places to those of a new one, one place after the other, and return it."""
        first = 0
        connections = []
        for source in sources:
            connections.append(Connection(source.place, place, first_target=first))
            first += self.places[source.place]
        return self._add(place, first, connections)

    def add_padding(self, source: Vertices, n_before: int, n_after: int, place: str) -> str:
        """Join vertices to a new place that has more, which nothing enters, before and after them, and return it."""
        size = n_before + self.places[source.place] + n_after
        return self._add(place, size, [Connection(source.place, place, first_target=n_before)])

    def _add(self, place: str, size: int, connections: Sequence[Connection]) -> str:
        self.places[place] = size
        self.connections += connections
        return place


def unknown_graph(reason: str) -> LayerError:
    """Return the error of a module whose graph cannot be known."""
    return LayerError(f"the network's graph is unknown: {reason}")
