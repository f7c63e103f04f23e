"""What a pruning of a checkpoint in rounds is asked to do: checked, and swept, before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topoimp.choices import Method, Scope, chosen
from topoimp.commands.pruning_job import Job
from topoimp.errors import OptionError
from topoimp.kernels.threads import OnStep
from topoimp.layers.catalogue import LayerPatterns
from topoimp.pruning.one_shot import Sweep, refuse_missed_targets, sweep
from topoimp.pruning.rules import check_epsilon
from topoimp.pruning.schedule import Schedule, plan_schedule, with_layer_rates
from topoimp.reports.columns import Cell, Row
from topoimp.reports.report import Report
from topoimp.reports.rows import left_out, pruning_settings


@dataclass(frozen=True)
class Asked:
    """A pruning in rounds.

    Args:
        job: what is pruned, and where the result goes.
        schedule: how much is kept in each round.
        method: what decides which weights are kept.
        scope: a target per layer, or one for all.
        seed: for the method ``random``.
        epsilon: for the method ``topological``: up to which deaths are not protected.
        strict: whether a target below a floor is refused.
        inputs: the files looked at, by role.
        settings: what a report says of all this.
    """

    job: Job
    schedule: Schedule
    method: Method
    scope: Scope
    seed: int
    epsilon: float
    strict: bool
    inputs: Mapping[str, Path]
    settings: Mapping[str, Cell | Sequence[str]]

    @staticmethod
    def of(
        path: Path,
        *,
        n_rounds: int | None,
        sparsity: float | None,
        rate: float | None,
        output: Path | None,
        method: Method | str,
        epsilon: float,
        scope: Scope | str,
        layer_rates: Mapping[str, float] | None,
        seed: int,
        patterns: LayerPatterns | None,
        mask_output: Path | None,
        emit_rounds: Sequence[int],
        rewind_from: Path | None,
        strict: bool,
        threads: int | None,
        on_step: OnStep | None,
    ) -> "Asked":
        """Check what is asked; the arguments are those of ``prune_checkpoint``."""
        method, scope = chosen(Method, method), chosen(Scope, scope)
        schedule = plan_schedule(n_rounds=n_rounds, sparsity=sparsity, rate=rate)
        check_epsilon(epsilon, method)
        if rewind_from is not None and emit_rounds:
            raise OptionError(
                "rounds are to be written while rewinding, which gives the ticket of the last round alone"
            )
        job = Job.plan(
            path,
            patterns,
            output,
            mask_output,
            emit_rounds,
            schedule.n_rounds,
            threads=threads,
            on_step=on_step,
            rewind_from=rewind_from,
        )
        schedule = with_layer_rates(schedule, layer_rates or {}, job.layers.infos, scope)
        inputs = {"checkpoint": job.path, **({} if rewind_from is None else {"rewind": Path(rewind_from)})}
        settings = pruning_settings(
            schedule,
            method=method,
            epsilon=epsilon,
            scope=scope,
            sparsity=sparsity,
            seed=seed,
            patterns=job.layers.patterns,
            layer_rates=layer_rates,
        )
        return Asked(job, schedule, method, scope, seed, epsilon, strict, inputs, settings)

    def swept(self) -> Sweep:
        """Give what every round keeps; nothing is written.

        Raises:
            GateError: if ``strict`` and a target is below a floor.
        """
        swept = sweep(
            self.job.stream, self.schedule, method=self.method, scope=self.scope, seed=self.seed, epsilon=self.epsilon
        )
        if self.strict:
            refuse_missed_targets(swept.rounds, "nothing was written")
        return swept

    def report(self, rows: Sequence[Row], **more: Cell) -> Report:
        """Give the report of these rows.

        Args:
            rows: of all rounds.
            more: other settings.
        """
        settings, outputs = {**self.settings, **more}, self.job.outputs.by_role()
        return Report("prune", self.inputs, settings, rows, left_out(self.job.layers), outputs)
