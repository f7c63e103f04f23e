"""Report on several checkpoints: the rows of all, and the errors of those that cannot be used."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from topoimp.checkpoint import as_place
from topoimp.errors import TopoimpError
from topoimp.reports.report import Report

AT_ONCE = 16
"""Checkpoints that are reported on at the same time where a cluster looks at their layers."""


@dataclass(frozen=True)
class CheckpointFailure:
    """A checkpoint that cannot be used, and its error."""

    path: Path
    error: TopoimpError

    @property
    def message(self) -> str:
        """The message of the error, which names the checkpoint."""
        message = str(self.error)
        return message if str(self.path) in message else f"{self.path}: {message}"


@dataclass(frozen=True)
class EachCheckpoint:
    """The report on several checkpoints.

    Args:
        report: the rows of the checkpoints that can be used; None if there is no such checkpoint.
        failures: those that cannot be used.
    """

    report: Report | None
    failures: Sequence[CheckpointFailure]

    def raise_failures(self, *more: str) -> None:
        """Raise an error of the first failure's type, if there is one: a message for each failure, and ``more``.

        An error that all checkpoints share, such as that of an argument out of range, has one message.
        """
        if not self.failures:
            return
        first = self.failures[0].error
        is_shared = self.report is None and len({str(failure.error) for failure in self.failures}) == 1
        messages = [str(first)] if is_shared else [failure.message for failure in self.failures]
        raise type(first)(*messages, *more) from first


def report_of_each(paths: Sequence[Path], report_of: Callable[[Path], Report], *, at_once: int = 1) -> EachCheckpoint:
    """Report on checkpoints in their order; one that cannot be used takes nothing from the reports on the others.

    Args:
        paths: at least one.
        report_of: the function that reports on one of them.
        at_once: number of them that are reported on at the same time, by threads.

    Returns:
        of one checkpoint, its report as it is. Of several, the rows of all, with the column ``checkpoint``; the inputs
        are ``checkpoint-1`` and so on, the settings those of the first, the tensors left out are named
        ``PATH: NAME``, and each note begins with its path.
    """
    paths = [as_place(path) for path in paths]
    reports: list[tuple[Path, Report]] = []
    failures: list[CheckpointFailure] = []
    for path, outcome in zip(paths, _outcomes(paths, report_of, at_once), strict=True):
        if isinstance(outcome, Report):
            reports.append((path, outcome))
        else:
            failures.append(CheckpointFailure(path, outcome))

    if not reports:
        return EachCheckpoint(None, failures)
    return EachCheckpoint(reports[0][1] if len(paths) == 1 else _together(reports), failures)


def _outcomes(
    paths: Sequence[Path], report_of: Callable[[Path], Report], at_once: int
) -> Iterator[Report | TopoimpError]:
    """Yield the report on each checkpoint, or the error that it ended with."""

    def outcome_of(path: Path) -> Report | TopoimpError:
        try:
            return report_of(path)
        except TopoimpError as error:
            return error

    if min(at_once, len(paths)) <= 1:
        yield from map(outcome_of, paths)
        return
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="topoimp-checkpoint")
    try:
        yield from pool.map(outcome_of, paths)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # after an interruption threads may wait for a cluster


def _together(reports: Sequence[tuple[Path, Report]]) -> Report:
    rows = [{"level": row["level"], "checkpoint": str(path), **row} for path, report in reports for row in report.rows]
    left_out = {f"{path}: {name}": why for path, report in reports for name, why in report.left_out.items()}
    inputs = {f"checkpoint-{place + 1}": path for place, (path, _) in enumerate(reports)}
    notes = [f"{path}: {note}" for path, report in reports for note in report.notes]
    return replace(reports[0][1], inputs=inputs, rows=rows, left_out=left_out, notes=notes)
