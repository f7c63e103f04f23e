"""The figures of ``compare``."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from topoimp.commands.pictures import OVERVIEW, Figures, LayerFigure, OverviewFigure
from topoimp.comparison.matched_deaths import MatchedDeaths
from topoimp.reports.cells import Row
from topoimp.rounds.run_folder import SUFFIX

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Deaths: TypeAlias = Mapping[tuple[str, str], MatchedDeaths]
"""By the names of another and of a layer, the deaths of that layer in the reference and in the other."""


@dataclass(frozen=True)
class CompareResults:
    """What ``compare`` found: the rows of the report, and the deaths of all layers of all others."""

    rows: Sequence[Row]
    deaths: Deaths

    @cached_property
    def panels(self) -> dict[str, MatchedDeaths]:
        """The deaths by the name of a panel: the layer, and of several others also the other."""
        others = list(dict.fromkeys(other for other, _ in self.deaths))
        if len(others) == 1:
            return {layer: deaths for (_, layer), deaths in self.deaths.items()}
        folder = os.path.commonpath(map(os.path.abspath, others))
        short = {other: os.path.relpath(other, folder).removesuffix(SUFFIX) for other in others}
        return {f"{short[other]}\n{layer}": deaths for (other, layer), deaths in self.deaths.items()}


def _names(results: CompareResults) -> list[str]:
    return list(results.panels)


def _before_after(results: CompareResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    plots.before_after(results.panels[name], ax=ax)


FIGURES: Figures[CompareResults] = MappingProxyType(
    {
        "before-after": LayerFigure("the deaths of each layer before and after, rank by rank", _names, _before_after),
        OVERVIEW: OverviewFigure(
            "a column of all layers, retention or overview:COLUMN, role by block, and the worst layers",
            lambda results: [row for row in results.rows if row["level"] == "layer"],
            "retention",
        ),
    }
)
