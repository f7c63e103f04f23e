"""The columns that an evaluation adds to a report, and the look-up of any column by its name.

``COLUMNS`` is fixed. A command that the user gives to evaluate a checkpoint prints numbers under names of its own: for
each name X the row of the network has ``eval_X``, and ``eval_X_reference`` where there is a reference.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from topoimp.reports.cells import Column, Kind, Row
from topoimp.reports.columns import COLUMNS

EVALUATED = "eval_"
"""First part of the name of each such column."""

REFERENCE = "_reference"
"""Last part of the name of a column about the reference; no printed name ends in it."""

_COLUMN = re.compile(rf"{EVALUATED}(?P<name>[A-Za-z0-9_]+?)(?P<reference>{REFERENCE})?", re.ASCII)

Values = Mapping[str, float]
"""The numbers that an evaluation printed, by name."""


def is_described(column: str) -> bool:
    """Return whether a report may have a column: one of ``COLUMNS``, or one of an evaluation.

    >>> is_described("tau"), is_described("eval_top1"), is_described("top1")
    (True, True, False)
    """
    return column in COLUMNS or _COLUMN.fullmatch(column) is not None


def described(column: str) -> Column:
    """Return the meaning and the kind of a column; a KeyError if no report may have it.

    >>> described("eval_top1_reference").meaning
    'Number `top1` that the command of `evaluate` printed for the reference.'
    """
    found = _COLUMN.fullmatch(column)
    if column in COLUMNS or found is None:
        return COLUMNS[column]
    subject = "the reference" if found["reference"] else "the result (`bound`: for the checkpoint)"
    return Column(f"Number `{found['name']}` that the command of `evaluate` printed for {subject}.", Kind.NUMBER)


def in_order(columns: Iterable[str]) -> list[str]:
    """Return the described ones of some columns in the order of all reports, each once; those of an evaluation last.

    >>> in_order(["eval_top5", "beta0", "eval_top1", "level"])
    ['level', 'beta0', 'eval_top5', 'eval_top1']
    """
    used = dict.fromkeys(columns)
    evaluated = [column for column in used if column not in COLUMNS and is_described(column)]
    return [*(column for column in COLUMNS if column in used), *evaluated]


def evaluation_columns(values: Values, reference: Values | None = None) -> Row:
    """Return the columns of the numbers of a checkpoint, and of its reference if there is one, under the same names."""
    columns: dict[str, float] = {}
    for name, value in values.items():
        columns[f"{EVALUATED}{name}"] = value
        if reference is not None:
            columns[f"{EVALUATED}{name}{REFERENCE}"] = reference[name]
    return columns


def with_evaluation(rows: Sequence[Row], columns: Row) -> list[Row]:
    """Return rows, those of the network with the columns of an evaluation."""
    return [{**row, **columns} if row["level"] == "network" else row for row in rows]


def evaluated_names(columns: Iterable[str]) -> list[str]:
    """Return the names that an evaluation printed, by the columns of a report.

    >>> evaluated_names(["level", "eval_top1", "eval_top1_reference", "eval_loss"])
    ['top1', 'loss']
    """
    found = (_COLUMN.fullmatch(column) for column in dict.fromkeys(columns))
    return [each["name"] for each in found if each is not None and not each["reference"]]


def evaluated_columns(rows: Iterable[Row]) -> list[str]:
    """Return the columns of rows that hold the numbers of an evaluation, without those of the reference."""
    names = evaluated_names(column for row in rows if row["level"] == "network" for column in row)
    return [f"{EVALUATED}{name}" for name in names]


def evaluation_of(row: Row) -> Values:
    """Return the numbers that an evaluation printed for the result of a row, by name; empty without an evaluation."""
    values = {name: row[f"{EVALUATED}{name}"] for name in evaluated_names(row)}
    return {name: value for name, value in values.items() if isinstance(value, int | float)}
