"""The pruning of one checkpoint, in rounds or by a mask: its layers and outputs, then written and checked."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from topoimp.checkpoint import (
    AnyPath,
    Checkpoint,
    Content,
    Staging,
    bytes_of_copy,
    open_checkpoint,
    open_checkpoints,
    other_files,
)
from topoimp.kernels.threads import OnStep, thread_count
from topoimp.layers.notes import first_names, notes_on, notes_on_files
from topoimp.layers.records import LayerPatterns, Layers
from topoimp.layers.scored import ScoredLayers, scored_layers
from topoimp.layers.streaming import LayerStream, counted
from topoimp.layers.tensors import select_layers
from topoimp.network.chain import Chain, graph_of_chain, notes_on_chain, patterns_on_chain
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.kept_weights import facts_of_pruners
from topoimp.pruning.masks import mask_bytes, mask_shapes, mask_writer, read_masks
from topoimp.pruning.round import LayerRound, Sweep
from topoimp.pruning.rules import Pruner
from topoimp.reports.cells import Row
from topoimp.reports.checkpoint_columns import with_checkpoint_columns
from topoimp.reports.path_columns import with_path_columns
from topoimp.reports.report import Report
from topoimp.reports.rows import Settings, chain_settings, key_settings, left_out, score_settings
from topoimp.rounds.run_folder import recipe_beside
from topoimp.rounds.run_graph import graph_of_run
from topoimp.topology.forest import Forest
from topoimp.writing.model_card import write_model_card
from topoimp.writing.outputs import Outputs, plan_outputs
from topoimp.writing.pruned_copy import check_exchangeable, write_pruned_copy
from topoimp.writing.rewinding import RewoundPruner, layers_to_rewind_to
from topoimp.writing.shard_by_shard import can_be_written_by_shard, write_by_shard
from topoimp.writing.sizes import Sizes, sizes_of
from topoimp.writing.verification import verify_pruned
from topoimp.writing.written_layers import WrittenLayer

ONE_SHOT = "no training between rounds: they equal one shot at the last target"
ROUND_BY_ROUND = "no training between rounds: paths are those of the weights that the round before keeps"
IN_ONE_ROUND = "no training: one round, in which the pattern alone decides how much is kept"
DRY_RUN = "dry run: nothing was written"
NOT_COPIED = "not copied, as it holds other weights, or is no tensor or file"


@dataclass(frozen=True)
class Pruning:
    """A pruning that is written.

    Args:
        report: a row per round and layer, and one per round.
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
class PruningJob:
    """A checkpoint to prune, and the place of the result.

    Args:
        opened: the checkpoints that are read, by role; with a mask, ``mask`` among them.
        key: the state dict that was requested of PyTorch files; None for the usual one.
        stream: the layers that are pruned.
        rewind: the same layers of the checkpoint to rewind to; None if the weights stay as they are.
        chain: the graph of the layers that the caller named as a chain; None if no chain was named.
    """

    opened: Mapping[str, Checkpoint]
    key: str | None
    stream: LayerStream
    rewind: Layers | None
    outputs: Outputs
    chain: NetworkGraph | None = None

    @property
    def layers(self) -> Layers:
        """The layers that are pruned."""
        return self.stream.layers

    @property
    def source(self) -> Layers:
        """The layers whose weights are written."""
        layers = self.layers
        return self.rewind or (layers.weights if isinstance(layers, ScoredLayers) else layers)

    @property
    def inputs(self) -> dict[str, Path]:
        """The files that are read, by role."""
        return {role: checkpoint.path for role, checkpoint in self.opened.items()}

    @property
    def recipe(self) -> Path | None:
        """recipe.toml of the run folder that the input lies in, if it lies in one."""
        return recipe_beside(self.inputs["checkpoint"])

    @cached_property
    def graph(self) -> NetworkGraph | None:
        """The graph of the network: the chain, or that of a run folder; None if neither is known."""
        return self.chain or graph_of_run(self.layers.checkpoint)

    def of_network(self, rows: Sequence[Row], pruners: Mapping[str, Pruner]) -> list[Row]:
        """Return rows with the columns of the whole checkpoint, and of its graph with the weights that pruners keep.

        Pruners are by layer name. The columns of the graph are blank if it is not known.
        """
        facts = facts_of_pruners(self.graph, pruners, self.layers, self.stream.threads)
        return with_checkpoint_columns(with_path_columns(rows, facts), self.layers.checkpoint)

    @property
    def existing(self) -> list[Path]:
        """Existing outputs, which only ``force`` replaces."""
        return [target for target in self.outputs.in_order if target.exists()]

    @property
    def not_copied(self) -> list[str]:
        """Files of the input's folder, and parts of its files, that the output does not have."""
        checkpoint = self.layers.checkpoint
        not_tensors = [] if self.outputs.are_torch else checkpoint.not_tensors
        return [*not_tensors, *(str(file) for file in other_files(checkpoint.paths)[1])]

    def bytes_needed(self) -> dict[Path, int]:
        """Return about how many bytes the mask and the checkpoints take on the disk, without their headers."""
        needed = {self.outputs.mask: sum(map(mask_bytes, mask_shapes(self.layers).values()))}
        copied = self.source.checkpoint
        size = bytes_of_copy(copied, as_torch=self.outputs.are_torch)
        return needed | dict.fromkeys(self.outputs.checkpoints, size)

    def staging(self, *, force: bool) -> Staging:
        """Return the context in which the outputs are written."""
        folders = self.outputs.checkpoints if self.outputs.are_folders else ()
        needed = self.bytes_needed()
        return Staging(self.outputs.in_order, force=force, folders=folders, needed=needed, makes_folders=True)

    def write(
        self,
        staging: Staging,
        target: Path,
        pruners: Mapping[str, Pruner],
        metadata: Mapping[str, str],
        forests: Mapping[str, Forest],
        expected: Mapping[str, LayerRound] | None = None,
    ) -> dict[str, WrittenLayer]:
        """Write a checkpoint, and the mask of the last one, under temporary names, and check both as written.

        A folder gets a model card.

        Returns:
            by layer name, the layer as it was read back.
        """
        layers = self.layers
        source = self.source
        if source is not layers:
            pruners = {
                info.name: RewoundPruner(pruners[info.name], layers.only([info.name]), info) for info in layers.infos
            }
        place = staging.partial(target)
        mask = staging.partial(self.outputs.mask) if target == self.outputs.checkpoint else None

        def on_tensor() -> None:
            staging.begin_sync(target)
            self.stream.on_layer()

        with nullcontext() if mask is None else mask_writer(mask, mask_shapes(layers), metadata) as writer:
            workers = self.stream.workers
            if workers is not None and can_be_written_by_shard(source):
                write_by_shard(place, source, pruners, metadata, masks=writer, workers=workers, on_tensor=on_tensor)
            else:
                write_pruned_copy(
                    place,
                    source,
                    pruners,
                    metadata,
                    masks=writer,
                    threads=self.stream.threads,
                    as_torch=self.outputs.are_torch,
                    on_tensor=on_tensor,
                )
        masks = None if mask is None else read_masks(mask)
        written = open_checkpoint(place, key=source.checkpoint.key if self.outputs.are_torch else None)
        verified = verify_pruned(written, self.stream, forests, masks=masks, expected=expected, source=source)
        if self.outputs.are_folders:
            kept = {name: layer.preservation for name, layer in verified.items()}
            write_model_card(place, layers, kept, metadata, is_rewound=self.rewind is not None)
        return verified

    def sizes(self, staging: Staging, target: Path, *, compressed: bool) -> Sizes:
        """Return the sizes of a written checkpoint, and of the mask beside the last one."""
        mask = staging.partial(self.outputs.mask) if target == self.outputs.checkpoint else None
        return sizes_of(staging.partial(target), mask, compressed=compressed, threads=self.stream.threads)

    def report(self, settings: Settings, rows: Sequence[Row], swept: Sweep | None = None) -> Report:
        """Return the report of a pruning with these settings, the key of the state dict, and these rows.

        ``swept`` are its rounds, if it has rounds.
        """
        settings = {**self.settings(), **settings}
        outputs = self.outputs.by_role()
        missing = {**dict.fromkeys(self.not_copied, NOT_COPIED), **left_out(self.layers)}
        return Report("prune", self.inputs, settings, rows, missing, outputs, self._notes(settings, swept))

    def settings(self) -> Settings:
        """Return the settings that say what is read: the key of the state dict, the scores, and the chain."""
        key = key_settings(self.key, self.layers.checkpoint)
        return {**key, **score_settings(self.layers), **chain_settings(self.chain)}

    def _notes(self, settings: Settings, swept: Sweep | None) -> list[str]:
        """Return the sentences about the layers, the rounds, the files beside the weights, and a dry run."""
        notes = [*notes_on(self.layers), *notes_on_chain(self.layers, self.chain)]
        if "mask" in self.opened:
            mask = self.opened["mask"]
            notes += [f"{mask.path}: {note}" for note in notes_on_files(mask)]
        if "pattern" in settings:
            notes.append(IN_ONE_ROUND)
        elif swept is not None:
            notes.append(ROUND_BY_ROUND if swept.is_of_network else ONE_SHOT)
        if self.rewind is not None:
            notes.append(f"rewound: the weights are those of {self.inputs['rewind']}")
        if self.not_copied:
            notes.append(f"{NOT_COPIED}: {first_names(self.not_copied)}, {len(self.not_copied)} in all")
        if self.recipe is not None:
            notes.append(f"the recipe of these weights is {self.recipe}")
        if "dry_run" in settings:
            notes += [f"exists already, `force` would replace it: {path}" for path in self.existing]
            notes.append(DRY_RUN)
        return notes

    def finish(self, staging: Staging, report: Report, held_at_floor: Sequence[str]) -> Pruning:
        """Write the table, and put all outputs in place if the inputs have not changed meanwhile."""
        staging.partial(self.outputs.table).write_text(report.to_csv(), encoding="utf-8")
        for opened in self.opened.values():
            opened.check_unchanged()
        staging.commit()
        return Pruning(report, self.outputs, held_at_floor, self.recipe, self.not_copied)


