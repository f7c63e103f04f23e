"""The rounds of all seeds in one table, and what they are on average: rounds.csv and summary.csv of a run folder.

Both are made anew from the metrics.json of the rounds, so that they never say anything else.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from topoimp.catalogue import natural
from topoimp.errors import CheckpointError
from topoimp.report import Cell, Report, Row
from topoimp.run_folder import RoundFiles

GROUPED_BY = ("method", "epsilon", "scope", "round", "level", "layer")
"""What rows of several seeds have in common."""

SUMMARISED = (
    "n_kept",
    "density",
    "sparsity",
    "test_accuracy",
    "test_loss",
    "train_loss",
    "retention",
    "beta0",
    "beta0_kept",
    "round_retention",
    "round_barcode_kept",
    "round_beta0_kept",
    "bottleneck",
    "sorted_linf",
    "wasserstein_1",
    "wasserstein_2",
    "np_rieck",
    "np_rieck_finite",
    "np_balwani",
)
"""Columns that are summed up over the seeds; true counts as 1, false as 0."""


def rounds_of(run: Path) -> list[Row]:
    """Give the rows of all finished rounds in a run folder, by seed, pruning, round and layer.

    Raises:
        CheckpointError: if the metrics of a round are not those that topoimp wrote.
    """
    folders = sorted(
        {path.parent.parent for path in run.glob("seed-*/*/round-*/metrics.json")},
        key=lambda folder: natural(str(folder)),
    )
    return [row for folder in folders for row in rows_in(RoundFiles(folder))]


def rows_in(rounds: RoundFiles, last: int | None = None) -> list[Row]:
    """Give the rows of the finished rounds of one pruning, up to and including a last one.

    Raises:
        CheckpointError: as ``rounds_of``.
    """
    n = rounds.n_finished() if last is None else min(rounds.n_finished(), last + 1)
    return [row for number in range(n) for row in _rows_in(rounds.metrics(number))]


def summary_of(rows: Sequence[Row]) -> list[Row]:
    """Give mean, standard deviation, minimum and maximum over the seeds, of every quantity of every round and layer.

    The deviation is that of a sample (n - 1), and undefined for one seed. Values that are undefined do not count.
    """
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in GROUPED_BY), []).append(row)
    return [
        {**{name: group[0].get(name) for name in GROUPED_BY}, **_summary(quantity, values)}
        for group in groups.values()
        for quantity in SUMMARISED
        if (values := _numbers(group, quantity))
    ]


def on_average(rows: Sequence[Row]) -> list[Row]:
    """Give one network row per round: means over the seeds, and the deviation of the accuracy.

    What is true of a round is so for each seed.
    """
    by_round: dict[object, list[Row]] = {}
    for row in rows:
        if row["level"] == "network":
            by_round.setdefault(row["round"], []).append(row)
    return [_mean_row(group) for group in by_round.values()]


def _mean_row(group: Sequence[Row]) -> Row:
    if len(group) == 1:
        return group[0]
    averaged: dict[str, Cell] = {}
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


def _summary(quantity: str, values: Sequence[float]) -> Row:
    return {
        "quantity": quantity,
        "n_seeds": len(values),
        "mean": fmean(values),
        "standard_deviation": stdev(values) if len(values) > 1 else None,
        "minimum": min(values),
        "maximum": max(values),
    }


def _numbers(rows: Sequence[Row], column: str) -> list[float]:
    return [float(value) for row in rows if isinstance(value := row.get(column), int | float)]


def _rows_in(path: Path) -> list[Row]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = [*content["layers"], content["network"]]
        if not all(isinstance(row, dict) for row in rows):
            raise TypeError("a row is no object")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: does not hold the metrics of a round: {error}") from error
    return rows


def table_text(rows: Sequence[Row]) -> str:
    """Give rows as CSV."""
    return Report("prune", {}, {}, rows).to_csv()
