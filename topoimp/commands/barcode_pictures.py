"""The figures of ``barcode``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.chance.curves import BettiBesideChance, DeathHistogram, betti_beside_chance, death_histogram
from topoimp.choices import BarConvention, Scale, View
from topoimp.commands.barcode_picture_options import INPUT_IMAGE, PictureOptions
from topoimp.commands.barcode_rows import Barcodes
from topoimp.commands.pictures import MOST_PANELS, OVERVIEW, Figures, LayerFigure, OverviewFigure
from topoimp.commands.spatial_barcode_rows import SpatialBarcodes
from topoimp.layers.edge_counts import EdgeCounts, edge_counts
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.reports.cells import Row
from topoimp.topology.bars import bars_of
from topoimp.topology.components import components_of
from topoimp.topology.forest import Forest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class BarcodeResults:
    """What ``barcode`` found: the barcodes, the rows of the report, and the layers for another look."""

    barcodes: Barcodes | SpatialBarcodes
    rows: Sequence[Row]
    stream: LayerStream
    options: PictureOptions = field(default_factory=PictureOptions)

    @cached_property
    def graphs(self) -> dict[str, Forest]:
        """The forests of all graphs by name: of layers, or of filters in the view ``spatial``."""
        return dict(self.barcodes.graphs())

    @property
    def has_weights(self) -> bool:
        """Whether the graphs are those of weights: not in the view ``spatial``."""
        return self.stream.layers.patterns.view is not View.SPATIAL

    @cached_property
    def betti(self) -> dict[str, BettiBesideChance]:
        """The Betti curves that have been computed, by layer."""
        return {}


def _names(results: BarcodeResults) -> list[str]:
    return list(results.graphs)


def _barcode(results: BarcodeResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    plots.barcode(bars_of(results.graphs[name], unit=results.barcodes.units[name]), ax=ax)
    _name_strengths(results, ax)


def _name_strengths(results: BarcodeResults, ax: "Axes") -> None:
    if results.barcodes.scale is Scale.NONE:
        ax.set_xlabel("strength |w|")


def _diagram(results: BarcodeResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    forest, unit, options = results.graphs[name], results.barcodes.units[name], results.options

    def histogram(layer: Layer, threads: int) -> DeathHistogram:
        return death_histogram(layer, forest, unit=unit, null=options.model, seed=options.seed, threads=threads)

    bars = bars_of(forest, unit=unit, bar_convention=options.bar_convention)
    is_gudhi = options.bar_convention is BarConvention.GUDHI
    plots.diagram(bars, None if is_gudhi or not results.has_weights else results.stream.look_at(name, histogram), ax=ax)
    if not is_gudhi:
        _name_strengths(results, ax)


def _curves(results: BarcodeResults, name: str) -> BettiBesideChance:
    forest, options = results.graphs[name], results.options

    def look(layer: Layer, threads: int) -> BettiBesideChance:
        return betti_beside_chance(layer, forest, null=options.model, seed=options.seed, threads=threads)

    if name not in results.betti:
        results.betti[name] = results.stream.look_at(name, look)
    return results.betti[name]


def _components(results: BarcodeResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    plots.betti_curve(_curves(results, name), degree=0, ax=ax)


def _cycles(results: BarcodeResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    plots.betti_curve(_curves(results, name), degree=1, ax=ax)


def _component_sizes(results: BarcodeResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    plots.component_sizes(components_of(results.graphs[name]), ax=ax)


def _mask(results: BarcodeResults, name: str, ax: "Axes") -> None:
    from topoimp import plots
    from topoimp.plots.masks import blocks_of

    most = blocks_of(min(len(_names(results)), MOST_PANELS))

    def look(layer: Layer, threads: int) -> EdgeCounts:
        return edge_counts(layer, most, most, threads=threads)

    plots.mask(results.stream.look_at(name, look), results.graphs[name], ax=ax)


def _readers_of_images(results: BarcodeResults) -> list[str]:
    """Return the layers that have a column for each number of an image; none if its size is not known."""
    image = results.options.image_shape
    if image is None or not results.has_weights:
        return []
    return [name for name, forest in results.graphs.items() if forest.n_columns == prod(image)]


def _input_image(results: BarcodeResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    def look(layer: Layer, threads: int) -> EdgeCounts:
        return edge_counts(layer, 1, layer.n_columns, threads=threads)

    by_column = results.stream.look_at(name, look).counts.reshape(results.options.image_shape)
    plots.input_image(by_column.sum(axis=0), ax=ax)


def _lacks_image(results: BarcodeResults) -> str | None:
    image = results.options.image_shape
    if not results.has_weights or image is None:
        return _lacks_weights(results) or "the size of the images: `image`"
    if _readers_of_images(results):
        return None
    channels, height, width = image
    return f"a layer with {prod(image):,} columns, one for each number of an image of {height}x{width}x{channels}"


def _lacks_weights(results: BarcodeResults) -> str | None:
    return None if results.has_weights else "weights: the `view` matrix or channel"


FIGURES: Figures[BarcodeResults] = MappingProxyType(
    {
        "barcode": LayerFigure("the bars of each layer, in order of death", _names, _barcode),
        "diagram": LayerFigure("the deaths of each layer and their histogram, beside chance", _names, _diagram),
        "betti-curves": LayerFigure(
            "components and cycles of the strongest edges of each layer, beside chance",
            _names,
            _components,
            _lacks_weights,
            _cycles,
        ),
        "components": LayerFigure("the sizes of the components of each layer", _names, _component_sizes),
        "mask": LayerFigure(
            "where the edges of each layer are, and those of its forest", _names, _mask, _lacks_weights
        ),
        INPUT_IMAGE: LayerFigure(
            "the weights of a layer at each pixel of the images that it reads",
            _readers_of_images,
            _input_image,
            _lacks_image,
        ),
        OVERVIEW: OverviewFigure(
            "a column of all layers, tau or overview:COLUMN, role by block, and the worst layers",
            lambda results: [row for row in results.rows if row["level"] == "layer"],
            "tau",
        ),
    }
)
