"""A torch module in, its network as one graph out: which places its layers, sums and norms join.

The forward pass is traced by ``torch.fx``, without any numbers, in the mode (training or evaluation) that the module
is in. Its input is one batch, the batch axis first. Channels are vertices, whatever the size of their images, and so
are features. Activations pass vertices one to one, also those that do not map 0 to 0.
"""

import operator
from inspect import Parameter, signature
from typing import TYPE_CHECKING

from topoimp.network.graph import NetworkGraph
from topoimp.torch_modules.growing_graph import INPUTS, Axes, Vertices, unknown_graph
from topoimp.torch_modules.one_to_one import ELEMENTWISE_FUNCTIONS
from topoimp.torch_modules.reading_functions import FunctionReader
from topoimp.torch_modules.reading_modules import ModuleReader
from topoimp.torch_modules.traced_values import TracedValues, function_name, is_in_place
from topoimp.torch_modules.weights import unwrapped

if TYPE_CHECKING:
    import torch.fx
    from torch import nn


def network_graph(module: "nn.Module") -> NetworkGraph:
    """Return the graph of a module, its layers called as its parameters, such as ``fc1.weight``.

    The inputs are the features that a dense first layer reads, or the channels that a first convolution reads. Layers
    that the outputs do not depend on are left out.

    Args:
        module: linear layers, convolutions with groups or without, batch norms, elementwise activations, dropout,
            pooling of images, the mean over pixels, flattening, sums of branches (residual blocks), and rows of
            channels of several branches (``torch.cat``). It maps one batch to one tensor, and its control flow does
            not depend on the numbers in it. Inputs with defaults have these.

    Raises:
        LayerError: if the module has any other operation, or uses a layer twice; the message names the operation.

    >>> from torch import nn
    >>> from topoimp import network_graph
    >>> graph = network_graph(nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Flatten(), nn.Linear(3456, 10)))
    >>> graph.places
    {'inputs': 1, '0.weight': 6, '3.weight': 10}
    >>> graph.connections[1].columns_per_vertex  # pixels of a channel
    576
    """
    inner = unwrapped(module)
    values = TracedValues(inner)
    modules, functions = ModuleReader(inner, values), FunctionReader(values)
    traced = _traced(inner, values)

    *operations, output = traced.graph.nodes
    for node in operations:
        match node.op:
            case "placeholder":
                values.of_nodes[node] = _inputs(node, values)
            case "call_module":
                values.of_nodes[node] = modules.read(node, traced.get_submodule(str(node.target)))
            case "get_attr":
                raise unknown_graph(f"{values.module_name} computes with its tensor {node.target} outside a layer")
            case _:
                values.of_nodes[node] = functions.read(node, function_name(node))

    if not values.is_vertices(output.args[0]):
        raise unknown_graph(f"{values.module_name} does not return one tensor that its layers compute")
    return values.growing.finished(values.vertices(output.args[0], output).place)


def _traced(module: "nn.Module", values: TracedValues) -> "torch.fx.GraphModule":
    """Return the operations of a module's forward pass that its outputs depend on."""
    from torch import fx, nn

    class Proxy(fx.Proxy):
        """A traced tensor whose sums in place are seen as such; torch traces them as other sums."""

        def __iadd__(self, other: object) -> fx.Proxy:
            return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})

        def __isub__(self, other: object) -> fx.Proxy:
            return self.tracer.create_proxy("call_function", operator.isub, (self, other), {})

    class Tracer(fx.Tracer):
        def proxy(self, node: fx.Node) -> fx.Proxy:
            return Proxy(node, self)

    # A layer by itself is one operation, as it is inside a network.
    root = nn.Sequential(module) if Tracer().is_leaf_module(module, "") else module
    others = list(signature(root.forward).parameters.values())[1:]
    defaults = {each.name: each.default for each in others if each.default is not Parameter.empty}
    try:
        traced = fx.GraphModule(root, Tracer().trace(root, concrete_args=defaults or None))
    except Exception as error:  # tracing runs the module's own code, which may raise anything
        reason = " ".join(str(error).split()).partition(". ")[0] or type(error).__name__
        raise unknown_graph(f"{values.module_name} cannot be traced by torch.fx ({reason})") from error

    # Checks that inputs have their defaults, and checks of the module's own, compute nothing.
    for node in traced.graph.nodes:
        if function_name(node) in ("_assert", "_assert_is_none"):
            traced.graph.erase_node(node)

    # An operation in place matters to later readers of its tensor, even if nothing reads its own value.
    for node in traced.graph.nodes:
        is_unread = node.op in ("call_function", "call_method") and not node.users
        if is_unread and is_in_place(node) and function_name(node) not in ELEMENTWISE_FUNCTIONS:
            raise unknown_graph(f"{values.called(node)} changes a tensor in place, and its value is not read")
    traced.graph.eliminate_dead_code()
    return traced


def _inputs(node: "torch.fx.Node", values: TracedValues) -> Vertices:
    first = next(iter(node.graph.nodes))
    if node is not first and node.users:
        raise unknown_graph(f"{values.module_name} reads the inputs {first.target} and {node.target}; one is needed")
    return Vertices(INPUTS, Axes.UNREAD)
