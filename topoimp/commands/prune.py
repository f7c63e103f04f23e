"""Prune a checkpoint in rounds, or by a mask, and prove what was kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from topoimp.catalogue import LayerPatterns, Layers, natural, select_layers
from topoimp.checkpoint import Checkpoint, Staging, bytes_of_copy, open_checkpoint, other_files
from topoimp.choices import Method, Scope, View, chosen
from topoimp.commands.columns import layer_columns, left_out, pattern_settings
from topoimp.errors import GateError, OptionError
from topoimp.forest import Forest, spanning_forest
from topoimp.mask import Masks, is_mask, mask_bytes, mask_writer, masks_for, read_masks
from topoimp.outputs import Outputs, plan_outputs
from topoimp.preservation import Preservation, together
from topoimp.pruned_copy import write_pruned_copy
from topoimp.pruning import Pruner
from topoimp.report import Cell, Report, Row
from topoimp.rounds import Round, sweep
from topoimp.schedule import plan_schedule
from topoimp.streaming import LayerStream, OnStep, counted
from topoimp.threads import thread_count
from topoimp.verification import verify_pruned


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


def prune_checkpoint(
    path: Path,
    *,
    n_rounds: int | None = None,
    sparsity: float | None = None,
    rate: float | None = None,
    output: Path | None = None,
    method: Method | str = Method.TOPOLOGICAL,
    scope: Scope | str = Scope.LAYER,
    seed: int = 0,
    patterns: LayerPatterns | None = None,
    mask_output: Path | None = None,
    emit_rounds: Sequence[int] = (),
    strict: bool = False,
    force: bool = False,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Pruning:
    """Prune a checkpoint in rounds without training between them; write the result, its mask and a table.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it; never changed.
        n_rounds: at least 1; follows from the other two if None.
        sparsity: share of all selected weights that is to be zero in the end; above 0 and below 1.
        rate: share of the remaining weights that one round removes; above 0 and below 1; 0.2 unless it follows.
        output: the pruned checkpoint; ``STEM.pruned.safetensors`` beside the input if None, ``NAME.pruned`` for a
            folder. Mask and table follow it.
        method: what decides which weights are kept.
        scope: a target per layer, or one for all.
        seed: for the method ``random``.
        patterns: which layers; all but embeddings and heads if None.
        mask_output: the mask, if not beside the output.
        emit_rounds: rounds of which a checkpoint is written too.
        strict: write nothing if a target is below a floor.
        force: replace existing outputs.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Raises:
        OptionError: if rounds, sparsity and rate do not fit, or the output is the input.
        OutputError: if an output exists (without ``force``) or cannot be written, or the disk has too little room.
        GateError: if ``strict`` and a target is below a floor.
        VerificationError: if what was written is not what was meant; nothing is left behind.
        TopoimpError: if the file, a layer or a pattern cannot be used.
    """
    method, scope = chosen(Method, method), chosen(Scope, scope)
    schedule = plan_schedule(n_rounds=n_rounds, sparsity=sparsity, rate=rate)
    job = _Job.plan(
        path, patterns, output, mask_output, emit_rounds, schedule.n_rounds, threads=threads, on_step=on_step
    )
    settings: dict[str, Cell | Sequence[str]] = {
        "method": method,
        "scope": scope,
        "rounds": schedule.n_rounds,
        "rate": schedule.effective_rate(),
        "sparsity": sparsity,
        "seed": seed if method is Method.RANDOM else None,
        **pattern_settings(job.layers.patterns),
    }
    with job.staging(force=force) as staging:
        swept = sweep(job.stream, schedule, method=method, scope=scope, seed=seed)
        if strict:
            _refuse_missed_targets(swept.rounds)
        rows = [row for now in swept.rounds for row in _rows(job.layers, now)]
        report = Report("prune", {"checkpoint": job.path}, settings, rows, left_out(job.layers), job.outputs.by_role())
        for number, target in (*job.outputs.rounds.items(), (len(swept.rounds), job.outputs.checkpoint)):
            now = swept.rounds[number - 1]
            expected = {name: layer.left for name, layer in now.layers.items()}
            job.write(staging, target, now.keeps, _metadata(settings, number), swept.forests, expected=expected)
        job.commit(staging, report)
    return job.done(report, swept.rounds[-1].missed)


def apply_mask(
    path: Path,
    mask: Path,
    *,
    output: Path | None = None,
    patterns: LayerPatterns | None = None,
    mask_output: Path | None = None,
    force: bool = False,
    threads: int | None = None,
    on_step: OnStep | None = None,
) -> Pruning:
    """Prune a checkpoint by a mask; write the result, the mask of its layers and a table.

    Args:
        path: a checkpoint, as ``topoimp.checkpoint.open_checkpoint`` takes it; never changed.
        mask: a mask file, or a checkpoint whose zeros are one.
        output: as for ``prune_checkpoint``.
        patterns: which layers; all but embeddings and heads if None.
        mask_output: the mask, if not beside the output.
        force: replace existing outputs.
        threads: how many cores to use; all if None. The result does not depend on it.
        on_step: told how much has been done.

    Raises:
        OptionError: if the output is the input or the mask.
        OutputError: if an output exists (without ``force``) or cannot be written, or the disk has too little room.
        VerificationError: if what was written is not what was meant; nothing is left behind.
        TopoimpError: if a file, a layer, a pattern or the mask cannot be used.
    """
    masking = open_checkpoint(mask)
    job = _Job.plan(path, patterns, output, mask_output, (), 1, threads=threads, on_step=on_step, mask=masking)
    pruners = masks_for(job.layers, masking)
    settings: dict[str, Cell | Sequence[str]] = {
        "method": "mask" if is_mask(masking) else "zeros",
        **pattern_settings(job.layers.patterns),
    }
    inputs = {"checkpoint": job.path, "mask": Path(mask)}
    with job.staging(force=force) as staging:
        found = job.stream.each(lambda layer, n: spanning_forest(layer, threads=n))
        forests = {info.name: forest for info, forest in zip(job.layers.infos, found, strict=True)}
        left = job.write(staging, job.outputs.checkpoint, pruners, _metadata(settings, 1), forests)
        masking.check_unchanged()
        rows = _mask_rows(job.layers, left)
        report = Report("prune", inputs, settings, rows, left_out(job.layers), job.outputs.by_role())
        job.commit(staging, report)
    return job.done(report, [])


@dataclass(frozen=True)
class _Job:
    """A checkpoint, what is pruned of it, and where the result goes."""

    path: Path
    stream: LayerStream
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
    ) -> "_Job":
        path, patterns = Path(path), patterns or LayerPatterns()
        if patterns.view is not View.MATRIX:
            raise OptionError(f"the view is {patterns.view}; pruning is of weights, and needs the view matrix")
        n_threads = thread_count(threads)
        checkpoint = open_checkpoint(path)
        outputs = plan_outputs(checkpoint, output, mask_output, emit_rounds, n_rounds)
        outputs.check(checkpoint, *([] if mask is None else [mask]))
        layers = select_layers(checkpoint, patterns)
        not_copied = [*checkpoint.not_tensors, *(str(file) for file in other_files(checkpoint.found)[1])]
        # Every layer is looked at once, and once more, as every tensor is, for each checkpoint that is written.
        n_steps = len(layers.infos) + len(outputs.checkpoints) * (len(layers.infos) + len(checkpoint.tensors))
        return _Job(path, LayerStream(layers, n_threads, counted(on_step, n_steps)), outputs, not_copied)

    @property
    def layers(self) -> Layers:
        return self.stream.layers

    def staging(self, *, force: bool) -> Staging:
        """Give the context in which the outputs are written."""
        size = bytes_of_copy(self.layers.checkpoint)
        needed = {self.outputs.mask: sum(map(mask_bytes, self._shapes().values()))}
        needed |= dict.fromkeys(self.outputs.checkpoints, size)
        folders = self.outputs.checkpoints if self.outputs.are_folders else ()
        return Staging(self.outputs.in_order, force=force, folders=folders, needed=needed)

    def write(
        self,
        staging: Staging,
        target: Path,
        pruners: Mapping[str, Pruner],
        metadata: Mapping[str, str],
        forests: Mapping[str, Forest],
        *,
        expected: Mapping[str, Preservation] | None = None,
    ) -> dict[str, Preservation]:
        """Write a checkpoint, and the mask of the last one, under their temporary names; read both back."""
        place, threads = staging.partial(target), self.stream.threads

        def on_tensor() -> None:
            staging.begin_sync(target)
            self.stream.on_layer()

        write = partial(write_pruned_copy, place, self.layers, pruners, metadata, threads=threads, on_tensor=on_tensor)
        masks: Masks | None = None
        if target == self.outputs.checkpoint:
            mask_place = staging.partial(self.outputs.mask)
            with mask_writer(mask_place, self._shapes(), metadata) as writer:
                write(masks=writer)
            masks = read_masks(mask_place)
        else:
            write(masks=None)
        return verify_pruned(place, self.stream, forests, masks=masks, expected=expected)

    def commit(self, staging: Staging, report: Report) -> None:
        """Write the table, and have all outputs appear, if the input is still what it was."""
        staging.partial(self.outputs.table).write_text(report.to_csv(), encoding="utf-8")
        self.layers.checkpoint.check_unchanged()
        staging.commit()

    def done(self, report: Report, held_at_floor: Sequence[str]) -> Pruning:
        """Give what was pruned and written."""
        return Pruning(report, self.outputs, held_at_floor, _recipe_of(self.path), self.not_copied)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors that have a mask, in an order that does not depend on the files: those pruned, and their ties."""
        checkpoint, pruned = self.layers.checkpoint, self.layers.by_tensor()
        names = sorted((name for name in checkpoint.tensors if checkpoint.ties.get(name, name) in pruned), key=natural)
        return {name: checkpoint.tensors[name].shape for name in names}


