"""``topoimp prune``."""

from functools import partial

from topoimp.choices import Method

from .evaluation import EvalTimeout, Evaluate, evaluation_of
from .gates import Gates
from .options import (
    Chain,
    Command,
    Embeddings,
    Exclude,
    FailIf,
    Force,
    Format,
    FormatOption,
    Groups,
    Include,
    Junit,
    Key,
    OutputColumns,
    Quiet,
    Rate,
    Scores,
    Threads,
    Verbose,
    layer_patterns,
    refuse,
)
from .output import show
from .picture_options import FigureName, PageFile, PictureArguments, Plot, Size
from .prune_checks import check_dry_run, check_given_mask, check_mask, check_training, columns_of_report
from .prune_file import FileToPrune
from .prune_options import (
    ApplyMask,
    ClusterOfPruning,
    CompressedSize,
    DryRun,
    EmitRounds,
    Epsilon,
    Inputs,
    LayerRate,
    LayerSparsity,
    MaskOut,
    MethodOption,
    Output,
    OutputLayer,
    OutputRate,
    PathsBelow,
    Pattern,
    PresetOption,
    PruningInput,
    RepairMask,
    Rewind,
    RewindFrom,
    Rounds,
    ScheduleOption,
    ScopeOption,
    Seed,
    ShuffleMask,
    Sparsity,
    Strict,
    Timeout,
    TrainerOption,
)
from .prune_output import show_pruning, sum_up_pruning, working_on
from .prune_plan import show_plan, show_run_plan
from .prune_rounds import show_rounds, sum_up_rounds
from .prune_texts import parse_layer_rates, parse_layer_sparsities
from .streams import note
from .training_options import DataDir, Jobs, KeepGoing, Seeds


