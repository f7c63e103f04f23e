"""The gates of a command: checked before it starts, applied to the rows of its report, and raised at its end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from topoimp.errors import GateError
from topoimp.reports.cells import Row
from topoimp.reports.report import Report

if TYPE_CHECKING:
    from topoimp.commands.each_checkpoint import EachCheckpoint
    from topoimp.commands.pruning_columns import Columns


class Gates:
    """The gates that ``--fail-if`` sets.

    Raises:
        OptionError: if one is no gate.
    """

    def __init__(self, fail_if: list[str] | None) -> None:
        from topoimp.reports.gates import parse_gate

        self._gates = [parse_gate(text) for text in fail_if or ()]
        self._failures: list[str] = []
        self._each: EachCheckpoint | None = None

    def check(self, columns: "Columns") -> None:
        """Raise an OptionError if a report with these columns has no row for a gate."""
        from topoimp.reports.gates import check_gates

        check_gates(self._gates, columns)

    def apply(self, rows: Sequence[Row]) -> None:
        """Apply the gates to rows; raise an OptionError if there is no row for one."""
        from topoimp.reports.gates import fired_gates

        self._failures = fired_gates(self._gates, rows)

    def apply_to_each(self, each: "EachCheckpoint") -> Report:
        """Apply the gates to the checkpoints that can be used, and return their report.

        Raises:
            TopoimpError: if none can be used.
        """
        if each.report is None:
            each.raise_failures()
            raise ValueError("there is no checkpoint")
        self.apply(each.report.rows)
        self._each = each
        return each.report

    def raise_failures(self) -> None:
        """Raise an error: a message for each checkpoint that cannot be used, and for each row at which a gate fires.

        Raises:
            TopoimpError: that of the first checkpoint that cannot be used, whether a gate fires or not.
            GateError: if all can be used, and a gate fires.
        """
        if self._each is not None:
            self._each.raise_failures(*self._failures)
        if self._failures:
            raise GateError(*self._failures)
