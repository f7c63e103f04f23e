"""The user's evaluation of a checkpoint: a command and a path in, the numbers that the command printed out.

The command is any program, started without a shell. It prints NAME=VALUE, one or several on a line, and ends with
status 0. Its other lines on standard output do not count. docs/eval.md has the whole contract.
"""

import io
import re
import reprlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import IO

from topoimp.errors import EvaluationError, OptionError
from topoimp.programs.running import ending, run_command
from topoimp.programs.words import filled_in, parse_words
from topoimp.reports.cells import Row
from topoimp.reports.evaluation_columns import EVALUATED, REFERENCE, Values, evaluation_columns

CHECKPOINT = "checkpoint"
"""Name of the placeholder for the path of the checkpoint, which a command must have in braces."""

_PAIR = re.compile(r"[^\s=]+=[^\s=]+")
_NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_INTEGER = re.compile(r"[-+]?[0-9]{1,15}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)

_LINES, _CHARACTERS = 3, 500
"""Lines of a standard error, and characters of these, that a message shows at most."""


@dataclass(frozen=True)
class Evaluation:
    """A command that evaluates a checkpoint.

    Args:
        words: its words, with the path of the checkpoint as ``{checkpoint}``.
        timeout: seconds for one checkpoint; no limit if None.
        needed: names that it has to print, such as those of gates.
    """

    words: tuple[str, ...]
    timeout: float | None = None
    needed: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The command as reports name it."""
        return " ".join(self.words)

    def values(self, checkpoint: Path, subject: str | None = None) -> Values:
        """Run the command on a checkpoint and return the numbers that it prints, by name.

        Args:
            checkpoint: a file or a folder.
            subject: the checkpoint as messages name it; its path if None.

        Raises:
            EvaluationError: if the command cannot be started, fails, takes too long, or prints no numbers that can be
                used.
            OptionError: if a needed name is missing.
        """
        subject = subject or str(checkpoint)
        command = [filled_in(word, {CHECKPOINT: str(checkpoint.absolute())}) for word in self.words]
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            try:
                status = run_command(command, stdout=stdout, stderr=stderr, timeout=self.timeout)
            except OSError as error:
                raise EvaluationError(f"the evaluation cannot be started: {command[0]}: {error.strerror}") from error
            if status is None:
                took = f"the evaluation of {subject} took more than {self.timeout:g} s and was ended"
                raise EvaluationError(f"{took}; {_last_lines(stderr)}")
            if status != 0:
                raise EvaluationError(f"the evaluation of {subject} {ending(status)}; {_last_lines(stderr)}")
            values = _values_in(_lines_of(stdout), subject)

        self.check_needed(values, subject)
        return values

    def check_needed(self, values: Values, subject: str) -> None:
        """Raise an OptionError if a needed name is not among the numbers of a checkpoint."""
        missing = sorted(self.needed - set(values))
        if missing:
            printed = f"the evaluation of {subject} printed {_names(values)}"
            raise OptionError(f"a gate looks at {EVALUATED}{missing[0]}, and {printed}")

    def of_reference(self, checkpoint: Path, subject: str | None = None) -> "EvaluatedReference":
        """Run the command on a reference; raise as ``values``."""
        return EvaluatedReference(self, subject or str(checkpoint), self.values(checkpoint, subject))


@dataclass(frozen=True)
class EvaluatedReference:
    """A reference with the numbers that an evaluation printed for it; ``subject`` is its name in messages."""

    evaluation: Evaluation
    subject: str
    values: Values

    def columns(self, checkpoint: Path, subject: str | None = None) -> Row:
        """Run the command on another checkpoint, and return the columns of both; raise as ``values`` and ``beside``."""
        return self.beside(self.evaluation.values(checkpoint, subject), subject or str(checkpoint))

    def beside(self, values: Values, subject: str) -> Row:
        """Return the columns of another checkpoint and of the reference; an EvaluationError if the names differ."""
        if set(values) != set(self.values):
            printed = f"{_names(self.values)} for {self.subject}, and {_names(values)} for {subject}"
            raise EvaluationError(f"the evaluation printed {printed}; it must print the same names for both")
        return evaluation_columns({name: values[name] for name in self.values}, self.values)


def parse_evaluation(text: str, *, eval_timeout: float | None = None) -> Evaluation:
    """Read a command that evaluates a checkpoint.

    Args:
        text: words, quotes and the placeholder ``{checkpoint}``, as for a shell; ``{{checkpoint}}`` is the text itself.
        eval_timeout: seconds for one checkpoint, above 0; no limit if None.

    Raises:
        OptionError: if it is no command, lacks the placeholder, or has another one.

    >>> parse_evaluation("python evaluate.py {checkpoint}").words
    ('python', 'evaluate.py', '{checkpoint}')
    """
    words = parse_words(text, "evaluate", known=[CHECKPOINT], required=[CHECKPOINT])
    if eval_timeout is not None and not eval_timeout > 0:
        raise OptionError(f"`eval_timeout` is {eval_timeout}; it must be above 0 seconds")
    return Evaluation(words, eval_timeout)


@contextmanager
def left_alone(checkpoint: Path, subject: str) -> Iterator[None]:
    """Raise an EvaluationError if a file of a checkpoint changes, comes or goes within the context."""
    before = _files_in(checkpoint)
    yield
    if _files_in(checkpoint) != before:
        raise EvaluationError(f"the evaluation changed {subject}; it may only read it")


def _files_in(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Return number, size and time of the last change of a file, or of all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    found = {file: file.stat() for file in files if file.is_file()}
    return {file: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for file, stat in found.items()}


def _values_in(lines: Iterable[str], subject: str) -> dict[str, float]:
    """Return the numbers in the lines whose words are all NAME=VALUE."""
    values: dict[str, float] = {}
    for line in lines:
        words = line.split()
        if not all(map(_PAIR.fullmatch, words)):
            continue
        for name, _, text in (word.partition("=") for word in words):
            _check_name(name, values, subject)
            values[name] = _number_in(name, text, subject)

    if not values:
        needed = "it must print at least one NAME=VALUE, as in accuracy=0.98, on a line without other words"
        raise EvaluationError(f"the evaluation of {subject} printed no numbers; {needed}")
    return values


def _check_name(name: str, values: Values, subject: str) -> None:
    printed = f"the evaluation of {subject} printed"
    if not _NAME.fullmatch(name):
        raise EvaluationError(f"{printed} the name {reprlib.repr(name)}; a name has letters, digits and underscores")
    if name.endswith(REFERENCE):
        raise EvaluationError(f"{printed} the name {name!r}; names that end in {REFERENCE} are those of the reference")
    if name in values:
        raise EvaluationError(f"{printed} {name!r} twice; it must print each name once")


def _number_in(name: str, text: str, subject: str) -> float:
    number = float(text) if _NUMBER.fullmatch(text) else float("nan")
    if not isfinite(number):
        printed = f"the evaluation of {subject} printed {name}={reprlib.repr(text)}"
        raise EvaluationError(f"{printed}; a value must be a finite number")
    return int(text) if _INTEGER.fullmatch(text) else number


def _names(values: Values) -> str:
    return ", ".join(values)


def _lines_of(file: IO[bytes]) -> Sequence[str]:
    """Return the lines of an output; a carriage return, as progress bars have it, ends a line too."""
    file.seek(0)
    return file.read().decode("utf-8", errors="replace").splitlines()


def _last_lines(file: IO[bytes]) -> str:
    """Return the part of a message that shows the end of a standard error."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - 4096, 0))
    text = file.read().decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "its stderr is empty"
    shown = " / ".join(lines[-_LINES:])
    return f"its stderr ends with {shown if len(shown) <= _CHARACTERS else f'...{shown[-_CHARACTERS:]}'!r}"
