"""``topoimp prune``."""

from functools import partial

from topoimp.choices import Method

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
    Quiet,
    Rate,
    Threads,
    Verbose,
    layer_patterns,
    refuse,
)
from .output import show
from .picture_options import FigureName, PageFile, PictureArguments, Plot, Size
from .prune_options import (
    ApplyMask,
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
from .prune_texts import parse_layer_rates, parse_layer_sparsities, parse_rounds
from .streams import note
from .training_options import DataDir, Jobs, Seeds


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
    seed: Seed = None,
    key: Key = None,
    include: Include = None,
    exclude: Exclude = None,
    embeddings: Embeddings = False,
    groups: Groups = None,
    chain: Chain = None,
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
    data_dir: DataDir = None,
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
    from topoimp.commands.pruning_columns import columns_of
    from topoimp.errors import OptionError
    from topoimp.pruning.options import PruningOptions
    from topoimp.rounds.run_folder import is_run_folder

    is_run = is_run_folder(checkpoint)
    patterns = layer_patterns(include, exclude, groups, embeddings=embeddings)
    pictures = PictureArguments(plot=plot, figure=figure, size=size, report=report)
    of_pictures = {f"--{name}": value for name, value in pictures.items()}
    if is_run or trainer is not None:
        of_files = {
            "--apply-mask": apply_mask,
            "--repair": repair,
            "--mask-out": mask_out,
            "--emit-rounds": emit_rounds,
            "--seed": seed,
            "--compressed-size": compressed_size,
        }
        refuse({**of_files, "--key": key}, "does not go with rounds that are trained")
    else:
        of_training = {"--rewind": rewind, "--timeout": timeout, "--seeds": seeds, "--jobs": jobs}
        refuse(of_training, "does not go with pruning without training (a run folder or --trainer has some)")

    if apply_mask is not None:
        refuse({"--repair": repair}, "takes the place of --apply-mask; give only one of them")
    if apply_mask is None and repair is None:
        refuse({"--shuffle-mask": shuffle_mask}, "needs --apply-mask or --repair")

    if dry_run:
        refuse(of_pictures, "does not go with --dry-run, which draws nothing")
        refuse({"--compressed-size": compressed_size}, "does not go with --dry-run, which writes nothing")

    gates = Gates("prune", fail_if, junit)
    if not dry_run:
        mask_option = "repair" if repair is not None else "apply_mask" if apply_mask is not None else None
        is_trained = is_run or trainer is not None
        gates.check(columns_of(mask_option, is_trained=is_trained, compressed_size=compressed_size))

    working = partial(working_on, f"pruning {checkpoint}", quiet=quiet)
    mask = apply_mask or repair
    if mask is not None:
        amounts = (rounds, sparsity, rate, schedule, preset, layer_rates, layer_sparsity, output_rate, output_layer)
        seed_alone = None if shuffle_mask else seed
        of_rounds = (*amounts, method, paths_below, inputs, scope, seed_alone, emit_rounds, rewind_from)
        if any(option is not None for option in of_rounds) or epsilon or strict or dry_run:
            option = "--apply-mask" if repair is None else "--repair"
            raise OptionError(f"{option} is pruning by a given mask; options of rounds and methods do not go with it")
        from topoimp.commands.apply_mask import apply_mask as prune_by_mask

        with working() as on_step:
            pruning = prune_by_mask(
                checkpoint,
                mask,
                key=key,
                output=output,
                patterns=patterns,
                shuffle_mask=shuffle_mask,
                seed=seed or 0,
                repair=repair is not None,
                mask_out=mask_out,
                chain=chain,
                **pictures,
                compressed_size=compressed_size,
                force=force,
                threads=threads,
                on_step=on_step,
            )
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
        seed=seed or 0,
        patterns=patterns,
    )
    if is_run or trainer is not None:
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
            chain=chain,
            data_dir=data_dir,
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
                iterative = trained.run(pictures, force=force, jobs=jobs, on_step=on_step, on_wait=on_wait)
            gates.apply(iterative.report.last_round())
            show(iterative.report, format, show_rounds)
            sum_up_rounds(iterative, format, quiet=quiet, verbose=verbose)
        gates.raise_failures()
        return

    numbers = parse_rounds(emit_rounds)
    if dry_run:
        from topoimp.commands.plan_pruning import plan_pruning

        with working() as on_step:
            plan = plan_pruning(
                checkpoint,
                options,
                key=key,
                output=output,
                mask_out=mask_out,
                emit_rounds=numbers,
                rewind_from=rewind_from,
                chain=chain,
                strict=strict,
                threads=threads,
                on_step=on_step,
            )
        gates.apply(plan.report.last_round())
        show_plan(plan, format, quiet=quiet)
        gates.raise_failures()
        return

    from topoimp.commands.prune import prune_checkpoint

    with working() as on_step:
        pruning = prune_checkpoint(
            checkpoint,
            options,
            key=key,
            output=output,
            mask_out=mask_out,
            emit_rounds=numbers,
            rewind_from=rewind_from,
            chain=chain,
            **pictures,
            compressed_size=compressed_size,
            strict=strict,
            force=force,
            threads=threads,
            on_step=on_step,
        )
    gates.apply(pruning.report.last_round())
    show(pruning.report, format, show_pruning)
    sum_up_pruning(pruning, format, quiet=quiet, verbose=verbose)
    gates.raise_failures()


prune = Command("prune", _prune, "Example: topoimp prune lenet-300-100-mnist.safetensors --rounds 10")
