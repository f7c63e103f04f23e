"""The columns of ``compare``, row by row: a reference against another checkpoint. reports/columns.py explains them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from topoimp.chance.forest_by_chance import ForestByChance, added_up_by_chance
from topoimp.chance.null import Null
from topoimp.choices import Essential
from topoimp.commands.barcode_rows import dead_columns
from topoimp.comparison.comparison import LayerComparison
from topoimp.comparison.layer_pair import LayerPair
from topoimp.comparison.retention_columns import retention_columns, retention_reasons
from topoimp.comparison.scales import Scales
from topoimp.comparison.weight_differences import jaccard
from topoimp.kernels.threads import in_parallel
from topoimp.layers.notes import first_names
from topoimp.layers.squared_norms import added_norms
from topoimp.pruning.preservation import total_preservation
from topoimp.reports.cells import Cell, Row
from topoimp.reports.norm_columns import NORM
from topoimp.reports.rows import (
    DISTANCES,
    REFERENCE,
    largest_of,
    layer_columns,
    network_persistence_columns,
    persistence_columns,
    preservation_columns,
)
from topoimp.topology.barcode import Barcode, barcode_of_forest
from topoimp.topology.distance import barcode_distances

BOUND = "distance_bound"
"""Column of the upper bound of the bottleneck distance."""

DEAD = ("dead_rows", "dead_columns", "dead_rows_reference", "dead_columns_reference")
"""Columns of the numbers of rows and columns without edges."""


def comparison_rows(
    layers: Sequence[LayerComparison],
    scales: Scales,
    essential: Essential,
    p: float,
    threads: int,
    nulls: Sequence[Null] = (),
) -> list[Row]:
    """Return, for each null, a row for each layer of the reference and of one other, and one for the network."""
    pairs = [layer.pair for layer in layers]
    chance = added_up_by_chance([layer.chance for layer in layers])

    def describe(start: int, stop: int) -> list[_Columns]:
        return [_layer_columns(layer, scales, essential, p) for layer in layers[start:stop]]

    described = [columns for part in in_parallel(describe, len(layers), threads) for columns in part]
    rows: list[Row] = []
    for null in nulls or (None,):
        of_layers = [_layer_row(*each, null) for each in zip(layers, described, strict=True)]
        rows += [*of_layers, _network_row(of_layers, pairs, chance, null)]
    return rows


def notes_on_chance(rows: Sequence[Row], nulls: Sequence[Null]) -> list[str]:
    """Return the sentence that names the layers whose share by chance is unknown; none where null models are drawn."""
    layers = [row for row in rows if row["level"] == "layer"]
    unknown = [*dict.fromkeys(str(row["layer"]) for row in layers if row["floor"] and row["retention_iid"] is None)]
    if nulls or not unknown:
        return []
    names = f"{first_names(unknown)}, {len(unknown)} in all"
    return [f"by chance: unknown for {names}, too large to simulate; `null` shuffle:20 does"]


@dataclass(frozen=True)
class _Columns:
    """The columns of a layer, those before and after the columns of chance, and the reasons for blank ones."""

    before: Row
    after: Row
    reasons: Mapping[str, str]


def _layer_columns(layer: LayerComparison, scales: Scales, essential: Essential, p: float) -> _Columns:
    pair = layer.pair
    reference, other = barcode_of_forest(pair.reference), barcode_of_forest(pair.other)
    distances, reasons = _distances(pair, reference, other, scales.reference, essential)
    if pair.info.weight_format is not None:
        reasons = {**reasons, NORM: "it is of weights, and the strengths are scores"}
    n_forests = len(pair.reference.indices), len(pair.other.indices)
    after: Row = {
        "mask_overlap": jaccard(pair.n_both, pair.preservation.n_edges, _n_present(pair)),
        "forest_overlap": jaccard(pair.n_forest_shared, *n_forests),
        NORM: None if pair.info.weight_format else pair.squared_norms.share_kept,
        **dead_columns(pair.graph),
        **dead_columns(pair.reference, REFERENCE),
        **distances,
        **persistence_columns(other, own_scale=scales.other, p=p),
        **persistence_columns(reference, own_scale=scales.reference, p=p, suffix=REFERENCE),
    }
    return _Columns(preservation_columns(pair.preservation), after, reasons)


def _layer_row(layer: LayerComparison, described: _Columns, null: Null | None) -> Row:
    columns: Row = {**described.before, **retention_columns(layer.chance, null), **described.after}
    reasons = {**retention_reasons(layer.chance, null), **described.reasons}
    return {**layer_columns(layer.pair.info), **columns, "undefined": _undefined(columns, reasons)}


def _network_row(rows: Sequence[Row], pairs: Sequence[LayerPair], chance: ForestByChance, null: Null | None) -> Row:
    preservation = total_preservation([pair.preservation for pair in pairs])
    columns: dict[str, Cell] = {
        **preservation_columns(preservation),
        **retention_columns(chance, null),
        "mask_overlap": jaccard(sum(pair.n_both for pair in pairs), preservation.n_edges, sum(map(_n_present, pairs))),
        "forest_overlap": jaccard(
            sum(pair.n_forest_shared for pair in pairs),
            sum(len(pair.reference.indices) for pair in pairs),
            sum(len(pair.other.indices) for pair in pairs),
        ),
        NORM: None if pairs[0].info.weight_format else added_norms(pair.squared_norms for pair in pairs).share_kept,
        **{column: sum(int(row[column] or 0) for row in rows) for column in DEAD},
        **{column: largest_of(rows, column) for column in (*DISTANCES, BOUND)},
        **network_persistence_columns(rows),
        **network_persistence_columns(rows, suffix=REFERENCE),
    }
    reasons = [f"{row['undefined']} ({row['layer']})" for row in rows if row["undefined"]]
    undefined = reasons[0] if reasons else _undefined(columns, retention_reasons(chance, null))
    return {"level": "network", **columns, "undefined": undefined}


def _n_present(pair: LayerPair) -> int:
    """Return the number of weights of the other that are not zero."""
    return pair.preservation.n_kept - (pair.graph.n_edges - pair.other.n_edges)


def _distances(
    pair: LayerPair, reference: Barcode, other: Barcode, scale: float | None, essential: Essential
) -> tuple[Mapping[str, float | None], Mapping[str, str]]:
    """Return the distances of the barcodes and the bound of the bottleneck distance, and the reasons for blank ones.

    Persistences differ by ``largest_shift`` / scale at most, and between a layer and itself under a mask, where all
    are from 0 to 1, the bottleneck distance is at most 1/2 as well. Pruning by magnitude leaves none of the bars that
    die at the strongest missing edge or below, and reaches that bound.
    """
    columns = (*DISTANCES, BOUND)
    found = barcode_distances(reference, other, scale=scale, essential=essential)
    if found is None:
        reason = "the reference has no edge to give a scale, or one far below the other's strengths"
        return dict.fromkeys(columns), dict.fromkeys(columns, reason)
    if not isfinite(found.sorted_linf):
        reason = "infinite, as the numbers of essential bars differ and they never die"
        return dict.fromkeys(columns), dict.fromkeys(columns, reason)

    bound = pair.largest_shift / (scale or 1.0)
    if pair.is_masked or pair.largest_difference is None:
        bound = min(bound, 0.5)
    values = {**{name: getattr(found, name) for name in DISTANCES}, BOUND: bound}
    infinite = {name: "beyond all numbers" for name, value in values.items() if not isfinite(value)}
    return {name: None if name in infinite else value for name, value in values.items()}, infinite


def _undefined(columns: Row, reasons: Mapping[str, str]) -> str | None:
    """Return the blank columns of a row and the reasons, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for name, value in columns.items():
        if value is None:
            by_reason.setdefault(reasons[name] if name in reasons else _usual_reason(name), []).append(name)
    return "; ".join(f"no {', '.join(names)}: {reason}" for reason, names in by_reason.items()) or None


def _usual_reason(column: str) -> str:
    if column.startswith("np_"):
        return "a layer of zeros or of one weight"
    return "nothing is kept" if column == "compression_ratio" else "the reference has no edges"
