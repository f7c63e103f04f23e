"""Layers in the view ``spatial``: each convolution is given the image that it is unrolled over; dense layers stay.

A layer with three axes or more is a convolution, whose kernel the axes from the third on are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from topoimp.choices import View
from topoimp.errors import OptionError
from topoimp.layers.matching import matches_layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.spatial import InputSize, SpatialGraph, spatial_graph

InputSizes = Sequence[tuple[str, InputSize]]
"""Pairs of a pattern and the image under each convolution that matches it; the first match counts."""


def is_convolution(info: LayerInfo) -> bool:
    """Whether a layer has a kernel: three axes or more."""
    return len(info.shape) > 2


def in_spatial_view(infos: Iterable[LayerInfo], input_sizes: InputSizes) -> list[LayerInfo]:
    """Return layers in the view ``spatial``; a convolution that no pattern matches keeps its sides, without an image.

    Raises:
        OptionError: if a convolution does not fit its image.
    """
    return [_unrolled(info, input_sizes) for info in infos]


def _unrolled(info: LayerInfo, input_sizes: InputSizes) -> LayerInfo:
    size = next((size for pattern, size in input_sizes if matches_layer(info, pattern)), None)
    if size is None or not is_convolution(info):
        return replace(info, view=View.SPATIAL)
    try:
        graph = spatial_graph(info.shape[2:], size)
    except OptionError as error:
        raise OptionError(f"`input_sizes`: {info.name}: {error}") from error
    return replace(info, view=View.SPATIAL, input_size=size, n_rows=graph.n_outputs, n_columns=graph.n_inputs)


def check_images(selected: Sequence[LayerInfo], infos: Sequence[LayerInfo], input_sizes: InputSizes) -> None:
    """Check that every selected convolution has an image, and that every pattern matches a convolution of all layers.

    Raises:
        OptionError: if not.
    """
    convolutions = [info for info in infos if is_convolution(info)]
    for pattern, _ in input_sizes:
        if not any(matches_layer(info, pattern) for info in convolutions):
            first = ", ".join(info.name for info in convolutions[:3])
            known = f"the first of them are {first}" if first else "there is none"
            raise OptionError(f"`input_sizes`: pattern {pattern!r} matches no convolution; {known}")

    for info in selected:
        if is_convolution(info) and info.input_size is None:
            shape = "x".join(map(str, info.shape))
            raise OptionError(
                f"the view is spatial, and {info.name}, of shape {shape}, has no image to be unrolled over; "
                f"`input_sizes` gives it one, as in {info.name}={'x'.join(['32'] * (len(info.shape) - 2))}"
            )


def graph_of(info: LayerInfo) -> SpatialGraph:
    """Return the graph of a layer in the view ``spatial``, none of whose weights is zero."""
    if info.input_size is not None:
        return spatial_graph(info.shape[2:], info.input_size)
    return SpatialGraph(info.n_columns, info.n_rows, info.n_weights, n_components=1)
