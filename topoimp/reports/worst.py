"""The worst layers of a report: which end of a column is bad, and the layers at that end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from topoimp.reports.cells import Cell, Kind, Row
from topoimp.reports.columns import COLUMNS

N_WORST = 10
"""Layers that are named."""


class BadEnd(StrEnum):
    """The end of a column at which layers are badly off, for their topology."""

    LOW = "lowest"
    HIGH = "highest"


_LOW = (
    *("largest_component", "last_death", "tau", "certificate", "gudhi_agrees"),
    *("critical_compression", "rounds_to_floor", "safe_sparsity", "safe_rounds"),
    *("beta0_kept", "barcode_kept", "retention", "excess", "excess_low", "excess_high", "z_score"),
    *("overlap", "mask_overlap", "forest_overlap"),
)
_HIGH = (
    *("beta0", "beta0_reference", "dead_rows", "dead_columns", "dead_rows_reference", "dead_columns_reference"),
    *("critical_density", "bottleneck", "sorted_linf", "wasserstein_1", "wasserstein_2", "distance_bound"),
)
BAD_ENDS: Mapping[str, BadEnd] = MappingProxyType(
    {**dict.fromkeys(_LOW, BadEnd.LOW), **dict.fromkeys(_HIGH, BadEnd.HIGH)}
)
"""By column, its bad end; in the other columns neither end is bad, and the extreme layers of both are named."""


@dataclass(frozen=True)
class Worst:
    """The worst layers of a column.

    Args:
        rows: the lowest or the highest ones, the worst first, or half of the lowest and then half of the highest ones;
            equal ones in the order of the report.
        n_alike: layers that are not among them, and as bad as the last of them.
        n_known: layers that have a number in the column.
        end: the bad end; None if neither end is.
    """

    rows: Sequence[Row]
    n_alike: int
    n_known: int
    end: BadEnd | None


def is_numeric(column: str) -> bool:
    """Return whether a column holds numbers, or flags, which count as 1 and 0; not those that name something.

    >>> is_numeric("tau"), is_numeric("barcode_kept"), is_numeric("dtype"), is_numeric("seed")
    (True, True, False, False)
    """
    return column in COLUMNS and COLUMNS[column].kind not in (Kind.TEXT, Kind.INDEX)


def number_of(cell: Cell) -> float | None:
    """Return a cell as a number, a flag as 1 or 0; None if it is blank or a text.

    >>> number_of(True), number_of(None), number_of(0.5)
    (1.0, None, 0.5)
    """
    return None if cell is None or isinstance(cell, str) else float(cell)


def worst_layers(rows: Sequence[Row], column: str, n: int = N_WORST) -> Worst:
    """Return the n worst layers of a column, fewer if fewer differ from the best.

    A layer as good as the best one is no bad layer: if all have one number, no layer is named. Layers without a number
    are left out. Where neither end is bad, the lowest n/2 and the highest n/2 are named, and no layer twice; of fewer
    than n all.

    >>> found = worst_layers([{"layer": name, "beta0": beta0} for name, beta0 in zip("abc", [1, 3, 1])], "beta0")
    >>> [row["layer"] for row in found.rows], found.end.value
    (['b'], 'highest')
    """
    numbers = [(number, row) for row in rows if (number := number_of(row.get(column))) is not None]
    ascending = sorted(numbers, key=lambda each: each[0])
    end = BAD_ENDS.get(column)
    if not numbers or ascending[0][0] == ascending[-1][0]:
        return Worst([], 0, len(numbers), end)

    if end is None:
        n_low = min(n - n // 2, (len(numbers) + 1) // 2)
        descending = sorted(numbers, key=lambda each: -each[0])
        lowest = [row for _, row in ascending[:n_low]]
        highest = [row for _, row in descending if not any(row is other for other in lowest)][: n // 2]
        return Worst([*lowest, *highest], 0, len(numbers), None)

    sign = 1 if end is BadEnd.LOW else -1
    best = max(sign * number for number, _ in numbers)
    bad = sorted((each for each in numbers if sign * each[0] < best), key=lambda each: sign * each[0])
    n_alike = sum(number == bad[:n][-1][0] for number, _ in bad[n:])
    return Worst([row for _, row in bad[:n]], n_alike, len(numbers), end)
