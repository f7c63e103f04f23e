"""The bound of a convolution in the spatial convention: one filter, unrolled over an image, counting edges.

A filter's kernel, its strengths summed over the input channels, is laid over the image wherever it fits: each position
is a vertex of the output, with an edge to each position of the padded input that it covers. These are bounds by shape
alone: no position of the kernel is zero, and the kernel is not dilated. They count edges, and all outputs share the
weights of one kernel, so they say how sparse the unrolled graph can be, not how many weights of the layer can go.

With m padded input and n output positions and a kernel of k x k there are k k n edges and m + n vertices. Along an
axis, two neighbouring places of the kernel share inputs if and only if its side is larger than the stride. Outputs are
connected along the axes where that is so, and apart along the others; an input that no place of the kernel covers is
alone. So at stride 1, for k of at least 2, the graph is connected, its forest has m + n - 1 edges, and the critical
compression is k k n / (m + n - 1).

Source: the convention is that of the code of Balwani & Krzyston, 2022; the count of components is ours.
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
        padding: at both ends of every axis; at least 0. None adds one less than the kernel's side in all, so that at
            stride 1 there are as many outputs as inputs.
    """

    sides: tuple[int, ...]
    stride: int = 1
    padding: int | None = None

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.sides))}:{self.stride}:{self.padding_text}"

    @property
    def padding_text(self) -> str:
        """The padding as in an option."""
        return "same" if self.padding is None else str(self.padding)


@dataclass(frozen=True)
class SpatialGraph:
    """The graph of one filter.

    Args:
        n_inputs: positions of the padded input.
        n_outputs: positions of the output.
        n_edges: one for each output and position of the kernel.
        n_components: connected components; an uncovered input is one of its own.
    """

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

    axes = [_Axis.of(*sides, size) for sides in zip(kernel, size.sides, strict=True)]
    if any(axis.n_outputs < 1 for axis in axes):
        padded = _text([axis.n_inputs for axis in axes])
        raise OptionError(
            f"the image is {padded} with its padding; the kernel is {_text(kernel)}, and must fit into it"
        )

    n_inputs = prod(axis.n_inputs for axis in axes)
    n_outputs = prod(axis.n_outputs for axis in axes)
    return SpatialGraph(
        n_inputs=n_inputs,
        n_outputs=n_outputs,
        n_edges=prod(kernel) * n_outputs,
        n_components=prod(axis.n_parts for axis in axes) + n_inputs - prod(axis.n_covered for axis in axes),
    )


@dataclass(frozen=True)
class _Axis:
    """One axis: a position is covered if it is along every axis, and the counts of the axes multiply."""

    n_inputs: int
    n_outputs: int
    n_covered: int
    n_parts: int

    @staticmethod
    def of(side: int, image: int, size: InputSize) -> "_Axis":
        n_inputs = image + (side - 1 if size.padding is None else 2 * size.padding)
        n_outputs = (n_inputs - side) // size.stride + 1
        n_covered = side + (n_outputs - 1) * min(size.stride, side)
        return _Axis(n_inputs, n_outputs, n_covered, 1 if side > size.stride else n_outputs)


def _text(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides)) or "nothing"
