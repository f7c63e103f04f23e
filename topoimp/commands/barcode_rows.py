"""The barcodes of all layers at one scale, and the rows of a report about them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.chance.shuffling import live_shape
from topoimp.choices import Scale
from topoimp.layers.records import LayerInfo
from topoimp.reports.cells import Row
from topoimp.reports.rows import layer_columns, network_persistence_columns, persistence_columns
from topoimp.topology.barcode import Unit, barcode_of_forest, largest_strength, reason_undefined, unit_of
from topoimp.topology.forest import Forest
from topoimp.topology.forest_summary import ForestSummary
from topoimp.topology.own_scale import own_scale
from topoimp.topology.summaries import persistent_entropy, total_persistence


@dataclass(frozen=True)
class Barcodes:
    """The summaries of the maximum spanning forests of the selected layers, by name, and the scale of their barcodes.

    ``unselected`` is the largest strength of the network's other layers; None without any, and at the scale ``none``.
    ``forests`` has the forests themselves, if files or figures of bars need them; it is empty otherwise.
    """

    summaries: Mapping[str, ForestSummary]
    scale: Scale
    unselected: float | None = None
    forests: Mapping[str, Forest] = field(default_factory=dict)

    @cached_property
    def largest(self) -> float | None:
        """The largest strength of the selected layers; None without edges."""
        return largest_strength(self.summaries.values())

    @cached_property
    def own_scale(self) -> float | None:
        """The own scale of the checkpoint; None without edges."""
        return own_scale(self.summaries.values(), self.unselected)

    def graphs(self) -> Iterator[tuple[str, Forest]]:
        """Yield the name and the forest of each layer, in order."""
        yield from self.forests.items()

    @cached_property
    def units(self) -> dict[str, Unit]:
        """The unit of each layer's strengths, by name."""
        network_largest = self.largest if self.scale is Scale.NONE else self.own_scale
        return {
            name: unit_of(self.scale, network_largest=network_largest, layer_largest=summary.strongest)
            for name, summary in self.summaries.items()
        }


def barcode_rows(infos: Sequence[LayerInfo], barcodes: Barcodes, n_edges: Mapping[str, int], p: float) -> list[Row]:
    """Return a row for each layer, and one for the network.

    ``n_edges`` holds, by layer name, the weights that are not zero; ``p`` is that of norms and of total persistence.
    """
    rows = [_layer_row(info, barcodes, n_edges[info.name], p) for info in infos]
    return [*rows, _network_row(rows, barcodes, p)]


def _layer_row(info: LayerInfo, barcodes: Barcodes, n_edges: int, p: float) -> Row:
    forest = barcodes.summaries[info.name]
    unit = barcodes.units[info.name]
    scale = barcodes.scale
    barcode = barcode_of_forest(forest)
    divisor = unit.divisor
    reason = reason_undefined(barcode)
    normalised = persistence_columns(barcode, own_scale=barcodes.own_scale, p=p)
    own = summaries(unit.persistences(barcode), p)
    return {
        **layer_columns(info),
        "n_weights": info.n_weights,
        "n_edges": n_edges,
        "density": n_edges / info.n_weights,
        "beta0": forest.n_components,
        "beta1": forest.n_cycles,
        "largest_component": forest.largest_component,
        "floor": len(forest.strengths),
        "dead_rows": forest.n_rows - forest.n_live_rows,
        "dead_columns": forest.n_columns - forest.n_live_columns,
        "largest": forest.strongest,
        "tau": forest.weakest,
        "scale": divisor,
        "median_death": median(barcode.deaths / divisor) if divisor and len(barcode.deaths) else None,
        "last_death": forest.weakest / divisor if divisor and forest.weakest is not None else None,
        **({} if scale is Scale.NONE else normalised),
        **own,
        "undefined": undivided(own) if scale is Scale.NONE else reason and f"np_balwani: {reason}",
    }


def _network_row(rows: Sequence[Row], barcodes: Barcodes, p: float) -> Row:
    forests = barcodes.summaries.values()
    scale = barcodes.scale
    bars = [barcodes.units[name].persistences(barcode_of_forest(forest)) for name, forest in barcodes.summaries.items()]
    own = summaries(np.concatenate(bars), p)
    n_weights, n_edges = (sum(int(row[key] or 0) for row in rows) for key in ("n_weights", "n_edges"))
    reasons = [f"{row['undefined']} ({row['layer']})" for row in rows if row["undefined"]]
    return {
        "level": "network",
        "n_weights": n_weights,
        "n_edges": n_edges,
        "density": n_edges / n_weights,
        "beta0": sum(forest.n_components for forest in forests),
        "beta1": sum(forest.n_cycles for forest in forests),
        "largest_component": max(int(row["largest_component"] or 0) for row in rows),
        "floor": sum(len(forest.strengths) for forest in forests),
        **{column: sum(int(row[column] or 0) for row in rows) for column in ("dead_rows", "dead_columns")},
        "largest": barcodes.largest,
        "tau": min((forest.weakest for forest in forests if forest.weakest is not None), default=None),
        "scale": {Scale.NETWORK: barcodes.own_scale, Scale.LAYER: None, Scale.NONE: 1.0}[scale],
        **({} if scale is Scale.NONE else network_persistence_columns(rows)),
        **own,
        "undefined": undivided(own) if scale is Scale.NONE else next(iter(reasons), None),
    }


def dead_columns(forest: Forest, suffix: str = "") -> Row:
    """Return the columns of the numbers of a layer's rows and columns without edges."""
    n_rows, n_columns = live_shape(forest)
    return {f"dead_rows{suffix}": forest.n_rows - n_rows, f"dead_columns{suffix}": forest.n_columns - n_columns}


def median(numbers: FloatArray) -> float:
    """Return the median; the middle two are halved before they are added, which no number overflows."""
    ordered = np.sort(numbers)
    return float(ordered[(len(ordered) - 1) // 2] / 2 + ordered[len(ordered) // 2] / 2)


def summaries(persistences: FloatArray, p: float) -> Row:
    """Return total persistence and persistent entropy."""
    return {
        "total_persistence": total_persistence(persistences, p=p),
        "persistent_entropy": persistent_entropy(persistences),
    }


def undivided(own: Row) -> str:
    """Return the reasons for blanks at the scale ``none``: undivided strengths can be too large, or all be 0."""
    reasons = ["no neural persistence: nothing is divided"]
    if own["total_persistence"] is None:
        reasons.append("total_persistence: beyond all numbers")
    if own["persistent_entropy"] is None:
        reasons.append("persistent_entropy: no bar has a persistence")
    return "; ".join(reasons)
