"""Reports: rows of named columns, with where they came from; as JSON, CSV or a pandas table, and read back from CSV."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from topoimp.errors import CheckpointError
from topoimp.reports.cells import Cell, Row
from topoimp.reports.evaluation_columns import described, in_order, is_described

if TYPE_CHECKING:
    import pandas as pd


SUMS = ("convolutions", "dense")
"""Levels of the rows between those of the layers and that of the network: sums over some of the layers."""

MOST_LINES = 100
"""Rows of a report that a notebook shows."""


@dataclass(frozen=True)
class Report:
    """The result of a command.

    Args:
        command: the command's name.
        inputs: the files read, by role.
        settings: the settings of the command.
        rows: layer rows and network rows (``level``), in the order in which CSV lists them.
        left_out: by tensor or layer left out, or file not copied, the reason.
        outputs: the files written, by role.
        notes: sentences for people that rows and settings do not say, such as the number of tensors left out, or of
            rounds that existed; arguments in backticks.

    >>> report = Report("bound", {}, {"rate": 0.2}, [{"level": "network", "floor": 3, "tau": None}])
    >>> print(report.to_csv(), end="")
    level,floor,tau
    network,3,
    """

    command: str
    inputs: Mapping[str, Path]
    settings: Mapping[str, Cell | Sequence[str]]
    rows: Sequence[Row]
    left_out: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Path] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        unknown = {column for row in self.rows for column in row if not is_described(column)}
        if unknown:
            raise ValueError(f"columns without a description: {sorted(unknown)}")

        for row in self.rows:
            for column, cell in row.items():
                if not described(column).kind.holds(cell):
                    raise ValueError(f"column {column!r} holds {cell!r}; its kind is {described(column).kind}")

    @property
    def layers(self) -> list[Row]:
        """The rows about single layers."""
        return self._rows_of("layer")

    @property
    def rounds(self) -> list[Row]:
        """The rows about the network: one per round, epoch or checkpoint, otherwise a single one."""
        return self._rows_of("network")

    @property
    def sums(self) -> dict[str, Row]:
        """The rows about the convolutions together and the dense layers together, by level; none in other views."""
        return {level: row for level in SUMS for row in self._rows_of(level)}

    @property
    def densities(self) -> list[Row]:
        """The rows about single layers at one density each."""
        return self._rows_of("density")

    @property
    def network(self) -> Row:
        """The row about the network, the last if there are several; empty if there is none."""
        return self.rounds[-1] if self.rounds else {}

    def last_round(self) -> list[Row]:
        """Return the rows of the last round; a column that only earlier rounds have is None.

        >>> rows = [{"level": "network", "round": 1, "tau": 0.5}, {"level": "network", "round": 2}]
        >>> Report("prune", {}, {}, rows).last_round()
        [{'level': 'network', 'round': 2, 'tau': None}]
        """
        columns: dict[str, dict[str, None]] = {}
        for row in self.rows:
            columns.setdefault(str(row["level"]), {}).update(dict.fromkeys(row))
        last = self.network["round"]
        return [{**columns[str(row["level"])], **row} for row in self.rows if row["round"] == last]

    @property
    def rounds_key(self) -> str | None:
        """The key of all network rows in JSON, such as ``others``; None if a single row has no number or name."""
        for step in ("other", "checkpoint", "round", "epoch"):
            if step in self.network:
                return f"{step}s"
        return "nulls" if "null" in self.network and len(self.rounds) > 1 else None

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return one JSON object: command, version, inputs, settings, layers, network, left_out.

        More keys may follow: ``notes``, if there are sentences for people; ``outputs``, if files were written;
        ``rounds``, ``epochs``, ``others`` or ``checkpoints``, all network rows, if there are several; ``densities``, if
        there are rows at densities; ``convolutions`` and ``dense``, if there are rows of their sums. Without ``indent``
        it is one line.
        """
        from importlib.metadata import version  # slow to import, and only needed here

        content: dict[str, object] = {
            "command": self.command,
            "version": version("topoimp"),
            "inputs": {role: str(path) for role, path in self.inputs.items()},
            "settings": dict(self.settings),
            "layers": self.layers,
            "network": self.network,
            "left_out": dict(self.left_out),
        }
        if self.notes:
            content["notes"] = list(self.notes)
        if self.outputs:
            content["outputs"] = {role: str(path) for role, path in self.outputs.items()}
        if self.rounds_key is not None:
            content[self.rounds_key] = self.rounds
        if self.densities:
            content["densities"] = self.densities
        content |= self.sums
        separators = (",", ":") if indent is None else None
        return json.dumps(content, indent=indent, separators=separators, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Return CSV text: one header line, full precision, true and false, blank where undefined."""
        columns = self._columns()
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(columns)
        table.writerows([csv_cell(row.get(column)) for column in columns] for row in self.rows)
        return text.getvalue()

    def frame(self) -> "pd.DataFrame":
        """Return the rows as a pandas table, with nullable types."""
        import pandas as pd

        return pd.DataFrame({column: pd.array([row.get(column) for row in self.rows]) for column in self._columns()})

    def _repr_html_(self) -> str:
        """Return the rows as a table of HTML for a notebook, the layers first; at most 100 lines."""
        from topoimp.reports.html_table import columns_of, html_table, html_text

        columns = columns_of(self.rows)
        rows = [*self.layers, *(row for row in self.rows if row["level"] != "layer")]
        if "layer" in columns:
            columns = ["layer", *(column for column in columns if column != "layer")]
            rows = [{**row, "layer": row.get("layer") or str(row["level"])} for row in rows]
        notes = [*self.notes]
        if len(rows) > MOST_LINES:
            notes.append(f"the first {MOST_LINES} of {len(rows):,} rows; `frame()` has all")
        lines = "".join(f"<p>{html_text(note)}</p>" for note in notes)
        return html_table(enumerate(rows[:MOST_LINES]), columns) + lines

    def _rows_of(self, level: str) -> list[Row]:
        return [row for row in self.rows if row["level"] == level]

    def _columns(self) -> list[str]:
        return in_order(column for row in self.rows for column in row)


def rows_of_csv(text: str) -> list[Row]:
    r"""Read the rows of a table that ``Report.to_csv`` wrote; a row lacks the columns that are blank.

    Raises:
        CheckpointError: if the text is no such table, or a value is not of its column's kind.

    >>> rows_of_csv("epoch,test_loss\n1,0.5\n2,\n")
    [{'epoch': 1, 'test_loss': 0.5}, {'epoch': 2}]
    """
    table = csv.DictReader(io.StringIO(text))
    try:
        unknown = [name for name in table.fieldnames or [""] if not is_described(name)]
        if unknown:
            raise CheckpointError(f"a table has a column {unknown[0]!r}, which no report has")
        rows = list(table)
    except csv.Error as error:
        raise CheckpointError(f"a table is no CSV: {error}") from error

    if any(None in row for row in rows):  # DictReader's key for cells beyond the last column
        raise CheckpointError("a table has a row with more cells than there are columns")
    return [{name: _parsed(name, cell) for name, cell in row.items() if cell} for row in rows]


def rows_of_file(path: Path) -> list[Row]:
    """Read the rows of a CSV file that ``Report.to_csv`` wrote; it must have at least one.

    Raises:
        CheckpointError: if the file cannot be read, or holds no such table.
    """
    try:
        rows = rows_of_csv(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: is no table: {error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: is no table of a report: {error}") from error
    if not rows:
        raise CheckpointError(f"{path}: holds no row; a table has at least one")
    return rows


def _parsed(column: str, text: str) -> Cell:
    kind = described(column).kind
    try:
        return kind.parse(text)
    except ValueError as error:
        raise CheckpointError(f"a table has {text!r} in column {column!r}, whose kind is {kind}") from error


def csv_cell(cell: Cell) -> Cell:
    """Return a value as CSV writes it: true and false in small letters."""
    return str(cell).lower() if isinstance(cell, bool) else cell
