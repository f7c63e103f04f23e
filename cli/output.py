"""Printing: tables, CSV and JSON on stdout; notes, progress and errors on stderr."""

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic

from topoimp.errors import OutputError
from topoimp.reports.cells import Cell, Kind, Row
from topoimp.reports.columns import COLUMNS
from topoimp.reports.report import Report

from .options import Format


def plain(text: str) -> str:
    """Return text in which control characters are escaped, so that it cannot move the cursor or set colours."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def error_line(message: str) -> None:
    """Print an error on stderr as one line, even if the message has several."""
    note("error: " + " ".join(message.split()), quiet=False)


def note(message: str, *, quiet: bool) -> None:
    """Print a line on stderr, unless ``quiet``."""
    if not quiet:
        with suppress(OSError):  # stderr is closed
            print(plain(message), file=sys.stderr, flush=True)  # noqa: T201  # where notes belong


class ReaderGoneError(Exception):
    """The reader of stdout closed the pipe; this is not an error."""


def write(text: str) -> None:
    """Write to stdout and flush.

    Raises:
        ReaderGoneError: if the pipe is closed.
        OutputError: if stdout cannot be written for another reason.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Python flushes stdout once more when it exits, and would report the unwritten rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGoneError from error
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the same reason
        raise OutputError(f"stdout: cannot be written: {error.strerror}") from error


def show(report: Report, format: Format, show_tables: Callable[[Report], None]) -> None:  # noqa: A002  # the option's word
    """Print a report in the requested format."""
    if format is Format.JSON:
        write(report.to_json())
    elif format is Format.CSV:
        write(report.to_csv())
    else:
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
    from rich.box import SIMPLE_HEAD
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

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for (column, header), width in zip(columns.items(), widths, strict=True):
        is_text = _kind(column) is Kind.TEXT and any(row.get(column) is not None for row in rows)
        table.add_column(header, justify="left" if is_text else "right", width=width)
    for place, row in enumerate(rows):
        is_last_layer = place + 1 < len(rows) and row["level"] == "layer" != rows[place + 1]["level"]
        table.add_row(*(_cell(column, row.get(column)) for column in columns), end_section=is_last_layer)

    # Draw into memory: rich's own writes to stdout would bypass the error handling of ``write``.
    drawn = io.StringIO()
    Console(
        file=drawn, width=_width(widths), force_terminal=console.is_terminal, highlight=False, markup=False, emoji=False
    ).print(table)
    lines = [title, *(line.rstrip() for line in drawn.getvalue().splitlines())]
    write("\n".join(lines) + "\n\n")


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

    return [max((cell_len(_cell(column, row.get(column))) for row in rows), default=0) for column in columns]


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
    """Return the end of a title where convolutions are read in another view than ``matrix``."""
    view = report.settings.get("view", "matrix")
    return "" if view == "matrix" else f", view {view}"


def note_left_out(report: Report, *, quiet: bool) -> None:
    """Note the tensors that were left out by default, and the option that reads them."""
    from topoimp.layers.tensors import SINGLE_CHANNEL, SKIPPED_EMBEDDING, UNKNOWN_GATES

    for reason, description, remedy in (
        (SKIPPED_EMBEDDING, "as embeddings or heads", "--embeddings adds them"),
        (SINGLE_CHANNEL, "as they have a single input channel", "the view matrix has them"),
        (UNKNOWN_GATES, "as recurrent weights with an unknown number of gates", "--groups PATTERN=G reads them"),
    ):
        names = [name for name, found in report.left_out.items() if found == reason]
        if names:
            note(f"left out {description}: {first_names(names)}, {len(names)} in all ({remedy})", quiet=quiet)


def first_names(names: Sequence[str]) -> str:
    """Return the first three names, and dots if there are more."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar if stderr is a terminal; yields a function of (steps done, steps in all)."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with ExitStack() as stack:
        yield _Bar(title, stack).update


class _Bar:
    """A progress bar that appears after ``_PATIENCE`` seconds."""

    def __init__(self, title: str, stack: ExitStack) -> None:
        self._title = title
        self._stack = stack
        self._start = monotonic()
        self._show: Callable[[int, int], None] | None = None

    def update(self, done: int, total: int) -> None:
        if self._show is None and monotonic() - self._start > _PATIENCE:
            self._show = self._appear()
        if self._show is not None:
            self._show(done, total)

    def _appear(self) -> Callable[[int, int], None]:
        from rich.console import Console
        from rich.progress import Progress

        bar = self._stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        task = bar.add_task(self._title, total=None)
        return lambda done, total: bar.update(task, completed=done, total=total)


_PATIENCE = 0.5
"""Seconds before a progress bar appears."""


_TABLE_KINDS = {"size": Kind.TEXT, "accuracy_deviation": Kind.SHARE, "edge_compression": Kind.NUMBER}
"""The kinds of columns that tables add to those of reports."""

_FOUR_DECIMALS = ("edge_compression",)
"""Columns of tables whose numbers have four decimals, as those of the table that they are compared with."""


def _kind(column: str) -> Kind:
    return _TABLE_KINDS[column] if column in _TABLE_KINDS else COLUMNS[column].kind


def _cell(column: str, value: Cell) -> str:
    """Return a value as text: counts with separators, shares in percent, other numbers to four digits."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return plain(value)
    kind = _kind(column)
    if kind is Kind.INDEX:
        return str(value)
    if kind is Kind.SHARE:
        return _percent(value)
    if column in _FOUR_DECIMALS:
        return f"{value:,.4f}"
    return f"{value:,}" if isinstance(value, int) else f"{value:#.4g}".rstrip(".")  # a mean of counts is no count


def _percent(share: float) -> str:
    """Return a share in percent; only 1 reads 100 %, and only 0 reads 0 %."""
    text = f"{100 * share:.2f}"
    if text == "100.00" and share < 1:
        text = ">99.99"
    if text == "0.00" and share > 0:
        text = f"{100 * share:.1g}"
    return f"{text}%"
