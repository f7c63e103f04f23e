"""Floors across rounds: how many times its floor each layer keeps, round by round.

Rows of layers come in, as in rounds.csv (docs/rounds.md); rows of the network are left out. A cell has the ratio
n_kept / floor, over several seeds the smallest. A layer without edges has floor 0 and no ratio: its cells are white,
and so are those of rounds that are missing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from topoimp.arrays import FloatArray
from topoimp.choices import PictureSize
from topoimp.plots.canvas import STYLE, axes_or_new, in_our_look, new_figure
from topoimp.plots.colour_bars import add_colour_bar, share_colour_bars
from topoimp.plots.colours import VERMILION
from topoimp.plots.log_axes import log_ticks
from topoimp.plots.pruning_labels import SETTINGS, labels_of
from topoimp.plots.row_names import height_of_rows, name_rows
from topoimp.reports.cells import Cell, Row

AT_FLOOR = "at its floor or below"
FIRST = "first at its floor"

_LOWEST_PANEL = 1.1
"""Inches of a panel of few layers, in which the colour bar has room."""


def floors_of_prunings(rows: Sequence[Row], *, size: PictureSize = PictureSize.COLUMN) -> Figure:
    """Return a figure with a panel for each pruning in rows of rounds.csv, one below the other, with the same colours.

    The caption says over how many seeds each ratio is the smallest; rows without seeds have none.

    >>> place = {"level": "layer", "layer": "fc1", "round": 1, "seed": 0, "n_kept": 12, "floor": 4}
    >>> figure = floors_of_prunings([{**place, "method": method} for method in ("topological", "magnitude")])
    >>> [ax.get_title() for ax in figure.axes[:2]]
    ['topological', 'magnitude']
    """
    prunings = _prunings(rows) or {"": []}
    heights = [max(height_of_rows(len(_layers(each))), _LOWEST_PANEL) for each in prunings.values()]
    limits = _limits(np.concatenate([_ratios(each).ravel() for each in prunings.values()]))

    figure = new_figure(size, height=0.85 + sum(heights) + 0.3 * len(heights))
    with in_our_look():
        panels = list(figure.subplots(len(prunings), 1, squeeze=False, height_ratios=heights)[:, 0])
        for ax, (label, each) in zip(panels, prunings.items(), strict=True):
            floors(each, limits=limits, ax=ax)
            ax.set_title(label, fontsize=STYLE["axes.titlesize"])
        for ax in panels[:-1]:
            ax.set_xlabel("")

        share_colour_bars(panels)
        _share_legend(figure, panels)
        if caption := _caption(rows):
            figure.supxlabel(caption, fontsize=7)
    return figure


def floors(rows: Sequence[Row], *, limits: tuple[float, float] | None = None, ax: Axes | None = None) -> Axes:
    """Draw n_kept / floor of each layer and round of one pruning, as a colour on a logarithmic scale.

    Cells at the floor or below are hatched, with one rectangle for each run of rounds. A dot marks the layer that
    reaches its floor first, in its first round there; layers that reach theirs in the same round have a dot each. A
    layer that keeps nothing has the darkest colour.

    Args:
        rows: rows with the columns level, layer, round, n_kept and floor; of several seeds the smallest ratio is drawn.
        limits: ratios of the darkest and the lightest colour, above 0; if None those of the rows.
        ax: axes to draw on; those of a new figure if None.

    >>> place = {"level": "layer", "layer": "fc1"}
    >>> rows = [{**place, "round": k, "n_kept": n_kept, "floor": 4} for k, n_kept in enumerate([16, 8, 4, 4])]
    >>> ax = floors(rows)
    >>> ax.images[0].get_array().tolist()
    [[4.0, 2.0, 1.0, 1.0]]
    >>> [(patch.get_x(), patch.get_width()) for patch in ax.patches]
    [(1.5, 2)]
    """
    names = _layers(rows)
    ratios = _ratios(rows)
    with axes_or_new(ax) as axes:
        axes.set_xlabel("round")
        if not names:
            axes.set_xticks([])
            axes.set_yticks([])
            return axes

        first_round = _rounds(rows).start
        low, high = _limits(ratios) if limits is None else limits
        image = axes.imshow(
            np.ma.masked_invalid(ratios),
            cmap=colormaps["viridis"].with_extremes(bad="white"),
            norm=LogNorm(low, high, clip=True),  # cut off below, so that 0 has a colour too
            extent=(first_round - 0.5, first_round + ratios.shape[1] - 0.5, len(names) - 0.5, -0.5),
            aspect="auto",
            interpolation="none",
        )
        _hatch(axes, ratios, first_round)
        _mark_first(axes, ratios, first_round)

        name_rows(axes, names)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        add_colour_bar(image, "weights kept / floor (log)", log_ticks(low, high))
    return axes


def _prunings(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of layers of each pruning by its label."""
    found: dict[tuple[Cell, ...], list[Row]] = {}
    for row in _of_layers(rows):
        found.setdefault(tuple(row.get(name) for name in SETTINGS), []).append(row)
    return dict(zip(labels_of(list(found)), found.values(), strict=True))


