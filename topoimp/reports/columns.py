"""The columns that the reports of several commands share."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from types import MappingProxyType

from topoimp.choices import Method, NeuralPersistence, Scope
from topoimp.layers.catalogue import LayerInfo, LayerPatterns, Layers
from topoimp.pruning.one_shot import Round
from topoimp.pruning.preservation import Preservation
from topoimp.pruning.schedule import Schedule
from topoimp.reports.report import Cell, Row
from topoimp.topology.barcode import Barcode, neural_persistence
from topoimp.topology.distance import BarcodeDistances

DISTANCES = tuple(field.name for field in fields(BarcodeDistances))
"""The columns of the distances between two barcodes."""


REFERENCE = "_reference"
"""Suffix of the columns that describe the reference."""


def layer_columns(info: LayerInfo) -> Row:
    """Give what says which layer a row is about."""
    return {
        "level": "layer",
        "layer": info.name,
        "rows": info.n_rows,
        "columns": info.n_columns,
        "dtype": info.number_format.name,
        "view": info.view,
    }


def pattern_settings(patterns: LayerPatterns) -> dict[str, Cell | Sequence[str]]:
    """Give the settings that say which layers were asked for."""
    return {
        "include": list(patterns.include),
        "exclude": list(patterns.exclude),
        "embeddings": patterns.embeddings,
        "groups": [f"{pattern}={n}" for pattern, n in patterns.groups],
        "view": patterns.view,
    }


def pruning_settings(
    schedule: Schedule,
    *,
    method: Method,
    epsilon: float,
    scope: Scope,
    sparsity: float | None,
    seed: int,
    patterns: LayerPatterns,
    layer_rates: Mapping[str, float] | None,
) -> dict[str, Cell | Sequence[str]]:
    """Give the settings of a pruning in rounds; what its method does not look at is None."""
    settings: dict[str, Cell | Sequence[str]] = {
        "method": method,
        "epsilon": epsilon if method is Method.TOPOLOGICAL else None,
        "scope": scope,
        "rounds": schedule.n_rounds,
        "rate": schedule.effective_rate(),
        "sparsity": sparsity,
        "seed": seed if method is Method.RANDOM else None,
        **pattern_settings(patterns),
    }
    if layer_rates:
        settings["layer_rates"] = [f"{pattern}={float(rate)!r}" for pattern, rate in layer_rates.items()]
    return settings


def preservation_columns(left: Preservation) -> Row:
    """Return the columns that say how much of a layer's topology is left."""
    return {
        "n_weights": left.n_weights,
        "n_edges": left.n_edges,
        "n_kept": left.n_kept,
        "density": left.density,
        "sparsity": (left.n_weights - left.n_kept) / left.n_weights,
        "compression_ratio": left.n_weights / left.n_kept if left.n_kept else None,
        "floor": left.floor,
        "beta0": left.beta0,
        "beta0_reference": left.beta0_reference,
        "beta1": left.beta1,
        "beta0_kept": left.beta0_kept,
        "barcode_kept": left.barcode_kept,
        "retention": left.n_forest_kept / left.floor if left.floor else None,
    }


def distance_columns(distances: BarcodeDistances | None) -> Row:
    """Return the four distances between two barcodes; all blank if there are none."""
    return dict.fromkeys(DISTANCES) if distances is None else asdict(distances)


def rows_of_pruning(infos: Sequence[LayerInfo], now: Round) -> list[Row]:
    """Give the rows of a round of pruning: one for each layer, and one for the network."""
    rows: list[Row] = []
    for info in infos:
        layer = now.layers[info.name]
        here: Row = {"round": now.number, "target": layer.target, "floor_binds": layer.floor_binds}
        rows.append({**layer_columns(info), **here, **preservation_columns(layer.left)})
    network: Row = {"level": "network", "round": now.number, "target": now.target, "floor_binds": bool(now.missed)}
    return [*rows, {**network, **preservation_columns(now.left)}]


def left_out(layers: Layers) -> dict[str, str]:
    """Give the tensors that are not looked at, and why."""
    return {tensor.name: tensor.reason for tensor in layers.left_out}


PERSISTENCE_COLUMNS = MappingProxyType(
    {
        NeuralPersistence.RIECK: "np_rieck",
        NeuralPersistence.RIECK_FINITE: "np_rieck_finite",
        NeuralPersistence.BALWANI: "np_balwani",
    }
)
"""The column of each convention."""


def persistence_columns(
    barcode: Barcode, *, network_scale: float | None, layer_scale: float | None, p: float, suffix: str = ""
) -> Row:
    """Give a layer's neural persistence in every convention, each with its own scale."""
    scales = {
        NeuralPersistence.RIECK: network_scale,
        NeuralPersistence.RIECK_FINITE: network_scale,
        NeuralPersistence.BALWANI: layer_scale,
    }
    return {
        column + suffix: neural_persistence(barcode, convention, scale=scales[convention], p=p)
        for convention, column in PERSISTENCE_COLUMNS.items()
    }


def mean_persistence_columns(rows: Sequence[Row], *, suffix: str = "") -> Row:
    """Give the mean over the layers of every neural persistence; None if a layer has none."""
    means: dict[str, float | None] = {}
    for column in PERSISTENCE_COLUMNS.values():
        values = [row[column + suffix] for row in rows]
        numbers = [value for value in values if isinstance(value, float)]
        means[column + suffix] = sum(numbers) / len(numbers) if len(numbers) == len(values) else None
    return means


def largest_of(rows: Sequence[Row], column: str) -> float | None:
    """Return the largest value of a column over the layers; None if a layer has none, or there is no layer."""
    values = [value for row in rows if isinstance(value := row[column], float)]
    return max(values) if values and len(values) == len(rows) else None
