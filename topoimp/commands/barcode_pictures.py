"""The figures of ``barcode``."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.choices import Scale
from topoimp.commands.barcode_rows import Barcodes
from topoimp.commands.pictures import Figures, LayerFigure
from topoimp.commands.spatial_barcode_rows import SpatialBarcodes
from topoimp.layers.streaming import LayerStream
from topoimp.reports.cells import Row
from topoimp.topology.bars import bars_of
from topoimp.topology.forest import Forest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class BarcodeResults:
    """What ``barcode`` found: the barcodes, the rows of the report, and the layers for another look."""

    barcodes: Barcodes | SpatialBarcodes
    rows: Sequence[Row]
    stream: LayerStream

    @cached_property
    def graphs(self) -> dict[str, Forest]:
        """The forests of all graphs by name: of layers, or of filters in the view ``spatial``."""
        return dict(self.barcodes.graphs())


def _names(results: BarcodeResults) -> list[str]:
    return list(results.graphs)


def _barcode(results: BarcodeResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    plots.barcode(bars_of(results.graphs[name], unit=results.barcodes.units[name]), ax=ax)
    if results.barcodes.scale is Scale.NONE:
        ax.set_xlabel("strength |w|")


FIGURES: Figures[BarcodeResults] = MappingProxyType(
    {
        "barcode": LayerFigure("the bars of each layer, in order of death", _names, _barcode),
    }
)
