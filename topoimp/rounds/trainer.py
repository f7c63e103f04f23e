"""A user's own training command: any program, in any framework, that takes files and gives files.

The contract is in docs/trainers.md. The command is started without a shell, its placeholders filled in, and must end
with status 0 after writing {out}. What it prints goes to the round's log.
"""

import json
import os
import re
import reprlib
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import IO, TypeGuard

from topoimp.errors import OptionError, TrainingError
from topoimp.rounds.training_task import METRICS, Metrics, TrainingTask

PLACEHOLDERS = ("init", "mask", "out", "seed", "round", "started", "metrics")
"""What a command may have in braces."""

NEEDED = ("init", "mask", "out")
"""What it must have."""

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL for a command; fewer than a replicate has to clean up."""


@dataclass(frozen=True)
class Trainer:
    """A training command.

    Args:
        words: of the command, with placeholders in braces.
        timeout: seconds that one round may take; as long as it likes if None.
    """

    words: tuple[str, ...]
    timeout: float | None = None

    def retrain(self, task: TrainingTask) -> Metrics:
        """Have the command train as assigned.

        Returns:
            what it says in {metrics}; nothing if it says nothing.

        Raises:
            TrainingError: if it cannot be started, fails, takes too long, or its metrics cannot be read.
        """
        values = {
            "init": str(task.init.absolute()),
            "mask": str(task.mask.absolute()),
            "out": str(task.out.absolute()),
            "started": str(task.started.absolute()),
            "metrics": str(task.metrics.absolute()),
            "seed": str(task.seed),
            "round": str(task.number),
        }
        command = [_filled_in(word, values) for word in self.words]
        status = self._status(command, task.log)
        if status != 0:
            how = f"ended with status {status}" if status > 0 else f"was ended by {_signal_name(-status)}"
            raise TrainingError(f"the trainer {how}; {_last_line(task.log)}")
        return _read_metrics(task.metrics)

    def _status(self, command: Sequence[str], log: Path) -> int:
        """Run a command, its output in a log, and return its exit status; no process of its group remains."""
        with log.open("wb") as file, _watchdog() as watched:
            try:
                process = subprocess.Popen(  # noqa: S603  # the user's own command
                    command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
                )
            except OSError as error:
                raise TrainingError(f"the trainer cannot be started: {command[0]}: {error.strerror}") from error

            try:
                watched.write(b"%d\n" % process.pid)
                return process.wait(self.timeout)
            except subprocess.TimeoutExpired as error:
                raise TrainingError(f"the trainer took more than {self.timeout:g} s and was ended") from error
            finally:
                _end(process)


_PLACEHOLDER = re.compile(r"\{\{(?P<literal>\w+)\}\}|\{(?P<name>\w+)\}")


def _filled_in(word: str, values: Mapping[str, str]) -> str:
    """Put values in the place of ``{name}``, and ``{name}`` in that of ``{{name}}``."""
    return _PLACEHOLDER.sub(lambda found: values[found["name"]] if found["name"] else f"{{{found['literal']}}}", word)


def parse_trainer(text: str, *, timeout: float | None = None, n_seeds: int = 1) -> Trainer:
    """Read a training command.

    Args:
        text: as one would type it: words, quotes, and placeholders as in ``{init}``;
            ``{{init}}`` is the text ``{init}``.
        timeout: seconds that one round may take.
        n_seeds: with more than one, the command must take {seed}.

    Raises:
        OptionError: if it is no command, lacks a placeholder or has one that is not known.

    >>> parse_trainer("python train.py {init} {mask} {out}").words[1:3]
    ('train.py', '{init}')
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise OptionError(f"--trainer is {text!r}; it must be a command: {error}") from error
    found = {name for word in words for each in _PLACEHOLDER.finditer(word) if (name := each["name"])}
    unknown = sorted(found - set(PLACEHOLDERS))
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise OptionError(
            f"--trainer has {{{unknown[0]}}}; known are {known}, and {{{{{unknown[0]}}}}} is the text itself"
        )
    for name in (*NEEDED, *(["seed"] if n_seeds > 1 else [])):
        if name not in found:
            raise OptionError(f"--trainer is {text!r}; it must have {{{name}}} where the trainer takes it")
    if timeout is not None and not timeout > 0:
        raise OptionError(f"the trainer's time-out is {timeout}; it must be above 0 seconds")
    return Trainer(words, timeout)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all processes of its group."""
    try:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(GRACE)
    except (subprocess.TimeoutExpired, ProcessLookupError):
        pass  # the rest is killed now
    finally:  # also if a second interruption comes while waiting
        with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for an empty group
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _watchdog() -> Iterator[IO[bytes]]:
    """Start a watchdog that kills a process group if topoimp dies; return the pipe that the group's number goes into.

    It wakes when the pipe closes. At the end of the context it ends without doing anything.
    """
    code = f"read group && {{ read _; kill -s TERM -- -$group; sleep {GRACE:g}; kill -s KILL -- -$group; }}"
    with subprocess.Popen(  # noqa: S603  # the code is ours
        ["/bin/sh", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    ) as watchdog:
        try:
            assert watchdog.stdin is not None  # noqa: S101  # it is a pipe
            yield watchdog.stdin
        finally:
            watchdog.kill()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


_LOG_END = 4096
"""Bytes of a log that its last line is looked for in."""

_LONGEST = 200
"""Characters of it that are shown."""


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _LOG_END, 0))
        lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    if not lines:
        return "it said nothing"
    line = lines[-1].strip()
    shown = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
    return f"its last line: {shown!r}, all of it is in {log}"


def _read_metrics(path: Path) -> Metrics:
    if not path.exists():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: the trainer's metrics are no JSON: {error}") from error
    except RecursionError as error:
        raise TrainingError(f"{path}: the trainer's metrics are nested too deeply to be read") from error
    if not isinstance(said, dict):
        raise TrainingError(f"{path}: the trainer's metrics are no JSON object; {', '.join(METRICS)} may be in it")
    metrics: dict[str, float] = {}
    for name, value in said.items():
        if name not in METRICS:
            continue
        if not _is_finite(value):
            raise TrainingError(f"{path}: the trainer's {name} is {reprlib.repr(value)}; it must be a finite number")
        metrics[name] = float(value)
    return metrics


def _is_finite(value: object) -> TypeGuard[int | float]:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:  # an integer beyond all floating-point numbers
        return False
