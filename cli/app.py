"""The program ``topoimp``: its commands, and the exit status of each error.

Exit status: 0 done; 1 a file or tensor cannot be used; 2 wrong command or option values; 3 a gate did not hold; 4 an
output failed its verification; 70 a defect of topoimp; 130 ended by Ctrl-C, 143 by SIGTERM.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from topoimp.errors import GateError, OptionError, TopoimpError, VerificationError

from .annotations import annotate, asks_for_annotations
from .barcode import barcode
from .bound import bound
from .compare import compare
from .help import HelpCommand, HelpGroup
from .interruption import end_on_signals, ignore_signals
from .messages import flags_of, with_flags
from .prune import prune
from .streams import error_line, flush_streams, prepare_streams, write
from .train import train

app = typer.Typer(
    cls=HelpGroup,
    rich_markup_mode=None,
    name="topoimp",
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, barcode, bound, prune, compare):
    app.command(name=command.name, epilog=command.epilog, cls=HelpCommand)(command.function)


def _show_version(is_asked_for: bool) -> None:
    if is_asked_for:
        from importlib.metadata import version

        write(f"topoimp {version('topoimp')}\n")
        raise typer.Exit


@app.callback()
def topoimp(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Analyse, bound and prune neural-network checkpoints by their zeroth-order persistent homology."""


EXIT_STATUS: tuple[tuple[type[TopoimpError], int], ...] = (
    (OptionError, 2),
    (GateError, 3),
    (VerificationError, 4),
    (TopoimpError, 1),
)
"""Exit status by error; the first entry that fits counts."""

WRONG_USAGE = 2
DEFECT = 70


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; an error that topoimp raises on purpose is one line on stderr."""
    try:
        status = app(list(arguments) or ["--help"], prog_name="topoimp", standalone_mode=False)
        status = status if arguments else WRONG_USAGE
    except typer.TyperException as error:
        _report([error.format_message()], arguments)
        return WRONG_USAGE
    except TopoimpError as error:
        flags = flags_of(app)
        messages = [with_flags(str(message), flags) for message in error.args]  # several gates may not hold
        _report(messages, arguments)
        return next(status for kind, status in EXIT_STATUS if isinstance(error, kind))
    except SystemExit as ending:  # of a signal, or of typer with status 1 where it finds a pipe closed
        return 0 if ending.code == 1 else _status(ending.code)
    except Exception:
        sys.excepthook(*sys.exc_info())
        error_line("this is a defect of topoimp; the lines above say where")
        return DEFECT
    return _status(status)


def _report(errors: Sequence[str], arguments: Sequence[str]) -> None:
    """Print errors on stderr, one a line, and as annotations on stdout if the arguments ask for them."""
    for error in errors:
        error_line(error)
    if asks_for_annotations(arguments):
        annotate(errors, arguments)


def _status(returned: object) -> int:
    return returned if isinstance(returned, int) else 0


def run() -> None:
    """Run the program with the arguments of the process."""
    prepare_streams()
    try:
        end_on_signals()
        status = main(sys.argv[1:])
        ignore_signals()  # everything is written
    except SystemExit as ending:  # of a signal before or after main
        status = _status(ending.code)

    flush_streams()
    # An orderly exit would take its time, and wait for threads that still run.
    os._exit(status)
