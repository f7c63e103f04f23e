"""Gates: conditions on the rows of a report that make a command fail, such as ``retention<0.9``.

A gate is a column, a comparison and a number. It is parsed, never evaluated. It fires if any row matches; ``layer:`` or
``network:`` before it selects such rows alone. True counts as 1 and false as 0. An undefined value makes it fire too:
a value that could not be measured must not pass.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType

from topoimp.errors import OptionError
from topoimp.reports.cells import Kind, Row
from topoimp.reports.columns import COLUMNS
from topoimp.reports.report import Report, csv_cell

_COMPARISONS: MappingProxyType[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt}
)
_GATE = re.compile(
    r"(?:(?P<level>layer|network)\s*:)?\s*(?P<column>[a-z][a-z0-9_]*)\s*(?P<comparison><=|>=|==|!=|<|>)\s*"
    r"(?P<number>[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|true|false)",
    re.ASCII,
)
_TRUTHS = MappingProxyType({"true": 1.0, "false": 0.0})


@dataclass(frozen=True)
class Gate:
    """A condition that no row may meet: the user's ``text``, and its parts; ``level`` is None for all rows."""

    text: str
    column: str
    comparison: str
    number: float
    level: str | None = None

    def matches(self, value: float) -> bool:
        """Whether a value meets the condition."""
        return _COMPARISONS[self.comparison](value, self.number)


def parse_gate(text: str) -> Gate:
    """Parse a gate.

    Raises:
        OptionError: if the text is no gate, or no report has such a column with numbers in it.

    >>> parse_gate("network: retention < 0.9")
    Gate(text='network: retention < 0.9', column='retention', comparison='<', number=0.9, level='network')
    """
    found = _GATE.fullmatch(text.strip())
    if found is None or not isfinite(_number(found["number"])):
        raise OptionError(
            f"the gate is {text!r}; it must be a column, one of {', '.join(_COMPARISONS)} and a number, as in "
            "'retention<0.9' or 'network:barcode_kept==0'"
        )

    level, column, comparison, number = found.group("level", "column", "comparison", "number")
    if column not in COLUMNS:
        raise OptionError(f"the gate is {text!r}; no report has a column {column!r}")
    if COLUMNS[column].kind is Kind.TEXT:
        raise OptionError(f"the gate is {text!r}; the column {column!r} holds text, and a gate needs numbers")
    return Gate(text, column, comparison, _number(number), level)


def fired_gates(gates: Sequence[Gate], report: Report) -> list[str]:
    """Return a sentence for each gate that fires: the first row that matches, its value, and how many more match.

    Raises:
        OptionError: if the report has no such column in such rows.
    """
    return [sentence for gate in gates if (sentence := _fired(gate, report)) is not None]


def _fired(gate: Gate, report: Report) -> str | None:
    rows = [row for row in report.rows if gate.level in (None, row["level"]) and gate.column in row]
    if not rows:
        subject = f"{gate.level} row" if gate.level else "row"
        raise OptionError(f"the gate is {gate.text!r}; no {subject} of this report has a column {gate.column!r}")

    matching = [row for row in rows if row[gate.column] is None or gate.matches(float(row[gate.column] or 0))]
    if not matching:
        return None
    more = f", and {len(matching) - 1} more of {len(rows)} rows" if len(matching) > 1 else ""
    return f"gate {gate.text!r}: {_described(matching[0], gate.column)}{more}"


def _described(row: Row, column: str) -> str:
    subject = f"layer {row['layer']!r}" if row["level"] == "layer" else "the network"
    other = f" of {row['other']}" if row.get("other") else ""
    if row[column] is None:
        reason = f" ({row['undefined']})" if row.get("undefined") else ""
        return f"{subject}{other} has no {column}{reason}, and an undefined value does not pass"
    return f"{subject}{other} has {column} {csv_cell(row[column])}"


def _number(text: str) -> float:
    return _TRUTHS[text] if text in _TRUTHS else float(text)
