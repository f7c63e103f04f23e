"""The rounds of one seed: settled, locked against other runs, and done, in a process of their own."""

import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from topoimp.checkpoint import Checkpoint, LockState, Owner, Staging, open_checkpoint, owned, owner_of, write_arrays
from topoimp.data import Images
from topoimp.errors import CheckpointError, OutputError
from topoimp.kernels.threads import OnStep
from topoimp.programs.evaluation import Evaluation
from topoimp.reports.report import rows_of_file
from topoimp.rounds.loop import prune_iteratively
from topoimp.rounds.plan import Plan, Start
from topoimp.rounds.planning import Rewinding
from topoimp.rounds.recipe_file import read_toml
from topoimp.rounds.run_folder import PruningFiles, SeedFiles
from topoimp.rounds.trainer import METRICS, Retrain, Trainer, built_in_trainer
from topoimp.training.recipes import Recipe


@dataclass(frozen=True)
class SeedTask:
    """The rounds of one seed, from the unpruned network ``trained`` on; ``force`` replaces rounds that exist.

    The recipe trains them, on its images, if there is no ``trainer``. The ``settings`` are those in pruning.toml.
    ``evaluate`` runs on the model of each round.
    """

    files: SeedFiles
    rounds: PruningFiles
    plan: Plan
    settings: Mapping[str, object]
    trained: Path
    rewinding: Rewinding
    trainer: Trainer | None
    recipe: Recipe | None = None
    images: Images | None = None
    force: bool = False
    evaluate: Evaluation | None = None


@contextmanager
def sole_run(files: PruningFiles) -> Iterator[None]:
    """Lock the rounds within the context, or raise an OutputError if another run holds the lock.

    A killed run whose processes are ending is waited for, a bounded time.
    """
    with ExitStack() as stack:
        try:
            state = stack.enter_context(owned(files.lock))
        except OSError as error:
            raise OutputError(f"{files.folder}: cannot be written: {error.strerror}") from error
        if state is LockState.TAKEN:
            owner = owner_of(files.lock)
            raise OutputError(f"{files.folder}: another run is at work there{'' if owner is None else f' ({owner})'}")
        yield


def await_ending_run(files: PruningFiles, on_wait: Callable[[str], None]) -> None:
    """Wait as ``sole_run`` does, after a call of ``on_wait`` with the sentence that says so."""

    def on_owner(owner: Owner) -> None:
        which = "another run, which may be ending" if owner.is_elsewhere else "a run that is ending"
        on_wait(f"{files.folder}: waiting for {which} ({owner})")

    if files.lock.exists():
        with suppress(OSError), owned(files.lock, on_wait=on_owner):  # sole_run reports an error of the lock
            pass


_PARTS = 1000
"""Steps that progress counts for each round."""


def prune_seed(task: SeedTask, on_step: OnStep) -> None:
    """Do the rounds of one seed that are not finished."""
    _make_folder(task.rounds.folder.parent, task.rounds)
    with sole_run(task.rounds):
        if task.force:
            _remove_rounds(task.rounds)
        _settle(task.rounds, task.settings)
        _do_rounds(task, on_step)


