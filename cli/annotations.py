"""Print the errors of a command as annotations of GitHub Actions."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

from topoimp.errors import OutputError
from topoimp.reports.readable import plain

from .options import Format
from .streams import write


def asks_for_annotations(arguments: Sequence[str]) -> bool:
    """Whether the arguments of a command ask for annotations, also where a wrong one of them is the error."""
    return ("--format", Format.GITHUB) in pairwise(arguments) or f"--format={Format.GITHUB}" in arguments


def annotate(messages: Sequence[str], arguments: Sequence[str]) -> None:
    """Print an annotation for each message, under the command's name; if stdout is full, stderr has them all."""
    from topoimp.reports.annotations import annotation

    title = " ".join(["topoimp", *arguments[:1]])
    with suppress(OutputError):
        write("".join(f"{annotation(plain(title), _plain_lines(message))}\n" for message in messages))


def _plain_lines(message: str) -> str:
    """Return a message in which control characters are escaped, but for the ends of its lines."""
    return "\n".join(map(plain, message.split("\n")))
