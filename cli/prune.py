"""``topoimp prune``."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NotRequired, TypedDict

import typer

from topoimp.choices import Method, Scope
from topoimp.reports.report import Report

from .options import (
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
from .output import note, noting_compilation, progress, show
from .plans import show_plan, show_run_plan
from .pruned import note_pruning, show_pruning
from .rates import layer_rates, output_rate_of, with_output_rate
from .rounds import note_rounds, show_rounds
from .training_options import TRAINING, DataDir, Jobs, Seeds, parse_seeds

if TYPE_CHECKING:
    from topoimp.commands.prune_run import IterativePruning
    from topoimp.kernels.threads import OnStep
    from topoimp.layers.catalogue import LayerPatterns
    from topoimp.rounds.planning import RoundOptions


def _prune(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT|RUN",
            help="A checkpoint as for the other commands, or a run folder of train, whose rounds are trained.",
            show_default=False,
        ),
    ],
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
    epsilon: Annotated[
        float,
        typer.Option(
            "--epsilon",
            metavar="E",
            help="Share of the largest strength up to which topological protects no death: 0 protects all, 1 none.",
        ),
    ] = 0.0,
    scope: Annotated[
        Scope | None,
        typer.Option("--scope", help="A target for each layer, or one for all together.", show_default="layer"),
    ] = None,
    layer_rate: Annotated[
        list[str] | None,
        typer.Option("--layer-rate", metavar="PATTERN=R", help="Another rate for the layers that match. Repeatable."),
    ] = None,
    output_rate: Annotated[
        str | None,
        typer.Option("--output-rate", metavar="half|same|R", help="The output layer's rate; half: of --rate."),
    ] = None,
    output_layer: Annotated[
        str | None,
        typer.Option("--output-layer", metavar="NAME", help="Which layer that is.", show_default="a recipe knows"),
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
    rewind: Annotated[
        str | None,
        typer.Option(
            "--rewind",
            metavar="init|step:K|none",
            help="What each round's training starts from: weights after a step, or those of the last round.",
            show_default="the recipe's step",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    rewind_from: Annotated[
        Path | None,
        typer.Option(
            "--rewind-from",
            metavar="FILE",
            help="The same, as a checkpoint; without training it gives a ticket.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    trainer: Annotated[
        str | None,
        typer.Option(
            "--trainer",
            metavar="'CMD {init} {mask} {out}'",
            help="A command that trains each round (docs/trainers.md).",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    trainer_timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="SECONDS", help="What one round of --trainer may take.", rich_help_panel=TRAINING
        ),
    ] = None,
    seeds: Seeds = None,
    jobs: Jobs = None,
    data_dir: DataDir = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 3 where a target is below a floor; nothing of that round is written."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the rounds, their floors and barcodes, and what it takes; write nothing."
        ),
    ] = False,
    force: Force = False,
    threads: Threads = None,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Prune CHECKPOINT in rounds, keep every layer's barcode, and prove it; writes a checkpoint, its mask and a CSV."""
    from topoimp.commands.apply_mask import apply_mask
    from topoimp.commands.plan import plan_pruning
    from topoimp.commands.prune import prune_checkpoint
    from topoimp.rounds.run_folder import is_run_folder

    rates = layer_rates(layer_rate)
    if is_run_folder(checkpoint) or trainer is not None:
        from topoimp.rounds.planning import RoundOptions

        _refuse(
            {
                "--apply-mask": mask,
                "--mask-out": mask_out,
                "--emit-rounds": emit_rounds,
                "--seed": seed,
            },
            "rounds that are trained",
        )
        options = RoundOptions(
            n_rounds=rounds,
            sparsity=sparsity,
            rate=rate,
            method=method or Method.TOPOLOGICAL,
            epsilon=epsilon,
            scope=scope,
            layer_rates=rates,
            output_rate=output_rate_of(output_rate),
            output_layer=output_layer,
            rewind=rewind,
            rewind_from=rewind_from,
            patterns=layer_patterns(include, exclude, groups, embeddings=embeddings),
            strict=strict,
            force=force,
            threads=threads,
            jobs=jobs,
        )
        if dry_run:
            with noting_compilation(quiet=quiet):
                report = _plan_of_run(checkpoint, options, output, parse_seeds(seeds))
            show_run_plan(report, format, quiet=quiet)
            return
        with noting_compilation(quiet=quiet), progress(f"pruning {checkpoint}", quiet=quiet) as on_step:
            iterative = _with_training(
                checkpoint,
                options,
                output,
                trainer,
                trainer_timeout,
                parse_seeds(seeds),
                data_dir,
                on_step,
                quiet=quiet,
            )
        show(iterative.report, format, show_rounds)
        note_rounds(iterative, quiet=quiet, verbose=verbose)
        return
    _refuse(
        {"--rewind": rewind, "--timeout": trainer_timeout, "--seeds": seeds, "--jobs": jobs},
        "pruning without training (a run folder or --trainer has some)",
    )
    where: _Where = {
        "output": output,
        "patterns": layer_patterns(include, exclude, groups, embeddings=embeddings),
        "mask_output": mask_out,
        "threads": threads,
    }
    how: _How = {
        "n_rounds": rounds,
        "sparsity": sparsity,
        "rate": rate,
        "method": method or Method.TOPOLOGICAL,
        "epsilon": epsilon,
        "scope": scope or Scope.LAYER,
        "layer_rates": with_output_rate(rates, output_layer, output_rate, rate),
        "seed": seed or 0,
        "rewind_from": rewind_from,
        "emit_rounds": _numbers(emit_rounds),
        "strict": strict,
    }
    with noting_compilation(quiet=quiet), progress(f"pruning {checkpoint}", quiet=quiet) as on_step:
        where["on_step"] = on_step
        if mask is not None:
            _refuse_rounds(rounds, sparsity, rate, method, scope, seed, emit_rounds, strict or None)
            _refuse_rounds(epsilon or None, layer_rate, output_rate, output_layer, rewind_from, dry_run or None)
            pruning = apply_mask(checkpoint, mask, force=force, **where)
        elif dry_run:
            plan = plan_pruning(checkpoint, **how, **where)
        else:
            pruning = prune_checkpoint(checkpoint, force=force, **how, **where)
    if dry_run:
        show_plan(plan, format, quiet=quiet)
        return
    show(pruning.report, format, show_pruning)
    note_pruning(pruning, quiet=quiet, verbose=verbose)


