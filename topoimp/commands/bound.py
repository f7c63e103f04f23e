"""How far can a checkpoint be pruned before its barcodes must change, and before magnitude pruning changes them?"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from topoimp.architectures import parse_architecture
from topoimp.bounds import (
    LayerBound,
    critical_compression,
    critical_density,
    exact_rate,
    global_safe_count,
    layer_bound,
    rounds_above,
)
from topoimp.catalogue import LayerPatterns, select_layers
from topoimp.checkpoint import open_checkpoint
from topoimp.choices import View
from topoimp.columns import layer_columns, left_out, pattern_settings
from topoimp.errors import OptionError
from topoimp.forest import spanning_forest
from topoimp.report import Report, Row
from topoimp.schedule import DEFAULT_RATE
from topoimp.streaming import LayerStream, OnStep, counted
from topoimp.threads import thread_count


def bound_report(
    path: Path,
    *,
    patterns: LayerPatterns | None = None,
    rate: float = DEFAULT_RATE,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Report:
    """Report how far each layer of a checkpoint can be pruned.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it.
        patterns: which layers; all but embeddings and heads if None.
        rate: share of the remaining weights that one round removes, for the counts of rounds; above 0 and below 1.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Raises:
        OptionError: if the rate is out of range or a pattern matches nothing.
        TopoimpError: if the file or one of its layers cannot be used.
    """
    exact_rate(rate)
    patterns = patterns or LayerPatterns()
    layers = select_layers(open_checkpoint(path), patterns)
    stream = LayerStream(layers, thread_count(threads), counted(on_step, 2 * len(layers.infos)))
    bounds = stream.each(lambda layer, n: layer_bound(layer, spanning_forest(layer, threads=n), threads=n))
    rows: list[Row] = [
        {**layer_columns(info), **_floor_columns(bound, rate), **_safe_columns(bound, rate)}
        for info, bound in zip(layers.infos, bounds, strict=True)
    ]
    return Report(
        command="bound",
        inputs={"checkpoint": Path(path)},
        settings={**pattern_settings(patterns), "rate": rate},
        rows=[*rows, {**_network_row(bounds, rate), **_network_safety(bounds, stream, rate)}],
        left_out=left_out(layers),
    )


def architecture_bound_report(model: str, *, rate: float = DEFAULT_RATE) -> Report:
    """Report the bounds that follow from the shapes of an architecture alone, all of its weights being non-zero.

    Args:
        model: as ``train`` takes it, such as ``lenet-300-100``, ``vgg-16`` or ``mlp:784-300-100-10``.
        rate: share of the remaining weights that one round removes; above 0 and below 1.

    Raises:
        OptionError: if there is no such architecture, none of its weights is a layer, or the rate is out of range.
    """
    exact_rate(rate)
    sides = {name: (m, n) for name, (m, n) in parse_architecture(model).layer_sides().items() if m > 1 and n > 1}
    if not sides:
        raise OptionError(f"{model} has no layer of two rows and two columns or more")
    bounds = [_dense_bound(n_rows, n_columns) for n_rows, n_columns in sides.values()]
    rows: list[Row] = [
        {
            "level": "layer",
            "layer": name,
            "rows": n_rows,
            "columns": n_columns,
            "view": View.MATRIX,
            **_floor_columns(bound, rate),
        }
        for (name, (n_rows, n_columns)), bound in zip(sides.items(), bounds, strict=True)
    ]
    return Report("bound", {}, {"arch": model, "rate": rate}, [*rows, _network_row(bounds, rate)])


def _dense_bound(n_rows: int, n_columns: int) -> LayerBound:
    n_weights = n_rows * n_columns
    return LayerBound(n_weights, n_weights, 1, n_rows + n_columns - 1, None, n_weights, None)


def _floor_columns(bound: LayerBound, rate: float) -> Row:
    return {
        "n_weights": bound.n_weights,
        "n_edges": bound.n_edges,
        "beta0": bound.n_components,
        "floor": bound.floor,
        "critical_density": critical_density(bound.floor, bound.n_edges),
        "critical_compression": critical_compression(bound.floor, bound.n_edges),
        "rate": rate,
        "rounds_to_floor": rounds_above(bound.n_edges, bound.floor, rate),
        "undefined": None if bound.n_edges else "a layer of zeros",
    }


def _safe_columns(bound: LayerBound, rate: float) -> Row:
    return {
        "tau": bound.tau,
        "safe_count": bound.safe_count,
        "safe_sparsity": (bound.n_weights - bound.safe_count) / bound.n_weights,
        "safe_rounds": rounds_above(bound.n_edges, bound.safe_count, rate),
        "binding_vertex": str(bound.vertex) if bound.vertex else None,
    }


def _network_row(bounds: Sequence[LayerBound], rate: float) -> Row:
    n_edges, floor = sum(bound.n_edges for bound in bounds), sum(bound.floor for bound in bounds)
    return {
        "level": "network",
        "n_weights": sum(bound.n_weights for bound in bounds),
        "n_edges": n_edges,
        "beta0": sum(bound.n_components for bound in bounds),
        "floor": floor,
        "critical_density": critical_density(floor, n_edges),
        "critical_compression": critical_compression(floor, n_edges),
        "rate": rate,
        "rounds_to_floor": _least(rounds_above(bound.n_edges, bound.floor, rate) for bound in bounds),
        "undefined": None if n_edges else "all layers are zero",
    }


def _network_safety(bounds: Sequence[LayerBound], stream: LayerStream, rate: float) -> Row:
    n_weights, safe_count = (
        sum(bound.n_weights for bound in bounds),
        sum(bound.safe_count for bound in bounds),
    )
    columns: Row = {
        "tau": min((bound.tau for bound in bounds if bound.tau is not None), default=None),
        "safe_count": safe_count,
        "safe_sparsity": (n_weights - safe_count) / n_weights,
        "safe_rounds": _least(rounds_above(bound.n_edges, bound.safe_count, rate) for bound in bounds),
    }
    by_name = {info.name: bound for info, bound in zip(stream.layers.infos, bounds, strict=True)}
    together = global_safe_count(stream, by_name)
    if together is None:
        return columns
    vertex = by_name[together.layer].vertex
    return {
        **columns,
        "safe_count_global": together.count,
        "safe_sparsity_global": (n_weights - together.count) / n_weights,
        "binding_layer": together.layer,
        "binding_vertex": str(vertex) if vertex else None,
    }


def _least(numbers: Iterable[int | None]) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
