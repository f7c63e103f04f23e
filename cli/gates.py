"""The gates of a command: checked before it starts, applied to the rows of its report, and raised at its end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from topoimp.errors import GateError
from topoimp.reports.cells import Row

if TYPE_CHECKING:
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

    def check(self, columns: "Columns") -> None:
        """Raise an OptionError if a report with these columns has no row for a gate."""
        from topoimp.reports.gates import check_gates

        check_gates(self._gates, columns)

    def apply(self, rows: Sequence[Row]) -> None:
        """Apply the gates to rows; raise an OptionError if there is no row for one."""
        from topoimp.reports.gates import fired_gates

        self._failures = fired_gates(self._gates, rows)

    def raise_failures(self) -> None:
        """Raise a GateError with a message for each gate and each row at which it fires."""
        if self._failures:
            raise GateError(*self._failures)
