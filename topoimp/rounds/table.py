"""rounds.csv, summary.csv and paired.csv of a run folder, made anew from the metrics.json of all its rounds."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint import Staging, locked, remove
from topoimp.choices import Method, PruningSchedule, Scope
from topoimp.errors import CheckpointError, OutputError
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import is_described
from topoimp.reports.report import Report
from topoimp.rounds.over_seeds import SeedRows, paired_of, summary_of
from topoimp.rounds.recipe_file import read_toml
from topoimp.rounds.run_folder import PruningFiles, RunFiles, pruning_name, prunings_with_rounds, sha256_of


@dataclass(frozen=True)
class RunTables:
    """The rows of all finished rounds; ``summary_of`` and ``paired_of`` these, by prunings with the same settings."""

    rounds: list[Row]
    summary: list[Row]
    paired: list[Row]

    def by_name(self) -> dict[str, list[Row]]:
        """Return the rows of each table by its name; prunings without a seed in common leave no rows of pairs."""
        return {"rounds": self.rounds, "summary": self.summary, "paired": self.paired}


def read_tables(run: Path) -> RunTables:
    """Return the rows of the tables of a run folder, by seed, pruning, round and layer, and their means over seeds.

    Each row has the schedule, the rewinding and the rate of its pruning.
    Folders with other names than topoimp gives, such as copies, are left out, and so are rounds of networks that were
    trained by another recipe than the folder has now.
    Metrics that topoimp did not write are a CheckpointError.
    """
    alike: list[SeedRows] = []
    rounds: list[Row] = []
    for name, settings, rows in _prunings_in(run):
        rounds += rows
        group = next((group for group in alike if group.settings == settings), None)
        if group is None:
            alike.append(SeedRows(name, settings, list(rows)))
        else:
            group.rows.extend(rows)
    return RunTables(rounds, [row for group in alike for row in summary_of(group.rows)], paired_of(alike))


def write_tables(run: Path) -> None:
    """Write the tables anew, if a round is finished; one without rows, of pairs, has no file.

    Several runs may finish rounds at the same time. Rounds are read and tables renamed under one lock; where a lock
    holds within one machine alone, the last run to rename finds the rounds of the others as it reads again.
    """
    if not prunings_with_rounds(run):
        return
    try:
        with locked(RunFiles(run).tables_lock, waits=True, makes=True):
            for _ in range(_TRIES):
                if _write_once(run):
                    break
    except OSError as error:  # those of Staging are OutputErrors
        raise OutputError(f"{run}: cannot be written: {error.strerror or error}") from error


_TRIES = 10
"""Most times that the tables are written anew because rounds of other machines were finished meanwhile."""


def _write_once(run: Path) -> bool:
    """Write the tables of the rounds that are finished now; return whether they already were as they should be."""
    tables = read_tables(run)
    if not tables.rounds:
        return True
    rows_of = {RunFiles(run).table(name): rows for name, rows in tables.by_name().items()}
    texts = {path: Report("prune", {}, {}, rows).to_csv() for path, rows in rows_of.items() if rows}
    others = [path for path in rows_of if path not in texts]
    if not any(map(Path.exists, others)) and all(_has(path, text) for path, text in texts.items()):
        return True
    for path in others:
        remove(path)
    with Staging(list(texts), force=True) as staging:
        for path, text in texts.items():
            staging.partial(path).write_text(text, encoding="utf-8")
        staging.commit()
    return False


def _has(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _prunings_in(run: Path) -> Iterator[tuple[str, Mapping[str, object], list[Row]]]:
    """Yield name and settings of each pruning of a seed that belongs there, and the rows of its finished rounds."""
    recipe = RunFiles(run).recipe
    sha256 = sha256_of(recipe) if recipe.is_file() else None
    for files in prunings_with_rounds(run):
        name = files.folder.name
        settings = read_toml(files.settings) if files.settings.is_file() else {}
        methods = (*Method, str(settings.get("method", Method.TOPOLOGICAL)))
        rows = rows_in(files) if files.seed is not None and name.startswith(methods) else []
        if not rows or rows[0]["seed"] != files.seed:
            continue

        columns = _columns_of(settings)
        if name not in _names_of(rows[0], columns):
            continue
        if sha256 in (None, settings.pop("recipe_sha256", sha256)):
            settings.pop("checkpoint_sha256", None)  # it identifies the network and not the pruning
            yield name, settings, [{**row, **columns} for row in rows]


def _names_of(row: Row, columns: Row) -> list[str]:
    """Return the names that the folder of a row may have, with and without its rewinding; none if the row lacks one."""
    method, epsilon, scope = (row.get(name) for name in ("method", "epsilon", "scope"))
    rewind = columns["rewind"]
    try:
        which = str(method), float(epsilon or 0), Scope(str(scope)), PruningSchedule(str(columns["schedule"]))
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
    return [row for number in range(n_rounds) for row in read_rows(files.round(number).metrics)]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of one round, that of the network last; metrics that topoimp did not write are refused."""
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
    unknown = sorted(column for column in row if not is_described(column))
    if unknown:
        raise ValueError(f"a row has a column {unknown[0]!r}, which no report has")
    types = {"level": str, "seed": int, "round": int}
    wrong = [name for name, type_ in types.items() if not isinstance(row.get(name), type_)]
    wrong += [name for name, cell in row.items() if isinstance(cell, list | dict) and name != "shape"]
    if wrong:
        raise ValueError(f"a row's {wrong[0]} is {row.get(wrong[0])!r}")