def _do_rounds(task: SeedTask, on_step: OnStep) -> None:
    rewinding = task.rewinding
    rewind = None if rewinding.checkpoint is None else open_checkpoint(rewinding.checkpoint)
    if rewinding.step is not None:
        rewind = _weights_after(rewinding.step, task)

    # Training takes nearly all of a round's time: progress counts its steps.
    n_to_do = task.plan.scheme.schedule.n_rounds + 1 - max(task.rounds.n_finished(), 1)
    n_done = 0

    def on_round() -> None:
        nonlocal n_done
        n_done += 1
        on_step(n_done * _PARTS, n_to_do * _PARTS)

    def on_training_step(step: int, n_steps: int) -> None:
        on_step(n_done * _PARTS + (_PARTS - 1) * step // max(n_steps, 1), n_to_do * _PARTS)

    start = Start(task.files.seed, task.trained, rewind, _final_metrics(task.files.metrics))
    retrain = _retrain(task, is_fine_tuning=rewind is None, on_step=on_training_step)
    prune_iteratively(start, task.rounds, task.plan, retrain, evaluate=task.evaluate, on_round=on_round)


def _retrain(task: SeedTask, *, is_fine_tuning: bool, on_step: OnStep) -> Retrain:
    """Return the function that trains the rounds: by the user's command, or by the recipe."""
    recipe, images = task.recipe, task.images
    if task.trainer is not None:
        return task.trainer.retrain
    if recipe is None or images is None:
        raise ValueError("the built-in trainer needs a recipe and its data")

    if is_fine_tuning:
        recipe = recipe.fine_tuning(len(images.train_labels))
    return built_in_trainer(recipe, images, from_step=task.rewinding.step or 0, on_step=on_step)


def _weights_after(step: int, task: SeedTask) -> Checkpoint:
    """Return a checkpoint of the weights after a step of the recipe; train up to it if there is none."""
    files, recipe, images = task.files, task.recipe, task.images
    if step == 0:
        return open_checkpoint(files.initial)

    target = files.after_step(step)
    of_step = {"topoimp.step": str(step)}
    origin = {**of_step, "topoimp.recipe_sha256": str(task.settings.get("recipe_sha256"))}
    for path, needed in (
        (files.rewind, of_step),
        (target, origin),
    ):  # of train, of an earlier run
        if path.is_file() and needed.items() <= (weights := open_checkpoint(path)).metadata.items():
            return weights

    if images is None or recipe is None:
        raise CheckpointError(f"{files.rewind}: holds other weights than those of step {step}; train makes them")
    from topoimp.training.loop import train_until

    with Staging([target], force=True) as staging:
        reached = train_until(recipe, images, seed=files.seed, step=step)
        write_arrays(staging.partial(target), reached, {"format": "pt", **origin})
        staging.commit()
    return open_checkpoint(target)


def _make_folder(folder: Path, rounds: PruningFiles) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{rounds.folder}: cannot be made: {error.strerror}") from error


def _remove_rounds(rounds: PruningFiles) -> None:
    """Remove the folder of the rounds; it is renamed first, so that it is never half there."""
    renamed = rounds.folder.with_name(f".{rounds.folder.name}.replaced")
    try:
        shutil.rmtree(renamed, ignore_errors=True)
        if rounds.folder.is_dir():
            rounds.folder.replace(renamed)
            shutil.rmtree(renamed, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{rounds.folder}: cannot be made: {error.strerror or error}") from error


def _settle(rounds: PruningFiles, settings: Mapping[str, object]) -> None:
    """Write pruning.toml; if it exists, check that its settings are the same."""
    _make_folder(rounds.folder, rounds)
    text = tomli_w.dumps(settings)
    if not rounds.settings.is_file():
        if rounds.n_finished():
            raise OutputError(f"{rounds.folder}: holds rounds without their settings; `force` begins anew")
        with Staging([rounds.settings], force=True) as staging:
            staging.partial(rounds.settings).write_text(text, encoding="utf-8")
            staging.commit()
        return

    existing = read_toml(rounds.settings)
    requested = tomllib.loads(text)
    for key in [*requested, *existing]:
        if existing.get(key) != requested.get(key):
            begun = f"was begun with {key} {existing.get(key)!r}, not {requested.get(key)!r}"
            raise OutputError(f"{rounds.folder}: {begun}; `force` begins anew, and loses these rounds")


def _final_metrics(path: Path) -> dict[str, float | None]:
    """Return the last metrics of training; none without metrics.csv."""
    if not path.is_file():
        return {}
    last = rows_of_file(path)[-1]
    return {name: float(value) if isinstance(value := last.get(name), int | float) else None for name in METRICS}
