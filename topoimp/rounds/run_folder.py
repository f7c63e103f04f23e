"""The layout of a run folder: the names of all files that ``train`` and ``prune`` write there.

RUN/recipe.toml                            the settings of training: data by name and checksum, no paths
RUN/seed-<s>/{init,rewind,model}.safetensors, metrics.csv, topology.csv if watched
RUN/seed-<s>/<method>[-eps-<e>][-global][-linear][-rewind-<w>]/pruning.toml,
    round-<NN>/{model,mask}.safetensors, metrics.json
RUN/rounds.csv, RUN/summary.csv, RUN/paired.csv
RUN/.tables.lock, RUN/seed-<s>/.<method>....lock            against other runs, also on other machines
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from topoimp.choices import PruningSchedule, Scope
from topoimp.errors import CheckpointError
from topoimp.layers.records import natural

SUFFIX = ".safetensors"
_PRUNING = "pruning.toml"
_METRICS = "metrics.json"
_SEED = re.compile(r"seed-(0|[1-9][0-9]*)")
_ROUND = re.compile(r"round-([0-9]{2,})")


@dataclass(frozen=True)
class RunFiles:
    """The files of a run folder."""

    folder: Path

    @property
    def recipe(self) -> Path:
        """The settings of training."""
        return self.folder / "recipe.toml"

    def table(self, name: str) -> Path:
        """Return a table: ``rounds``, of all rounds and layers, ``summary``, over seeds, or ``paired``, of pairs."""
        return self.folder / f"{name}.csv"

    @property
    def tables_lock(self) -> Path:
        """The lock of the run that makes the tables."""
        return self.folder / ".tables.lock"

    def seed(self, seed: int) -> "SeedFiles":
        """Return the files of a seed, which need not exist."""
        return SeedFiles(self.folder / f"seed-{seed}", seed)

    def seed_names(self) -> list[str]:
        """Return the names of all folders of seeds, trained or not."""
        return sorted(path.name for path in self.folder.glob("seed-*"))

    def trained_seeds(self) -> list[int]:
        """Return the seeds whose training is finished, in order."""
        seeds = [int(found[1]) for name in self.seed_names() if (found := _SEED.fullmatch(name))]
        return sorted(seed for seed in seeds if self.seed(seed).trained.exists())


def is_run_folder(path: Path) -> bool:
    """Return whether a path is a folder with a recipe; False if it cannot be looked into."""
    try:
        return RunFiles(path).recipe.is_file()
    except OSError:
        return False


@dataclass(frozen=True)
class SeedFiles:
    """The files of a seed in its run folder."""

    folder: Path
    seed: int

    @property
    def initial(self) -> Path:
        """The weights before the first step."""
        return self.folder / "init.safetensors"

    @property
    def rewind(self) -> Path:
        """The weights to rewind to."""
        return self.folder / "rewind.safetensors"

    @property
    def metrics(self) -> Path:
        """A row per epoch."""
        return self.folder / "metrics.csv"

    @property
    def topology(self) -> Path:
        """A row per watched step and layer, if training was watched."""
        return self.folder / "topology.csv"

    @property
    def trained(self) -> Path:
        """The trained weights."""
        return self.folder / "model.safetensors"

    @property
    def in_order(self) -> list[Path]:
        """All files of every training, the trained weights last: they exist only if the others do."""
        return [self.initial, self.rewind, self.metrics, self.trained]

    def after_step(self, step: int) -> Path:
        """The weights after another step than the recipe's, which are made when first needed."""
        return self.folder / f"step-{step}.safetensors"

    def pruning(self, name: str, *, suffix: str = SUFFIX) -> "PruningFiles":
        """Return the files of a pruning of this seed, in a folder named by ``pruning_name``."""
        return PruningFiles(self.folder / name, suffix)


def pruning_name(
    method: str,
    epsilon: float,
    scope: Scope,
    schedule: PruningSchedule = PruningSchedule.GEOMETRIC,
    rewind: str | None = None,
) -> str:
    """Return the name of a pruning's folder: the method, and epsilon, scope, schedule and rewinding if not the usual.

    ``rewind`` is the text of the rewinding in pruning.toml; None for the usual one.

    >>> pruning_name("topological", 0.1, Scope.GLOBAL, PruningSchedule.LINEAR, "step:500")
    'topological-eps-0.1-global-linear-rewind-step-500'
    """
    with_epsilon = f"-eps-{epsilon!r}".removesuffix(".0") if epsilon else ""
    with_scope = "" if scope is Scope.LAYER else f"-{scope}"
    with_schedule = "-linear" if schedule is PruningSchedule.LINEAR else ""
    with_rewind = "" if rewind is None else f"-rewind-{_rewind_word(rewind)}"
    return f"{method}{with_epsilon}{with_scope}{with_schedule}{with_rewind}"


def _rewind_word(rewind: str) -> str:
    """Return the word for a rewinding in a folder's name; the checksum of a checkpoint is not part of it."""
    if rewind.startswith("sha256:"):
        return "from"
    return "init" if rewind == "step:0" else rewind.replace(":", "-")


