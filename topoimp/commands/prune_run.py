"""Pruning with training between the rounds: of the networks of a run folder, or with a trainer of one's own."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from topoimp.checkpoint import Staging, open_checkpoint
from topoimp.choices import Data, Method
from topoimp.data import Images, load_images
from topoimp.errors import CheckpointError, DataError, OptionError, TopoimpError
from topoimp.kernels.threads import OnStep, available_threads
from topoimp.layers.catalogue import natural
from topoimp.reports.report import Report
from topoimp.reports.rows import left_out, pattern_settings
from topoimp.rounds.planning import (
    RoundOptions,
    check_rewinding,
    checked_jobs,
    plan_of,
    rewind_step,
    rewind_words,
    settings_of,
    sha256_of,
)
from topoimp.rounds.recipe_file import RunRecipe, read_recipe
from topoimp.rounds.replicates import run_tasks
from topoimp.rounds.run_folder import SUFFIX, RunFiles
from topoimp.rounds.seed import SeedTask, prune_seed
from topoimp.rounds.sole_run import await_ending_run
from topoimp.rounds.table import rounds_of, rows_in, summary_in, table_text
from topoimp.rounds.trainer import Trainer
from topoimp.training.recipes import Recipe


@dataclass(frozen=True)
class IterativePruning:
    """What was pruned and written.

    Args:
        report: a row per seed, round and layer, and one per seed and round.
        run: the folder that holds all.
        folders: of each seed, the folder of its rounds.
        n_new: rounds done now; the others were there.
        held_at_floor: layers whose last target is below their floor.
    """

    report: Report
    run: Path
    folders: Sequence[Path]
    n_new: int
    held_at_floor: Sequence[str]


def prune_run(
    run: Path,
    options: RoundOptions,
    *,
    seeds: Sequence[int] | None = None,
    trainer: Trainer | None = None,
    data_dir: Path | None = None,
    on_step: OnStep | None = None,
    on_wait: Callable[[str], None] = lambda _message: None,
) -> IterativePruning:
    """Prune the networks of a run folder in rounds, each of which is trained by the folder's recipe.

    The same again continues where it stopped: finished rounds are never done twice.

    Args:
        run: what ``train_run`` wrote.
        options: how to prune.
        seeds: which of its networks; all if None.
        trainer: trains the rounds in place of the recipe.
        data_dir: where the recipe's data lie, or the .npz file.
        on_step: told how much has been done.
        on_wait: called with a sentence before waiting for a killed run on the same rounds that is still ending.

    Raises:
        OptionError: if an option is out of range, or contradicts another.
        CheckpointError: if the folder is no run folder, or a seed is not there.
        DataError: if the data cannot be read, or are not those of the recipe.
        OutputError: if rounds are there that were pruned otherwise (without ``force``), or cannot be written.
        GateError: if ``strict`` and a target is below a floor; the rounds before remain.
        TrainingError: if the trainer did not do its work; the rounds before remain.
        VerificationError: if a round is not what it was meant to be; the rounds before remain.
    """
    run = Path(run)
    said = read_recipe(run)
    wanted = seeds_wanted(run, seeds)
    step = rewind_step(options, said.recipe)
    jobs = _jobs(options, said.recipe, trainer, len(wanted))
    plan = plan_of(options, RunFiles(run).seed(wanted[0]).trained, said.recipe, jobs=jobs)
    needs_data = trainer is None or step not in (None, 0, said.recipe.rewind_at)
    images = _images_of(run, said, data_dir) if needs_data else None
    if images is not None and step is not None:
        replace(said.recipe, rewind_at=step).n_steps(len(images.train_labels))  # it must be one of its steps
    settings = {
        **settings_of(options, plan),
        "rewind": rewind_words(options, step),
        "trainer": "built-in" if trainer is None else " ".join(trainer.words),
        "recipe_sha256": hashlib.sha256(RunFiles(run).recipe.read_bytes()).hexdigest(),
    }
    tasks = [
        SeedTask(
            files=files,
            rounds=files.pruning(plan.method, plan.epsilon, plan.scope),
            plan=plan,
            settings=settings,
            trained=files.trained,
            rewind_step=step,
            rewind_from=options.rewind_from,
            trainer=trainer,
            recipe=said.recipe,
            images=images,
            force=options.force,
        )
        for files in map(RunFiles(run).seed, wanted)
    ]
    return _pruned(run, tasks, jobs, on_step, on_wait)


def seeds_wanted(run: Path, seeds: Sequence[int] | None) -> list[int]:
    """Give the seeds asked for; all that there are if None.

    Raises:
        CheckpointError: if one of them has no trained network, or there is none.
    """
    there = RunFiles(run).trained_seeds()
    wanted = there if seeds is None else list(seeds)
    missing = [seed for seed in wanted if seed not in there]
    if missing or not wanted:
        raise CheckpointError(f"{run}: has no trained network of seed {missing[0] if missing else 0}; train makes it")
    return wanted


def prune_with_trainer(
    path: Path,
    options: RoundOptions,
    *,
    trainer: Trainer,
    output: Path | None = None,
    seeds: Sequence[int] | None = None,
    on_step: OnStep | None = None,
    on_wait: Callable[[str], None] = lambda _message: None,
) -> IterativePruning:
    """Prune a trained checkpoint in rounds, each of which a user's own command trains.

    The same again continues where it stopped: finished rounds are never done twice.

    Args:
        path: the trained checkpoint, a file or a folder; never changed.
        options: how to prune; what to rewind to is to be said.
        trainer: trains the rounds.
        output: the folder for the rounds; ``STEM.rounds`` beside the checkpoint if None.
        seeds: handed to the trainer; replicates are rounds of their own. 0 if None.
        on_step: told how much has been done.
        on_wait: called with a sentence before waiting for a killed run on the same rounds that is still ending.

    Raises:
        OptionError: if it is not said what to rewind to, an option is out of range, or contradicts another.
        TopoimpError: as ``prune_run``.
    """
    path = Path(path)
    check_rewinding(options)
    if options.rewind_from is None and options.rewind != "none":
        raise OptionError(
            "training has no starting point; `rewind_from` names the weights to rewind to, `rewind` none trains on"
        )
    checkpoint = open_checkpoint(path)
    if checkpoint.ties:
        one, other = next(iter(checkpoint.ties.items()))
        raise CheckpointError(
            f"{path}: tensors {one!r} and {other!r} share their data, which the safetensors files of rounds cannot; "
            "save it as safetensors, where one of them is left out"
        )
    named = checkpoint.found.folder or path.with_suffix("")
    named = named if named.name not in ("", "..") else named.resolve()
    run = named.with_name(f"{named.name}.rounds") if output is None else Path(output)
    wanted = [0] if seeds is None else list(seeds)
    jobs = checked_jobs(options)
    plan = plan_of(options, path, None, jobs=jobs)
    settings = {
        **settings_of(options, plan),
        "rewind": rewind_words(options, None),
        "trainer": " ".join(trainer.words),
        "checkpoint_sha256": sha256_of(path),
    }
    suffix = SUFFIX if checkpoint.found.folder is None else ""
    tasks = [
        SeedTask(
            files=files,
            rounds=files.pruning(plan.method, plan.epsilon, plan.scope, suffix=suffix),
            plan=plan,
            settings=settings,
            trained=path,
            rewind_step=None,
            rewind_from=options.rewind_from,
            trainer=trainer,
            recipe=None,
            images=None,
            force=options.force,
        )
        for files in map(RunFiles(run).seed, wanted)
    ]
    return _pruned(run, tasks, jobs, on_step, on_wait)


def _pruned(
    run: Path, tasks: Sequence[SeedTask], jobs: int, on_step: OnStep | None, on_wait: Callable[[str], None]
) -> IterativePruning:
    """Do all seeds, and sum up what is finished, however that ends."""
    for task in tasks:
        await_ending_run(task.rounds, on_wait)
    try:
        n_new = sum(run_tasks(prune_seed, tasks, jobs=jobs, on_step=on_step))
    except BaseException:
        with suppress(TopoimpError):  # what went wrong first is what is to be said
            _write_tables(run)
        raise
    _write_tables(run)
    plan, settings = tasks[0].plan, tasks[0].settings
    rows = [row for task in tasks for row in rows_in(task.rounds, plan.schedule.n_rounds)]
    report = Report(
        "prune",
        {"run": run},
        {
            "method": plan.method,
            "epsilon": plan.epsilon if plan.method is Method.TOPOLOGICAL else None,
            "scope": plan.scope,
            "rounds": plan.schedule.n_rounds,
            "rate": plan.schedule.effective_rate(),
            "layer_rates": [f"{pattern}={float(rate)!r}" for pattern, rate in plan.schedule.layer_rates],
            "sparsity": None if plan.schedule.sparsity is None else float(plan.schedule.sparsity),
            "seeds": [str(task.files.seed) for task in tasks],
            "rewind": str(settings["rewind"]),
            "trainer": str(settings["trainer"]),
            **pattern_settings(plan.patterns),
        },
        rows,
        left_out(plan.stream(tasks[0].trained).layers),
        {"rounds": RunFiles(run).rounds, "summary": RunFiles(run).summary},
    )
    last = [row for row in rows if row["round"] == plan.schedule.n_rounds and row["level"] == "layer"]
    held = sorted({str(row["layer"]) for row in last if row["floor_binds"]}, key=natural)
    return IterativePruning(report, run, [task.rounds.folder for task in tasks], n_new, held)


def _write_tables(run: Path) -> None:
    """Write rounds.csv and summary.csv anew, if a round is finished."""
    rows = rounds_of(run)
    if not rows:
        return
    texts = {RunFiles(run).rounds: table_text(rows), RunFiles(run).summary: table_text(summary_in(run))}
    if all(path.is_file() and path.read_bytes() == text.encode() for path, text in texts.items()):
        return
    with Staging(list(texts), force=True) as staging:
        for path, text in texts.items():
            staging.partial(path).write_text(text, encoding="utf-8")
        staging.commit()


def _images_of(run: Path, said: RunRecipe, folder: Path | None) -> Images:
    """Load the data of a recipe, and make sure that they are what it was trained on."""
    recipe = RunFiles(run).recipe
    is_file = folder is not None and Path(folder).suffix == ".npz"
    if not is_file and said.data not in set(Data):
        raise DataError(f"{recipe}: was trained on arrays called {said.data}; `data_dir` must name their .npz")
    images = load_images(str(folder)) if is_file else load_images(said.data, folder)
    if images.sha256() != said.sha256:
        raise DataError(
            f"{recipe}: was trained on {said.data} of sha256 {said.sha256[:12]}..., and these are others "
            f"({images.sha256()[:12]}...); `data_dir` must name the recipe's"
        )
    return images


def _jobs(options: RoundOptions, recipe: Recipe, trainer: Trainer | None, n_seeds: int) -> int:
    if options.jobs is not None:
        return min(checked_jobs(options), n_seeds)
    return 1 if trainer is not None else min(max(1, available_threads() // recipe.threads), n_seeds)
