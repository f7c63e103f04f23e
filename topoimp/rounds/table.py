"""The rows of rounds.csv and summary.csv, made anew from the metrics.json of all rounds in a run folder."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from topoimp.choices import Method, Scope
from topoimp.errors import CheckpointError
from topoimp.reports.columns import COLUMNS, Cell, Row
from topoimp.reports.report import Report
from topoimp.rounds.recipe_file import read_toml
from topoimp.rounds.run_folder import PruningFiles, RunFiles, pruning_name, prunings_with_rounds

GROUPED_BY = ("method", "epsilon", "scope", "rate", "round", "level", "layer")
"""Columns in which the rows that are summed up agree."""

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
"""Columns that are summed up over the seeds, true as 1 and false as 0."""


_HASHES = ("recipe_sha256", "checkpoint_sha256")
"""Settings that identify the network and not the pruning."""


@dataclass(frozen=True)
class _Pruning:
    """The settings of one pruning of one seed, and the rows of its finished rounds."""

    settings: Mapping[str, object]
    rows: Sequence[Row]


def rounds_of(run: Path) -> list[Row]:
    """Return the rows of all finished rounds in a run folder, by seed, pruning, round and layer, with the rate.

    Folders with other names than topoimp gives, such as copies, are left out, and so are rounds of networks that were
    trained by another recipe than the folder has now.

    Raises:
        CheckpointError: if the metrics of a round are not those that topoimp wrote.
    """
    return [row for pruning in _prunings_in(run) for row in pruning.rows]


def summary_in(run: Path) -> list[Row]:
    """Return ``summary_of`` the rounds in a run folder, separately for prunings with different settings.

    Raises:
        CheckpointError: as ``rounds_of``.
    """
    alike: list[tuple[Mapping[str, object], list[Row]]] = []
    for pruning in _prunings_in(run):
        rows = next((rows for settings, rows in alike if settings == pruning.settings), None)
        if rows is None:
            alike.append((pruning.settings, list(pruning.rows)))
        else:
            rows.extend(pruning.rows)
    return [row for _, rows in alike for row in summary_of(rows)]


def _prunings_in(run: Path) -> list[_Pruning]:
    recipe = RunFiles(run).recipe
    sha256 = hashlib.sha256(recipe.read_bytes()).hexdigest() if recipe.is_file() else None
    found = [_read_pruning(files, sha256) for files in prunings_with_rounds(run)]
    return [pruning for pruning in found if pruning is not None]


def _read_pruning(files: PruningFiles, recipe_sha256: str | None) -> _Pruning | None:
    """Read a pruning; None if its folder's name contradicts its rows, or its networks had another recipe."""
    name = files.folder.name
    if files.seed is None or not name.startswith(tuple(Method)):
        return None
    rows = rows_in(files)
    if not rows or rows[0]["seed"] != files.seed or _name_of(rows[0]) != name:
        return None
    settings = read_toml(files.settings) if files.settings.is_file() else {}
    if recipe_sha256 is not None and settings.get("recipe_sha256", recipe_sha256) != recipe_sha256:
        return None
    settings = {name: value for name, value in settings.items() if name not in _HASHES}
    return _Pruning(settings, [{**row, "rate": _rate_of(settings)} for row in rows])


def _name_of(row: Row) -> str | None:
    """Return the name of the folder that belongs to a row; None if the row lacks it."""
    method, epsilon, scope = (row.get(name) for name in ("method", "epsilon", "scope"))
    try:
        return pruning_name(Method(str(method)), float(epsilon or 0), Scope(str(scope)))
    except ValueError:
        return None


def _rate_of(settings: Mapping[str, object]) -> float | None:
    """Return the rate of layers without one of their own: as set, or such that the rounds reach the sparsity."""
    rate, sparsity, rounds = (settings.get(name) for name in ("rate", "sparsity", "rounds"))
    if isinstance(rate, float):
        return rate
    if isinstance(sparsity, float) and isinstance(rounds, int) and rounds > 0 and sparsity <= 1:
        return float(1 - (1 - sparsity) ** (1 / rounds))
    return None


def rows_in(files: PruningFiles, last: int | None = None) -> list[Row]:
    """Return the rows of the finished rounds of one pruning, up to round ``last``, or all.

    Raises:
        CheckpointError: as ``rounds_of``.
    """
    n_rounds = files.n_finished() if last is None else min(files.n_finished(), last + 1)
    return [row for number in range(n_rounds) for row in _read_rows(files.round(number).metrics)]


def summary_of(rows: Sequence[Row]) -> list[Row]:
    """Return mean, standard deviation, minimum and maximum over the seeds, of every quantity of every round and layer.

    The deviation is that of a sample (n - 1), and None for one seed. Undefined values are left out.
    """
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in GROUPED_BY), []).append(row)
    return [
        {**{name: group[0].get(name) for name in GROUPED_BY}, **_summary(quantity, group)}
        for group in groups.values()
        for quantity in SUMMARISED
        if _numbers(group, quantity)
    ]


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


def _summary(quantity: str, group: Sequence[Row]) -> Row:
    values = _numbers(group, quantity)
    seeds = {row["seed"] for row in group if row.get(quantity) is not None}
    return {
        "quantity": quantity,
        "n_seeds": len(seeds),
        "mean": fmean(values),
        "standard_deviation": stdev(values) if len(values) > 1 else None,
        "minimum": min(values),
        "maximum": max(values),
    }


def _numbers(rows: Sequence[Row], column: str) -> list[float]:
    return [float(value) for row in rows if isinstance(value := row.get(column), int | float)]


def _read_rows(path: Path) -> list[Row]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = [*content["layers"], content["network"]]
        for row in rows:
            _check_row(row)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: does not hold the metrics of a round: {error}") from error
    return rows


def _check_row(row: object) -> None:
    if not isinstance(row, dict):
        raise TypeError("a row is no object")
    unknown = sorted(set(row) - set(COLUMNS))
    if unknown:
        raise ValueError(f"a row has a column {unknown[0]!r}, which no report has")
    for name, kind in (("level", str), ("seed", int), ("round", int)):
        if not isinstance(row.get(name), kind):
            raise ValueError(f"a row's {name} is {row.get(name)!r}")
    for name, cell in row.items():
        if isinstance(cell, list | dict) and name != "shape":
            raise ValueError(f"a row's {name} is {cell!r}")


def table_text(rows: Sequence[Row]) -> str:
    """Return rows as CSV."""
    return Report("prune", {}, {}, rows).to_csv()
