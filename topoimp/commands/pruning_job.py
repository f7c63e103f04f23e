"""What every pruning of a checkpoint shares: what is pruned, where the result goes, how it is written and checked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from topoimp.checkpoint import Checkpoint, Staging, bytes_of_copy, open_checkpoint, other_files
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.catalogue import LayerPatterns, Layers
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import select_layers
from topoimp.pruning.masks import Masks, mask_bytes, mask_shapes, mask_writer, read_masks
from topoimp.pruning.one_shot import LayerRound
from topoimp.pruning.preservation import Preservation
from topoimp.pruning.rules import Pruner
from topoimp.reports.columns import Cell
from topoimp.reports.report import Report
from topoimp.rounds.run_folder import recipe_beside
from topoimp.topology.forest import Forest
from topoimp.writing.outputs import Outputs, plan_outputs
from topoimp.writing.pruned_copy import write_pruned_copy
from topoimp.writing.rewinding import RewoundPruner, layers_to_rewind_to
from topoimp.writing.verification import verify_pruned


@dataclass(frozen=True)
class Pruning:
    """What was pruned and written.

    Args:
        report: a row per round and layer, and one per round.
        outputs: the files.
        held_at_floor: the layers whose last target is below their floor; ``all layers together`` if they share one.
        recipe: recipe.toml of the run folder that the input lies in, if it lies in one.
        not_copied: files of the input's folder, and parts of its files, that the output does not have.
    """

    report: Report
    outputs: Outputs
    held_at_floor: Sequence[str]
    recipe: Path | None
    not_copied: Sequence[str]


@dataclass(frozen=True)
class Job:
    """A checkpoint, what is pruned of it, and where the result goes.

    Args:
        path: the checkpoint.
        stream: the layers that are pruned.
        rewind: the same layers of the checkpoint that is rewound to; None if the weights stay as they are.
        outputs: what is written.
        not_copied: what of the input is not.
    """

    path: Path
    stream: LayerStream
    rewind: Layers | None
    outputs: Outputs
    not_copied: Sequence[str]

    @staticmethod
    def plan(
        path: Path,
        patterns: LayerPatterns | None,
        output: Path | None,
        mask_output: Path | None,
        emit_rounds: Sequence[int],
        n_rounds: int,
        *,
        threads: int | None,
        on_step: OnStep | None,
        mask: Checkpoint | None = None,
        rewind_from: Path | None = None,
    ) -> "Job":
        """Find out what is pruned and where it goes; nothing is written.

        Args:
            path: the checkpoint.
            patterns: which layers.
            output: where the result goes, if not beside the input.
            mask_output: where the mask goes, if not beside the result.
            emit_rounds: rounds of which a checkpoint is written too.
            n_rounds: how many rounds there are.
            threads: how many cores to use.
            on_step: told how much has been done.
            mask: what else is read, if the pruning is by a mask.
            rewind_from: the checkpoint to rewind to.
        """
        path, patterns = Path(path), patterns or LayerPatterns()
        patterns.need_matrix_view("pruning is of weights, and needs")
        n_threads = thread_count(threads)
        checkpoint = open_checkpoint(path)
        outputs = plan_outputs(checkpoint, output, mask_output, emit_rounds, n_rounds)
        earlier = None if rewind_from is None else open_checkpoint(rewind_from)
        outputs.check(checkpoint, *(other for other in (mask, earlier) if other is not None))
        layers = select_layers(checkpoint, patterns)
        rewind = None if earlier is None else layers_to_rewind_to(layers, earlier)
        not_copied = [*checkpoint.not_tensors, *(str(file) for file in other_files(checkpoint.found)[1])]
        # Every layer is looked at once, and once more, as every tensor is, for each checkpoint that is written.
        n_steps = len(layers.infos) + len(outputs.checkpoints) * (len(layers.infos) + len(checkpoint.tensors))
        return Job(path, LayerStream(layers, n_threads, counted(on_step, n_steps)), rewind, outputs, not_copied)

    @property
    def layers(self) -> Layers:
        """The layers that are pruned."""
        return self.stream.layers

    def staging(self, *, force: bool) -> Staging:
        """Give the context in which the outputs are written."""
        folders = self.outputs.checkpoints if self.outputs.are_folders else ()
        return Staging(self.outputs.in_order, force=force, folders=folders, needed=self.bytes_needed())

    def bytes_needed(self) -> dict[Path, int]:
        """Give about how many bytes the mask and the checkpoints take on the disk, headers aside."""
        needed = {self.outputs.mask: sum(map(mask_bytes, mask_shapes(self.layers).values()))}
        return needed | dict.fromkeys(self.outputs.checkpoints, bytes_of_copy(self.layers.checkpoint))

    def write(
        self,
        staging: Staging,
        target: Path,
        pruners: Mapping[str, Pruner],
        metadata: Mapping[str, str],
        forests: Mapping[str, Forest],
        *,
        expected: Mapping[str, LayerRound] | None = None,
    ) -> dict[str, Preservation]:
        """Write a checkpoint, and the mask of the last one, under their temporary names; read both back.

        Returns:
            by layer name, the topology under the mask.
        """
        place, threads = staging.partial(target), self.stream.threads
        source = self.layers if self.rewind is None else self.rewind
        if self.rewind is not None:
            pruners = {info.name: RewoundPruner(pruners[info.name], self.layers, info) for info in self.layers.infos}

        def on_tensor() -> None:
            staging.begin_sync(target)
            self.stream.on_layer()

        write = partial(write_pruned_copy, place, source, pruners, metadata, threads=threads, on_tensor=on_tensor)
        masks: Masks | None = None
        if target == self.outputs.checkpoint:
            mask_place = staging.partial(self.outputs.mask)
            with mask_writer(mask_place, mask_shapes(self.layers), metadata) as writer:
                write(masks=writer)
            masks = read_masks(mask_place)
        else:
            write(masks=None)
        return verify_pruned(place, self.stream, forests, masks=masks, expected=expected, source=source)

    def commit(self, staging: Staging, report: Report) -> None:
        """Write the table, and have all outputs appear, if the input is still what it was."""
        staging.partial(self.outputs.table).write_text(report.to_csv(), encoding="utf-8")
        self.layers.checkpoint.check_unchanged()
        if self.rewind is not None:
            self.rewind.checkpoint.check_unchanged()
        staging.commit()

    def done(self, report: Report, held_at_floor: Sequence[str]) -> Pruning:
        """Give what was pruned and written."""
        return Pruning(report, self.outputs, held_at_floor, recipe_beside(self.path), self.not_copied)


def metadata_of(settings: Mapping[str, Cell | Sequence[str]], number: int) -> dict[str, str]:
    """Give what is said in the metadata of a checkpoint, and its mask, that was pruned."""
    said = {key: value for key, value in settings.items() if value not in ([], None) and value is not False}
    return {
        "topoimp.version": version("topoimp"),
        "topoimp.method": str(settings["method"]),
        "topoimp.settings": json.dumps(said),
        "topoimp.round": str(number),
    }
