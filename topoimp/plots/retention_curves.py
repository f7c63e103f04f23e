"""The share of a layer's forest that its strongest weights keep, against their density, beside chance."""

from collections.abc import Sequence
from itertools import cycle

from matplotlib.axes import Axes

from topoimp.plots.canvas import axes_or_new
from topoimp.plots.colours import GUARANTEED, IID, NULLS, OBSERVED, RANDOM, Pen
from topoimp.plots.log_axes import logarithmic
from topoimp.reports.cells import Row

CURVES = {
    "forest_kept": ("observed", OBSERVED),
    "forest_iid": ("iid", IID),
    "forest_random": ("random mask", RANDOM),
    "forest_guaranteed": ("guaranteed", GUARANTEED),
}
"""Label and pen of each column of forest edges, in the order in which they are drawn."""

ROOM = 1.25
"""Factor between the smallest density and the end of the axis."""


def retention(layer: Row, densities: Sequence[Row], *, ax: Axes | None = None) -> Axes:
    """Draw the retention of a layer's strongest weights against their density, which falls to the right.

    Beside the observed curve lie the mean of independent and alike magnitudes (iid), the mean of random masks, and the
    smallest that any layer of this shape can have (guaranteed). Null models have their means, in a band of the central
    95 % of simulations where there are enough of them. Two densities are marked: the critical one, of as many weights
    as the forest has edges, and the safe one, the smallest at which the strongest weights keep the barcode.

    Args:
        layer: the layer's row in a report of ``bound``.
        densities: its rows at densities, in any order. A density of 0, which a log scale lacks, is not drawn. Curves
            leave out densities at which the report has no number. A layer of zeros has no curve.
        ax: the axes to draw on; those of a new figure if None.

    >>> from topoimp import BoundOptions, shape_bound_report
    >>> report = shape_bound_report([(300, 784)], BoundOptions(densities=[0.5, 0.1, "critical"]))
    >>> ax = retention(report.layers[0], report.densities)
    >>> [line.get_label() for line in ax.get_lines()]
    ['iid', 'random mask', 'guaranteed', 'critical density']
    """
    n_weights, floor = _number(layer, "n_weights") or 0.0, _number(layer, "floor") or 0.0
    marks = {"critical density": (floor, ":"), "safe density": (_number(layer, "safe_count"), "--")}
    marked = {label: (count / n_weights, style) for label, (count, style) in marks.items() if count and n_weights}
    shown = [row for row in densities if (_number(row, "density") or 0.0) > 0]

    with axes_or_new(ax) as axes:
        for column, (label, pen) in CURVES.items():
            _curve(axes, _points(shown, column, floor), label, pen)
        _draw_nulls(axes, shown)
        for label, (density, style) in marked.items():
            axes.axvline(density, color="black", linestyle=style, linewidth=0.6, label=label)
        smallest = min([*(x for row in shown if (x := _number(row, "density"))), *(x for x, _ in marked.values()), 0.1])
        logarithmic(axes, "x")
        axes.set_xlim(1, smallest / ROOM)
        axes.set_xlabel("density (log)")
        axes.set_ylim(0, 1.03)
        axes.set_yticks([0, 0.5, 1])
        axes.set_ylabel("retention")
        if floor:
            axes.legend(loc="lower left")
        else:
            axes.text(0.5, 0.5, "no edges", transform=axes.transAxes, ha="center")
    return axes


def _draw_nulls(ax: Axes, densities: Sequence[Row]) -> None:
    """Draw the mean retention of each null model, and the band of its simulations."""
    names = dict.fromkeys(str(row["null"]) for row in densities if row.get("null") is not None)
    for name, pen in zip(names, cycle(NULLS)):  # as many pens as there are models
        rows = [row for row in densities if row["null"] == name]
        _curve(ax, _points(rows, "retention_null", 1), f"null {name}", pen)

        # The excesses are differences from the ends of the band.
        band = [
            (x, y - from_low, y - from_high)
            for row in sorted(rows, key=lambda row: _number(row, "density") or 0.0)
            if (x := _number(row, "density")) and (y := _number(row, "retention")) is not None
            if (from_high := _number(row, "excess_low")) is not None
            if (from_low := _number(row, "excess_high")) is not None
        ]
        if band:
            places, low, high = zip(*band, strict=True)
            ax.fill_between(places, low, high, color=pen.color, alpha=0.25, linewidth=0)


def _points(densities: Sequence[Row], column: str, whole: float) -> list[tuple[float, float]]:
    """Return densities and shares of a whole that a column holds, each once, in order of the densities."""
    return sorted(
        {
            (x, y / whole)
            for row in densities
            if whole and (x := _number(row, "density")) is not None and (y := _number(row, column)) is not None
        }
    )


def _curve(ax: Axes, points: Sequence[tuple[float, float]], label: str, pen: Pen) -> None:
    if points:
        x, y = zip(*points, strict=True)
        ax.plot(x, y, **pen.line(), label=label, marker="o", markersize=2, zorder=3 if pen is OBSERVED else 2)


def _number(row: Row, column: str) -> float | None:
    value = row.get(column)
    return value if isinstance(value, int | float) else None
