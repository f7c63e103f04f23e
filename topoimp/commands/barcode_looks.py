"""What ``barcode`` finds as it looks at each layer: its forest, or the barcodes of filters, and the rows from these."""

from collections.abc import Mapping
from dataclasses import dataclass

from topoimp.choices import Scale, View
from topoimp.commands.barcode_rows import Barcodes, barcode_rows
from topoimp.commands.spatial_barcode_rows import SpatialBarcodes, spatial_barcode_rows
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerStream
from topoimp.reports.cells import Row
from topoimp.topology.filter_barcodes import FilterBarcodes, filter_barcodes
from topoimp.topology.forest import Forest, spanning_forest
from topoimp.topology.forest_summary import ForestSummary, summary_of
from topoimp.topology.own_scale import largest_unselected


def looked_at(
    stream: LayerStream, scale: Scale, p: float, *, needs_forests: bool
) -> tuple[Barcodes | SpatialBarcodes, list[Row], Mapping[str, Forest | FilterBarcodes]]:
    """Return the barcodes of all layers, their rows, and by layer name the forest or the barcodes of filters.

    There are no forests unless they are needed, by files, figures or GUDHI.
    """
    infos = stream.layers.infos
    if stream.layers.patterns.view is View.SPATIAL:
        unrolled = SpatialBarcodes(stream.each_with(_forest_or_filters, stream.layers.by_name), scale)
        return unrolled, spatial_barcode_rows(infos, unrolled, p), unrolled.found

    found = stream.each(_LookAtForest(keeps_forest=needs_forests))
    forests = {name: each.forest for name, each in found.items() if each.forest is not None}
    unselected = None if scale is Scale.NONE else largest_unselected(stream.layers, stream.threads, stream.workers)
    barcodes = Barcodes({name: each.summary for name, each in found.items()}, scale, unselected, forests)
    rows = barcode_rows(infos, barcodes, {name: each.n_edges for name, each in found.items()}, p)
    return barcodes, rows, forests


@dataclass(frozen=True)
class _ForestFound:
    """What a report says of a layer; ``n_edges`` are its weights that are not zero."""

    summary: ForestSummary
    n_edges: int
    forest: Forest | None


@dataclass(frozen=True)
class _LookAtForest:
    """Finds the forest of a layer, and keeps it if it is needed."""

    keeps_forest: bool

    def __call__(self, layer: Layer, threads: int) -> _ForestFound:
        forest = spanning_forest(layer, threads=threads)
        n_edges = layer.n_edges_in_parallel()
        n_edges = forest.n_edges if n_edges is None else n_edges
        return _ForestFound(summary_of(forest), n_edges, forest if self.keeps_forest else None)


def _forest_or_filters(layer: Layer, info: LayerInfo, threads: int) -> Forest | FilterBarcodes:
    """Return the forest of a dense layer, or the barcodes of a convolution's filters."""
    if info.input_size is None:
        return spanning_forest(layer, threads=threads)
    return filter_barcodes(layer, info.shape[2:], info.input_size, threads=threads)
