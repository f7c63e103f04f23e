"""The rows of several seeds in, statistics over the seeds out: of each pruning, and of pairs on the same seeds.

The seed is the unit: n seeds are n independent networks, whatever the number of layers and rounds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, stdev

from topoimp.reports.cells import Cell, Row
from topoimp.reports.evaluation_columns import evaluated_columns
from topoimp.reports.path_columns import GLUED, ON_PATHS
from topoimp.reports.rows import DISTANCES, PERSISTENCE_COLUMNS, TOTAL
from topoimp.reports.student_t import mean_interval
from topoimp.rounds.round_rows import CHANCE

GROUPED_BY = ("method", "epsilon", "scope", "schedule", "rewind", "rate", "round", "level", "layer")
"""Columns in which the rows that are summed up agree."""

SUMMARISED = (
    *("n_kept", "density", "sparsity", "test_accuracy", "test_loss", "train_loss"),
    *("retention", "beta0", "beta0_kept", "round_retention", "round_barcode_kept", "round_beta0_kept"),
    *CHANCE,
    *(f"round_{name}" for name in CHANCE),
    *DISTANCES,
    *PERSISTENCE_COLUMNS.values(),
    *(column + TOTAL for column in PERSISTENCE_COLUMNS.values()),
    *ON_PATHS,
    *GLUED,
)
"""Columns that are summed up over the seeds, true as 1 and false as 0; those of an evaluation are too."""

PLACE = ("round", "level", "layer", "null")
"""Columns in which rows of several seeds agree, within prunings of the same settings."""

FREE = (
    *("method", "method_sha256", "paths_below", "inputs"),
    *("epsilon", "scope", "rewind", "trainer"),
)
"""Settings in which two prunings may differ and still have the same targets, so that their rounds compare."""


@dataclass(frozen=True)
class SeedRows:
    """The rows of all seeds whose prunings have the same settings, and the name of their folders."""

    name: str
    settings: Mapping[str, object]
    rows: list[Row]

    def has_targets_of(self, other: "SeedRows") -> bool:
        """Return whether a round has the same targets as the round of this number of another pruning."""
        ours, theirs = (
            {name: value for name, value in each.settings.items() if name not in FREE} for each in (self, other)
        )
        return ours == theirs

    def by_place(self) -> dict[tuple[Cell, ...], dict[Cell, Row]]:
        """Return the rows by round, level, layer and null model, and these by seed."""
        places: dict[tuple[Cell, ...], dict[Cell, Row]] = {}
        for row in self.rows:
            places.setdefault(tuple(row.get(name) for name in PLACE), {})[row["seed"]] = row
        return places


def summary_of(rows: Sequence[Row]) -> list[Row]:
    """Return mean, its interval, deviation, minimum and maximum over the seeds, of every quantity, round and layer.

    The interval is that of Student's t at 95 %, the deviation that of a sample (n - 1); both are None for one seed.
    Undefined values are left out.
    """
    groups: dict[tuple[object, ...], list[Row]] = {}
    quantities = (*SUMMARISED, *evaluated_columns(rows))
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in GROUPED_BY), []).append(row)
    return [
        {**{name: group[0].get(name) for name in GROUPED_BY}, **_summary(quantity, group)}
        for group in groups.values()
        for quantity in quantities
        if _numbers(group, quantity)
    ]


def means_of(prunings: Sequence[SeedRows], quantities: Sequence[str]) -> list[Row]:
    """Return the same of each pruning by its name; the statistics are those of ``summary_of``."""
    return [
        {"pruning": pruning.name, **_cells(group[0], PLACE), **_summary(quantity, group)}
        for pruning in prunings
        for rows in pruning.by_place().values()
        for group in [list(rows.values())]
        for quantity in quantities
        if _numbers(group, quantity)
    ]


def paired_of(prunings: Sequence[SeedRows], quantities: Sequence[str] | None = None) -> list[Row]:
    """Return the same of the differences between every two prunings with the same targets, seed by seed.

    The earlier pruning is the ``baseline``, which is subtracted; ``density`` is the mean of the other one. Only seeds
    that have the quantity in both count, and their number is said. Round 0 is left out: it is the same network in both.
    The quantities are those of ``summary_of`` if None.
    """
    if quantities is None:
        quantities = (*SUMMARISED, *evaluated_columns(row for pruning in prunings for row in pruning.rows))
    return [
        row
        for baseline, pruning in combinations(prunings, 2)
        if pruning.has_targets_of(baseline)
        for row in _differences(pruning, baseline, quantities)
    ]


def _differences(pruning: SeedRows, baseline: SeedRows, quantities: Sequence[str]) -> Iterable[Row]:
    of_baseline = baseline.by_place()
    for place, rows in pruning.by_place().items():
        theirs = of_baseline.get(place, {})
        seeds = [seed for seed in rows if seed in theirs]
        if place[0] == 0 or not seeds:
            continue

        of_place = _cells(rows[seeds[0]], ("schedule", "rate", *PLACE))
        densities = _numbers([rows[seed] for seed in seeds], "density")
        density = fmean(densities) if densities else None
        columns: Row = {"pruning": pruning.name, "baseline": baseline.name, **of_place, "density": density}
        for quantity in quantities:
            pairs = [_numbers((rows[seed], theirs[seed]), quantity) for seed in seeds]
            found = [pair[0] - pair[1] for pair in pairs if len(pair) == 2]  # both have it
            if found:
                yield {**columns, "quantity": quantity, "n_seeds": len(found), **_statistics(found)}


def _cells(row: Row, names: Sequence[str]) -> Row:
    """Return the cells of a row in these columns, as far as it has them."""
    return {name: row[name] for name in names if name in row}


def round_means(rows: Sequence[Row]) -> list[Row]:
    """Return one network row per round: means over the seeds, and the deviation of the accuracy.

    A truth value is true if it is true for each seed.
    """
    by_round: dict[object, list[Row]] = {}
    for row in rows:
        if row["level"] == "network":
            by_round.setdefault(row["round"], []).append(row)
    return [_mean_row(group) for group in by_round.values()]


def _mean_row(group: Sequence[Row]) -> Row:
    if len(group) == 1:
        return group[0]

    averaged: dict[str, Cell] = {}  # without columns in which texts differ
    for name, first in group[0].items():
        values = [row.get(name) for row in group]
        if isinstance(first, bool):
            averaged[name] = all(values)
        elif all(value == first for value in values):
            averaged[name] = first
        elif all(isinstance(value, int | float) for value in values):
            averaged[name] = fmean(_numbers(group, name))
    accuracies = _numbers(group, "test_accuracy")
    return {**averaged, "accuracy_deviation": stdev(accuracies) if len(accuracies) > 1 else None}


def _summary(quantity: str, group: Sequence[Row]) -> Row:
    seeds = {row["seed"] for row in group if row.get(quantity) is not None}
    return {"quantity": quantity, "n_seeds": len(seeds), **_statistics(_numbers(group, quantity))}


def _statistics(values: Sequence[float]) -> Row:
    """Return the statistics of the values of several seeds, at least one."""
    low, high = mean_interval(values) or (None, None)
    return {
        "mean": fmean(values),
        "mean_low": low,
        "mean_high": high,
        "standard_deviation": stdev(values) if len(values) > 1 else None,
        "minimum": min(values),
        "maximum": max(values),
    }


def _numbers(rows: Sequence[Row], column: str) -> list[float]:
    return [float(value) for row in rows if isinstance(value := row.get(column), int | float)]
