"""What every comparison measures, and the rows and settings of a report that follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from topoimp.chance.null import Null
from topoimp.checkpoint import Checkpoint
from topoimp.choices import Essential
from topoimp.commands.compare_pictures import Deaths
from topoimp.commands.compare_rows import comparison_rows
from topoimp.commands.evaluated_outputs import evaluation_settings
from topoimp.comparison.comparison import LayerComparison
from topoimp.comparison.matched_deaths import matched_deaths
from topoimp.comparison.scales import Scales
from topoimp.kernels.threads import OnStep
from topoimp.layers.records import LayerPatterns
from topoimp.layers.streaming import Workers
from topoimp.network.facts import PathFacts
from topoimp.programs.evaluation import Evaluation
from topoimp.reports.cells import Row
from topoimp.reports.checkpoint_columns import with_checkpoint_columns
from topoimp.reports.path_columns import with_path_columns
from topoimp.reports.rows import Settings, pattern_settings, setting_of_nulls


@dataclass(frozen=True)
class Measures:
    """What every comparison measures, and how."""

    patterns: LayerPatterns
    nulls: tuple[Null, ...]
    seed: int
    essential: Essential
    p: float
    threads: int
    on_step: OnStep | None
    is_drawn: bool
    evaluate: Evaluation | None = None
    workers: Workers | None = None

    def rows(
        self, layers: Sequence[LayerComparison], scales: Scales, other: Checkpoint, facts: PathFacts | None
    ) -> list[Row]:
        """Return a row for each compared layer of another checkpoint, and one for its network.

        The facts of the network as one graph may be known.
        """
        rows = comparison_rows(layers, scales, self.essential, self.p, self.threads, self.nulls)
        return with_checkpoint_columns(with_path_columns(rows, facts), other)

    def deaths(self, other: str, layers: Sequence[LayerComparison], scales: Scales) -> Deaths:
        """Return the deaths of each layer before and after, for a picture; empty without one."""
        if not self.is_drawn:
            return {}
        return {(other, layer.pair.info.name): matched_deaths(layer, scales.reference) for layer in layers}

    def settings(self) -> Settings:
        """Return the settings of the report."""
        chance: Settings = {"null": setting_of_nulls(self.nulls), "seed": self.seed}
        measured: Settings = {**pattern_settings(self.patterns), **chance, "essential": self.essential, "p": self.p}
        return {**measured, **evaluation_settings(self.evaluate)}
