"""The tensors and sizes of a traced module that have been read, and the names that messages call its operations by."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeAlias

from topoimp.errors import LayerError
from topoimp.torch_modules.growing_graph import Axes, GrowingGraph, Vertices, unknown_graph
from topoimp.torch_modules.weights import plain_name

if TYPE_CHECKING:
    import torch.fx
    from torch import nn

    Node: TypeAlias = torch.fx.Node


class Size(Enum):
    """A number, or numbers, that depend on the sizes of tensors alone."""

    SHAPE = auto()
    BATCH = auto()
    OTHER = auto()


class TracedValues:
    """The values of the operations that have been read, by operation, and the graph that they have so far.

    Args:
        module: the module, whose names the layers have.
    """

    def __init__(self, module: "nn.Module") -> None:
        self.names = {id(each): plain_name(name) for name, each in module.named_modules()}
        self.module_name = type(module).__name__
        self.growing = GrowingGraph()
        self.of_nodes: dict[object, Vertices | Size] = {}
        self.changed: dict[str, str] = {}

    def is_vertices(self, argument: object) -> bool:
        """Whether an argument is a tensor of vertices."""
        return isinstance(self.of_nodes.get(argument), Vertices)

    def vertices(self, argument: object, reader: "Node") -> Vertices:
        """Return the vertices of an argument, which no sum in place may have changed."""
        source = self.of_nodes[argument]
        if not isinstance(source, Vertices):
            raise TypeError("a size is no vertices")
        if source.place in self.changed:
            raise unknown_graph(
                f"{self.changed[source.place]} changes {source.place} in place, and {self.called(reader)} reads it "
                "after that"
            )
        return source

    def require_read(self, sources: Sequence[Vertices], node: "Node") -> None:
        """Check that a layer has read the inputs, if an operation joins them."""
        if any(not self.growing.places[source.place] for source in sources):
            raise unknown_graph(f"{self.called(node)} joins the inputs before a layer has read them")

    def new_name(self, node: "Node") -> str:
        """Return the name of the place behind an operation, which no other place has."""
        name = node.name
        while name in self.growing.places:
            name += "_"
        return name

    def called(self, node: "Node") -> str:
        """Return the operation and the module that it stands in, as messages have them."""
        if node.op == "call_module":
            owner = node.graph.owning_module.get_submodule(str(node.target))  # type: ignore[union-attr]  # of a GraphModule
            return f"{type(owner).__name__} {self.names[id(owner)]}".rstrip()
        if node.op == "output":
            return "the output"
        stack = list(node.meta.get("nn_module_stack", {}))
        inside = plain_name(stack[-1]) if stack else ""
        return f"{function_name(node)} in {inside or self.module_name}"

    def unknown(self, node: "Node", reason: str = "is no operation that joins vertices one to one") -> LayerError:
        """Return the error of an operation."""
        return unknown_graph(f"{self.called(node)} {reason}")


def function_name(node: "Node") -> str:
    """Return the name of a function or method without the mark of one in place."""
    target: Any = node.target  # Any: a name or a function
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    return name.rstrip("_") if node.op in ("call_function", "call_method") else ""


def is_in_place(node: "Node") -> bool:
    """Whether a function or method changes its first argument."""
    target: Any = node.target  # Any: a name or a function
    name = target if isinstance(target, str) else target.__name__
    return name in ("iadd", "isub", "setitem") or name.endswith("_")


def argument(node: "Node", position: int, name: str, default: object) -> Any:  # Any: as a program may pass
    """Return an argument of a function, given by position or by name."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def at(source: Vertices, place: str) -> Vertices:
    """Return vertices of another place on the same axes."""
    return Vertices(place, source.axes, source.n_pixel_axes)


def flat(source: Vertices) -> Vertices:
    """Return vertices with all axes but the batch in a row."""
    return Vertices(source.place, Axes.LAST if source.axes is Axes.LAST else Axes.FLAT)


def is_last(node: "Node") -> bool:
    """Whether the output alone reads an operation."""
    return all(each.op == "output" for each in node.users)


def is_only_reader(node: "Node") -> bool:
    """Whether no other operation reads the tensor of an operation, but for its size."""
    readers = node.all_input_nodes[0].users
    return all(each is node or function_name(each) in ("size", "getattr") for each in readers)
