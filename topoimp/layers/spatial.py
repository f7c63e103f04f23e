"""The graph of a convolution in the view ``spatial``: one filter, unrolled over an image, counting edges.

A filter's kernel, its strengths summed over the input channels, is laid over the image wherever it fits: each position
is an output vertex, with an edge to each position of the padded input that it covers. No weight of the kernel is zero.
All outputs share the weights of one kernel, so the bound says how sparse the unrolled graph can be, not the layer.
With m padded input and n output positions, a kernel of k x k gives k k n edges and m + n vertices. Along an axis,
outputs are connected if the side of the kernel is larger than the stride; an input that no kernel covers is alone. So
at stride 1 and k >= 2 the graph is connected, and the critical compression is k k n / (m + n - 1).

Source: the convention is that of theorem 3.2 of Balwani & Krzyston, 2022; the count of components is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from topoimp.errors import OptionError


@dataclass(frozen=True)
class InputSize:
    """The image that a convolution is laid over.

    Args:
        sides: as many as the kernel has, such as height and width; each at least 1.
        stride: along every axis; at least 1.
        padding: at both ends of every axis; at least 0. None pads so that stride 1 gives as many outputs as inputs.
    """

    sides: tuple[int, ...]
    stride: int = 1
    padding: int | None = None

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.sides))}:{self.stride}:{self.padding_text}"

    def padded(self, kernel: Sequence[int]) -> tuple[int, ...]:
        """Return the sides of the image with its padding, under a kernel of these sides."""
        added = [side - 1 if self.padding is None else 2 * self.padding for side in kernel]
        return tuple(side + more for side, more in zip(self.sides, added, strict=True))

    @property
    def padding_text(self) -> str:
        """The padding as in an option."""
        return "same" if self.padding is None else str(self.padding)


@dataclass(frozen=True)
class SpatialGraph:
    """The graph of one filter: its vertices, the positions of padded input and output, its edges and components."""

    n_inputs: int
    n_outputs: int
    n_edges: int
    n_components: int

    @property
    def floor(self) -> int:
        """Edges of its forest."""
        return self.n_inputs + self.n_outputs - self.n_components

    @property
    def critical_compression(self) -> float:
        """The largest factor by which its edges can be thinned with the barcode kept."""
        return self.n_edges / self.floor


def spatial_graph(kernel: Sequence[int], size: InputSize) -> SpatialGraph:
    """Return the graph of one filter, from the sides of its kernel and the image.

    Raises:
        OptionError: if a number is out of range, the image has other axes than the kernel, or is smaller than it.

    >>> spatial_graph((3, 3), InputSize((32, 32)))
    SpatialGraph(n_inputs=1156, n_outputs=1024, n_edges=9216, n_components=1)
    """
    if len(kernel) != len(size.sides):
        raise OptionError(f"the image is {_text(size.sides)} and the kernel {_text(kernel)}; both need the same axes")
    if min(size.sides) < 1 or size.stride < 1 or (size.padding or 0) < 0:
        raise OptionError(
            f"the image is {_text(size.sides)} at stride {size.stride} with padding {size.padding_text}; sides and "
            "stride must be at least 1, padding at least 0"
        )

    axes = [_axis(side, n_inputs, size.stride) for side, n_inputs in zip(kernel, size.padded(kernel), strict=True)]
    if any(n_outputs < 1 for _, n_outputs, _, _ in axes):
        padded = _text([n_inputs for n_inputs, _, _, _ in axes])
        raise OptionError(
            f"the image is {padded} with its padding; the kernel is {_text(kernel)}, and must fit into it"
        )

    # The counts of the axes multiply: a position is covered if it is covered along every axis.
    n_inputs, n_outputs, n_covered, n_parts = (prod(counts) for counts in zip(*axes, strict=True))
    return SpatialGraph(n_inputs, n_outputs, prod(kernel) * n_outputs, n_parts + n_inputs - n_covered)


def _axis(side: int, n_inputs: int, stride: int) -> tuple[int, int, int, int]:
    """Return the inputs, outputs, covered inputs and connected parts along one axis."""
    n_outputs = (n_inputs - side) // stride + 1
    n_covered = side + (n_outputs - 1) * min(stride, side)
    return n_inputs, n_outputs, n_covered, 1 if side > stride else n_outputs


def _text(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides)) or "nothing"
