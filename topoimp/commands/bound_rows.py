"""The rows of a report of bounds: columns from counts, from the weights, and from graphs in the view ``spatial``."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from topoimp.chance.closed_forms import connectivity_threshold
from topoimp.chance.overlap import Overlap, overlap_of_shape
from topoimp.commands.chance_columns import overlap_columns
from topoimp.layers.records import LayerInfo
from topoimp.layers.spatial import SpatialGraph
from topoimp.layers.spatial_view import graph_of, is_convolution
from topoimp.pruning.bounds import GlobalSafeCount, LayerBound, critical_compression, critical_density
from topoimp.pruning.schedule import rounds_above
from topoimp.reports.cells import Row
from topoimp.reports.rows import layer_columns


def checkpoint_rows(
    infos: Sequence[LayerInfo],
    bounds: Mapping[str, LayerBound],
    overlaps: Sequence[Overlap],
    shared: GlobalSafeCount | None,
    rate: float,
    n_checkpoint_weights: int,
) -> list[Row]:
    """Return the rows of the layers of a checkpoint, and that of the network.

    ``overlaps`` belong to the layers in order; ``shared`` is None if no layer has an edge. ``n_checkpoint_weights`` are
    the numbers of the whole checkpoint.
    """
    rows: list[Row] = []
    for info, overlap in zip(infos, overlaps, strict=True):
        bound = bounds[info.name]
        found = {**_counts([bound], rate), **_safe_columns(bound, rate), **overlap_columns([overlap])}
        rows.append({**layer_columns(info), **found, **_threshold(info, bound)})

    floors = _network_floor_columns(list(bounds.values()), rate)
    safety = _network_safe_columns(bounds, shared, rate, n_checkpoint_weights)
    return [*rows, {**floors, **safety, **overlap_columns(overlaps)}]


def shape_rows(infos: Sequence[LayerInfo], rate: float) -> list[Row]:
    """Return the rows of layers whose shapes alone are known, all weights being edges, and that of the network."""
    bounds: list[LayerBound] = []
    overlaps: list[Overlap] = []
    rows: list[Row] = []
    for info in infos:
        n_weights = info.n_weights
        floor = info.n_rows + info.n_columns - 1
        bounds.append(
            LayerBound(n_weights, n_weights, n_components=1, floor=floor, tau=None, safe_count=n_weights, vertex=None)
        )
        overlaps.append(overlap_of_shape(info.n_rows, info.n_columns))
        found = {**_counts(bounds[-1:], rate), **overlap_columns(overlaps[-1:])}
        row = {**layer_columns(info), **found, **_threshold(info, bounds[-1])}
        rows.append({column: value for column, value in row.items() if column != "dtype"})
    return [*rows, {**_network_floor_columns(bounds, rate), **overlap_columns(overlaps)}]


def _threshold(info: LayerInfo, bound: LayerBound) -> Row:
    """Return the threshold of random masks, for a layer without zeros in which every edge is one weight."""
    is_dense = info.n_parallel == 1 and bound.n_edges == info.n_weights
    return {"random_threshold": connectivity_threshold(info.n_rows, info.n_columns) if is_dense else None}


def _safe_columns(bound: LayerBound, rate: float) -> Row:
    """Return how far plain magnitude pruning may go in a layer."""
    return {
        "tau": bound.tau,
        "certificate": bound.certificate,
        "certificate_tight": bound.is_tight,
        "safe_count": bound.safe_count,
        "safe_sparsity": (bound.n_weights - bound.safe_count) / bound.n_weights,
        "safe_rounds": rounds_above(bound.n_edges, bound.safe_count, rate),
        **_safe_row_columns([bound], rate),
        "binding_vertex": str(bound.vertex) if bound.vertex else None,
    }


def _safe_row_columns(bounds: Sequence[LayerBound], rate: float) -> Row:
    """Return how far magnitude pruning may go if every output keeps as many weights, each layer for itself."""
    counts = [bound.safe_count_row for bound in bounds if bound.safe_count_row is not None]
    if len(counts) < len(bounds):
        return dict.fromkeys(("safe_count_row", "safe_sparsity_row", "safe_rounds_row"))
    n_weights, count = sum(bound.n_weights for bound in bounds), sum(counts)
    rounds = [rounds_above(bound.n_edges, count, rate) for bound, count in zip(bounds, counts, strict=True)]
    return {
        "safe_count_row": count,
        "safe_sparsity_row": (n_weights - count) / n_weights,
        "safe_rounds_row": _least(rounds),
    }


def _network_floor_columns(bounds: Sequence[LayerBound], rate: float) -> Row:
    """Return the counts of all layers: rounds with a target for each, and with one for all."""
    together = _counts(bounds, rate)
    return {
        "level": "network",
        **together,
        "rounds_to_floor": _least(rounds_above(bound.n_edges, bound.floor, rate) for bound in bounds),
        "rounds_to_floor_global": together["rounds_to_floor"],
        "undefined": None if together["n_edges"] else "all layers are zero",
    }


def _network_safe_columns(
    bounds: Mapping[str, LayerBound], shared: GlobalSafeCount | None, rate: float, n_checkpoint_weights: int
) -> Row:
    """Return how far plain magnitude pruning may go in all layers, each for itself and in one order."""
    layers = list(bounds.values())
    n_weights, safe_count = sum(bound.n_weights for bound in layers), sum(bound.safe_count for bound in layers)
    columns: Row = {
        "tau": min((bound.tau for bound in layers if bound.tau is not None), default=None),
        "certificate": min((bound.certificate for bound in layers if bound.certificate is not None), default=None),
        "safe_count": safe_count,
        "safe_sparsity": (n_weights - safe_count) / n_weights,
        "safe_rounds": _least(rounds_above(bound.n_edges, bound.safe_count, rate) for bound in layers),
        **_safe_row_columns(layers, rate),
    }

    # Without an edge no weight is needed, and no layer binds.
    count = 0 if shared is None else shared.count
    vertex = None if shared is None else bounds[shared.layer].vertex
    return {
        **columns,
        "certificate_tight": None if shared is None else columns["certificate"] == columns["tau"],
        "safe_count_global": count,
        "safe_sparsity_global": (n_weights - count) / n_weights,
        "n_checkpoint_weights": n_checkpoint_weights,
        "safe_sparsity_checkpoint": (n_weights - count) / n_checkpoint_weights,
        "safe_rounds_global": rounds_above(sum(bound.n_edges for bound in layers), count, rate),
        "binding_layer": None if shared is None else shared.layer,
        "binding_vertex": str(vertex) if vertex else None,
    }


def spatial_rows(infos: Sequence[LayerInfo]) -> list[Row]:
    """Return the rows of layers in the view ``spatial``, all weights being non-zero, and their sums.

    The rows of the convolutions together, of the dense layers together and of the network follow those of the layers.
    A ratio of a sum is the sum of the edges over the sum of the floors.
    """
    graphs = [graph_of(info) for info in infos]
    rows: list[Row] = []
    for info, graph in zip(infos, graphs, strict=True):
        image = None if info.input_size is None else str(info.input_size)
        rows.append({**layer_columns(info), "input_size": image, **_graph_counts([info], [graph])})

    levels: dict[str, Callable[[LayerInfo], bool]] = {
        "convolutions": is_convolution,
        "dense": lambda info: not is_convolution(info),
        "network": lambda _info: True,
    }
    for level, belongs in levels.items():
        places = [place for place, info in enumerate(infos) if belongs(info)]
        if places:
            own = _graph_counts([infos[place] for place in places], [graphs[place] for place in places])
            rows.append({"level": level, **own})
    return rows


def _graph_counts(infos: Sequence[LayerInfo], graphs: Sequence[SpatialGraph]) -> Row:
    n_edges, floor = sum(graph.n_edges for graph in graphs), sum(graph.floor for graph in graphs)
    return {
        "n_weights": sum(info.n_weights for info in infos),
        "n_vertices": sum(graph.n_inputs + graph.n_outputs for graph in graphs),
        "n_edges": n_edges,
        "beta0": sum(graph.n_components for graph in graphs),
        "floor": floor,
        "critical_density": critical_density(floor, n_edges),
        "critical_compression": critical_compression(floor, n_edges),
    }


def _counts(bounds: Sequence[LayerBound], rate: float) -> Row:
    """Return the columns that follow from the counts of one layer, or of several together."""
    n_edges, floor = sum(bound.n_edges for bound in bounds), sum(bound.floor for bound in bounds)
    return {
        "n_edges": n_edges,
        "floor": floor,
        "critical_density": critical_density(floor, n_edges),
        "critical_compression": critical_compression(floor, n_edges),
        "rate": rate,
        "rounds_to_floor": rounds_above(n_edges, floor, rate),
        "undefined": None if n_edges else "a layer of zeros",
        "n_vertices": sum(bound.n_vertices for bound in bounds),
        "n_weights": sum(bound.n_weights for bound in bounds),
        "beta0": sum(bound.n_components for bound in bounds),
    }


def _least(numbers: Iterable[int | None]) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
