"""The figures of ``bound``."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.commands.pictures import OVERVIEW, Figures, LayerFigure, OverviewFigure
from topoimp.reports.cells import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes


RETENTION = "retention"
"""The name of the figure that needs densities."""


@dataclass(frozen=True)
class BoundResults:
    """What ``bound`` found: the rows of the report, and whether densities are among them."""

    rows: Sequence[Row]
    has_densities: bool

    def of_level(self, level: str) -> dict[str, list[Row]]:
        """Return the rows of a level by layer."""
        by_layer: dict[str, list[Row]] = {}
        for row in self.rows:
            if row["level"] == level:
                by_layer.setdefault(str(row["layer"]), []).append(row)
        return by_layer


def _names(results: BoundResults) -> list[str]:
    return list(results.of_level("layer"))


def _retention(results: BoundResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    (layer,) = results.of_level("layer")[name]
    plots.retention(layer, results.of_level("density")[name], ax=ax)


def _no_densities(results: BoundResults) -> str | None:
    return None if results.has_densities else "densities: `densities`"


FIGURES: Figures[BoundResults] = MappingProxyType(
    {
        RETENTION: LayerFigure(
            "the share of each layer's forest that its strongest weights keep, against their density, beside chance",
            _names,
            _retention,
            _no_densities,
        ),
        OVERVIEW: OverviewFigure(
            "a column of all layers, critical_compression or overview:COLUMN, role by block, and the worst layers",
            lambda results: [row for row in results.rows if row["level"] == "layer"],
            "critical_compression",
        ),
    }
)
