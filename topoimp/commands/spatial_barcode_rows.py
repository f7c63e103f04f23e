"""The rows of a report of barcodes in the view ``spatial``: dense layers, and convolutions filter by filter.

A dense layer is one graph, a convolution one for each filter. The scale ``layer`` is the largest strength of each
graph, so that each filter has its own. A convolution's neural persistence has two columns: the mean over its filters,
and the sum over its filters, which ends in ``_total``. The total of the network adds the values of the dense layers and
the sums of the convolutions.

Source: Balwani & Krzyston, PMLR 196, 2022: each filter at its own scale, and the sum over the filters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.choices import Scale
from topoimp.commands.barcode_rows import median, summaries, undivided
from topoimp.layers.records import LayerInfo
from topoimp.reports.cells import Cell, Row
from topoimp.reports.rows import (
    PERSISTENCE_COLUMNS,
    TOTAL,
    layer_columns,
    network_persistence_columns,
    persistence_columns,
)
from topoimp.topology.barcode import Barcode, Unit, barcode_of_forest, reason_undefined, unit_of
from topoimp.topology.filter_barcodes import FilterBarcodes
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class SpatialBarcodes:
    """By layer name the forest of a dense layer or the barcodes of a convolution's filters, and their scale."""

    found: Mapping[str, Forest | FilterBarcodes]
    scale: Scale

    @cached_property
    def largest(self) -> float | None:
        """The largest strength of all graphs; None without edges."""
        return max((each.strongest for each in self.found.values() if each.strongest is not None), default=None)

    def graphs(self) -> Iterator[tuple[str, Forest]]:
        """Yield the name and the forest of each graph, in order; that of a filter is the layer's, /, and its number."""
        for name, found in self.found.items():
            if isinstance(found, Forest):
                yield name, found
            else:
                yield from ((f"{name}/{number}", forest) for number, forest in enumerate(found.forests()))

    @cached_property
    def units(self) -> dict[str, Unit]:
        """The unit of each graph's strengths, by its name."""
        units: dict[str, Unit] = {}
        for name, found in self.found.items():
            own = [found.strongest] if isinstance(found, Forest) else found.strongest_of_each()
            names = [name] if isinstance(found, Forest) else [f"{name}/{number}" for number in range(len(own))]
            for graph, strongest in zip(names, own, strict=True):
                units[graph] = unit_of(self.scale, network_largest=self.largest, layer_largest=strongest)
        return units


@dataclass(frozen=True)
class _Graphs:
    """The graphs of a layer: their barcodes one after the other, and their edges together."""

    found: Forest | FilterBarcodes

    @property
    def n_filters(self) -> int | None:
        return self.found.n_filters if isinstance(self.found, FilterBarcodes) else None

    def barcodes(self) -> list[Barcode]:
        if isinstance(self.found, FilterBarcodes):
            return list(self.found.each())
        return [barcode_of_forest(self.found)]


def spatial_barcode_rows(infos: Sequence[LayerInfo], barcodes: SpatialBarcodes, p: float) -> list[Row]:
    """Return a row for each layer, and one for the network; ``p`` is that of norms and of total persistence."""
    largest = barcodes.largest
    scale = barcodes.scale
    rows: list[Row] = []
    bars: list[FloatArray] = []
    for info in infos:
        row, persistences = _layer_row(info, _Graphs(barcodes.found[info.name]), largest, scale, p)
        rows.append(row)
        bars.append(persistences)
    return [*rows, _network_row(rows, np.concatenate(bars), largest, scale, p)]


def _layer_row(
    info: LayerInfo, graphs: _Graphs, largest: float | None, scale: Scale, p: float
) -> tuple[Row, FloatArray]:
    """Return the row of a layer, and the persistences of all its bars."""
    barcodes = graphs.barcodes()
    units = [unit_of(scale, network_largest=largest, layer_largest=barcode.strongest) for barcode in barcodes]
    pairs = list(zip(barcodes, units, strict=True))
    persistences = np.concatenate([unit.persistences(barcode) for barcode, unit in pairs])
    levels = np.concatenate([unit.levels(barcode.deaths) for barcode, unit in pairs])

    values = [persistence_columns(barcode, own_scale=largest, p=p) for barcode in barcodes]
    is_shared = scale is not Scale.LAYER or graphs.n_filters is None
    n_edges = graphs.found.n_edges
    own_summaries = summaries(persistences, p)
    row: dict[str, Cell] = {
        **layer_columns(info),
        "input_size": None if info.input_size is None else str(info.input_size),
        "n_filters": graphs.n_filters,
        "n_weights": info.n_weights,
        "n_edges": n_edges,
        "density": n_edges / info.n_weights if graphs.n_filters is None else None,
        "beta0": sum(barcode.n_essential for barcode in barcodes),
        "beta1": n_edges - len(levels),
        "floor": len(levels),
        "largest": graphs.found.strongest,
        "tau": min((float(barcode.deaths[-1]) for barcode in barcodes if len(barcode.deaths)), default=None),
        "scale": units[0].divisor if is_shared else None,
        "median_death": median(levels) if len(levels) else None,
        "last_death": float(levels.min()) if len(levels) else None,
        **({} if scale is Scale.NONE else _of_filters(values, graphs)),
        **own_summaries,
        "undefined": undivided(own_summaries) if scale is Scale.NONE else _reason(barcodes, graphs),
    }
    return row, persistences


def _of_filters(values: Sequence[Row], graphs: _Graphs) -> Row:
    """Return the neural persistence of a dense layer, or mean and sum over the filters of a convolution."""
    if graphs.n_filters is not None:
        return network_persistence_columns(values)
    return {**values[0], **{column + TOTAL: None for column in PERSISTENCE_COLUMNS.values()}}


def _reason(barcodes: Sequence[Barcode], graphs: _Graphs) -> str | None:
    """Return the reason why ``np_balwani`` is undefined; None if it is not."""
    reasons = [(number, reason) for number, barcode in enumerate(barcodes) if (reason := reason_undefined(barcode))]
    if not reasons:
        return None
    number, reason = reasons[0]
    return f"np_balwani: {reason}" if graphs.n_filters is None else f"np_balwani of filter {number}: {reason}"


def _network_row(rows: Sequence[Row], bars: FloatArray, largest: float | None, scale: Scale, p: float) -> Row:
    """Return the row of the network; of each neural persistence the mean, and the sum over dense layers and filters."""
    sums = {key: sum(int(row[key] or 0) for row in rows) for key in ("n_weights", "n_edges", "beta0", "beta1", "floor")}
    taus = [tau for row in rows if isinstance(tau := row["tau"], float)]
    own_summaries = summaries(bars, p)
    reasons = [f"{row['undefined']} ({row['layer']})" for row in rows if row["undefined"]]
    return {
        "level": "network",
        **sums,
        "largest": largest,
        "tau": min(taus, default=None),
        "scale": {Scale.NETWORK: largest, Scale.LAYER: None, Scale.NONE: 1.0}[scale],
        **({} if scale is Scale.NONE else {**network_persistence_columns(rows), **_totals(rows)}),
        **own_summaries,
        "undefined": undivided(own_summaries) if scale is Scale.NONE else next(iter(reasons), None),
    }


def _totals(rows: Sequence[Row]) -> Row:
    totals: dict[str, float | None] = {}
    for column in PERSISTENCE_COLUMNS.values():
        values = [row[column] if row["n_filters"] is None else row[column + TOTAL] for row in rows]
        numbers = [value for value in values if isinstance(value, float)]
        totals[column + TOTAL] = sum(numbers) if len(numbers) == len(values) else None
    return totals
