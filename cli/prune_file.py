"""``prune`` of a checkpoint without training: in rounds, as a plan, or by a given mask."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .picture_options import PictureArguments
from .prune_texts import parse_rounds

if TYPE_CHECKING:
    from topoimp.choices import MaskShuffle
    from topoimp.commands.plan_pruning import PruningPlan
    from topoimp.commands.pruning_job import Pruning
    from topoimp.kernels.threads import OnStep
    from topoimp.layers.records import LayerPatterns
    from topoimp.programs.evaluation import Evaluation
    from topoimp.pruning.options import PruningOptions


@dataclass(frozen=True)
class FileToPrune:
    """What the command line says about a checkpoint that is pruned without training, a field for each option."""

    checkpoint: Path
    key: str | None
    output: Path | None
    mask_out: Path | None
    emit_rounds: str | None
    rewind_from: Path | None
    chain: str | None
    scores: Path | None
    evaluate: "Evaluation | None"
    compressed_size: bool
    strict: bool
    threads: int | None
    cluster: str | None

    def plan(self, options: "PruningOptions", on_step: "OnStep") -> "PruningPlan":
        """Return the rounds as they will be."""
        from topoimp.commands.plan_pruning import plan_pruning

        return plan_pruning(
            self.checkpoint,
            options,
            key=self.key,
            output=self.output,
            mask_out=self.mask_out,
            emit_rounds=parse_rounds(self.emit_rounds),
            rewind_from=self.rewind_from,
            chain=self.chain,
            scores=self.scores,
            strict=self.strict,
            threads=self.threads,
            on_step=on_step,
        )

    def prune(
        self, options: "PruningOptions", pictures: PictureArguments, *, force: bool, on_step: "OnStep"
    ) -> "Pruning":
        """Prune in rounds."""
        from topoimp.commands.prune import prune_checkpoint

        return prune_checkpoint(
            self.checkpoint,
            options,
            key=self.key,
            output=self.output,
            mask_out=self.mask_out,
            emit_rounds=parse_rounds(self.emit_rounds),
            rewind_from=self.rewind_from,
            chain=self.chain,
            scores=self.scores,
            evaluate=self.evaluate,
            **pictures,
            compressed_size=self.compressed_size,
            strict=self.strict,
            force=force,
            threads=self.threads,
            cluster=self.cluster,
            on_step=on_step,
        )

    def prune_by_mask(
        self,
        mask: Path,
        patterns: "LayerPatterns",
        pictures: PictureArguments,
        *,
        repair: bool,
        shuffle_mask: "MaskShuffle | None",
        seed: int,
        force: bool,
        on_step: "OnStep",
    ) -> "Pruning":
        """Prune by a mask, as it is, shuffled or repaired."""
        from topoimp.commands.apply_mask import apply_mask

        return apply_mask(
            self.checkpoint,
            mask,
            key=self.key,
            output=self.output,
            patterns=patterns,
            shuffle_mask=shuffle_mask,
            seed=seed,
            repair=repair,
            mask_out=self.mask_out,
            chain=self.chain,
            scores=self.scores,
            evaluate=self.evaluate,
            **pictures,
            compressed_size=self.compressed_size,
            force=force,
            threads=self.threads,
            on_step=on_step,
        )