def _of_layers(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["level"] == "layer"]


def _layers(rows: Sequence[Row]) -> list[str]:
    """Return the names of layers in the order of the rows."""
    return list(dict.fromkeys(str(row["layer"]) for row in _of_layers(rows)))


def _rounds(rows: Sequence[Row]) -> range:
    numbers = [int(row["round"] or 0) for row in _of_layers(rows)]
    return range(min(numbers), max(numbers) + 1) if numbers else range(0)


def _ratios(rows: Sequence[Row]) -> FloatArray:
    """Return n_kept / floor, the smallest of all seeds, shape (layers, rounds); NaN where there is none."""
    places = {name: place for place, name in enumerate(_layers(rows))}
    rounds = _rounds(rows)
    ratios = np.full((len(places), len(rounds)), np.nan)
    for row in _of_layers(rows):
        floor = int(row["floor"] or 0)
        if floor:
            cell = places[str(row["layer"])], int(row["round"] or 0) - rounds.start
            ratios[cell] = np.fmin(ratios[cell], int(row["n_kept"] or 0) / floor)  # fmin prefers a number to NaN
    return ratios


def _limits(ratios: FloatArray) -> tuple[float, float]:
    """Return the ratios of the darkest and the lightest colour: 1 is in the darker half, where white hatches show."""
    positive = ratios[ratios > 0]
    low = min(1.0, positive.min(initial=1.0))
    return float(low), float(max(2.0, 1 / low, positive.max(initial=1.0)))


def _hatch(axes: Axes, ratios: FloatArray, first_round: int) -> None:
    """Hatch the cells at the floor or below: one rectangle for each run of rounds of a layer."""
    for place, at_floor in enumerate(ratios <= 1):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], at_floor, [False]])))
        for start, stop in edges.reshape(-1, 2).tolist():
            corner = first_round + start - 0.5, place - 0.5
            look: dict[str, Any] = {"fill": False, "hatch": "/////", "edgecolor": "white", "linewidth": 0}
            axes.add_patch(Rectangle(corner, stop - start, 1, **look))


def _mark_first(axes: Axes, ratios: FloatArray, first_round: int) -> None:
    """Mark the layers that reach their floors in the first round in which one does, and explain marks and hatches."""
    at_floor = ratios <= 1
    if not at_floor.any():
        return
    first = int(np.flatnonzero(at_floor.any(axis=0))[0])
    places = np.flatnonzero(at_floor[:, first])
    look: dict[str, Any] = {"color": VERMILION, "markeredgecolor": "white", "markeredgewidth": 0.6, "markersize": 5}
    (dots,) = axes.plot(np.full(len(places), first + first_round), places, "o", label=FIRST, **look)

    hatched = Patch(facecolor=colormaps["viridis"](0.2), edgecolor="white", hatch="/////", linewidth=0, label=AT_FLOOR)
    axes.legend(handles=[hatched, dots], loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _share_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Write the legend of the first panel that has one above all panels."""
    legends = [legend for ax in panels if (legend := ax.get_legend()) is not None]
    for legend in legends:
        legend.remove()
    if legends:
        labels = [text.get_text() for text in legends[0].get_texts()]
        handles = [handle for handle in legends[0].legend_handles if handle is not None]
        figure.legend(handles, labels, loc="outside upper center", ncols=2)


def _caption(rows: Sequence[Row]) -> str:
    """Return how many seeds there are; "" for rows that have none, as those of one checkpoint."""
    of_layers = _of_layers(rows)
    n_seeds = len({row["seed"] for row in of_layers if "seed" in row})
    if n_seeds == 0:
        return "" if of_layers else "no round"
    return "n = 1 seed" if n_seeds == 1 else f"smallest of n = {n_seeds} seeds"
