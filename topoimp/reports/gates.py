"""Gates: conditions on the rows of a report that make a command fail, such as ``retention<0.9``.

A gate is a column, a comparison and a number. It is parsed, never evaluated. It fires at each row that matches; a level
before it, as in ``layer:``, ``network:`` or ``density:``, selects such rows alone. True counts as 1 and false as 0. An
undefined value makes it fire too: a value that could not be measured must not pass.
"""

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType

from topoimp.errors import OptionError
from topoimp.reports.cells import Cell, Kind, Row
from topoimp.reports.evaluation_columns import EVALUATED, described, is_described
from topoimp.reports.report import csv_cell

_COMPARISONS: MappingProxyType[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt}
)
_SUBJECTS = MappingProxyType(
    {"network": "the network", "convolutions": "all convolutions", "dense": "all dense layers"}
)
"""The subjects of rows about several layers, by level."""

LEVELS = ("layer", "density", *_SUBJECTS)
"""The levels of rows that a gate can select."""

_GATE = re.compile(
    rf"(?:(?P<level>{'|'.join(LEVELS)})\s*:)?\s*(?P<column>[a-z][A-Za-z0-9_]*)\s*(?P<comparison><=|>=|==|!=|<|>)\s*"
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

    def fires_at(self, value: Cell) -> bool:
        """Whether a value meets the condition, or is undefined."""
        return value is None or _COMPARISONS[self.comparison](float(value), self.number)


@dataclass(frozen=True)
class GateResult:
    """A gate at one row.

    Args:
        gate: the gate.
        subject: the row in words, as in ``layer 'fc1.weight' of a.safetensors``.
        value: the row's value in the gate's column, None if it is undefined.
        reason: the reason why it is undefined, where the row has one.
    """

    gate: Gate
    subject: str
    value: Cell
    reason: str | None = None

    @property
    def fires(self) -> bool:
        """Whether the row fails."""
        return self.gate.fires_at(self.value)

    @property
    def sentence(self) -> str:
        """The gate, the row and the value."""
        column = self.gate.column
        if self.value is None:
            reason = f" ({self.reason})" if self.reason else ""
            found = f"has no {column}{reason}, and an undefined value does not pass"
        else:
            found = f"has {column} {csv_cell(self.value)}"
        return f"gate {self.gate.text!r}: {self.subject} {found}"


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
            f"'retention<0.9' or 'network:barcode_kept==0' (levels are {', '.join(LEVELS)})"
        )

    level, column, comparison, number = found.group("level", "column", "comparison", "number")
    if not is_described(column):
        raise OptionError(f"the gate is {text!r}; no report has a column {column!r}")
    if described(column).kind is Kind.TEXT:
        raise OptionError(f"the gate is {text!r}; the column {column!r} holds text, and a gate needs numbers")
    return Gate(text, column, comparison, _number(number), level)


def check_gates(gates: Sequence[Gate], columns: Mapping[str, Collection[str]]) -> None:
    """Check that each gate has a row to look at, in a report with these columns by level.

    Raises:
        OptionError: if the report has no such column in such rows.
    """
    for gate in gates:
        if not _levels_of(gate, columns):
            subject = f"{gate.level} row" if gate.level else "row"
            found = _evaluated(gate, columns)
            raise OptionError(
                f"the gate is {gate.text!r}; no {subject} of this report has a column {gate.column!r}{found}"
            )


def gate_results(gates: Sequence[Gate], rows: Sequence[Row]) -> list[GateResult]:
    """Return a result for each gate and each row that it looks at, gate by gate, in the order of the rows.

    A gate looks at the rows of the levels that have its column. A row without a value there, while others of its level
    have one, is undefined.

    Raises:
        OptionError: if there is no such column in such rows.
    """
    columns: dict[str, set[str]] = {}
    for row in rows:
        columns.setdefault(str(row["level"]), set()).update(row)
    check_gates(gates, columns)

    results = []
    for gate in gates:
        levels = _levels_of(gate, columns)
        looked_at = [row for row in rows if row["level"] in levels]
        places = _places(looked_at)
        results += [_result(gate, row, places) for row in looked_at]
    return results


def fired_gates(gates: Sequence[Gate], rows: Sequence[Row]) -> list[str]:
    """Return a sentence for each gate and each row at which it fires; raise as ``gate_results``."""
    return [result.sentence for result in gate_results(gates, rows) if result.fires]


def _levels_of(gate: Gate, columns: Mapping[str, Collection[str]]) -> list[str]:
    return [level for level, names in columns.items() if gate.level in (None, level) and gate.column in names]


def _evaluated(gate: Gate, columns: Mapping[str, Collection[str]]) -> str:
    """Return the end of a message that names the columns of the evaluation that a report has, for a gate on another."""
    names = {name for names in columns.values() for name in names if name.startswith(EVALUATED)}
    if not names or not gate.column.startswith(EVALUATED):
        return ""
    return f"; the rows of the network have {', '.join(sorted(names))}"


def _result(gate: Gate, row: Row, places: Sequence[str]) -> GateResult:
    reason = row.get("undefined")
    return GateResult(gate, _subject(row, places), row.get(gate.column), None if reason is None else str(reason))


_PLACES = MappingProxyType(
    {
        "null": " beside {}",
        "pruning": " of {}",
        "baseline": " less {}",
        "seed": " of seed {}",
        "round": " in round {}",
        "other": " of {}",
        "checkpoint": " of {}",
    }
)
"""Words for the columns that tell rows of one layer apart."""


def _places(rows: Sequence[Row]) -> list[str]:
    """Return the columns that a sentence names: paths, which say all else, or those in which the rows differ."""
    paths = [column for column in ("other", "checkpoint") if any(column in row for row in rows)]
    told_by_path = ("pruning", "seed", "round") if paths else ()
    return [
        column
        for column in _PLACES
        if column in paths or (column not in told_by_path and len({row.get(column) for row in rows}) > 1)
    ]


def _subject(row: Row, places: Sequence[str]) -> str:
    level = str(row["level"])
    subject = _SUBJECTS.get(level, f"layer {row.get('layer')!r}")
    if row.get("quantity") is not None:
        subject = f"{row['quantity']} of {subject}"
    if level == "density":
        subject += f" at density {row['density']}"
    return subject + "".join(_PLACES[place].format(row[place]) for place in places if row.get(place) is not None)


def _number(text: str) -> float:
    return _TRUTHS[text] if text in _TRUTHS else float(text)
