"""The training of a round, by a recipe or by the user's own command: the files of the round in, its metrics out.

The command is any program, started without a shell. It must write {out} and end with status 0; its output goes to the
round's log. docs/trainers.md has the whole contract.
"""

import json
import os
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from topoimp.checkpoint import write_arrays
from topoimp.data import Images
from topoimp.errors import OptionError, TrainingError
from topoimp.kernels.threads import OnStep
from topoimp.programs.running import ending, run_command
from topoimp.programs.words import filled_in, parse_words
from topoimp.pruning.masks import read_masks
from topoimp.rounds.run_folder import TrainingTask
from topoimp.training.recipes import Recipe

METRICS = ("train_loss", "test_loss", "test_accuracy")
"""The metrics that a trainer may report."""

Metrics = Mapping[str, float | None]
"""Metrics of trained weights, as far as the trainer reports them."""

Retrain = Callable[[TrainingTask], Metrics]
"""Trains a network from its files, and returns its metrics."""


def built_in_trainer(recipe: Recipe, images: Images, *, from_step: int, on_step: OnStep) -> Retrain:
    """Return the function that trains a round by a recipe, from the step whose weights the round starts from."""
    # Imported here, as torch takes longer to start than most reports take in all.
    from topoimp.training.loop import retrain_network
    from topoimp.training.start import read_weights

    def retrain(task: TrainingTask) -> Metrics:
        start = read_weights(task.init)
        kept = {name: mask.kept() for name, mask in read_masks(task.mask).items()}
        retrained = retrain_network(
            recipe, images, seed=task.seed, start=start, masks=kept, from_step=from_step, on_step=on_step
        )

        # safetensors.torch writes metadata in another order in every process.
        metadata = {"format": "pt", "topoimp.model": recipe.model, "topoimp.data": images.name}
        write_arrays(task.started, retrained.started, metadata)
        write_arrays(task.out, retrained.final, {**metadata, "topoimp.round": str(task.number)})
        return {name: getattr(retrained.end, name) for name in METRICS}

    return retrain


PLACEHOLDERS = ("init", "mask", "out", "seed", "round", "started", "metrics")
"""Names that a command may have in braces; it must have the first three."""


@dataclass(frozen=True)
class Trainer:
    """A training command: its words, with placeholders in braces, and the seconds for one round (None: no limit)."""

    words: tuple[str, ...]
    timeout: float | None = None

    def retrain(self, task: TrainingTask) -> Metrics:
        """Train a round, and return the metrics that the command wrote, if any.

        A command that cannot be started, fails or takes too long, and metrics that cannot be read, are TrainingErrors.
        """
        names = ("init", "mask", "out", "started", "metrics")
        values = {name: str(getattr(task, name).absolute()) for name in names}
        values |= {"seed": str(task.seed), "round": str(task.number)}
        status = self._status([filled_in(word, values) for word in self.words], task.log)
        if status != 0:
            raise TrainingError(f"the trainer {ending(status)}; {_last_line(task.log)}")
        return _read_metrics(task.metrics)

    def _status(self, command: Sequence[str], log: Path) -> int:
        """Run a command, its output in a log, and return its exit status."""
        with log.open("wb") as file:
            try:
                status = run_command(command, stdout=file, stderr=file, timeout=self.timeout)
            except OSError as error:
                raise TrainingError(f"the trainer cannot be started: {command[0]}: {error.strerror}") from error
        if status is None:
            raise TrainingError(f"the trainer took more than {self.timeout:g} s and was ended")
        return status


def parse_trainer(text: str, *, timeout: float | None = None, n_seeds: int = 1) -> Trainer:
    """Read a training command.

    Args:
        text: words, quotes and placeholders, as for a shell; ``{{init}}`` is the text ``{init}``.
        timeout: seconds for one round, above 0; no limit if None.
        n_seeds: number of seeds; for more than one, the command must have {seed}.

    Raises:
        OptionError: if it is no command, lacks a placeholder, or has an unknown one.

    >>> parse_trainer("python train.py {init} {mask} {out}").words[1:3]
    ('train.py', '{init}')
    """
    words = parse_words(text, "trainer", known=PLACEHOLDERS, required=PLACEHOLDERS[: 4 if n_seeds > 1 else 3])
    if timeout is not None and not timeout > 0:
        raise OptionError(f"the trainer's time-out is {timeout}; it must be above 0 seconds")
    return Trainer(words, timeout)


def _last_line(log: Path) -> str:
    """Return the part of a message that shows the log's last line, up to 200 characters of it."""
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - 4096, 0))
        lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    if not lines:
        return "it said nothing"

    line = lines[-1].strip()
    shown = line if len(line) <= 200 else f"{line[:200]}..."
    return f"its last line: {shown!r}, all of it is in {log}"


def _read_metrics(path: Path) -> Metrics:
    """Return the metrics that a trainer wrote, without those of other names."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: the trainer's metrics are no JSON: {error}") from error
    except RecursionError as error:
        raise TrainingError(f"{path}: the trainer's metrics are nested too deeply to be read") from error
    if not isinstance(content, dict):
        raise TrainingError(f"{path}: the trainer's metrics are no JSON object; {', '.join(METRICS)} may be in it")

    metrics = {name: content[name] for name in METRICS if name in content}
    for name, value in metrics.items():
        if not _is_finite(value):
            raise TrainingError(f"{path}: the trainer's {name} is {reprlib.repr(value)}; it must be a finite number")
    return {name: float(value) for name, value in metrics.items()}


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:  # an integer beyond all floating-point numbers
        return False
