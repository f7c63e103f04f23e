"""The rows of rounds.csv and summary.csv, made anew from the metrics.json of all rounds in a run folder."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from topoimp.choices import Method, PruningSchedule, Scope
from topoimp.errors import CheckpointError
from topoimp.reports.columns import COLUMNS, Cell, Row
from topoimp.reports.rows import DISTANCES, PERSISTENCE_COLUMNS, TOTAL
from topoimp.reports.student_t import mean_interval
from topoimp.rounds.recipe_file import read_toml
from topoimp.rounds.round_rows import CHANCE
from topoimp.rounds.run_folder import PruningFiles, RunFiles, pruning_name, prunings_with_rounds, sha256_of

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
)
"""Columns that are summed up over the seeds, true as 1 and false as 0."""


@dataclass(frozen=True)
class RunTables:
    """The rows of all finished rounds, and ``summary_of`` these, separately for prunings with different settings."""

    rounds: list[Row]
    summary: list[Row]


def read_tables(run: Path) -> RunTables:
    """Return the rows of the tables of a run folder, by seed, pruning, round and layer, and their means over seeds.

    Each row has the schedule, the rewinding and the rate of its pruning.
    Folders with other names than topoimp gives, such as copies, are left out, and so are rounds of networks that were
    trained by another recipe than the folder has now.
    Metrics that topoimp did not write are a CheckpointError.
    """
    rounds: list[Row] = []
    alike: list[tuple[Mapping[str, object], list[Row]]] = []
    for settings, rows in _prunings_in(run):
        rounds += rows
        group = next((group for others, group in alike if others == settings), None)
        if group is None:
            alike.append((settings, list(rows)))
        else:
            group += rows
    return RunTables(rounds, [row for _, group in alike for row in summary_of(group)])


def _prunings_in(run: Path) -> Iterator[tuple[Mapping[str, object], list[Row]]]:
    """Yield the settings of each pruning of a seed that belongs there, and the rows of its finished rounds."""
    recipe = RunFiles(run).recipe
    sha256 = sha256_of(recipe) if recipe.is_file() else None
    for files in prunings_with_rounds(run):
        name = files.folder.name
        rows = rows_in(files) if files.seed is not None and name.startswith(tuple(Method)) else []
        if not rows or rows[0]["seed"] != files.seed:
            continue

        settings = read_toml(files.settings) if files.settings.is_file() else {}
        columns = _columns_of(settings)
        if name not in _names_of(rows[0], columns):
            continue
        if sha256 in (None, settings.pop("recipe_sha256", sha256)):
            settings.pop("checkpoint_sha256", None)  # it identifies the network and not the pruning
            yield settings, [{**row, **columns} for row in rows]


def _names_of(row: Row, columns: Row) -> list[str]:
    """Return the names that the folder of a row may have, with and without its rewinding; none if the row lacks one."""
    method, epsilon, scope = (row.get(name) for name in ("method", "epsilon", "scope"))
    rewind = columns["rewind"]
    try:
        which = Method(str(method)), float(epsilon or 0), Scope(str(scope)), PruningSchedule(str(columns["schedule"]))
    except ValueError:
        return []
    return [pruning_name(*which), *([] if rewind is None else [pruning_name(*which, str(rewind))])]


def _columns_of(settings: Mapping[str, object]) -> Row:
    """Return the columns that the settings of a pruning add to the rows of its rounds."""
    schedule = str(settings.get("schedule", PruningSchedule.GEOMETRIC))
    rewind = settings.get("rewind")
    return {"schedule": schedule, "rewind": None if rewind is None else str(rewind), "rate": _rate_of(settings)}


def _rate_of(settings: Mapping[str, object]) -> float | None:
    """Return the rate of layers without one of their own: as set, or such that the rounds reach the sparsity."""
    rate, sparsity, rounds = (settings.get(name) for name in ("rate", "sparsity", "rounds"))
    if isinstance(rate, float):
        return rate
    if isinstance(sparsity, float) and isinstance(rounds, int) and rounds > 0 and sparsity <= 1:
        if settings.get("schedule") == PruningSchedule.LINEAR:
            return sparsity / rounds
        return float(1 - (1 - sparsity) ** (1 / rounds))
    return None


def rows_in(files: PruningFiles, last: int | None = None) -> list[Row]:
    """Return the rows of the finished rounds of one pruning, up to round ``last``, or all; raise as ``read_tables``."""
    n_rounds = files.n_finished() if last is None else min(files.n_finished(), last + 1)
    return [row for number in range(n_rounds) for row in _read_rows(files.round(number).metrics)]


def summary_of(rows: Sequence[Row]) -> list[Row]:
    """Return mean, its interval, deviation, minimum and maximum over the seeds, of every quantity, round and layer.

    The interval is that of Student's t at 95 %, the deviation that of a sample (n - 1); both are None for one seed.
    Undefined values are left out.
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
    values = _numbers(group, quantity)
    seeds = {row["seed"] for row in group if row.get(quantity) is not None}
    low, high = mean_interval(values) or (None, None)
    return {
        "quantity": quantity,
        "n_seeds": len(seeds),
        "mean": fmean(values),
        "mean_low": low,
        "mean_high": high,
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
    types = {"level": str, "seed": int, "round": int}
    wrong = [name for name, type_ in types.items() if not isinstance(row.get(name), type_)]
    wrong += [name for name, cell in row.items() if isinstance(cell, list | dict) and name != "shape"]
    if wrong:
        raise ValueError(f"a row's {wrong[0]} is {row.get(wrong[0])!r}")
