"""The rounds of all seeds in one table, and what they are on average: rounds.csv and summary.csv of a run folder.

Both are made anew from the metrics.json of the rounds, so that they never say anything else.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from topoimp.choices import Method, Scope
from topoimp.errors import CheckpointError
from topoimp.layers.catalogue import natural
from topoimp.reports.columns import COLUMNS, Cell, Row
from topoimp.reports.report import Report
from topoimp.rounds.run_folder import RECIPE, RoundFiles, pruning_name, read_toml

GROUPED_BY = ("method", "epsilon", "scope", "rate", "round", "level", "layer")
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


_HASHES = ("recipe_sha256", "checkpoint_sha256")
"""Settings that say what was pruned, not how."""


@dataclass(frozen=True)
class _Pruning:
    """The finished rounds of one pruning of one seed: how it was done, and the rows."""

    settings: Mapping[str, object]
    rows: Sequence[Row]


def rounds_of(run: Path) -> list[Row]:
    """Give the rows of all finished rounds in a run folder, by seed, pruning, round and layer, with the rate.

    What lies there under another name than topoimp gives it, such as a copy, is left out, and so are rounds of networks
    that were trained by another recipe than the folder has by now.

    Raises:
        CheckpointError: if the metrics of a round are not those that topoimp wrote.
    """
    return [row for pruning in _prunings_in(run) for row in pruning.rows]


def summary_in(run: Path) -> list[Row]:
    """Give what ``summary_of`` does of the rounds in a run folder, prunings with other settings summed up apart.

    Raises:
        CheckpointError: as ``rounds_of``.
    """
    alike: list[tuple[Mapping[str, object], list[Row]]] = []
    for pruning in _prunings_in(run):
        for settings, rows in alike:
            if settings == pruning.settings:
                rows.extend(pruning.rows)
                break
        else:
            alike.append((pruning.settings, list(pruning.rows)))
    return [row for _, rows in alike for row in summary_of(rows)]


def _prunings_in(run: Path) -> list[_Pruning]:
    folders = sorted({path.parent.parent for path in run.glob("seed-*/*/round-*/metrics.json")}, key=_natural)
    recipe = run / RECIPE
    sha256 = hashlib.sha256(recipe.read_bytes()).hexdigest() if recipe.is_file() else None
    return [found for folder in folders if (found := _pruning_in(folder, sha256)) is not None]


def _natural(folder: Path) -> tuple[list[tuple[int, str]], str]:
    return natural(str(folder))


def _pruning_in(folder: Path, recipe_sha256: str | None) -> _Pruning | None:
    """Read a pruning; None if its folder is not called what its rows say, or its networks had another recipe."""
    seed = _SEED.fullmatch(folder.parent.name)
    if seed is None or not folder.name.startswith(tuple(Method)):
        return None
    files = RoundFiles(folder)
    rows = rows_in(files)
    if not rows or rows[0]["seed"] != int(seed[1]) or _name_of(rows[0]) != folder.name:
        return None
    said = read_toml(files.settings) if files.settings.is_file() else {}
    if recipe_sha256 is not None and said.get("recipe_sha256", recipe_sha256) != recipe_sha256:
        return None
    settings = {name: value for name, value in said.items() if name not in _HASHES}
    return _Pruning(settings, [{**row, "rate": _rate_of(settings)} for row in rows])


_SEED = re.compile(r"seed-(0|[1-9][0-9]*)")


def _name_of(row: Row) -> str | None:
    """Give the name of the folder that a row is of; None if it does not say."""
    method, epsilon, scope = (row.get(name) for name in ("method", "epsilon", "scope"))
    try:
        return pruning_name(Method(str(method)), float(epsilon or 0), Scope(str(scope)))
    except ValueError:
        return None


def _rate_of(settings: Mapping[str, object]) -> float | None:
    """Give the rate of all layers that have none of their own: said, or such that the rounds arrive at the sparsity."""
    rate, sparsity, rounds = (settings.get(name) for name in ("rate", "sparsity", "rounds"))
    if isinstance(rate, float):
        return rate
    if isinstance(sparsity, float) and isinstance(rounds, int) and rounds > 0 and sparsity <= 1:
        return float(1 - (1 - sparsity) ** (1 / rounds))
    return None


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
        {**{name: group[0].get(name) for name in GROUPED_BY}, **_summary(quantity, group)}
        for group in groups.values()
        for quantity in SUMMARISED
        if _numbers(group, quantity)
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


def _rows_in(path: Path) -> list[Row]:
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
    """Give rows as CSV."""
    return Report("prune", {}, {}, rows).to_csv()
