"""The figures of ``prune`` without training between the rounds: of all rounds, and of the mask of the last one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from topoimp.chance.forest_by_chance import forests_by_chance
from topoimp.choices import PictureSize
from topoimp.commands.densities import USUAL_DENSITIES, parse_densities
from topoimp.commands.pictures import MOST_PANELS, OVERVIEW, Figures, LayerFigure, OverviewFigure, WholeFigure
from topoimp.layers.edge_counts import EdgeCounts, edge_counts
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.rules import Pruner, pruned_layer
from topoimp.reports.cells import Row
from topoimp.reports.rows import Settings
from topoimp.topology.forest import Forest, spanning_forest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROUNDS = 10
"""Rounds at whose densities the numbers by chance are found; of more rounds as many are chosen evenly."""


@dataclass(frozen=True)
class PruneResults:
    """A pruning without training between the rounds.

    Args:
        settings: the settings of the report, which name the method.
        rows: the rows of the report.
        stream: the unpruned layers.
        forests: their maximum spanning forests, by layer name.
        pruners: by layer name, the masks of the last round.
        seed: of the simulations that the numbers by chance may need.
    """

    settings: Settings
    rows: Sequence[Row]
    stream: LayerStream
    forests: Mapping[str, Forest]
    pruners: Mapping[str, Pruner]
    seed: int

    @property
    def names(self) -> list[str]:
        """The names of the layers."""
        return [info.name for info in self.stream.layers.infos]

    @property
    def last_rows(self) -> list[Row]:
        """The rows of the layers in the last round."""
        return list({str(row["layer"]): row for row in self.rows if row["level"] == "layer"}.values())

    def rounds_of(self, name: str) -> list[Row]:
        """Return the rows of a layer from round 0 on, at which it has all of its edges."""
        forest = self.forests[name]
        n_weights = self.stream.layers.by_name[name].n_weights
        round_0: Row = {
            "level": "layer",
            "layer": name,
            "round": 0,
            "n_weights": n_weights,
            "n_kept": forest.n_edges,
            "density": forest.n_edges / n_weights,
            "floor": len(forest.indices),
            "retention": 1.0 if len(forest.indices) else None,
        }
        return [round_0, *(row for row in self.rows if row.get("layer") == name)]


def _names(results: PruneResults) -> list[str]:
    return results.names


def _retention(results: PruneResults, name: str, ax: "Axes") -> None:
    from topoimp import plots

    rounds = results.rounds_of(name)
    kept: list[Row] = [
        {"density": row["density"], "forest_kept": round(float(row["retention"] or 0) * int(row["floor"] or 0))}
        for row in rounds
    ]
    plots.retention(rounds[0], [*kept, *_by_chance(results, name, rounds)], ax=ax)


def _by_chance(results: PruneResults, name: str, rounds: Sequence[Row]) -> list[Row]:
    """Return forest edges by chance at the densities of rounds, and at the usual ones between them."""
    from topoimp.plots.thinning import evenly_spaced

    forest = results.forests[name]
    n_weights = results.stream.layers.by_name[name].n_weights
    of_rounds = sorted({int(row["n_kept"] or 0) for row in rounds})
    usual = [each.n_kept(n_weights, forest.n_edges, len(forest.indices)) for each in parse_densities(USUAL_DENSITIES)]
    chosen = {of_rounds[place] for place in evenly_spaced(len(of_rounds), MOST_ROUNDS).tolist()}
    n_kept = sorted(chosen | {k for k in usual if k >= of_rounds[0]})

    def look(layer: Layer, threads: int) -> list[Row]:
        found = forests_by_chance(layer, forest, n_kept, seed=results.seed, threads=threads)
        return [
            {
                "density": each.n_kept / n_weights,
                "forest_iid": each.iid,
                "forest_random": each.random,
                "forest_guaranteed": each.guaranteed,
            }
            for each in found
        ]

    return results.stream.look_at(name, look)


def _floors(results: PruneResults, size: PictureSize) -> "Figure":
    from topoimp import plots

    named = {name: results.settings.get(name) for name in ("method", "epsilon", "scope", "schedule")}
    pruning: Row = {name: value for name, value in named.items() if isinstance(value, str | float)}
    rows = [{**row, **pruning} for name in results.names for row in results.rounds_of(name)]
    return plots.floors_of_prunings(rows, size=size)


def _mask(results: PruneResults, name: str, ax: "Axes") -> None:
    from topoimp import plots
    from topoimp.plots.masks import blocks_of

    most = blocks_of(min(len(results.names), MOST_PANELS))

    def look(layer: Layer, threads: int) -> tuple[EdgeCounts, Forest]:
        pruned = pruned_layer(results.pruners[name], layer, threads)
        return edge_counts(pruned, most, most, threads=threads), spanning_forest(pruned, threads=threads)

    plots.mask(*results.stream.look_at(name, look), ax=ax)


FIGURES: Figures[PruneResults] = MappingProxyType(
    {
        "retention": LayerFigure(
            "the share of each layer's forest that each round keeps, against density, beside chance", _names, _retention
        ),
        "floors": WholeFigure("weights that each layer keeps in each round, as a multiple of its floor", _floors),
        "mask": LayerFigure(
            "where the weights are that each layer keeps, and the edges of their forest", _names, _mask
        ),
        OVERVIEW: OverviewFigure(
            "a column of all layers after the last round, retention or overview:COLUMN, role by block",
            lambda results: results.last_rows,
            "retention",
        ),
    }
)