def _prune(
    checkpoint: PruningInput,
    rounds: Rounds = None,
    sparsity: Sparsity = None,
    rate: Rate = None,
    schedule: ScheduleOption = None,
    preset: PresetOption = None,
    output: Output = None,
    method: MethodOption = None,
    epsilon: Epsilon = 0.0,
    paths_below: PathsBelow = None,
    inputs: Inputs = None,
    scope: ScopeOption = None,
    layer_rates: LayerRate = None,
    layer_sparsity: LayerSparsity = None,
    output_rate: OutputRate = None,
    output_layer: OutputLayer = None,
    output_columns: OutputColumns = None,
    pattern: Pattern = None,
    seed: Seed = None,
    key: Key = None,
    include: Include = None,
    exclude: Exclude = None,
    embeddings: Embeddings = False,
    groups: Groups = None,
    chain: Chain = None,
    scores: Scores = None,
    mask_out: MaskOut = None,
    emit_rounds: EmitRounds = None,
    apply_mask: ApplyMask = None,
    repair: RepairMask = None,
    shuffle_mask: ShuffleMask = None,
    rewind: Rewind = None,
    rewind_from: RewindFrom = None,
    trainer: TrainerOption = None,
    timeout: Timeout = None,
    seeds: Seeds = None,
    jobs: Jobs = None,
    cluster: ClusterOfPruning = None,
    keep_going: KeepGoing = False,
    data_dir: DataDir = None,
    evaluate: Evaluate = None,
    eval_timeout: EvalTimeout = None,
    plot: Plot = None,
    figure: FigureName = None,
    size: Size = None,
    report: PageFile = None,
    compressed_size: CompressedSize = False,
    strict: Strict = False,
    fail_if: FailIf = None,
    junit: Junit = None,
    dry_run: DryRun = False,
    force: Force = False,
    threads: Threads = None,
    format: FormatOption = Format.TABLE,  # noqa: A002  # the option's word
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Prune CHECKPOINT in rounds, keep every layer's barcode, and prove it; writes a checkpoint, its mask and a CSV."""
    from topoimp.pruning.options import PruningOptions
    from topoimp.rounds.run_folder import is_run_folder

    is_run = is_run_folder(checkpoint)
    has_training = is_run or trainer is not None
    patterns = layer_patterns(include, exclude, groups, embeddings=embeddings)
    pictures = PictureArguments(plot=plot, figure=figure, size=size, report=report)
    options_by_flag = {
        "--rounds": rounds,
        "--sparsity": sparsity,
        "--rate": rate,
        "--schedule": schedule,
        "--preset": preset,
        "--method": method,
        "--epsilon": epsilon,
        "--paths-below": paths_below,
        "--inputs": inputs,
        "--scope": scope,
        "--layer-rate": layer_rates,
        "--layer-sparsity": layer_sparsity,
        "--output-rate": output_rate,
        "--output-layer": output_layer,
        "--output-columns": output_columns,
        "--pattern": pattern,
        "--scores": scores,
        "--seed": seed,
        "--key": key,
        "--mask-out": mask_out,
        "--emit-rounds": emit_rounds,
        "--apply-mask": apply_mask,
        "--repair": repair,
        "--shuffle-mask": shuffle_mask,
        "--rewind": rewind,
        "--rewind-from": rewind_from,
        "--timeout": timeout,
        "--seeds": seeds,
        "--jobs": jobs,
        "--cluster": cluster,
        "--keep-going": keep_going,
        "--strict": strict,
        "--dry-run": dry_run,
        "--compressed-size": compressed_size,
    }
    check_training(options_by_flag, has_training=has_training)
    check_mask(options_by_flag)
    if dry_run:
        check_dry_run(pictures, evaluate, compressed_size=compressed_size)

    gates = Gates("prune", fail_if, junit)
    evaluation = evaluation_of(evaluate, eval_timeout, gates)
    if not dry_run:
        columns = columns_of_report(options_by_flag, has_training=has_training)
        gates.check(columns, with_evaluation=evaluation is not None)

    working = partial(working_on, f"pruning {checkpoint}", quiet=quiet)
    file = FileToPrune(
        checkpoint,
        key=key,
        output=output,
        mask_out=mask_out,
        emit_rounds=emit_rounds,
        rewind_from=rewind_from,
        chain=chain,
        scores=scores,
        evaluate=evaluation,
        compressed_size=compressed_size,
        strict=strict,
        threads=threads,
        cluster=cluster,
    )
    mask = apply_mask or repair
    if mask is not None:
        check_given_mask(options_by_flag)
        by_mask = partial(file.prune_by_mask, repair=repair is not None, shuffle_mask=shuffle_mask, seed=seed or 0)
        with working() as on_step:
            pruning = by_mask(mask, patterns, pictures, force=force, on_step=on_step)
        gates.apply(pruning.report.rows)
        show(pruning.report, format, show_pruning)
        sum_up_pruning(pruning, format, quiet=quiet, verbose=verbose)
        gates.raise_failures()
        return

    options = PruningOptions(
        rounds=rounds,
        sparsity=sparsity,
        rate=rate,
        schedule=schedule,
        preset=preset,
        method=method or Method.TOPOLOGICAL,
        epsilon=epsilon,
        paths_below=paths_below,
        inputs=inputs,
        scope=scope,
        layer_rates=parse_layer_rates(layer_rates),
        layer_sparsity=parse_layer_sparsities(layer_sparsity),
        output_rate=output_rate,
        output_layer=output_layer,
        output_columns=tuple(output_columns or ()),
        pattern=pattern,
        seed=seed or 0,
        patterns=patterns,
    )
    if has_training:
        from .prune_trained import TrainedRounds

        trained = TrainedRounds(
            checkpoint,
            options,
            is_run=is_run,
            output=output,
            rewind=rewind,
            rewind_from=rewind_from,
            trainer=trainer,
            timeout=timeout,
            seeds=seeds,
            jobs=jobs,
            cluster=cluster,
            keep_going=keep_going,
            chain=chain,
            data_dir=data_dir,
            evaluate=evaluation,
            strict=strict,
            threads=threads,
        )
        if dry_run:
            with working():
                planned = trained.plan()
            gates.apply(planned.last_round())
            show_run_plan(planned, format, quiet=quiet)
        else:
            on_wait = partial(note, quiet=quiet)
            with working() as on_step:
                iterative = trained.run(pictures, force=force, on_step=on_step, on_wait=on_wait)
            gates.apply(iterative.report.last_round())
            show(iterative.report, format, show_rounds)
            sum_up_rounds(iterative, format, quiet=quiet, verbose=verbose)
        gates.raise_failures()
        return

    if dry_run:
        refuse({"--cluster": cluster}, "does not go with --dry-run of a checkpoint, which looks at it on this machine")
        with working() as on_step:
            plan = file.plan(options, on_step)
        gates.apply(plan.report.last_round())
        show_plan(plan, format, quiet=quiet)
        gates.raise_failures()
        return

    with working() as on_step:
        pruning = file.prune(options, pictures, force=force, on_step=on_step)
    gates.apply(pruning.report.last_round())
    show(pruning.report, format, show_pruning)
    sum_up_pruning(pruning, format, quiet=quiet, verbose=verbose)
    gates.raise_failures()


prune = Command("prune", _prune, "Example: topoimp prune lenet-300-100-mnist.safetensors --rounds 10")
