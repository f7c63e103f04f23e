"""The rows of a report of bounds: what follows from counts, from the weights, from an image, and at some densities."""

from collections.abc import Iterable, Mapping, Sequence

from topoimp.chance.closed_forms import connectivity_threshold
from topoimp.errors import OptionError
from topoimp.layers.catalogue import LayerInfo
from topoimp.layers.tensors import matches_layer
from topoimp.pruning.bounds import GlobalSafeCount, LayerBound, critical_compression, critical_density
from topoimp.pruning.convolution_bound import InputSize, spatial_graph
from topoimp.pruning.schedule import rounds_above
from topoimp.reports.columns import Row


def floor_columns(bound: LayerBound, rate: float) -> Row:
    """Give what follows from the counts of a layer."""
    return {**_counts(bound.n_edges, bound.floor, rate), **_sizes([bound])}


def chance_columns(info: LayerInfo, bound: LayerBound) -> Row:
    """Give what random masks do to a layer without zeros, if every edge is one weight."""
    is_dense = info.n_parallel == 1 and bound.n_edges == info.n_weights
    return {"random_threshold": connectivity_threshold(info.n_rows, info.n_columns) if is_dense else None}


def safe_columns(bound: LayerBound, rate: float) -> Row:
    """Give how far plain magnitude pruning may go in a layer."""
    return {
        "tau": bound.tau,
        "certificate": bound.certificate,
        "certificate_tight": bound.is_tight,
        "safe_count": bound.safe_count,
        "safe_sparsity": (bound.n_weights - bound.safe_count) / bound.n_weights,
        "safe_rounds": rounds_above(bound.n_edges, bound.safe_count, rate),
        "binding_vertex": str(bound.vertex) if bound.vertex else None,
    }


def network_floor_columns(bounds: Sequence[LayerBound], rate: float) -> Row:
    """Give what follows from the counts of all layers: rounds with a target for each, and with one for all."""
    n_edges, floor = sum(bound.n_edges for bound in bounds), sum(bound.floor for bound in bounds)
    together = _counts(n_edges, floor, rate)
    return {
        "level": "network",
        **together,
        **_sizes(bounds),
        "rounds_to_floor": _least(rounds_above(bound.n_edges, bound.floor, rate) for bound in bounds),
        "rounds_to_floor_global": together["rounds_to_floor"],
        "undefined": None if n_edges else "all layers are zero",
    }


def network_safe_columns(bounds: Mapping[str, LayerBound], together: GlobalSafeCount | None, rate: float) -> Row:
    """Give how far plain magnitude pruning may go in all layers, each for itself and in one order.

    Args:
        bounds: by layer name.
        together: what one order over all layers gives; None if no layer has an edge.
        rate: share of the remaining weights that one round removes.
    """
    layers = list(bounds.values())
    n_weights, safe_count = sum(bound.n_weights for bound in layers), sum(bound.safe_count for bound in layers)
    columns: Row = {
        "tau": min((bound.tau for bound in layers if bound.tau is not None), default=None),
        "certificate": min((bound.certificate for bound in layers if bound.certificate is not None), default=None),
        "safe_count": safe_count,
        "safe_sparsity": (n_weights - safe_count) / n_weights,
        "safe_rounds": _least(rounds_above(bound.n_edges, bound.safe_count, rate) for bound in layers),
    }
    if together is None:
        return columns
    vertex = bounds[together.layer].vertex
    return {
        **columns,
        "certificate_tight": columns["certificate"] == columns["tau"],
        "safe_count_global": together.count,
        "safe_sparsity_global": (n_weights - together.count) / n_weights,
        "safe_rounds_global": rounds_above(sum(bound.n_edges for bound in layers), together.count, rate),
        "binding_layer": together.layer,
        "binding_vertex": str(vertex) if vertex else None,
    }


def spatial_columns(infos: Sequence[LayerInfo], sizes: Mapping[str, InputSize]) -> list[Row]:
    """Give, for each layer, the bound of its filters over an image; nothing for layers without one.

    Args:
        infos: the layers.
        sizes: by pattern, as in ``LayerPatterns``, the image; the first that matches a layer counts.

    Raises:
        OptionError: if a pattern matches no layer, or one that is no convolution, or the image does not fit.
    """
    for pattern in sizes:
        if not any(matches_layer(info, pattern) for info in infos):
            names = ", ".join(info.name for info in infos[:3])
            raise OptionError(f"--input-size: pattern {pattern!r} matches no layer; the first of them are {names}")
    return [_spatial(info, next((sizes[p] for p in sizes if matches_layer(info, p)), None)) for info in infos]


def _spatial(info: LayerInfo, size: InputSize | None) -> Row:
    if size is None:
        return {}
    if len(info.shape) < 3:
        raise OptionError(
            f"--input-size: {info.name} has the shape {list(info.shape)}; a convolution has 3 axes at least"
        )
    try:
        graph = spatial_graph(info.shape[2:], size)
    except OptionError as error:
        raise OptionError(f"--input-size: {info.name}: {error}") from error
    return {
        "input_size": str(size),
        "spatial_inputs": graph.n_inputs,
        "spatial_outputs": graph.n_outputs,
        "spatial_edges": graph.n_edges,
        "spatial_floor": graph.floor,
        "spatial_compression": graph.critical_compression,
    }


def _sizes(bounds: Sequence[LayerBound]) -> Row:
    return {
        "n_vertices": sum(bound.n_vertices for bound in bounds),
        "n_weights": sum(bound.n_weights for bound in bounds),
        "beta0": sum(bound.n_components for bound in bounds),
    }


def _counts(n_edges: int, floor: int, rate: float) -> Row:
    return {
        "n_edges": n_edges,
        "floor": floor,
        "critical_density": critical_density(floor, n_edges),
        "critical_compression": critical_compression(floor, n_edges),
        "rate": rate,
        "rounds_to_floor": rounds_above(n_edges, floor, rate),
        "undefined": None if n_edges else "a layer of zeros",
    }


def _least(numbers: Iterable[int | None]) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