prune = Command("prune", _prune, "Example: topoimp prune lenet-300-100-mnist.safetensors --rounds 10")


def _plan_of_run(checkpoint: Path, options: "RoundOptions", output: Path | None, seeds: list[int] | None) -> Report:
    """Plan the rounds of a run folder."""
    from topoimp.commands.plan_run import plan_run
    from topoimp.rounds.run_folder import is_run_folder

    if not is_run_folder(checkpoint):
        _refuse({"--dry-run": True}, "a checkpoint whose rounds --trainer trains")
    _refuse({"--output": output}, "a run folder, which its rounds are written into")
    return plan_run(checkpoint, options, seeds=seeds)


def _with_training(
    checkpoint: Path,
    options: "RoundOptions",
    output: Path | None,
    trainer: str | None,
    timeout: float | None,
    seeds: list[int] | None,
    data_dir: Path | None,
    on_step: "OnStep",
    *,
    quiet: bool,
) -> "IterativePruning":
    """Prune a run folder, or a checkpoint with a trainer."""
    from topoimp.commands.prune_run import prune_run, prune_with_trainer
    from topoimp.rounds.run_folder import is_run_folder
    from topoimp.rounds.trainer import parse_trainer

    on_wait = partial(note, quiet=quiet)
    command = None if trainer is None else parse_trainer(trainer, timeout=timeout, n_seeds=len(seeds or [0]))
    if command is None:
        _refuse({"--timeout": timeout}, "the built-in trainer")
    if not is_run_folder(checkpoint) and command is not None:
        return prune_with_trainer(
            checkpoint, options, trainer=command, output=output, seeds=seeds, on_step=on_step, on_wait=on_wait
        )
    _refuse({"--output": output}, "a run folder, which its rounds are written into")
    return prune_run(
        checkpoint,
        options,
        seeds=seeds,
        trainer=command,
        data_dir=data_dir,
        on_step=on_step,
        on_wait=on_wait,
    )


def _refuse(options: dict[str, object], what: str) -> None:
    """Refuse options that do not go with what is done."""
    from topoimp.errors import OptionError

    given = [name for name, value in options.items() if value is not None]
    if given:
        raise OptionError(f"{given[0]} does not go with {what}")


class _Where(TypedDict):
    """What both ways of pruning take."""

    output: Path | None
    patterns: "LayerPatterns"
    mask_output: Path | None
    threads: int | None
    on_step: NotRequired["OnStep"]


class _How(TypedDict):
    """What pruning in rounds takes, done or planned."""

    n_rounds: int | None
    sparsity: float | None
    rate: float | None
    method: Method
    epsilon: float
    scope: Scope
    layer_rates: dict[str, float]
    seed: int
    rewind_from: Path | None
    emit_rounds: list[int]
    strict: bool


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
