"""A user's own training command: any program, in any framework, that takes files and gives files.

The contract is in docs/trainers.md. The command is started without a shell, its placeholders filled in, and must end
with status 0 after writing {out}. What it prints goes to the round's log.
"""

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from topoimp.errors import OptionError, TrainingError
from topoimp.rounds.assignment import METRICS, Assignment, Metrics

PLACEHOLDERS = ("init", "mask", "out", "seed", "round", "started", "metrics")
"""What a command may have in braces."""

NEEDED = ("init", "mask", "out")
"""What it must have."""

_GRACE = 10.0
"""Seconds that a command is given to end once it was told to."""


@dataclass(frozen=True)
class Trainer:
    """A training command.

    Args:
        words: of the command, with placeholders in braces.
        timeout: seconds that one round may take; as long as it likes if None.
    """

    words: tuple[str, ...]
    timeout: float | None = None

    def retrain(self, assignment: Assignment) -> Metrics:
        """Have the command train as assigned.

        Returns:
            what it says in {metrics}; nothing if it says nothing.

        Raises:
            TrainingError: if it cannot be started, fails, takes too long, or its metrics cannot be read.
        """
        values = {
            "init": str(assignment.init.absolute()),
            "mask": str(assignment.mask.absolute()),
            "out": str(assignment.out.absolute()),
            "started": str(assignment.started.absolute()),
            "metrics": str(assignment.metrics.absolute()),
            "seed": str(assignment.seed),
            "round": str(assignment.number),
        }
        command = [_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in self.words]
        with assignment.log.open("wb") as log:
            try:
                process = subprocess.Popen(  # noqa: S603  # what the user asked for
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            except OSError as error:
                raise TrainingError(f"the trainer cannot be started: {command[0]}: {error.strerror}") from error
            with _ended(process):
                try:
                    status = process.wait(self.timeout)
                except subprocess.TimeoutExpired as error:
                    raise TrainingError(f"the trainer took more than {self.timeout:g} s and was ended") from error
        if status != 0:
            how = f"ended with status {status}" if status > 0 else f"was ended by {signal.Signals(-status).name}"
            raise TrainingError(f"the trainer {how}; {_last_line(assignment.log)}")
        return _read_metrics(assignment.metrics)


_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def parse_trainer(text: str, *, timeout: float | None = None, n_seeds: int = 1) -> Trainer:
    """Read a training command.

    Args:
        text: as one would type it: words, quotes, and placeholders as in ``{init}``.
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
    found = {name for word in words for name in _PLACEHOLDER.findall(word)}
    unknown = sorted(found - set(PLACEHOLDERS))
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise OptionError(f"--trainer has {{{unknown[0]}}}; known are {known}")
    for name in (*NEEDED, *(["seed"] if n_seeds > 1 else [])):
        if name not in found:
            raise OptionError(f"--trainer is {text!r}; it must have {{{name}}} where the trainer takes it")
    if timeout is not None and not timeout > 0:
        raise OptionError(f"the trainer's time-out is {timeout}; it must be above 0 seconds")
    return Trainer(words, timeout)


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Make sure that a command, and whatever it started, has ended, however one gets out of here."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE)
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"its last line: {lines[-1].strip()!r}, all of it is in {log}" if lines else "it said nothing"


def _read_metrics(path: Path) -> Metrics:
    if not path.exists():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: the trainer's metrics are no JSON: {error}") from error
    if not isinstance(said, dict):
        raise TrainingError(f"{path}: the trainer's metrics are no JSON object; {', '.join(METRICS)} may be in it")
    metrics: dict[str, float] = {}
    for name, value in said.items():
        if name not in METRICS:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise TrainingError(f"{path}: the trainer's {name} is {value!r}; it must be a finite number")
        metrics[name] = float(value)
    return metrics
