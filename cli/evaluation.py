"""``--eval``: its options, the command that they describe, and the table of the numbers that it printed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from topoimp.reports.cells import Cell, Row
from topoimp.reports.evaluation_columns import EVALUATED, REFERENCE, evaluated_names
from topoimp.reports.report import Report

from .gates import Gates
from .options import refuse
from .output import show_table

if TYPE_CHECKING:
    from topoimp.programs.evaluation import Evaluation

Evaluate = Annotated[
    str | None,
    typer.Option(
        "--eval",
        "--evaluate",
        metavar="'CMD {checkpoint}'",
        help="Command that prints numbers about a checkpoint, as in accuracy=0.98. It runs on the input and on each "
        "result, and the numbers are columns such as eval_accuracy (docs/eval.md).",
        show_default="none",
    ),
]
EvalTimeout = Annotated[
    float | None,
    typer.Option(
        "--eval-timeout",
        metavar="SECONDS",
        help="Longest time in seconds that --eval may take for one checkpoint, above 0.",
        show_default="no limit",
    ),
]


def evaluation_of(evaluate: str | None, eval_timeout: float | None, gates: Gates) -> "Evaluation | None":
    """Return the evaluation that the options describe, which must print the numbers that gates look at.

    Raises:
        OptionError: if it is no command with a place for the checkpoint, or a gate or a time limit lacks a command.
    """
    if evaluate is None:
        refuse({"--eval-timeout": eval_timeout}, "needs --eval")
        gates.refuse(gates.evaluated, "needs --eval")
        return None
    from topoimp.programs.evaluation import parse_evaluation

    needed = (column.removeprefix(EVALUATED).removesuffix(REFERENCE) for column in gates.evaluated)
    return replace(parse_evaluation(evaluate, eval_timeout=eval_timeout), needed=frozenset(needed))


def show_evaluation(report: Report, rows: Sequence[Row] | None = None) -> None:
    """Print the numbers of the evaluation, of the reference and of each result, and the change; nothing without one.

    The rows are those of the network, by default all of the report. Round 0 is the reference, and has no line.
    """
    rows = report.rounds if rows is None else rows
    names = evaluated_names(column for row in rows for column in row)
    rows = [row for row in rows if row.get("round") != 0 and row.get("null") == rows[0].get("null")]
    lines = [_line(row, name) for row in rows for name in names if row.get(f"{EVALUATED}{name}") is not None]
    if not lines:
        return

    paths = [column for column in ("checkpoint", "other") if len({row.get(column) for row in lines}) > 1]
    subjects = paths or [column for column in _SUBJECTS if len({row.get(column) for row in lines}) > 1]
    has_reference = any(line["before"] is not None for line in lines)
    columns = {**dict(zip(subjects, subjects, strict=True)), **(_BESIDE if has_reference else _ALONE)}
    show_table(f"evaluation: {report.settings['evaluate']}", columns, lines)


_SUBJECTS = ("checkpoint", "other", "round")
"""Columns that tell the rows of networks apart."""

_BESIDE = {"evaluated": "number", "before": "reference", "after": "result", "change": "change"}
_ALONE = {"evaluated": "number", "after": "value"}


def _line(row: Row, name: str) -> Row:
    before, after = row.get(f"{EVALUATED}{name}{REFERENCE}"), row[f"{EVALUATED}{name}"]
    subjects = {column: row[column] for column in _SUBJECTS if column in row}
    return {"level": "network", **subjects, "evaluated": name, "before": before, "after": after} | {
        "change": _change(before, after)
    }


def _change(before: Cell, after: Cell) -> str | None:
    """Return the difference of two numbers with its sign; None without both."""
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return None
    change = after - before
    return f"{change:+,}" if isinstance(change, int) else f"{change:+.4g}"