def _metadata(settings: Mapping[str, Cell | Sequence[str]], number: int) -> dict[str, str]:
    said = {key: value for key, value in settings.items() if value not in ([], None) and value is not False}
    return {
        "topoimp.version": version("topoimp"),
        "topoimp.method": str(settings["method"]),
        "topoimp.settings": json.dumps(said),
        "topoimp.round": str(number),
    }


def _rows(layers: Layers, now: Round) -> list[Row]:
    rows: list[Row] = []
    for info in layers.infos:
        layer = now.layers[info.name]
        here: Row = {"round": now.number, "target": layer.target, "floor_binds": layer.floor_binds}
        rows.append({**layer_columns(info), **here, **layer.left.columns()})
    network: Row = {"level": "network", "round": now.number, "target": now.target, "floor_binds": bool(now.missed)}
    return [*rows, {**network, **now.left.columns()}]


def _mask_rows(layers: Layers, left: Mapping[str, Preservation]) -> list[Row]:
    rows: list[Row] = [{**layer_columns(info), "round": 1, **left[info.name].columns()} for info in layers.infos]
    return [*rows, {"level": "network", "round": 1, **together(list(left.values())).columns()}]


def _refuse_missed_targets(rounds: Sequence[Round]) -> None:
    for now in rounds:
        if now.missed:
            name = now.missed[0]
            target, floor = now.target, now.left.floor
            if name in now.layers:
                target, floor = now.layers[name].target or 0, now.layers[name].left.floor
            raise GateError(
                f"round {now.number} asks {name} for {target} weights, below its floor of {floor}; nothing was written"
            )


def _recipe_of(path: Path) -> Path | None:
    """Give the recipe of the run folder that a checkpoint lies in: RUN/seed-<s>/model.safetensors."""
    recipe = path.resolve().parent.parent / "recipe.toml"
    return recipe if path.resolve().parent.name.startswith("seed-") and recipe.is_file() else None
