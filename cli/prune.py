"""``topoimp prune``."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NotRequired, TypedDict

import typer

from topoimp.choices import Method, Scope
from topoimp.report import Report

from .options import (
    CheckpointPath,
    Command,
    Embeddings,
    Exclude,
    Force,
    Format,
    FormatOption,
    Groups,
    Include,
    Quiet,
    Rate,
    Threads,
    Verbose,
    layer_patterns,
)
from .output import for_people, note, note_left_out, noting_compilation, progress, show, show_table

if TYPE_CHECKING:
    from topoimp.catalogue import LayerPatterns
    from topoimp.commands.job import Pruning
    from topoimp.streaming import OnStep


def _prune(
    checkpoint: CheckpointPath,
    rounds: Annotated[int | None, typer.Option("--rounds", metavar="N", help="Number of rounds, at least 1.")] = None,
    sparsity: Annotated[
        float | None,
        typer.Option("--sparsity", metavar="S", help="Share of the selected weights to be zero in the end, in (0, 1)."),
    ] = None,
    rate: Rate = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="The pruned checkpoint.", show_default="STEM.pruned.safetensors"
        ),
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option("--method", help="What decides which weights are kept.", show_default="topological"),
    ] = None,
    scope: Annotated[
        Scope | None,
        typer.Option("--scope", help="A target for each layer, or one for all together.", show_default="layer"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="S", help="Of the permutations of the method random.", show_default="0"),
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    embeddings: Embeddings = False,
    groups: Groups = None,
    mask_out: Annotated[
        Path | None,
        typer.Option(
            "--mask-out", metavar="FILE", help="The mask.", show_default="beside OUT, as STEM.mask.safetensors"
        ),
    ] = None,
    emit_rounds: Annotated[
        str | None,
        typer.Option("--emit-rounds", metavar="K,...", help="Write checkpoints of these rounds too, as in 3,7."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            "--apply-mask", metavar="FILE", help="Prune by this mask, or by the zeros of this checkpoint; no rounds."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing and exit with 3 if a target is below a floor.")
    ] = False,
    force: Force = False,
    threads: Threads = None,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Prune CHECKPOINT in rounds, keep every layer's barcode, and prove it; writes a checkpoint, its mask and a CSV."""
    from topoimp.commands.apply_mask import apply_mask
    from topoimp.commands.prune import prune_checkpoint

    where: _Where = {
        "output": output,
        "patterns": layer_patterns(include, exclude, groups, embeddings=embeddings),
        "mask_output": mask_out,
        "force": force,
        "threads": threads,
    }
    with noting_compilation(quiet=quiet), progress(f"pruning {checkpoint}", quiet=quiet) as on_step:
        where["on_step"] = on_step
        if mask is not None:
            _refuse_rounds(rounds, sparsity, rate, method, scope, seed, emit_rounds, strict or None)
            pruning = apply_mask(checkpoint, mask, **where)
        else:
            pruning = prune_checkpoint(
                checkpoint,
                n_rounds=rounds,
                sparsity=sparsity,
                rate=rate,
                method=method or Method.TOPOLOGICAL,
                scope=scope or Scope.LAYER,
                seed=seed or 0,
                emit_rounds=_numbers(emit_rounds),
                strict=strict,
                **where,
            )
    show(pruning.report, format, _show_pruning)
    _note_pruning(pruning, quiet=quiet, verbose=verbose)


prune = Command("prune", _prune, "Example: topoimp prune lenet-300-100-mnist.safetensors --rounds 10")


class _Where(TypedDict):
    """What both ways of pruning take."""

    output: Path | None
    patterns: "LayerPatterns"
    mask_output: Path | None
    force: bool
    threads: int | None
    on_step: NotRequired["OnStep"]


def _refuse_rounds(*options: object) -> None:
    from topoimp.errors import OptionError

    if any(option is not None for option in options):
        raise OptionError("--apply-mask is pruning by a given mask; options of rounds and methods do not go with it")


def _numbers(text: str | None) -> list[int]:
    from topoimp.errors import OptionError

    parts = [] if text is None else text.split(",")
    if not all(re.fullmatch(r" *[0-9]{1,9} *", part) for part in parts):
        raise OptionError(f"--emit-rounds is {text!r}; it must be round numbers with commas, as in 3,7")
    return [int(part) for part in parts]


_FACTS = {
    "target": "target",
    "n_kept": "kept",
    "density": "density",
    "beta0": "beta0",
    "barcode_kept": "barcode kept",
    "retention": "retention",
    "floor_binds": "floor binds",
}


def _show_pruning(report: Report) -> None:
    settings = report.settings
    if "rounds" not in settings:
        title = f"{report.inputs['checkpoint']} under the {settings['method']} of {report.inputs['mask']}"
        facts = {name: header for name, header in _FACTS.items() if name not in ("target", "floor_binds")}
        show_table(title, {"layer": "layer", "floor": "floor", **facts}, for_people(report.rows))
        return
    title = f"{report.inputs['checkpoint']}: method {settings['method']}, scope {settings['scope']}"
    show_table(title, {"round": "round", **_FACTS}, report.rounds)
    last = report.network["round"]
    layers = [row for row in report.rows if row["round"] == last]
    show_table(f"after round {last}", {"layer": "layer", "floor": "floor", **_FACTS}, for_people(layers))


def _note_pruning(pruning: "Pruning", *, quiet: bool, verbose: bool) -> None:
    report, outputs = pruning.report, pruning.outputs
    note_left_out(report, quiet=quiet)
    if verbose:
        for name, reason in report.left_out.items():
            note(f"left out {name}: {reason}", quiet=quiet)
    if pruning.held_at_floor:
        names = ", ".join(pruning.held_at_floor)
        note(f"held at the floor, as their target is below it: {names}", quiet=quiet)
    if "rounds" in report.settings:
        note("no training between rounds: they equal one shot at the last target", quiet=quiet)
    if pruning.not_copied:
        names = ", ".join(pruning.not_copied[:3]) + (", ..." if len(pruning.not_copied) > 3 else "")
        note(f"not copied, as it holds other weights or is no tensor: {names}", quiet=quiet)
    if pruning.recipe:
        note(f"the recipe of these weights is {pruning.recipe}", quiet=quiet)
    for path in (*outputs.rounds.values(), outputs.checkpoint, outputs.mask, outputs.table):
        note(f"wrote {path}", quiet=quiet)
