"""``prune`` in rounds with training between them: by the recipe of a run folder, or by the user's own command."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from topoimp.pruning.options import PruningOptions

from .options import refuse
from .picture_options import PictureArguments
from .training_options import parse_seeds

if TYPE_CHECKING:
    from topoimp.commands.trained_rounds import IterativePruning
    from topoimp.kernels.threads import OnStep
    from topoimp.programs.evaluation import Evaluation
    from topoimp.reports.report import Report
    from topoimp.rounds.trainer import Trainer


@dataclass(frozen=True)
class TrainedRounds:
    """What the command line says about rounds that are trained, a field for each option.

    Args:
        checkpoint: a run folder, or a trained checkpoint if ``is_run`` is false.
        options: the rounds, the method and the layers.

    Raises:
        OptionError: if the options do not go together.
    """

    checkpoint: Path
    options: PruningOptions
    is_run: bool
    output: Path | None
    rewind: str | None
    rewind_from: Path | None
    trainer: str | None
    timeout: float | None
    seeds: str | None
    jobs: int | None
    cluster: str | None
    keep_going: bool
    chain: str | None
    data_dir: Path | None
    evaluate: "Evaluation | None"
    strict: bool
    threads: int | None

    def __post_init__(self) -> None:
        """Refuse options that do not go together."""
        if self.is_run:
            refuse({"--output": self.output}, "does not go with a run folder, which its rounds are written into")
            refuse({"--chain": self.chain}, "does not go with a run folder, whose network is known")
        if self.trainer is None:
            refuse({"--timeout": self.timeout}, "does not go with the built-in trainer")

    def plan(self) -> "Report":
        """Return the rounds as far as they are known before training."""
        from topoimp.commands.plan_run import plan_run

        if not self.is_run:
            refuse({"--dry-run": True}, "does not go with a checkpoint whose rounds --trainer trains")
        return plan_run(
            self.checkpoint,
            self.options,
            rewind=self.rewind,
            rewind_from=self.rewind_from,
            seeds=self._seeds,
            trainer=self._trainer,
            data_dir=self.data_dir,
            strict=self.strict,
            threads=self.threads,
        )

    def run(
        self,
        pictures: PictureArguments,
        *,
        force: bool,
        on_step: "OnStep",
        on_wait: Callable[[str], None],
    ) -> "IterativePruning":
        """Prune and train."""
        from topoimp.commands.prune_run import prune_run, prune_with_trainer

        trainer = self._trainer
        if trainer is not None and not self.is_run:
            prune = partial(prune_with_trainer, trainer=trainer, output=self.output, chain=self.chain)
        else:
            prune = partial(prune_run, trainer=trainer, data_dir=self.data_dir)
        return prune(
            self.checkpoint,
            self.options,
            rewind=self.rewind,
            rewind_from=self.rewind_from,
            seeds=self._seeds,
            evaluate=self.evaluate,
            **pictures,
            strict=self.strict,
            force=force,
            threads=self.threads,
            jobs=self.jobs,
            cluster=self.cluster,
            keep_going=self.keep_going,
            on_step=on_step,
            on_wait=on_wait,
        )

    @property
    def _seeds(self) -> list[int] | None:
        return parse_seeds(self.seeds)

    @property
    def _trainer(self) -> "Trainer | None":
        from topoimp.rounds.trainer import parse_trainer

        if self.trainer is None:
            return None
        return parse_trainer(self.trainer, timeout=self.timeout, n_seeds=len(self._seeds or [0]))
