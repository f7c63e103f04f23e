"""Numbers in, rows out: the columns that several commands share, and their settings."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from types import MappingProxyType
from typing import TypeAlias

from topoimp.checkpoint import Checkpoint
from topoimp.choices import NeuralPersistence, Scale, View
from topoimp.layers.records import LayerInfo, LayerPatterns, Layers
from topoimp.layers.scored import ScoredLayers
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.options import Scheme
from topoimp.pruning.preservation import Preservation
from topoimp.pruning.round import LayerRound, Round
from topoimp.reports.cells import Cell, Row
from topoimp.topology.barcode import Barcode, neural_persistence, scale_of_convention
from topoimp.topology.distance import BarcodeDistances

Settings: TypeAlias = dict[str, Cell | Sequence[str]]
"""The settings of a report, by name."""

DISTANCES = tuple(field.name for field in fields(BarcodeDistances))
"""The columns of the distances between two barcodes."""

REFERENCE = "_reference"
"""Suffix of the columns that describe the reference."""

TOTAL = "_total"
"""Suffix of the columns that hold the sum over the layers, in a network row beside the mean."""


def layer_columns(info: LayerInfo) -> Row:
    """Return the columns that identify a layer."""
    return {
        "level": "layer",
        "layer": info.name,
        "rows": info.n_rows,
        "columns": info.n_columns,
        "dtype": info.dtype,
        "view": info.view,
    }


def key_settings(key: str | None, checkpoint: Checkpoint) -> Settings:
    """Return the key of the state dict that was read, if the caller gave it or the file has others."""
    return {"key": checkpoint.key} if key is not None or checkpoint.other_keys else {}


def pattern_settings(patterns: LayerPatterns) -> Settings:
    """Return the settings that select layers."""
    return {
        "include": list(patterns.include),
        "exclude": list(patterns.exclude),
        "embeddings": patterns.embeddings,
        "groups": [str(groups) for groups in patterns.all_groups],
        **view_settings(patterns),
    }


def score_settings(layers: Layers) -> Settings:
    """Return the name of the file of scores; no setting if strengths are those of the weights."""
    return {"scores": layers.file.path.name} if isinstance(layers, ScoredLayers) else {}


def chain_settings(graph: NetworkGraph | None) -> Settings:
    """Return the layers of a chain, in order; no setting without a chain."""
    return {} if graph is None else {"chain": graph.layers}


def view_settings(patterns: LayerPatterns) -> Settings:
    """Return the view, and in the view ``spatial`` the images of the convolutions, by pattern."""
    if patterns.view is not View.SPATIAL:
        return {"view": patterns.view}
    return {"view": patterns.view, "input_sizes": [f"{pattern}={size}" for pattern, size in patterns.input_sizes]}


def setting_of_nulls(nulls: Sequence[object]) -> Cell | Sequence[str]:
    """Return the setting ``null``: none, the name of one null model, or the names of several."""
    names = [str(null) for null in nulls]
    return names if len(names) > 1 else names[0] if names else None


def pruning_settings(scheme: Scheme) -> Settings:
    """Return the settings of a pruning in rounds; None for those that its method does not use.

    A pattern takes the place of scope, rate and sparsity.
    """
    if scheme.pattern is not None:
        taken = ("scope", "rate")
        of_pattern = {name: value for name, value in _amounts(scheme).items() if name not in taken}
        return {**of_pattern, "pattern": str(scheme.pattern), **pattern_settings(scheme.patterns)}
    seed = scheme.seed if scheme.method.takes_seed else None
    patterns = pattern_settings(scheme.patterns)
    return {**_amounts(scheme), "sparsity": _sparsity(scheme), "seed": seed, **patterns, **scheme.layer_amounts()}


def run_settings(scheme: Scheme, **of_run: Cell | Sequence[str]) -> Settings:
    """Return the settings of a pruning with training between the rounds; only such a one has those ``of_run``."""
    own: Settings = {"layer_rates": [], **scheme.layer_amounts(), "sparsity": _sparsity(scheme), **of_run}
    return {**_amounts(scheme), **own, **pattern_settings(scheme.patterns)}


def _amounts(scheme: Scheme) -> Settings:
    return {
        "method": scheme.method.name,
        **scheme.method.provenance(),
        "epsilon": scheme.epsilon if scheme.method.protects_forest else None,
        "scope": scheme.scope,
        "rounds": scheme.schedule.n_rounds,
        "rate": scheme.schedule.effective_rate(),
        **({"schedule": scheme.schedule.form} if scheme.schedule.is_linear else {}),
        **({} if scheme.preset is None else {"preset": scheme.preset}),
        **({"output_columns": list(scheme.output_columns)} if scheme.output_columns else {}),
    }


def _sparsity(scheme: Scheme) -> float | None:
    return None if scheme.schedule.sparsity is None else float(scheme.schedule.sparsity)


def preservation_columns(preservation: Preservation) -> Row:
    """Return the columns of a layer's kept weights, components, cycles and forest."""
    return {
        "n_weights": preservation.n_weights,
        "n_edges": preservation.n_edges,
        "n_kept": preservation.n_kept,
        "density": preservation.density,
        "sparsity": (preservation.n_weights - preservation.n_kept) / preservation.n_weights,
        "compression_ratio": preservation.n_weights / preservation.n_kept if preservation.n_kept else None,
        "floor": preservation.floor,
        "beta0": preservation.beta0,
        "beta0_reference": preservation.beta0_reference,
        "beta1": preservation.beta1,
        "beta0_kept": preservation.beta0_kept,
        "barcode_kept": preservation.barcode_kept,
        "retention": preservation.n_forest_kept / preservation.floor if preservation.floor else None,
    }


