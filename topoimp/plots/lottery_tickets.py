"""The lottery-ticket figure: what rounds of pruning keep, against the density, over several seeds.

Rows of summary.csv come in (docs/rounds.md): mean, minimum and maximum over the seeds of each quantity of a round. Only
rows about the network are drawn. A round without weights has no place on a logarithmic axis, and is left out.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from topoimp.choices import PictureSize
from topoimp.plots.canvas import axes_or_new, in_our_look, new_figure
from topoimp.plots.colours import BLACK, GREY, MARK, METHODS, ORANGE, PURPLE, SKY, YELLOW, Pen
from topoimp.plots.log_axes import logarithmic
from topoimp.plots.pruning_labels import SETTINGS, labels_of
from topoimp.reports.cells import Cell, Row

_MORE_PENS = (Pen(PURPLE, "-"), Pen(ORANGE, (0, (5, 1))), Pen(SKY, "-."), Pen(BLACK, "--"), Pen(YELLOW, "-"))

PANELS: Mapping[str, str] = MappingProxyType(
    {"test_accuracy": "test accuracy", "beta0": "components β₀ (log)", "retention": "retention"}
)
"""Labels of the quantities in the figure, from the top down."""

_CHANCE = "retention_iid"

_PANEL_HEIGHT = 1.45


def lottery_ticket(summary: Sequence[Row], *, size: PictureSize = PictureSize.COLUMN) -> Figure:
    """Return a figure of test accuracy, components and retention against density, one below the other.

    Markers are rounds, bands go from the minimum to the maximum over the seeds, and the caption says how many seeds
    there are.

    Args:
        summary: rows of summary.csv; a quantity that none has, such as the accuracy of a trainer that reports none, has
            no panel.
        size: width of the figure.

    Source: the axes are those of Frankle & Carbin, "The Lottery Ticket Hypothesis", ICLR 2019.

    >>> place = {"level": "network", "method": "magnitude", "round": 1, "n_seeds": 1}
    >>> values = {"density": 0.8, "beta0": 3.0, "retention": 0.9}
    >>> rows = [
    ...     {**place, "quantity": name, "mean": mean, "minimum": mean, "maximum": mean}
    ...     for name, mean in values.items()
    ... ]
    >>> [ax.get_ylabel() for ax in lottery_ticket(rows).axes]
    ['components β₀ (log)', 'retention']
    """
    quantities = [name for name in PANELS if any(row["quantity"] == name for row in _of_network(summary))]
    figure = new_figure(size, height=0.8 + _PANEL_HEIGHT * max(len(quantities), 1))
    with in_our_look():
        panels = list(figure.subplots(max(len(quantities), 1), 1, sharex=True, squeeze=False)[:, 0])
        for ax, quantity in zip(panels, quantities, strict=False):
            over_density(summary, quantity, ax=ax)

        for ax in panels[:-1]:
            ax.set_xlabel("")
        handles: dict[str, Any] = {}
        for ax in panels:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        if handles:
            n_columns = 2 if size is PictureSize.COLUMN else 3
            figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=n_columns)
        figure.supxlabel(caption(summary), fontsize=7)
    return figure


def over_density(summary: Sequence[Row], quantity: str, *, ax: Axes | None = None) -> Axes:
    """Draw a quantity against the density, a line for each pruning: the mean of the seeds, from minimum to maximum.

    The density falls from left to right. A thin line is the test accuracy of the dense network, round 0. Beside a
    retention, the thin dotted lines are those of independent strengths at the same densities.
    """
    lines = _lines(summary)
    with axes_or_new(ax) as axes:
        for (label, values), pen in zip(lines.items(), _pens(lines), strict=True):
            densities, rows = _points(values, quantity)
            if not rows:
                continue
            low, high = ([float(row[name] or 0) for row in rows] for name in ("minimum", "maximum"))
            axes.fill_between(densities, low, high, color=pen.color, alpha=0.2, linewidth=0)
            axes.plot(densities, _means(rows), **pen.line(), marker=".", markersize=3, label=label)

        if quantity == "test_accuracy":
            dense = [_means(rows)[0] for values in lines.values() if (rows := _round_0(values, quantity))]
            if dense:
                axes.axhline(dense[0], color=GREY, linewidth=0.6, label="dense network")
        if quantity == "retention":
            _draw_chance(axes, lines)
        logarithmic(axes, "x")
        if quantity == "beta0":
            logarithmic(axes, "y")
        axes.set_xlabel("density (log)")
        axes.set_ylabel(PANELS.get(quantity, quantity))
        if not axes.xaxis_inverted():
            axes.invert_xaxis()
    return axes


def caption(summary: Sequence[Row]) -> str:
    """Return the sentence that says how many seeds the lines are means of.

    >>> caption([{"level": "network", "quantity": "beta0", "n_seeds": 1}])
    'n = 1 seed'
    """
    numbers = {int(row["n_seeds"] or 0) for row in _of_network(summary)}
    if not numbers:
        return "no round"
    if max(numbers) == 1:
        return "n = 1 seed"
    n = f"{max(numbers)}" if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"
    return f"mean of n = {n} seeds, and minimum to maximum"


_Values = Mapping[str, Mapping[int, Row]]
"""By quantity and round, the row of one pruning."""


def _lines(summary: Sequence[Row]) -> dict[str, _Values]:
    """Return the values of each pruning by its label."""
    found: dict[tuple[Cell, ...], dict[str, dict[int, Row]]] = {}
    for row in _of_network(summary):
        values = found.setdefault(tuple(row.get(name) for name in SETTINGS), {})
        values.setdefault(str(row["quantity"]), {})[int(row["round"] or 0)] = row

    return dict(zip(labels_of(list(found)), found.values(), strict=True))


def _pens(lines: Mapping[str, _Values]) -> list[Pen]:
    """Return a pen for each label: the first pruning of a method has that of the method."""
    pens: list[Pen] = []
    more = 0
    for label in lines:
        pen = METHODS.get(label.split(",")[0], _MORE_PENS[0])
        if pen in pens:
            pen = _MORE_PENS[more % len(_MORE_PENS)]
            more += 1
        pens.append(pen)
    return pens


def _points(values: _Values, quantity: str) -> tuple[list[float], list[Row]]:
    """Return the densities and the rows of a quantity, round by round."""
    rows = values.get(quantity, {})
    densities = {number: float(row["mean"] or 0) for number, row in values.get("density", {}).items()}
    rounds = [number for number in sorted(rows) if densities.get(number, 0.0) > 0]
    return [densities[number] for number in rounds], [rows[number] for number in rounds]


def _round_0(values: _Values, quantity: str) -> list[Row]:
    return [row for number, row in values.get(quantity, {}).items() if number == 0]


def _means(rows: Sequence[Row]) -> list[float]:
    return [float(row["mean"] or 0) for row in rows]


def _draw_chance(axes: Axes, lines: Mapping[str, _Values]) -> None:
    """Draw the retention by chance of each pruning; prunings with the same densities share a line."""
    drawn: list[tuple[list[float], list[float]]] = []
    for values in lines.values():
        densities, rows = _points(values, _CHANCE)
        line = densities, _means(rows)
        if rows and line not in drawn:
            style: dict[str, Any] = {"linewidth": 0.8, "label": None if drawn else "independent strengths"}
            axes.plot(*line, **MARK.line(), **style)
            drawn.append(line)


def _of_network(summary: Sequence[Row]) -> list[Row]:
    return [row for row in summary if row["level"] == "network"]