@dataclass(frozen=True)
class PruningFiles:
    """The files of one pruning, in the folder of its seed; ``suffix`` is empty if checkpoints are folders."""

    folder: Path
    suffix: str = SUFFIX

    @property
    def settings(self) -> Path:
        """The settings that decide the rounds."""
        return self.folder / _PRUNING

    @property
    def lock(self) -> Path:
        """The lock of the run that works on these rounds, beside the folder, which may be replaced."""
        return self.folder.with_name(f".{self.folder.name}.lock")

    @property
    def seed(self) -> int | None:
        """The seed that the folder above is named after."""
        found = _SEED.fullmatch(Path(os.path.abspath(self.folder)).parent.name)  # noqa: PTH100  # keeps links
        return None if found is None else int(found[1])

    def round(self, number: int) -> "RoundFiles":
        """Return the files of a round, whose folder exists only if the round is finished."""
        return RoundFiles(self.folder / f"round-{number:02}", self.suffix)

    def log(self, number: int) -> Path:
        """The output of the trainer of a round."""
        return self.folder / f"round-{number:02}.log"

    def finished(self) -> list[int]:
        """Return the numbers of the finished rounds, in order."""
        names = (path.parent.name for path in self.folder.glob(f"round-*/{_METRICS}"))
        return sorted(int(found[1]) for name in names if (found := _ROUND.fullmatch(name)))

    def n_finished(self) -> int:
        """Return the number of finished rounds before the first gap, round 0 included."""
        number = 0
        while self.round(number).metrics.is_file():
            number += 1
        return number

    def check_whole(self, n_finished: int) -> None:
        """Raise a CheckpointError if a finished round lacks a file, or a round follows a gap."""
        later = [path.name for path in self.folder.glob("round-??") if path.name > f"round-{n_finished - 1:02}"]
        if later and n_finished < 100:
            raise CheckpointError(f"{self.folder}: has {min(later)} without a whole round-{n_finished:02} before it")

        rounds = [self.round(number) for number in range(n_finished)]
        for path in (path for round_ in rounds for path in (round_.model, round_.mask)):
            if not path.exists():
                raise CheckpointError(f"{path}: is missing; `force` begins anew")


@dataclass(frozen=True)
class TrainingTask:
    """The files of the training of one round, counted from 1.

    Args:
        init: the pruned weights to start from: a safetensors file, or a folder if the input was one.
        mask: the packed mask; weights that it does not keep are zero and must stay zero.
        out: place of the trained weights, a checkpoint of the same form with the same tensors.
        started: place where a trainer may write the weights of its first step, which are then compared with ``init``.
        metrics: place where a trainer may write its metrics, as a JSON object.
        log: place of the trainer's output.
    """

    number: int
    seed: int
    init: Path
    mask: Path
    out: Path
    started: Path
    metrics: Path
    log: Path


@dataclass(frozen=True)
class RoundFiles:
    """The files of one round: those that remain, and those that its training needs."""

    folder: Path
    suffix: str = SUFFIX

    @property
    def model(self) -> Path:
        """The trained weights at the end of the round."""
        return self.folder / f"model{self.suffix}"

    @property
    def mask(self) -> Path:
        """The mask."""
        return self.folder / "mask.safetensors"

    @property
    def metrics(self) -> Path:
        """The rows of the report."""
        return self.folder / _METRICS

    def training(self, number: int, seed: int, log: Path) -> TrainingTask:
        """Return the training of the round."""
        init, started = (self.folder / f"{name}{self.suffix}" for name in ("init", "started"))
        return TrainingTask(number, seed, init, self.mask, self.model, started, self.folder / "trainer.json", log)


def prunings_in(folder: Path) -> list[PruningFiles]:
    """Return the prunings in a run folder, in the folder of a seed, or the one that a folder is, in natural order."""
    patterns = (_PRUNING, f"*/{_PRUNING}", f"seed-*/*/{_PRUNING}")
    return _in_order(path.parent for pattern in patterns for path in folder.glob(pattern)) if folder.is_dir() else []


def prunings_with_rounds(run: Path) -> list[PruningFiles]:
    """Return the prunings in a run folder that have a finished round, in natural order."""
    return _in_order({path.parent.parent for path in run.glob(f"seed-*/*/round-*/{_METRICS}")})


def _in_order(folders: Iterable[Path]) -> list[PruningFiles]:
    return [PruningFiles(path) for path in sorted(folders, key=lambda path: natural(str(path)))]


def seed_of(checkpoint: Path) -> SeedFiles | None:
    """Return the files of the seed to which a checkpoint of a run folder belongs, by itself or as a round of a pruning.

    None of a checkpoint elsewhere.
    """
    # RUN/seed-0/model.safetensors, or RUN/seed-0/topological/round-01/model.safetensors
    for folder in checkpoint.absolute().parents[0:3:2]:
        found = _SEED.fullmatch(folder.name)
        if found is not None and is_run_folder(folder.parent):
            return SeedFiles(folder, int(found[1]))
    return None


def sha256_of(path: Path) -> str:
    """Return a checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recipe_beside(checkpoint: Path) -> Path | None:
    """Return the recipe of the run folder that a checkpoint lies in, as RUN/seed-<s>/model.safetensors."""
    folder = checkpoint.resolve().parent
    is_in_run = folder.name.startswith("seed-") and is_run_folder(folder.parent)
    return RunFiles(folder.parent).recipe if is_in_run else None