def plan_job(
    path: AnyPath,
    patterns: LayerPatterns,
    *,
    key: str | None,
    output: AnyPath | None,
    mask_out: AnyPath | None,
    emit_rounds: Sequence[int] = (),
    n_rounds: int = 1,
    threads: int | None,
    on_step: OnStep | None,
    mask: AnyPath | None = None,
    rewind_from: AnyPath | None = None,
    pictures: Mapping[str, Path] = MappingProxyType({}),
    chain: Chain | None = None,
    scores: AnyPath | None = None,
) -> PruningJob:
    """Return the job of pruning a checkpoint, in rounds or by a mask, with pictures by argument name; write nothing.

    With a chain its layers are selected, unless the patterns include others by name.
    """
    n_threads = thread_count(threads)
    content = Content.WEIGHTS if mask is None else Content.MASK
    others = {role: file for role, file in {"mask": mask, "rewind": rewind_from}.items() if file is not None}
    checkpoint, *opened_others = open_checkpoints(path, list(others.values()), key=key, content=content)
    opened = {"checkpoint": checkpoint, **dict(zip(others, opened_others, strict=True))}
    opened |= {} if scores is None else {"scores": open_checkpoint(scores)}

    target, mask_file = (None if file is None else Path(file) for file in (output, mask_out))
    copied = opened.get("rewind", checkpoint)
    outputs = plan_outputs(checkpoint, target, mask_file, emit_rounds, n_rounds, copied=copied)
    outputs = replace(outputs, pictures=pictures)
    outputs.check(*opened.values())
    graph = None if chain is None else graph_of_chain(checkpoint, chain)
    layers = select_layers(checkpoint, patterns_on_chain(patterns, graph))
    rewind = layers_to_rewind_to(layers, opened["rewind"]) if "rewind" in opened else None
    layers = layers if scores is None else scored_layers(layers, opened["scores"])
    job = PruningJob(opened, key, LayerStream(layers, n_threads), rewind, outputs, graph)
    if outputs.are_torch:
        check_exchangeable(job.source)

    # A pass over all layers, then for each checkpoint written one more of them and one of all tensors.
    n_steps = len(layers.infos) + len(outputs.checkpoints) * (len(layers.infos) + len(checkpoint.tensors))
    return replace(job, stream=replace(job.stream, on_layer=counted(on_step, n_steps)))
