"""An architecture in, its network as one graph out: which places its parts join, and by which layers.

The places are the inputs, the rows of each layer, called as the layer, and the sum at the end of each residual block,
called as the block. A channel is one vertex, whatever the size of its image, and so is each input of a network without
images. ReLU, pooling and the mean over pixels change no vertex; flattening gives each pixel of a channel a column of
the next layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

from topoimp.architectures.architecture import Architecture
from topoimp.architectures.parts import Block, Convolution, Dense, Norm, Part, Shapes
from topoimp.network.graph import Connection, NetworkGraph


def architecture_graph(architecture: Architecture, shapes: Shapes | None = None) -> NetworkGraph:
    """Return the graph of a network, its layers called as the tensors of its checkpoints.

    ``shapes`` are those of the weights if the images or classes of the network are others than the architecture's.

    A shortcut that is trained is a layer. Any other joins channels of the same number; where a block adds channels,
    the last of them have no shortcut, as zeros fill them (``topoimp.architectures.parts.Block``).

    >>> from topoimp.architectures import parse_architecture
    >>> graph = architecture_graph(parse_architecture("resnet-20"))
    >>> {place: graph.places[place] for place in ("inputs", "block1.conv1.weight", "block1", "fc.weight")}
    {'inputs': 3, 'block1.conv1.weight': 16, 'block1': 16, 'fc.weight': 10}
    >>> [each.layer for each in graph.connections if each.target == "block4"]
    ['block4.conv2.weight', None]
    """
    shapes = architecture.weights if shapes is None else shapes
    first = next(iter(architecture.weights))
    growing = _GrowingGraph(shapes, {"inputs": shapes[first][1]})
    growing.add_parts("inputs", architecture.parts)
    return NetworkGraph(growing.places, tuple(growing.connections))


@dataclass
class _GrowingGraph:
    """The places and connections of the first parts of a network."""

    shapes: Shapes
    places: dict[str, int]
    connections: list[Connection] = field(default_factory=list)

    def add_parts(self, place: str, parts: Mapping[str, Part], prefix: str = "") -> str:
        """Add parts in a row behind a place, and return the place behind the last of them."""
        for name, part in parts.items():
            match part:
                case Dense() | Convolution():
                    place = self.add_layer(place, f"{prefix}{name}.weight")
                case Norm():
                    self.connections[-1] = replace(self.connections[-1], norm=prefix + name)
                case Block():
                    place = self.add_block(place, prefix + name, part)
        return place

    def add_layer(self, source: str, layer: str) -> str:
        """Join a place to a new one, and return the new one."""
        n_rows, *axes = self.shapes[layer]
        self.places[layer] = n_rows
        self.connections.append(Connection(source, layer, layer, prod(axes) // self.places[source]))
        return layer

    def add_block(self, source: str, name: str, block: Block) -> str:
        """Add the two branches of a residual block, and return the place of their sum."""
        ends = [self.add_parts(source, block.body(), f"{name}.")]
        if block.shortcut():
            ends.append(self.add_parts(source, block.shortcut(), f"{name}.shortcut."))
        else:
            self.connections.append(Connection(source, name))

        # The last layer of a branch enters the sum, and needs no place of its own.
        self.places[name] = self.places[ends[0]]
        for end in ends:
            del self.places[end]
        self.connections = [replace(each, target=name) if each.target in ends else each for each in self.connections]
        return name
