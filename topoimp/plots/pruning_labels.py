"""Labels of the prunings in a run folder: short, and different where the settings are."""

from collections.abc import Sequence

from topoimp.choices import PruningSchedule, Scope
from topoimp.plots.titles import shortened
from topoimp.reports.cells import Cell

SETTINGS = ("method", "epsilon", "scope", "schedule", "rewind", "rate")
"""Columns that tell prunings apart in the tables of a run folder."""


def labels_of(prunings: Sequence[tuple[Cell, ...]]) -> list[str]:
    """Return the method and the unusual settings of each pruning, whose values are those of ``SETTINGS``.

    Rewinding and rate are named only where they tell two apart.

    >>> magnitude = ("magnitude", 0.0, "layer", "geometric", None, 0.2)
    >>> topological = ("topological", 0.1, "global", "linear", None, 0.2)
    >>> labels_of([magnitude, topological])
    ['magnitude', 'topological, ε 0.1, global, linear']
    """
    labels = [_usual_label(*settings[:4]) for settings in prunings]
    for place, word in ((4, "rewind"), (5, "rate")):
        values: dict[str, set[Cell]] = {}
        for label, settings in zip(labels, prunings, strict=True):
            values.setdefault(label, set()).add(settings[place])
        labels = [
            f"{label}, {word} {_short(settings[place])}" if len(values[label]) > 1 else label
            for label, settings in zip(labels, prunings, strict=True)
        ]
    return labels


def _usual_label(method: Cell, epsilon: Cell, scope: Cell, schedule: Cell) -> str:
    words = [str(method)]
    if isinstance(epsilon, float) and epsilon:
        words.append(f"ε {epsilon:g}")
    if scope in (Scope.ROW, Scope.GLOBAL, Scope.ERK):
        words.append(str(scope))
    if schedule == PruningSchedule.LINEAR:
        words.append("linear")
    return ", ".join(words)


def _short(cell: Cell) -> str:
    """Return a number with few digits, and a rewinding without the checksum of its checkpoint."""
    return f"{cell:.3g}" if isinstance(cell, float) else shortened(str(cell), 12)
