"""The functions and methods of tensors in a traced network, such as sums and flattening, added to its graph."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from topoimp.torch_modules.growing_graph import Axes, Vertices
from topoimp.torch_modules.one_to_one import ELEMENTWISE_FUNCTIONS, FUNCTIONS_OF_IMAGES, REDUCTIONS, SCORES
from topoimp.torch_modules.traced_values import (
    Size,
    TracedValues,
    argument,
    at,
    flat,
    is_in_place,
    is_last,
    is_only_reader,
)

if TYPE_CHECKING:
    import torch.fx


class FunctionReader:
    """Reads functions, operators and methods of tensors."""

    def __init__(self, values: TracedValues) -> None:
        self.values = values

    def read(self, node: "torch.fx.Node", name: str) -> Vertices | Size:
        """Add a function to the graph, and return its value."""
        nodes = node.all_input_nodes
        is_of_sizes = all(isinstance(self.values.of_nodes[each], Size) for each in nodes)
        if is_of_sizes or name in ("size", "getattr", "getitem"):
            return self._size_or_part(node, name)
        if name in ("cat", "concat", "concatenate"):
            return self._row(node)
        if name in ("add", "iadd", "sub", "isub") and len(node.args) == 2 and not node.kwargs:
            return self._sum(node)

        if not node.args or not self.values.is_vertices(node.args[0]):
            raise self.values.unknown(node)
        source = self.values.vertices(node.args[0], node)
        if name in ("view", "reshape", "flatten"):
            return self._flattened(node, name, source)
        if any(not isinstance(self.values.of_nodes[each], Size) for each in nodes[1:]):
            raise self.values.unknown(node)

        if name in ELEMENTWISE_FUNCTIONS:
            return source
        if name in FUNCTIONS_OF_IMAGES and source.axes in (Axes.UNREAD, Axes.CHANNELS):
            return source
        if name in REDUCTIONS:
            return self._without_pixels(node, source, keeps=bool(argument(node, 2, "keepdim", False)))
        if name == "squeeze":
            return self._without_pixels(node, source, keeps=False)
        if name == "unsqueeze" and source.axes is Axes.UNREAD and is_only_reader(node):
            return source
        if name == "pad":
            return self._padded(node, source)
        if name in SCORES and is_last(node):
            return source
        raise self.values.unknown(node)

    def _size_or_part(self, node: "torch.fx.Node", name: str) -> Vertices | Size:
        """Return a size of a tensor, a number computed of sizes, or some pixels of a tensor."""
        first = self.values.of_nodes.get(node.args[0]) if node.args else None
        if isinstance(first, Vertices):
            what = argument(node, 1, "dim", None)
            if name == "size":
                return Size.SHAPE if what is None else Size.BATCH if what == 0 else Size.OTHER
            if name == "getattr" and what == "shape":
                return Size.SHAPE
            if name == "getitem" and first.axes is Axes.CHANNELS and _is_part_of_pixels(what):
                return self.values.vertices(node.args[0], node)
            raise self.values.unknown(node)
        is_batch = first is Size.SHAPE and name == "getitem" and node.args[1] == 0
        return Size.BATCH if is_batch else Size.OTHER

    def _sum(self, node: "torch.fx.Node") -> Vertices:
        arguments = [each for each in node.args if self.values.is_vertices(each)]
        sources = [self.values.vertices(each, node) for each in arguments]
        numbers = [each for each in node.args if not self.values.is_vertices(each)]
        found = [self.values.of_nodes.get(each, each) for each in numbers]
        if any(not isinstance(each, int | float | Size) for each in found):
            raise self.values.unknown(node)
        if len(sources) == 1:
            return sources[0]

        self.values.require_read(sources, node)
        alike = _alike(sources)
        if alike is None:
            raise self.values.unknown(node, "adds images to features")
        place = self.values.growing.add_sum(sources, self.values.new_name(node))
        if is_in_place(node):
            self.values.changed[sources[0].place] = self.values.called(node)
        return at(alike, place)

    def _row(self, node: "torch.fx.Node") -> Vertices:
        tensors = node.args[0] if node.args else node.kwargs.get("tensors")
        if not isinstance(tensors, Sequence) or not all(self.values.is_vertices(each) for each in tensors):
            raise self.values.unknown(node)
        sources = [self.values.vertices(each, node) for each in tensors]
        self.values.require_read(sources, node)

        alike, dim = _alike(sources), argument(node, 1, "dim", 0)
        if alike is None or dim not in _along(alike):
            raise self.values.unknown(node, "joins tensors along another axis than that of their vertices")
        return at(alike, self.values.growing.add_row(sources, self.values.new_name(node)))

    def _flattened(self, node: "torch.fx.Node", name: str, source: Vertices) -> Vertices:
        if name == "flatten":
            ends = argument(node, 1, "start_dim", 0), argument(node, 2, "end_dim", -1)
            if ends != (1, -1):
                raise self.values.unknown(node, "flattens other axes than all but the batch")
            return flat(source)

        sizes = node.args[1] if len(node.args) == 2 and isinstance(node.args[1], Sequence) else node.args[1:]
        is_batch_first = bool(sizes) and (sizes[0] == -1 or self.values.of_nodes.get(sizes[0]) is Size.BATCH)
        if is_batch_first and len(sizes) == 2:
            return flat(source)
        if is_batch_first and source.axes is Axes.UNREAD and is_only_reader(node):
            return source
        raise self.values.unknown(node, "forms another shape than (batch, features)")

    def _without_pixels(self, node: "torch.fx.Node", source: Vertices, *, keeps: bool) -> Vertices:
        """Return channels without some of their axes of pixels."""
        dims = argument(node, 1, "dim", None)
        dims = [dims] if isinstance(dims, int) else dims
        n_axes = 2 + source.n_pixel_axes
        axes = {dim % n_axes for dim in dims} if isinstance(dims, Sequence) and source.n_pixel_axes else set()
        if not axes or min(axes) < 2:
            raise self.values.unknown(node, "joins other axes than those of pixels")
        n_left = source.n_pixel_axes - (0 if keeps else len(axes))
        return Vertices(source.place, Axes.CHANNELS if n_left else Axes.LAST, n_left)

    def _padded(self, node: "torch.fx.Node", source: Vertices) -> Vertices:
        """Return images with more pixels, or more channels of a constant, at their edges."""
        ends = argument(node, 1, "pad", ())
        mode = argument(node, 2, "mode", "constant")
        is_known = isinstance(ends, Sequence) and all(isinstance(each, int) for each in ends)
        n_of_pixels = 2 * source.n_pixel_axes
        if not is_known or source.axes is not Axes.CHANNELS or any(ends[n_of_pixels + 2 :]):
            raise self.values.unknown(node)
        before, after = (*ends[n_of_pixels : n_of_pixels + 2], 0, 0)[:2]
        if not before and not after:
            return source
        if mode != "constant" or min(before, after) < 0:
            raise self.values.unknown(node)
        return at(source, self.values.growing.add_padding(source, before, after, self.values.new_name(node)))


def _alike(sources: Sequence[Vertices]) -> Vertices | None:
    """Return one of some tensors with the axes of them all; None if these differ."""
    read = [source for source in sources if source.axes is not Axes.UNREAD] or sources
    is_same = len({(source.axes, source.n_pixel_axes) for source in read}) == 1
    return read[0] if is_same else None


def _along(vertices: Vertices) -> tuple[int, ...]:
    """Return the numbers of the axis of vertices, from the front and from the back."""
    return {Axes.CHANNELS: (1, -1 - vertices.n_pixel_axes), Axes.LAST: (1, -1)}.get(vertices.axes, ())


def _is_part_of_pixels(index: object) -> bool:
    """Whether an index takes the whole batch, all channels and some rows and columns of pixels."""
    whole = slice(None)
    is_slices = isinstance(index, tuple) and all(isinstance(each, slice) for each in index)
    return is_slices and tuple(index[:2]) == (whole, whole)[: len(index)]  # type: ignore[index, arg-type]  # a tuple
