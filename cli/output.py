"""Printing of reports: tables, CSV and JSON on stdout, and notes about them on stderr."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from topoimp.reports.cells import Cell, Kind, Row
from topoimp.reports.evaluation_columns import described
from topoimp.reports.readable import readable
from topoimp.reports.report import Report

from .messages import with_flags
from .options import Format
from .streams import encodable, note, write, write_table

if TYPE_CHECKING:
    from rich.box import Box


def show(report: Report, format: Format, show_tables: Callable[[Report], None]) -> None:  # noqa: A002  # the option's word
    """Print a report in the requested format; of ``github``, which has errors alone, nothing."""
    if format is Format.JSON:
        write(report.to_json())
    elif format is Format.CSV:
        write_table(report.to_csv())
    elif format is Format.TABLE:
        show_tables(report)


def show_table(
    title: str, columns: Mapping[str, str], rows: Sequence[Row], *, dispensable: Sequence[Sequence[str]] = ()
) -> None:
    """Print a table: headers wrap between words to fit a terminal; into a pipe it is as wide as it needs to be.

    Args:
        title: the line above the table.
        columns: by column of the report, the header in the table.
        rows: a line separates a network row from the layers above it.
        dispensable: groups of columns to leave out, in this order, until the table fits the terminal.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console()
    groups = list(dispensable)
    while console.is_terminal and groups and _width(_word_widths(columns, rows)) > console.width:
        dropped = groups.pop(0)
        columns = {column: header for column, header in columns.items() if column not in dropped}

    headers = _header_widths(columns, rows)
    fits = not console.is_terminal or _width(headers) <= console.width
    widths = headers if fits else _word_widths(columns, rows)

    table = Table(box=_box(), padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for (column, header), width in zip(columns.items(), widths, strict=True):
        is_text = _kind(column) is Kind.TEXT and any(row.get(column) is not None for row in rows)
        table.add_column(header, justify="left" if is_text else "right", width=width)
    for place, row in enumerate(rows):
        is_last_layer = place + 1 < len(rows) and row["level"] == "layer" != rows[place + 1]["level"]
        table.add_row(*(cell_text(column, row.get(column)) for column in columns), end_section=is_last_layer)

    # Draw into memory: rich's own writes to stdout would bypass the error handling of ``write``.
    drawn = io.StringIO()
    Console(
        file=drawn, width=_width(widths), force_terminal=console.is_terminal, highlight=False, markup=False, emoji=False
    ).print(table)
    lines = [encodable(title), *(line.rstrip() for line in drawn.getvalue().splitlines())]
    write("\n".join(lines) + "\n\n")


ON_NO_PATH = {"n_off_path": "off path"}
"""The column of a table that ``known`` leaves out where the graph of the network is not known."""

BESIDE_MAGNITUDE = {"n_forest_added": "magnitude drops"}
"""The column of a table that ``known`` leaves out where another method than topological and magnitude prunes."""


WITHOUT_ROOM = {"n_forest_unfit": "no room"}
"""The column of a table that ``known`` leaves out where no pattern prunes."""


def known(columns: Mapping[str, str], rows: Sequence[Row]) -> dict[str, str]:
    """Return the columns of a table, without these three if all rows are blank there."""
    optional = {**ON_NO_PATH, **BESIDE_MAGNITUDE, **WITHOUT_ROOM}
    blank = {name for name in optional if all(row.get(name) is None for row in rows)}
    return {name: header for name, header in columns.items() if name not in blank}


def densities(network: Row) -> list[str]:
    """Return the finding about the densities of a network, and about its squared norm where that is known."""
    selected, whole = (cell_text(name, network.get(name)) for name in ("density", "checkpoint_density"))
    kept = "".join(
        f"; {cell_text(name, network[name])} of the squared norm{before} is kept"
        for name, before in _NORMS.items()
        if network.get(name) is not None
    )
    return [f"density {selected} of the selected layers, {whole} of the checkpoint{kept}"]


_NORMS = {"squared_norm_kept": "", "round_squared_norm_kept": " before the round"}
"""Columns of the share of the squared norm, and the words that tell the weights of each."""


def show_findings(findings: Iterable[str], format: Format, *, quiet: bool) -> None:  # noqa: A002  # the option's word
    """Print sentences that sum up a report: below its tables, or as notes where stdout is for a program."""
    for finding in findings:
        if format is Format.TABLE:
            show_finding(finding)
        else:
            note(finding, quiet=quiet)


def show_finding(finding: str) -> None:
    """Print a sentence below a table."""
    write(encodable(finding) + "\n")


def _box() -> "Box":
    """Return the lines of a table: a single one below the headers, in ASCII where stdout has no other."""
    from rich.box import SIMPLE_HEAD, Box

    return SIMPLE_HEAD if encodable("─") == "─" else Box("    \n    \n -- \n" + 5 * "    \n", ascii=True)


def _word_widths(columns: Mapping[str, str], rows: Sequence[Row]) -> list[int]:
    """Return the width of each column if its header wraps between words."""
    return [
        max(cells, *map(len, header.split()))
        for cells, header in zip(_cell_widths(columns, rows), columns.values(), strict=True)
    ]


def _header_widths(columns: Mapping[str, str], rows: Sequence[Row]) -> list[int]:
    """Return the width of each column if its header is one line."""
    return list(map(max, _cell_widths(columns, rows), map(len, columns.values())))


def _cell_widths(columns: Mapping[str, str], rows: Sequence[Row]) -> list[int]:
    from rich.cells import cell_len

    return [max((cell_len(cell_text(column, row.get(column))) for row in rows), default=0) for column in columns]


def _width(widths: Sequence[int]) -> int:
    """Return the width of a table of such columns."""
    return sum(widths) + _GAP * len(widths)


_GAP = 2


def for_people(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with ``network`` as the network's name, and with a layer's rows and columns as size 300x784."""
    return [
        {**row, "layer": "network"}
        if row["level"] == "network"
        else {**row, "size": f"{row.get('rows')}x{row.get('columns')}"}
        for row in rows
    ]


@contextmanager
def noting_compilation(*, quiet: bool) -> Iterator[None]:
    """Print a note if this process has to compile the passes over the weights."""
    from topoimp.kernels.compiled import telling_of_compilation

    with telling_of_compilation(lambda: note(COMPILING, quiet=quiet)):
        yield


COMPILING = "compiling for this machine, once; it takes some seconds"


def in_view(report: Report) -> str:
    """Return the end of a title where convolutions are read in another view than ``matrix``, or scores as strengths."""
    view, scores = report.settings.get("view", "matrix"), report.settings.get("scores")
    by_scores = "" if scores is None else f", strengths from {scores}"
    return by_scores if view == "matrix" else f"{by_scores}, view {view}"


def show_notes(report: Report, *, quiet: bool) -> None:
    """Print the notes of a report: the tensors that were left out and why, and what else its rows do not say."""
    for sentence in report.notes:
        note(with_flags(sentence, _FLAGS), quiet=quiet)


def show_outputs(report: Report, *, quiet: bool) -> None:
    """Print a note about each file that was written."""
    for path in report.outputs.values():
        note(f"wrote {path}", quiet=quiet)


_FLAGS = {name: f"--{name}" for name in ("embeddings", "include", "exclude", "groups", "key", "force", "null")}
"""Flags of the arguments that the notes of a report name."""


def size_text(n_bytes: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"


def first_names(names: Sequence[str]) -> str:
    """Return the first three names, and dots if there are more."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def some_names(names: Sequence[str]) -> str:
    """Return the first five names, and how many more there are."""
    most = 5
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


_TABLE_KINDS = {
    "size": Kind.TEXT,
    "n_layers": Kind.COUNT,
    "accuracy_deviation": Kind.SHARE,
    "edge_compression": Kind.NUMBER,
    "evaluated": Kind.TEXT,
    "before": Kind.NUMBER,
    "after": Kind.NUMBER,
    "change": Kind.TEXT,
}
"""The kinds of columns that tables add to those of reports."""

_FOUR_DECIMALS = ("edge_compression",)
"""Columns of tables whose numbers have four decimals, as those of the table that they are compared with."""


def _kind(column: str) -> Kind:
    return _TABLE_KINDS[column] if column in _TABLE_KINDS else described(column).kind


def cell_text(column: str, value: Cell) -> str:
    """Return a value as text: counts with separators, shares in percent, other numbers to four digits."""
    if isinstance(value, str):
        return encodable(value)
    if column in _FOUR_DECIMALS and isinstance(value, (int, float)):
        return f"{value:,.4f}"
    return readable(value, _kind(column))
