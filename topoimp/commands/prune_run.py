"""Prune with training between the rounds: the networks of a run folder, or a checkpoint with the user's own trainer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from topoimp.checkpoint import AnyPath, as_local, open_checkpoint
from topoimp.checkpoint.staging import check_is_here
from topoimp.choices import PictureSize
from topoimp.commands.prune_run_pictures import files_of_rounds
from topoimp.commands.run_inputs import images_of, recipe_texts, seeds_requested
from topoimp.commands.trained_rounds import IterativePruning, prune_seeds
from topoimp.engine.cluster import Cluster, SideBySide
from topoimp.errors import CheckpointError, OptionError
from topoimp.kernels.threads import OnStep, available_threads
from topoimp.network.chain import Chain, graph_of_chain
from topoimp.programs.evaluation import Evaluation
from topoimp.pruning.options import PruningOptions
from topoimp.reports.rows import chain_settings
from topoimp.rounds.network_inputs import needs_images, plan_for_network, with_training
from topoimp.rounds.planning import (
    Rewinding,
    deciding_settings,
    plan_of,
    rewinding_of,
    rounds_of,
    sha256_of_checkpoint,
    threads_of,
)
from topoimp.rounds.recipe_file import read_recipe
from topoimp.rounds.run_folder import SUFFIX, RunFiles, sha256_of
from topoimp.rounds.seed import SeedTask
from topoimp.rounds.trainer import Trainer
from topoimp.writing.outputs import check_outside_hub_cache


def prune_run(
    run: AnyPath,
    options: PruningOptions,
    *,
    rewind: str | None = None,
    rewind_from: AnyPath | None = None,
    seeds: Sequence[int] | None = None,
    trainer: Trainer | None = None,
    data_dir: AnyPath | None = None,
    evaluate: Evaluation | None = None,
    plot: AnyPath | None = None,
    figure: str | None = None,
    size: PictureSize | str | None = None,
    report: AnyPath | None = None,
    strict: bool = False,
    force: bool = False,
    threads: int | None = None,
    jobs: int | None = None,
    cluster: Cluster | None = None,
    keep_going: bool = False,
    on_step: OnStep | None = None,
    on_wait: Callable[[str], None] = lambda _message: None,
) -> IterativePruning:
    """Prune the networks of a run folder in rounds, each trained by the folder's recipe.

    The same call again continues an interrupted run: finished rounds are never done twice.

    Args:
        run: a folder that ``train_run`` wrote.
        options: number of rounds, method and layers; the recipe completes the options left open.
        rewind: the weights that the training of each round starts from: ``init``, ``step:K``, or ``none`` for those of
            the last round; the recipe's step if None.
        rewind_from: a checkpoint to start from instead.
        seeds: networks to prune, by seed; all if None.
        trainer: trains the rounds in place of the recipe.
        data_dir: folder of the recipe's data, or the .npz file.
        evaluate: a command that prints numbers about a checkpoint (``topoimp.programs.evaluation``): about the model of
            each round, beside that of round 0, also of rounds that exist and were not evaluated by it.
        plot: a new .svg, .pdf or .png file for a picture of all rounds in the folder
            (``topoimp.commands.prune_run_pictures``).
        figure: name of the picture's figure; ``lottery-ticket`` if None.
        size: width of the picture; ``column`` if None.
        report: a new .html file for a page with this report, all figures and the tables of the run folder
            (``topoimp.pages``).
        strict: stop at a round whose target is below a floor.
        force: begin anew where rounds exist.
        threads: number of cores that pruning uses; no result depends on it.
        jobs: number of seeds pruned at the same time.
        cluster: machines that prune the seeds (``topoimp.engine.cluster``), which share the file system.
        keep_going: prune the other seeds if one fails.
        on_step: called with the steps done and their number.
        on_wait: called with a sentence before waiting for a killed run on the same rounds that is still ending.

    Raises:
        OptionError: if an option does not fit the network, or contradicts another.
        CheckpointError: if the folder is no run folder, or lacks a seed.
        DataError: if the data cannot be read, or differ from those of the recipe.
        EvaluationError: if the evaluation of a round fails; the rounds before remain.
        OutputError: if existing rounds were pruned otherwise (without ``force``), rounds cannot be written, or the
            picture exists or has no matplotlib.
        GateError: if ``strict`` and a target is below a floor; the rounds before remain.
        TrainingError: if the trainer failed; the rounds before remain.
        VerificationError: if a round differs from its plan; the rounds before remain.
    """
    pictures = files_of_rounds(plot, figure, size, report, force=force)
    run = as_local(run)
    recorded = read_recipe(run)
    recipe = recorded.recipe
    requested = seeds_requested(run, seeds)
    rewinding = rewinding_of(rewind, rewind_from, recipe, options.preset)
    usual_jobs = 1 if trainer is not None else max(1, available_threads() // recipe.threads)
    side_by_side = SideBySide(jobs, cluster, keep_going)
    n_jobs = min(side_by_side.jobs or usual_jobs, len(requested))
    trained = open_checkpoint(RunFiles(run).seed(requested[0]).trained)
    plan, layers = plan_of(options, trained, recipe, threads=threads_of(threads, n_jobs), strict=strict)
    plan = with_training(plan, has_images=trainer is None)

    needs_data = needs_images(plan) or trainer is None or rewinding.step not in (None, 0, recipe.rewind_at)
    images = images_of(run, recorded, None if data_dir is None else Path(data_dir)) if needs_data else None
    plan = plan_for_network(plan, images)
    if images is not None and rewinding.step is not None:
        replace(recipe, rewind_at=rewinding.step).n_steps(len(images.train_labels))  # checks that it is one of them
    if recorded.starts_otherwise and rewinding.step not in (None, 0, recipe.rewind_at):
        known = f"weights of the steps 0 and {recipe.rewind_at}"
        raise OptionError(f"`rewind` is {rewind}; a run that was trained with `init` or `mask` has {known} alone")

    settings = {
        **deciding_settings(plan.scheme),
        "rewind": rewinding.text(),
        "trainer": "built-in" if trainer is None else " ".join(trainer.words),
        "recipe_sha256": sha256_of(RunFiles(run).recipe),
    }
    is_usual = rewinding == Rewinding(recipe.rewind_at)
    tasks = [
        SeedTask(
            files=files,
            rounds=rounds_of(files, plan.scheme, settings, SUFFIX, is_usual=is_usual),
            plan=plan,
            settings=settings,
            trained=files.trained,
            rewinding=rewinding,
            trainer=trainer,
            recipe=recipe,
            images=images,
            force=force,
            evaluate=evaluate,
        )
        for files in map(RunFiles(run).seed, requested)
    ]
    texts = recipe_texts(run)
    return prune_seeds(run, tasks, layers, pictures, texts, side_by_side, usual_jobs, on_step, on_wait)


def prune_with_trainer(
    path: AnyPath,
    options: PruningOptions,
    *,
    trainer: Trainer,
    rewind: str | None = None,
    rewind_from: AnyPath | None = None,
    output: AnyPath | None = None,
    seeds: Sequence[int] | None = None,
    chain: Chain | None = None,
    evaluate: Evaluation | None = None,
    plot: AnyPath | None = None,
    figure: str | None = None,
    size: PictureSize | str | None = None,
    report: AnyPath | None = None,
    strict: bool = False,
    force: bool = False,
    threads: int | None = None,
    jobs: int | None = None,
    cluster: Cluster | None = None,
    keep_going: bool = False,
    on_step: OnStep | None = None,
    on_wait: Callable[[str], None] = lambda _message: None,
) -> IterativePruning:
    """Prune a trained checkpoint in rounds, each trained by the user's own command.

    The arguments are those of ``prune_run``, but for these. ``path`` is the trained checkpoint, a file or a folder. It
    never changes. ``rewind`` is ``none``, to train on from the last round, or None if ``rewind_from`` is given.
    ``output`` is the folder of the rounds, by default ``STEM.rounds`` beside the checkpoint. Each of ``seeds``, by
    default 0, has rounds of its own and is handed to the trainer. ``chain`` has the layers of the network in their
    order, for the columns of paths and for methods of whole networks; they alone are pruned, unless the patterns
    include layers by name. ``jobs`` is 1 by default.

    Raises:
        OptionError: if training has no starting point, or an option does not fit the network or another option.
        TopoimpError: as ``prune_run``.
    """
    pictures = files_of_rounds(plot, figure, size, report, force=force)
    path = as_local(path)
    rewinding = rewinding_of(rewind, rewind_from, None, options.preset)
    checkpoint = open_checkpoint(path)
    if checkpoint.ties:
        one, other = next(iter(checkpoint.ties.items()))
        raise CheckpointError(
            f"{path}: tensors {one!r} and {other!r} share their data, which the safetensors files of rounds cannot; "
            "save it as safetensors, where one of them is left out"
        )

    named = checkpoint.paths.folder or path.with_suffix("")
    named = named if named.name not in ("", "..") else named.resolve()
    run = named.with_name(f"{named.name}.rounds") if output is None else Path(output)
    check_is_here(run)
    check_outside_hub_cache(run)
    side_by_side = SideBySide(jobs, cluster, keep_going)
    n_jobs = side_by_side.jobs or 1
    graph = None if chain is None else graph_of_chain(checkpoint, chain)
    plan, layers = plan_of(options, checkpoint, None, chain=graph, threads=threads_of(threads, n_jobs), strict=strict)
    plan = plan_for_network(with_training(plan, has_images=False), None)
    settings = {
        **deciding_settings(plan.scheme),
        "rewind": rewinding.text(),
        "trainer": " ".join(trainer.words),
        **chain_settings(graph),
        "checkpoint_sha256": sha256_of_checkpoint(checkpoint),
    }
    suffix = SUFFIX if checkpoint.paths.folder is None else ""
    tasks = [
        SeedTask(
            files=files,
            rounds=rounds_of(files, plan.scheme, settings, suffix, is_usual=rewinding.checkpoint is not None),
            plan=plan,
            settings=settings,
            trained=path,
            rewinding=rewinding,
            trainer=trainer,
            force=force,
            evaluate=evaluate,
        )
        for files in map(RunFiles(run).seed, [0] if seeds is None else seeds)
    ]
    texts = checkpoint.metadata
    return prune_seeds(run, tasks, layers, pictures, texts, side_by_side, 1, on_step, on_wait, chain=graph)
