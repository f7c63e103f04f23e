"""What a person or a program sees: tables, CSV and JSON on stdout; notes, progress and errors on stderr."""

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic

from topoimp.errors import OutputError
from topoimp.reports.report import Cell, Report, Row

from .options import Format


def plain(text: str) -> str:
    """Give text with everything that would move the cursor, or colour what follows, spelled out."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def error_line(message: str) -> None:
    """Print an error as one line, whatever the message holds."""
    note("error: " + " ".join(message.split()), quiet=False)


def note(message: str, *, quiet: bool) -> None:
    """Print a line for people on stderr."""
    if not quiet:
        with suppress(OSError):  # nobody reads it
            print(plain(message), file=sys.stderr, flush=True)  # noqa: T201  # where notes belong


class ReaderGoneError(Exception):
    """Nobody reads stdout any more; not an error."""


def write(text: str) -> None:
    """Write to stdout, at once.

    Raises:
        ReaderGoneError: if the pipe is closed.
        OutputError: if it cannot be written for another reason.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Python flushes stdout once more at its end, and would complain about what is left in it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGoneError from error
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the same reason
        raise OutputError(f"stdout: cannot be written: {error.strerror}") from error


def show(report: Report, format: Format, show_tables: Callable[[Report], None]) -> None:  # noqa: A002  # the option's word
    """Print a report in the format asked for."""
    if format is Format.JSON:
        write(report.to_json())
    elif format is Format.CSV:
        write(report.to_csv())
    else:
        show_tables(report)


def show_table(
    title: str, columns: Mapping[str, str], rows: Sequence[Row], *, dispensable: Sequence[Sequence[str]] = ()
) -> None:
    """Print a table for people: in a terminal as narrow as whole words allow, into a pipe as wide as it needs to be.

    Args:
        title: stands above it.
        columns: by column of the report, what the table's column is called.
        rows: a network row is set off from the layers above it.
        dispensable: columns that go together, and are left out, first ones first, while a terminal is too narrow.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    spare = list(dispensable)
    while console.is_terminal and spare and _width(_word_widths(columns, rows)) > console.width:
        left_out = spare.pop(0)
        columns = {column: header for column, header in columns.items() if column not in left_out}
    headers = _header_widths(columns, rows)
    fits = not console.is_terminal or _width(headers) <= console.width
    widths = headers if fits else _word_widths(columns, rows)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for (column, header), width in zip(columns.items(), widths, strict=True):
        is_text = any(isinstance(row.get(column), str) for row in rows)
        table.add_column(header, justify="left" if is_text else "right", width=width)
    for place, row in enumerate(rows):
        is_last_layer = place + 1 < len(rows) and row["level"] == "layer" != rows[place + 1]["level"]
        table.add_row(*(_cell(column, row.get(column)) for column in columns), end_section=is_last_layer)
    # Drawn into memory: rich writes to stdout in its own ways, which errors of writing would not survive.
    drawn = io.StringIO()
    Console(file=drawn, width=_width(widths), force_terminal=console.is_terminal, highlight=False, markup=False).print(
        table
    )
    lines = [title, *(line.rstrip() for line in drawn.getvalue().splitlines())]
    write("\n".join(lines) + "\n\n")


def _word_widths(columns: Mapping[str, str], rows: Sequence[Row]) -> list[int]:
    """Give how wide each column is if its header is broken between words."""
    return [
        max(cells, *map(len, header.split()))
        for cells, header in zip(_cell_widths(columns, rows), columns.values(), strict=True)
    ]


def _header_widths(columns: Mapping[str, str], rows: Sequence[Row]) -> list[int]:
    """Give how wide each column is if its header is one line."""
    return list(map(max, _cell_widths(columns, rows), map(len, columns.values())))


def _cell_widths(columns: Mapping[str, str], rows: Sequence[Row]) -> list[int]:
    from rich.cells import cell_len

    return [max((cell_len(_cell(column, row.get(column))) for row in rows), default=0) for column in columns]


def _width(widths: Sequence[int]) -> int:
    """Give how wide a table of such columns is."""
    return sum(widths) + _GAP * len(widths)


_GAP = 2


def for_people(rows: Sequence[Row]) -> list[Row]:
    """Give the rows with a name for the network's, and rows and columns of a layer in one, as 300x784."""
    return [
        {**row, "layer": "network"}
        if row["level"] == "network"
        else {**row, "size": f"{row.get('rows')}x{row.get('columns')}"}
        for row in rows
    ]


@contextmanager
def noting_compilation(*, quiet: bool) -> Iterator[None]:
    """Say it, should this process have to compile the passes over the weights."""
    from topoimp.compilation import telling_of_compilation

    with telling_of_compilation(lambda: note(COMPILING, quiet=quiet)):
        yield


COMPILING = "compiling for this machine, once; it takes some seconds"


def in_view(report: Report) -> str:
    """Give what a title adds where convolutions are not read as matrices."""
    return f", view {report.settings['view']}" if report.settings.get("view") == "channel" else ""


def note_left_out(report: Report, *, quiet: bool) -> None:
    """Say which layers were left out without being asked for."""
    from topoimp.layers.catalogue import SINGLE_CHANNEL, SKIPPED_EMBEDDING

    for reason, what, remedy in (
        (SKIPPED_EMBEDDING, "as embeddings or heads", "--embeddings adds them"),
        (SINGLE_CHANNEL, "as they have a single input channel", "the view matrix has them"),
    ):
        names = [name for name, found in report.left_out.items() if found == reason]
        if names:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            note(f"left out {what}: {shown}, {len(names)} in all ({remedy})", quiet=quiet)


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr, on a terminal only, while something takes long; gives a function of (done, in all)."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with ExitStack() as stack:
        yield _Bar(title, stack).update


class _Bar:
    """A bar that appears once there was nothing to be seen for a while."""

    def __init__(self, title: str, stack: ExitStack) -> None:
        self._title, self._stack, self._start = title, stack, monotonic()
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
"""Seconds that people wait without wondering."""


_SHARES = {
    "density",
    "sparsity",
    "safe_sparsity",
    "safe_sparsity_global",
    "critical_density",
    "retention",
    "round_retention",
    "retention_guaranteed",
    "retention_iid",
    "retention_random",
    "retention_null",
    "random_connected",
    "excess",
    "test_accuracy",
    "accuracy_deviation",
    "rate",
}


def _cell(column: str, value: Cell) -> str:
    """Give a value as a person reads it: counts with separators, shares in percent, other numbers to four digits."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if column not in ("round", "epoch", "seed") else str(value)
    if isinstance(value, float):
        return _percent(value) if column in _SHARES else f"{value:#.4g}".rstrip(".")
    return plain(value)


def _percent(share: float) -> str:
    """Give a share in percent; only all of it reads 100 %, and only nothing 0 %."""
    text = f"{100 * share:.2f}"
    if text == "100.00" and share < 1:
        text = ">99.99"
    if text == "0.00" and share > 0:
        text = f"{100 * share:.1g}"
    return f"{text}%"
