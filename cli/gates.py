"""The gates of a command: checked before it starts, applied to the rows of its report, and raised at its end."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from topoimp.errors import GateError
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import EVALUATED
from topoimp.reports.report import Report

from .options import refuse

if TYPE_CHECKING:
    from topoimp.commands.each_checkpoint import EachCheckpoint
    from topoimp.commands.pruning_columns import Columns
    from topoimp.reports.gates import GateResult


class Gates:
    """The gates that ``--fail-if`` sets for a command, and the file of their results that ``--junit`` names.

    Raises:
        OptionError: if one is no gate, or there is a file and no gate.
        OutputError: if the file cannot be written.
    """

    def __init__(self, command: str, fail_if: list[str] | None, junit: Path | None) -> None:
        from topoimp.reports.gates import parse_gate

        self._command = command
        self._gates = [parse_gate(text) for text in fail_if or ()]
        self._results: list[GateResult] = []
        self._each: EachCheckpoint | None = None
        self._junit = junit
        if junit is not None:
            from topoimp.reports.junit import check_junit

            refuse({"--junit": None if fail_if else junit}, "needs --fail-if")
            check_junit(junit)

    @property
    def evaluated(self) -> frozenset[str]:
        """The columns of an evaluation that gates look at."""
        return frozenset(gate.column for gate in self._gates if gate.column.startswith(EVALUATED))

    def check(self, columns: "Columns", *, with_evaluation: bool = False) -> None:
        """Raise an OptionError if a report with these columns has no row for a gate.

        With an evaluation, rows of the network may have any of its columns: their names are known once it has run.
        """
        from topoimp.reports.gates import check_gates

        if with_evaluation:
            columns = {**columns, "network": columns["network"] | self.evaluated}
        check_gates(self._gates, columns)

    def refuse(self, columns: Collection[str], reason: str) -> None:
        """Raise an OptionError with the reason if a gate looks at one of these columns."""
        from topoimp.errors import OptionError

        for gate in self._gates:
            if gate.column in columns:
                raise OptionError(f"the gate is {gate.text!r}; the column {gate.column!r} {reason}")

    def apply(self, rows: Sequence[Row]) -> None:
        """Apply the gates to rows, and write the file; raise an OptionError if there is no row for a gate."""
        from topoimp.reports.gates import gate_results

        self._results = gate_results(self._gates, rows)
        self._write()

    def apply_to_each(self, each: "EachCheckpoint") -> Report:
        """Apply the gates to the checkpoints that can be used, write the file, and return their report.

        Raises:
            TopoimpError: if none can be used; the file has its error.
        """
        self._each = each
        if each.report is None:
            self._write()
            each.raise_failures()
            raise ValueError("there is no checkpoint")
        self.apply(each.report.rows)
        return each.report

    def raise_failures(self) -> None:
        """Raise an error: a message for each checkpoint that cannot be used, and for each row at which a gate fires.

        Raises:
            TopoimpError: that of the first checkpoint that cannot be used, whether a gate fires or not.
            GateError: if all can be used, and a gate fires.
        """
        fired = [result.sentence for result in self._results if result.fires]
        if self._each is not None:
            self._each.raise_failures(*fired)
        if fired:
            raise GateError(*fired)

    def _write(self) -> None:
        if self._junit is not None:
            from topoimp.reports.junit import write_junit

            failures = [] if self._each is None else self._each.failures
            errors = [(str(failure.path), failure.error) for failure in failures]
            write_junit(self._junit, self._command, self._results, errors)