def distance_columns(distances: BarcodeDistances | None) -> Row:
    """Return the columns of four distances; all blank for None."""
    return dict.fromkeys(DISTANCES) if distances is None else asdict(distances)


def rows_of_pruning(infos: Sequence[LayerInfo], round_: Round) -> list[Row]:
    """Return a row for each layer of a round of pruning, and one for the network."""
    rows: list[Row] = []
    for info in infos:
        layer = round_.layers[info.name]
        numbers = {"round": round_.number, **target_columns(layer)}
        rows.append({**layer_columns(info), **numbers, **preservation_columns(layer.preservation)})

    network: Row = {"level": "network", "round": round_.number, **target_columns(round_)}
    return [*rows, {**network, **preservation_columns(round_.preservation)}]


def target_columns(part: LayerRound | Round) -> Row:
    """Return the columns of a target, of a layer or of all together: whether it was met, and what protection added."""
    binds = part.floor_binds if isinstance(part, LayerRound) else bool(part.missed)
    unfit = {} if part.n_forest_unfit is None else {UNFIT: part.n_forest_unfit}
    return {"target": part.target, "floor_binds": binds, "n_forest_added": part.n_forest_added, **unfit}


UNFIT = "n_forest_unfit"
"""The column that only a pattern has."""


OTHER_STATE_DICT = "another state dict of the file"
UNINDEXED = "not in the index"


def left_out(layers: Layers) -> dict[str, str]:
    """Return the reason for each tensor that is not selected, and for what ``left_out_of_files`` names."""
    return {**left_out_of_files(layers.checkpoint), **{tensor.name: tensor.reason for tensor in layers.left_out}}


def left_out_of_files(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the reason for each state dict, by its key, and each tensor of a shard that a checkpoint passes over."""
    return {
        **dict.fromkeys(checkpoint.other_keys, OTHER_STATE_DICT),
        **dict.fromkeys(checkpoint.unindexed, UNINDEXED),
    }


PERSISTENCE_COLUMNS = MappingProxyType({each: f"np_{each.replace('-', '_')}" for each in NeuralPersistence})
"""By convention of neural persistence, its column."""


def persistence_columns(barcode: Barcode, *, own_scale: float | None, p: float, suffix: str = "") -> Row:
    """Return a layer's neural persistence in every convention.

    ``own_scale`` is that of the layer's own checkpoint (``topoimp.topology.own_scale``), never that of a reference, so
    that every command has the same number.
    """
    scales = {Scale.NETWORK: own_scale, Scale.LAYER: barcode.strongest}
    return {
        column + suffix: neural_persistence(barcode, convention, scale=scales[scale_of_convention(convention)], p=p)
        for convention, column in PERSISTENCE_COLUMNS.items()
    }


def network_persistence_columns(rows: Sequence[Row], *, suffix: str = "") -> Row:
    """Return mean and total over the layers of every neural persistence; None if a layer has none."""
    columns: dict[str, float | None] = {}
    for column in PERSISTENCE_COLUMNS.values():
        values = [row[column + suffix] for row in rows]
        numbers = [value for value in values if isinstance(value, float)]
        total = sum(numbers) if len(numbers) == len(values) else None

        columns[column + suffix] = None if total is None else total / len(numbers)
        columns[column + TOTAL + suffix] = total
    return columns


def largest_of(rows: Sequence[Row], column: str) -> float | None:
    """Return the largest value of a column over the layers; None if a layer has none, or there is no layer."""
    values = [value for row in rows if isinstance(value := row[column], float)]
    return max(values) if values and len(values) == len(rows) else None
