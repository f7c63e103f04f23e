"""The modules of a traced network, such as layers and norms, added to its graph one at a time."""

from typing import TYPE_CHECKING

from topoimp.torch_modules.growing_graph import Axes, Vertices, unknown_graph
from topoimp.torch_modules.masked_parameters import weight_names
from topoimp.torch_modules.one_to_one import ACTIVATIONS, NORMS, OF_IMAGES, PASSING, SCORES
from topoimp.torch_modules.traced_values import TracedValues, at, flat, is_last

if TYPE_CHECKING:
    import torch.fx
    from torch import nn


class ModuleReader:
    """Reads modules of torch; each layer may be read once."""

    def __init__(self, module: "nn.Module", values: TracedValues) -> None:
        self.values = values
        self._weights = set(weight_names(module).values())
        self._layers: dict[int, str] = {}

    def read(self, node: "torch.fx.Node", module: "nn.Module") -> Vertices:
        """Add a module to the graph, and return its outputs."""
        from torch import nn

        kinds = {kind.__name__ for kind in type(module).__mro__}
        name = self.values.names[id(module)]
        arguments = (*node.args, *node.kwargs.values())
        if len(arguments) != 1 or not self.values.is_vertices(arguments[0]):
            raise self.values.unknown(node)

        source = self.values.vertices(arguments[0], node)
        if isinstance(module, nn.Linear):
            return self._dense(source, module, name)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            return self._convolution(source, module, name)
        if kinds & NORMS:
            n_factors, epsilon = int(module.num_features), float(module.eps)  # type: ignore[arg-type]  # of these classes
            place = self.values.new_name(node)
            return at(source, self.values.growing.add_norm(source, name, n_factors, epsilon, place))
        if kinds & (ACTIVATIONS | PASSING):
            return source
        if kinds & OF_IMAGES and source.axes in (Axes.UNREAD, Axes.CHANNELS):
            return source
        if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
            return flat(source)
        if kinds & SCORES and is_last(node):
            return source
        raise self.values.unknown(node)

    def _dense(self, source: Vertices, module: "nn.Linear", name: str) -> Vertices:
        if source.axes is Axes.CHANNELS:
            raise unknown_graph(f"{name} is a linear layer on images, which must be flattened before it")
        return Vertices(self._layer(source, module, name, groups=1), Axes.LAST)

    def _convolution(self, source: Vertices, module: "nn.Conv1d | nn.Conv2d | nn.Conv3d", name: str) -> Vertices:
        if source.axes not in (Axes.UNREAD, Axes.CHANNELS):
            raise unknown_graph(f"{name} is a convolution of {source.place}, which is no image")
        return Vertices(self._layer(source, module, name, groups=module.groups), Axes.CHANNELS, len(module.kernel_size))

    def _layer(
        self, source: Vertices, module: "nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d", name: str, *, groups: int
    ) -> str:
        """Add a layer, and return its place."""
        layer = f"{name}.weight" if name else "weight"
        weight = getattr(module, "weight_orig", module.weight)
        if layer not in self._weights:
            raise unknown_graph(f"{layer} is computed from other parameters, and is none itself")
        if id(weight) in self._layers:
            first = self._layers[id(weight)]
            shared = f"{layer} shares its weights with {first}" if first != layer else f"{layer} is used twice"
            raise unknown_graph(f"{shared}; each layer must be used once")
        self._layers[id(weight)] = layer
        return self.values.growing.add_layer(source, layer, weight.shape, groups)
