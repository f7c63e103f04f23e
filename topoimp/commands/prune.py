"""Prune a checkpoint in rounds, and prove what was kept."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from topoimp.checkpoint import Staging, open_checkpoint, write_like
from topoimp.choices import Method, Scope, chosen
from topoimp.commands.columns import layer_columns, left_out, pattern_settings
from topoimp.errors import GateError, OptionError
from topoimp.layers import LayerInfo, LayerPatterns, Layers, select_layers
from topoimp.mask import Masks, pack_mask, write_masks
from topoimp.report import Cell, Report, Row
from topoimp.rounds import Round, sweep
from topoimp.schedule import plan_schedule
from topoimp.verification import verify_masks, verify_pruned


@dataclass(frozen=True)
class Outputs:
    """Where a pruning writes.

    Args:
        checkpoint: the pruned checkpoint.
        mask: which weights it keeps, packed.
        table: a row per round and layer, CSV.
        rounds: by round, a checkpoint of that round.
    """

    checkpoint: Path
    mask: Path
    table: Path
    rounds: Mapping[int, Path]

    @property
    def in_order(self) -> list[Path]:
        """All of them, the checkpoint last: it is there only if the others are."""
        return [self.mask, self.table, *self.rounds.values(), self.checkpoint]


@dataclass(frozen=True)
class Pruning:
    """What was pruned and written.

    Args:
        report: a row per round and layer, and one per round.
        outputs: the files.
        held_at_floor: the layers whose last target is below their floor; ``all layers together`` if they share one.
        recipe: recipe.toml of the run folder that the input lies in, if it lies in one.
    """

    report: Report
    outputs: Outputs
    held_at_floor: Sequence[str]
    recipe: Path | None


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
) -> Pruning:
    """Prune a checkpoint in rounds without training between them; write the result, its mask and a table.

    Args:
        path: a .safetensors file; never changed.
        n_rounds: at least 1; follows from the other two if None.
        sparsity: share of all selected weights that is to be zero in the end; above 0 and below 1.
        rate: share of the remaining weights that one round removes; above 0 and below 1; 0.2 unless it follows.
        output: the pruned checkpoint; ``STEM.pruned.safetensors`` beside the input if None. Mask and table follow it.
        method: what decides which weights are kept.
        scope: a target per layer, or one for all.
        seed: for the method ``random``.
        patterns: which layers; all but embeddings and heads if None.
        mask_output: the mask, if not beside the output.
        emit_rounds: rounds of which a checkpoint is written too.
        strict: write nothing if a target is below a floor.
        force: replace existing outputs.

    Raises:
        OptionError: if rounds, sparsity and rate do not fit, or the output is the input.
        OutputError: if an output exists (without ``force``) or cannot be written.
        GateError: if ``strict`` and a target is below a floor.
        VerificationError: if what was written is not what was meant; nothing is left behind.
        TopoimpError: if the file, a layer or a pattern cannot be used.
    """
    path, patterns = Path(path), patterns or LayerPatterns()
    method, scope = chosen(Method, method), chosen(Scope, scope)
    schedule = plan_schedule(n_rounds=n_rounds, sparsity=sparsity, rate=rate)
    outputs = _outputs(path, output, mask_output, emit_rounds, schedule.n_rounds)
    layers = select_layers(open_checkpoint(path), patterns)
    settings: dict[str, Cell | Sequence[str]] = {
        "method": method,
        "scope": scope,
        "rounds": schedule.n_rounds,
        "rate": schedule.effective_rate(),
        "sparsity": sparsity,
        "seed": seed if method is Method.RANDOM else None,
        **pattern_settings(patterns),
    }
    with Staging(outputs.in_order, force=force) as staging:
        rounds = sweep(layers, schedule, method=method, scope=scope, seed=seed)
        if strict:
            _refuse_missed_targets(rounds)
        report = _report(path, layers, rounds, settings)
        _write(staging, outputs, layers, rounds, report)
        staging.commit()
    return Pruning(report, outputs, rounds[-1].missed, _recipe_of(path))


def _outputs(
    path: Path, output: Path | None, mask_output: Path | None, emit_rounds: Sequence[int], n_rounds: int
) -> Outputs:
    checkpoint = path.with_name(f"{path.stem}.pruned.safetensors") if output is None else Path(output)
    if checkpoint.suffix != ".safetensors":
        raise OptionError(f"the output is named {checkpoint}; the name of a checkpoint ends in .safetensors")
    for number in emit_rounds:
        if not 1 <= number <= n_rounds:
            raise OptionError(f"round {number} is to be written; there are rounds 1 to {n_rounds}")
    stem = checkpoint.stem
    outputs = Outputs(
        checkpoint=checkpoint,
        mask=checkpoint.with_name(f"{stem}.mask.safetensors") if mask_output is None else Path(mask_output),
        table=checkpoint.with_name(f"{stem}.csv"),
        rounds={n: checkpoint.with_name(f"{stem}.round-{n:02}.safetensors") for n in sorted(set(emit_rounds))},
    )
    for target in outputs.in_order:
        if _is_same(target, path):
            raise OptionError(f"{target}: is the input; an output needs another name")
    return outputs


def _is_same(target: Path, path: Path) -> bool:
    try:
        return target.resolve() == path.resolve() or (target.exists() and path.exists() and target.samefile(path))
    except (OSError, RuntimeError):  # a path that cannot be followed is said to be one where it is opened
        return False


def _write(staging: Staging, outputs: Outputs, layers: Layers, rounds: Sequence[Round], report: Report) -> None:
    """Write everything under temporary names, and read it back."""
    staging.partial(outputs.table).write_text(report.to_csv(), encoding="utf-8")
    for number, target in (*outputs.rounds.items(), (len(rounds), outputs.checkpoint)):
        masks = _masks(layers, rounds[number - 1])
        metadata = _metadata(report, number)
        write_like(staging.partial(target), layers.checkpoint, metadata, _pruned_codes(layers, masks))
        keeps_barcode = report.settings["method"] == Method.TOPOLOGICAL
        verify_pruned(staging.partial(target), layers, masks, keeps_barcode=keeps_barcode)
    write_masks(staging.partial(outputs.mask), masks, metadata)
    verify_masks(staging.partial(outputs.mask), masks)


def _masks(layers: Layers, now: Round) -> Masks:
    return {info.name: pack_mask(now.keeps[info.name].mask(layers.read(info)), info.shape) for info in layers.infos}


def _pruned_codes(layers: Layers, masks: Masks) -> dict[str, Callable[[], np.ndarray]]:
    def pruned(info: LayerInfo) -> np.ndarray:
        layer = layers.read(info)
        kept = masks[info.name].kept().reshape(layer.codes.shape)
        return np.where(kept, layer.codes, np.zeros(1, layer.codes.dtype))

    return {info.name: partial(pruned, info) for info in layers.infos}


def _metadata(report: Report, number: int) -> dict[str, str]:
    said = {key: value for key, value in report.settings.items() if value not in ([], None) and value is not False}
    return {
        "topoimp.version": version("topoimp"),
        "topoimp.method": str(report.settings["method"]),
        "topoimp.settings": json.dumps(said),
        "topoimp.round": str(number),
    }


def _report(
    path: Path, layers: Layers, rounds: Sequence[Round], settings: Mapping[str, Cell | Sequence[str]]
) -> Report:
    rows: list[Row] = []
    for now in rounds:
        for info in layers.infos:
            layer = now.layers[info.name]
            here: Row = {"round": now.number, "target": layer.target, "floor_binds": layer.floor_binds}
            rows.append({**layer_columns(info), **here, **layer.left.columns()})
        here = {
            "level": "network",
            "round": now.number,
            "target": now.target,
            "floor_binds": bool(now.missed),
        }
        rows.append({**here, **now.left.columns()})
    return Report("prune", {"checkpoint": path}, settings, rows, left_out(layers))


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
