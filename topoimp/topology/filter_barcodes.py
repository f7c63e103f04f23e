"""The barcodes of a convolution in the view ``spatial``: one for each filter, unrolled over an image.

A filter has one strength for each offset of its kernel: |w| summed over the input channels, in the order of the
channels, in float64. Each output position has an edge of that strength to the input position at the offset; an offset
of strength 0 has no edges. All edges of an offset enter together, so the bars of a filter die at as many strengths as
its kernel has offsets: each is counted, and no matrix is made. Offsets of equal strength enter in the order of their
flat index; the bars do not depend on it. An input that no edge reaches is alone: an essential bar.

Source: the convention is that of Balwani & Krzyston, PMLR 196, 2022, for strides of 1; other strides are ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from topoimp.arrays import FloatArray, IndexArray
from topoimp.errors import LayerError, OptionError
from topoimp.kernels.threads import in_parallel, thread_count
from topoimp.kernels.unrolling import count_joining, join_unrolled
from topoimp.layers.layer import Layer
from topoimp.layers.spatial import InputSize, spatial_graph
from topoimp.topology.barcode import Barcode
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class FilterBarcodes:
    """The barcodes of all filters of a convolution.

    Args:
        kernel: sides of the kernel.
        size: the image under it.
        n_inputs: positions of the padded input, vertices of each filter's graph.
        n_outputs: positions of the output, the other vertices.
        strengths: by filter and offset, shape (filters, offsets), not divided by a scale; 0 for an absent offset.
        n_joining: edges of each offset that join two components, the same shape: so many bars die at its strength.
    """

    kernel: tuple[int, ...]
    size: InputSize
    n_inputs: int
    n_outputs: int
    strengths: FloatArray
    n_joining: IndexArray

    @property
    def n_filters(self) -> int:
        """Filters: the length of the first axis of the convolution."""
        return len(self.strengths)

    @property
    def n_edges(self) -> int:
        """Edges of the graphs of all filters together."""
        return int(np.count_nonzero(self.strengths)) * self.n_outputs

    @property
    def strongest(self) -> float | None:
        """The largest strength of all filters; None without edges."""
        return float(self.strengths.max()) if self.strengths.any() else None

    def strongest_of_each(self) -> list[float | None]:
        """Return the largest strength of each filter; None without edges."""
        return [largest or None for largest in self.strengths.max(axis=1).tolist()]

    def edges_of(self, number: int) -> tuple[IndexArray, IndexArray, FloatArray]:
        """Return output, padded input (flat) and strength of each edge of a filter, offset by offset."""
        corners, shifts = _places(self.kernel, self.size)
        present = np.flatnonzero(self.strengths[number])
        inputs = (corners + shifts[present, None]).reshape(-1)
        outputs = np.tile(np.arange(self.n_outputs), len(present))
        return outputs, inputs, np.repeat(self.strengths[number, present], self.n_outputs)

    def each(self) -> Iterator[Barcode]:
        """Yield the barcode of each filter, in order."""
        for strengths, counts in zip(self.strengths, self.n_joining, strict=True):
            order = np.argsort(-strengths, kind="stable")
            deaths = np.repeat(strengths[order], counts[order])
            yield Barcode(deaths, self.n_inputs + self.n_outputs - len(deaths))

    def forests(self) -> Iterator[Forest]:
        """Yield the maximum spanning forest of each filter's graph, in order.

        Its rows are the outputs and its columns the positions of the padded input, both flat. It is the one forest of
        the dense matrix in the total order: equal strengths by the flat index in that matrix.
        """
        corners, shifts = _places(self.kernel, self.size)
        parent = np.empty(self.n_inputs + self.n_outputs, np.int64)
        for strengths in self.strengths:
            order = np.argsort(-strengths, kind="stable")[: np.count_nonzero(strengths)]
            stops = np.append(np.flatnonzero(np.diff(strengths[order])) + 1, len(order))
            edges = np.empty_like(parent)
            n_joining = join_unrolled(shifts[order], stops, corners, parent, edges)

            indices = edges[:n_joining]
            offsets = np.searchsorted(shifts, indices % self.n_inputs - corners[indices // self.n_inputs])
            n_edges = len(order) * self.n_outputs
            yield Forest(self.n_outputs, self.n_inputs, n_edges, indices, strengths[offsets])


def filter_barcodes(layer: Layer, kernel: Sequence[int], size: InputSize, *, threads: int = 1) -> FilterBarcodes:
    """Return the barcodes of the filters of a convolution.

    Args:
        layer: one row a filter; columns are the input channels, each with all offsets of the kernel in C order.
        kernel: sides of the kernel, such as (3, 3); one to three axes.
        size: the image under it.
        threads: number of threads; no result depends on it.

    Raises:
        OptionError: if image and kernel do not fit, or the columns are no channels of this kernel.
        LayerError: if a weight is NaN or infinite, or a sum of magnitudes is beyond all numbers.

    >>> from topoimp.layers.layer import as_layer
    >>> found = filter_barcodes(as_layer(np.array([[[3.0, -1.0]]])), (2,), InputSize((3,), padding=0))
    >>> next(found.each()).deaths
    array([3., 3., 1., 1.])
    """
    threads = thread_count(threads)
    graph = spatial_graph(kernel, size)
    strengths = _kernel_strengths(layer, prod(kernel))

    # Filters whose offsets enter in the same order have the same counts.
    order = np.argsort(-strengths, axis=1, kind="stable")
    order[np.take_along_axis(strengths, order, axis=1) == 0] = -1
    orders, order_of = np.unique(order, axis=0, return_inverse=True)

    corners, shifts = _places(kernel, size)
    n_joining = np.zeros((len(orders), prod(kernel)), np.int64)

    def count(start: int, stop: int) -> None:
        parent = np.empty(graph.n_inputs + graph.n_outputs, np.int64)
        for place in range(start, stop):
            present = orders[place][orders[place] >= 0]
            counts = np.empty(len(present), np.int64)
            count_joining(shifts[present], corners, parent, counts)
            n_joining[place, present] = counts

    in_parallel(count, len(orders), threads)
    counts = n_joining[order_of.reshape(-1)]
    return FilterBarcodes(tuple(kernel), size, graph.n_inputs, graph.n_outputs, strengths, counts)


def _kernel_strengths(layer: Layer, n_offsets: int) -> FloatArray:
    """Return |w| summed over the input channels in their order, shape (filters, offsets)."""
    if layer.n_columns % n_offsets:
        raise OptionError(f"{layer.name} has {layer.n_columns} columns, which are no channels of {n_offsets} weights")
    layer.check_finite()
    channels = layer.codes.reshape(layer.n_rows, -1, n_offsets)
    total = np.zeros((layer.n_rows, n_offsets))

    with np.errstate(over="ignore"):
        for channel in range(channels.shape[1]):
            total += layer.number_format.strengths(channels[:, channel])
    if not np.isfinite(total).all():
        raise LayerError(f"{layer.name}: the magnitudes of a filter, summed over its channels, are beyond all numbers")
    return total


def _places(kernel: Sequence[int], size: InputSize) -> tuple[IndexArray, IndexArray]:
    """Return, by output, the flat padded input under the first offset, and the distance of each offset from it."""
    padded = size.padded(kernel)
    flat = np.arange(prod(padded)).reshape(padded)
    last = [side - k for side, k in zip(padded, kernel, strict=True)]
    corners = flat[tuple(slice(0, end + 1, size.stride) for end in last)]
    offsets = flat[tuple(slice(0, k) for k in kernel)]
    return corners.reshape(-1).astype(np.int64), offsets.reshape(-1).astype(np.int64)
