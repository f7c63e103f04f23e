"""The rows of reports, and the kinds of values in their columns: how a value is checked, and read from CSV.

A row maps columns to values. An undefined value is None: null in JSON, blank in CSV.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]


class Kind(StrEnum):
    """The kind of value that a column holds; an index is an integer that names something, such as a seed."""

    TEXT = "text"
    FLAG = "flag"
    INDEX = "index"
    COUNT = "count"
    SHARE = "share"
    NUMBER = "number"

    def holds(self, value: Cell) -> bool:
        """Check whether a column of this kind may hold a value; every column may hold None."""
        if value is None or self is Kind.TEXT:
            return value is None or isinstance(value, str)
        if self is Kind.FLAG or isinstance(value, bool):
            return self is Kind.FLAG and isinstance(value, bool)
        return isinstance(value, int if self in (Kind.INDEX, Kind.COUNT) else (int, float))

    def parse(self, text: str) -> Cell:
        """Read a value as CSV writes it.

        Raises:
            ValueError: if the text is no value of this kind.

        >>> Kind.FLAG.parse("true"), Kind.COUNT.parse("7"), Kind.SHARE.parse("0.5"), Kind.TEXT.parse("7")
        (True, 7, 0.5, '7')
        """
        if self is Kind.TEXT:
            return text
        if self is Kind.FLAG:
            return bool(("false", "true").index(text))
        return int(text) if self in (Kind.INDEX, Kind.COUNT) else float(text)


@dataclass(frozen=True)
class Column:
    """The meaning of a column, a sentence that stands alone, and the kind of its values."""

    meaning: str
    kind: Kind
