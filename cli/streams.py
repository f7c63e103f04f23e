"""The standard streams: results on stdout, notes and errors on stderr, and no control character of a name on either.

A program may be started with a standard stream closed (``2>&-``), or find the reader of a pipe gone. Then the text goes
nowhere; the command does its work, and its exit status says how that ended.
"""

import io
import os
import sys
from contextlib import suppress

from topoimp.errors import OutputError
from topoimp.reports.readable import plain


def prepare_streams() -> None:
    """Open the null device for closed standard streams; make stdout and stderr escape what their encoding lacks.

    Otherwise a file that is opened later would take the number of a closed stream, and receive its text.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            _to_null_device(number)
            setattr(sys, name, os.fdopen(number, mode))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_streams() -> None:
    """Flush stdout and stderr; a reader that is gone changes nothing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()


def _to_null_device(number: int) -> None:
    """Have a file number stand for the null device, in processes that this one starts too."""
    null_device = os.open(os.devnull, os.O_RDWR)
    if null_device == number:
        os.set_inheritable(number, True)
    else:
        os.dup2(null_device, number)
        os.close(null_device)


def encodable(text: str) -> str:
    """Return plain text in which all that the encoding of stdout lacks is escaped, so that its width is known."""
    encoding = sys.stdout.encoding or "utf-8"
    return plain(text).encode(encoding, "backslashreplace").decode(encoding)


def error_line(message: str) -> None:
    """Print an error on stderr as one line, even if the message has several."""
    note("error: " + " ".join(message.split()), quiet=False)


def note(message: str, *, quiet: bool) -> None:
    """Print a line on stderr, unless ``quiet``."""
    if not quiet:
        with suppress(OSError):  # the reader of stderr is gone
            # One write, as another thread may print the progress at the same time.
            print(f"{plain(message)}\n", end="", file=sys.stderr, flush=True)  # noqa: T201  # where notes belong


def write(text: str) -> None:
    """Write to stdout and flush; nothing more is written after the reader has closed the pipe.

    Raises:
        OutputError: if stdout cannot be written for another reason.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Python flushes stdout once more when it exits, and would report the unwritten rest.
        _to_null_device(sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OutputError(f"stdout: cannot be written: {error.strerror}") from error


def write_table(text: str) -> None:
    """Write CSV to stdout; on a terminal control characters of names are escaped."""
    write("\n".join(map(plain, text.split("\n"))) if sys.stdout.isatty() else text)
