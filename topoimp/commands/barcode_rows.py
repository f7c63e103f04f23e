"""The rows of a report about barcodes."""

from collections.abc import Mapping, Sequence

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.choices import Scale
from topoimp.layers.catalogue import LayerInfo
from topoimp.reports.columns import Row
from topoimp.reports.rows import layer_columns, mean_persistence_columns, persistence_columns
from topoimp.topology.barcode import Barcode, Unit, barcode_of_forest, reason_undefined
from topoimp.topology.forest import Forest
from topoimp.topology.summaries import persistent_entropy, total_persistence

UNDIVIDED = "no neural persistence: nothing is divided"


def layer_row(
    info: LayerInfo, forest: Forest, n_edges: int, network_largest: float | None, unit: Unit, scale: Scale, p: float
) -> Row:
    """Give the row of one layer.

    Args:
        info: the layer.
        forest: its maximum spanning forest.
        n_edges: its weights that are not zero.
        network_largest: the largest strength of all layers; None without edges.
        unit: what strengths are measured in, following from the scale.
        scale: what deaths are divided by.
        p: of norms and total persistence.
    """
    barcode, divisor = barcode_of_forest(forest), unit.divisor
    normalised = persistence_columns(barcode, network_scale=network_largest, layer_scale=forest.strongest, p=p)
    summaries = _summaries(unit.persistences(barcode), p)
    return {
        **layer_columns(info),
        "n_weights": info.n_weights,
        "n_edges": n_edges,
        "density": n_edges / info.n_weights,
        "beta0": forest.n_components,
        "beta1": forest.n_cycles,
        "floor": len(forest.indices),
        "largest": forest.strongest,
        "tau": forest.weakest,
        "scale": divisor,
        "median_death": _median(barcode.deaths / divisor) if divisor and len(barcode.deaths) else None,
        "last_death": forest.weakest / divisor if divisor and forest.weakest is not None else None,
        **({} if scale is Scale.NONE else normalised),
        **summaries,
        "undefined": _undefined(barcode, scale, summaries),
    }


def _median(numbers: FloatArray) -> float:
    """Give the median; the middle two are halved before they are added, which no number overflows."""
    ordered = np.sort(numbers)
    return float(ordered[(len(ordered) - 1) // 2] / 2 + ordered[len(ordered) // 2] / 2)


def _summaries(persistences: FloatArray, p: float) -> Row:
    return {
        "total_persistence": total_persistence(persistences, p=p),
        "persistent_entropy": persistent_entropy(persistences),
    }


def _undefined(barcode: Barcode, scale: Scale, summaries: Row) -> str | None:
    if scale is Scale.NONE:
        return _why_blank(UNDIVIDED, summaries)
    reason = reason_undefined(barcode)
    return f"np_balwani: {reason}" if reason else None


def _why_blank(reason: str, summaries: Row) -> str:
    """Say why else something is blank: only strengths that nothing divides can be too large, or all be 0."""
    if summaries["total_persistence"] is None:
        reason += "; total_persistence: beyond all numbers"
    if summaries["persistent_entropy"] is None:
        reason += "; persistent_entropy: no bar has a persistence"
    return reason


def network_row(
    rows: Sequence[Row],
    forests: Mapping[str, Forest],
    units: Mapping[str, Unit],
    largest: float | None,
    scale: Scale,
    p: float,
) -> Row:
    """Give the row about all layers together; arguments as of ``layer_row``, by layer name."""
    bars = [units[name].persistences(barcode_of_forest(forest)) for name, forest in forests.items()]
    summaries = _summaries(np.concatenate(bars), p)
    n_weights, n_edges = (sum(int(row[key] or 0) for row in rows) for key in ("n_weights", "n_edges"))
    undefined = [f"{row['undefined']} ({row['layer']})" for row in rows if row["undefined"]]
    if scale is Scale.NONE:
        undefined = [_why_blank(UNDIVIDED, summaries)]
    return {
        "level": "network",
        "n_weights": n_weights,
        "n_edges": n_edges,
        "density": n_edges / n_weights,
        "beta0": sum(forest.n_components for forest in forests.values()),
        "beta1": sum(forest.n_cycles for forest in forests.values()),
        "floor": sum(len(forest.indices) for forest in forests.values()),
        "largest": largest,
        "tau": min((forest.weakest for forest in forests.values() if forest.weakest is not None), default=None),
        "scale": {Scale.NETWORK: largest, Scale.LAYER: None, Scale.NONE: 1.0}[scale],
        **({} if scale is Scale.NONE else mean_persistence_columns(rows)),
        **summaries,
        "undefined": undefined[0] if undefined else None,
    }
