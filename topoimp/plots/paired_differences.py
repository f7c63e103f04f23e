"""The differences of prunings from a baseline, seed by seed, against the density.

Rows of paired.csv come in (docs/rounds.md): the mean over the seeds of the differences of two prunings of the same
networks in the same round, and its 95 % interval. Only rows about the network are drawn. A round without weights has no
place on a logarithmic axis, and is left out.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from topoimp.choices import Method, PictureSize
from topoimp.plots.canvas import axes_or_new, in_our_look, new_figure
from topoimp.plots.colours import BLACK, GREEN, GREY, METHODS, ORANGE, PURPLE, SKY, Pen
from topoimp.plots.log_axes import logarithmic
from topoimp.reports.cells import Row

_PENS = (Pen(GREEN, "-"), Pen(PURPLE, (0, (5, 1))), Pen(ORANGE, "-."), Pen(SKY, "--"), Pen(BLACK, (0, (3, 1, 1, 1))))

_HEIGHT = 2.4

POINTS = 100
"""Points of a percentage in an accuracy of 1."""


def accuracy_gains(paired: Sequence[Row], *, size: PictureSize = PictureSize.COLUMN) -> Figure:
    """Return a figure of the test accuracy of each pruning less that of the baseline, in points, against the density.

    Args:
        paired: rows of paired.csv.
        size: width of the figure.

    >>> row = {"level": "network", "quantity": "test_accuracy", "baseline": "magnitude", "pruning": "paths", "round": 1}
    >>> values = {"density": 0.1, "mean": 0.02, "mean_low": 0.01, "mean_high": 0.03, "n_seeds": 10}
    >>> [ax] = accuracy_gains([{**row, **values}]).axes
    >>> [line.get_ydata().tolist() for line in ax.lines if line.get_label() == "paths"]
    [[2.0]]
    """
    figure = new_figure(size, height=_HEIGHT)
    with in_our_look():
        ax = figure.subplots()
        gains_over_density(paired, ax=ax)
        figure.supxlabel(_caption(paired), fontsize=7)
    return figure


def gains_over_density(paired: Sequence[Row], *, ax: Axes | None = None) -> Axes:
    """Draw the gain of each pruning over the baseline, with its 95 % interval as a band; the baseline is the line at 0.

    The baseline is ``magnitude``, or else the one of the first row. The density falls from left to right. Without a
    pair there is no line.
    """
    rows = _accuracies(paired)
    baseline = baseline_of(rows)
    lines = gains(rows, baseline)
    with axes_or_new(ax) as axes:
        axes.axhline(0, color=GREY, linewidth=0.8, label=baseline or None)
        more = cycle(_PENS)
        for name, points in lines.items():
            pen = METHODS.get(name) or next(more)
            densities, means, low, high = zip(*points, strict=True)
            axes.fill_between(densities, low, high, color=pen.color, alpha=0.2, linewidth=0)
            axes.plot(densities, means, **pen.line(), marker=".", markersize=3, label=name)

        logarithmic(axes, "x")
        if not axes.xaxis_inverted():
            axes.invert_xaxis()
        axes.set_xlabel("density (log)")
        axes.set_ylabel(f"gain over {baseline}, points" if baseline else "accuracy gain, points")
        if lines:
            axes.legend(loc="best")
    return axes


def gains(rows: Sequence[Row], baseline: str) -> Mapping[str, list[tuple[float, float, float, float]]]:
    """Return by pruning, for each round, the density and the mean gain in points with the ends of its interval.

    A pair whose baseline is the other pruning counts with its sign turned. Without an interval, of one seed, both ends
    are the mean.
    """
    lines: dict[str, list[tuple[float, float, float, float]]] = {}
    for row in sorted(rows, key=lambda row: int(row["round"] or 0)):
        density, mean = float(row.get("density") or 0), float(row["mean"] or 0)
        low, high = (mean if row.get(end) is None else float(row[end] or 0) for end in ("mean_low", "mean_high"))
        if density <= 0 or baseline not in (row["baseline"], row["pruning"]):
            continue
        if row["baseline"] == baseline:
            lines.setdefault(str(row["pruning"]), []).append((density, POINTS * mean, POINTS * low, POINTS * high))
        else:
            lines.setdefault(str(row["baseline"]), []).append((density, -POINTS * mean, -POINTS * high, -POINTS * low))
    return lines


def baseline_of(rows: Sequence[Row]) -> str:
    """Return ``magnitude`` if it is one of the prunings, else the first baseline; an empty text without rows."""
    names = [str(row[side]) for row in rows for side in ("baseline", "pruning")]
    return Method.MAGNITUDE.value if Method.MAGNITUDE in names else (names or [""])[0]


def _accuracies(paired: Sequence[Row]) -> list[Row]:
    return [row for row in paired if row["level"] == "network" and row["quantity"] == "test_accuracy"]


def _caption(paired: Sequence[Row]) -> str:
    """Return the sentence that says how many seeds the lines are means of."""
    numbers = {int(row["n_seeds"] or 0) for row in _accuracies(paired)}
    if not numbers:
        return "no pair of prunings with the same targets"
    n = f"{max(numbers)}" if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"
    return "n = 1 seed" if max(numbers) == 1 else f"mean of n = {n} paired seeds, with 95 % interval"
