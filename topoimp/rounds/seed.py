"""The rounds of one seed, in a process of their own: what they are made of, and what they go on from."""

import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint import Staging, open_checkpoint, write_arrays
from topoimp.data import Images
from topoimp.errors import CheckpointError, OutputError
from topoimp.kernels.threads import OnStep
from topoimp.reports.report import rows_of_file
from topoimp.rounds.loop import Plan, Start, prune_iteratively, sole_run
from topoimp.rounds.run_folder import RoundFiles, SeedFiles, pruning_name, read_toml, to_toml
from topoimp.rounds.trainer import Trainer
from topoimp.rounds.training_task import METRICS, Retrain
from topoimp.training.recipes import Recipe


@dataclass(frozen=True)
class SeedTask:
    """The rounds of one seed.

    Args:
        files: where the seed lies, in the folder of all seeds.
        plan: what all rounds share.
        settings: what decides the rounds, as pruning.toml is to hold it.
        trained: the unpruned network.
        rewind_step: the step of the recipe to rewind to; None if it is another checkpoint, or none.
        rewind_from: the checkpoint to rewind to.
        trainer: trains the rounds; the recipe does if None.
        recipe: of the run folder, if it is one.
        images: the recipe's data, where they are needed.
        force: begin anew.
    """

    files: SeedFiles
    plan: Plan
    settings: Mapping[str, object]
    trained: Path
    rewind_step: int | None
    rewind_from: Path | None
    trainer: Trainer | None
    recipe: Recipe | None
    images: Images | None
    force: bool

    @property
    def rounds(self) -> RoundFiles:
        """Where the rounds lie."""
        plan, is_folder = self.plan, open_checkpoint(self.trained).found.folder is not None
        folder = self.files.folder / pruning_name(plan.method, plan.epsilon, plan.scope)
        return RoundFiles(folder, suffix="" if is_folder else ".safetensors")


_PARTS = 1000
"""Parts of a round, of which it is told how many are done."""


def prune_seed(task: SeedTask, on_step: OnStep) -> int:
    """Do the rounds of one seed that are not finished, and give how many these were."""
    rounds = task.rounds
    try:
        rounds.folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{rounds.folder}: cannot be made: {error.strerror}") from error
    with sole_run(rounds):
        _begin(rounds, task.settings, force=task.force)
        return _do_rounds(task, rounds, on_step)


def _do_rounds(task: SeedTask, rounds: RoundFiles, on_step: OnStep) -> int:
    rewind = task.rewind_from
    if task.rewind_step is not None and task.recipe is not None:
        rewind = _weights_after(task.rewind_step, task)
    n_to_do, n_done = task.plan.schedule.n_rounds + 1 - max(rounds.n_finished(), 1), 0

    def on_round(_number: int) -> None:
        nonlocal n_done
        n_done += 1
        on_step(n_done * _PARTS, n_to_do * _PARTS)

    def on_training_step(step: int, n_steps: int) -> None:
        on_step(n_done * _PARTS + (_PARTS - 1) * step // max(n_steps, 1), n_to_do * _PARTS)

    start = Start(task.files.seed, task.trained, rewind, _metrics_of(task.files.metrics))
    retrain = _retrain(task, is_fine_tuning=rewind is None, on_step=on_training_step)
    prune_iteratively(start, rounds, task.plan, retrain, on_round=on_round)
    return n_done


def _retrain(task: SeedTask, *, is_fine_tuning: bool, on_step: OnStep) -> Retrain:
    """Give what trains the rounds: the user's own command, or the recipe."""
    recipe, images = task.recipe, task.images
    if task.trainer is not None:
        return task.trainer.retrain
    if recipe is None or images is None:
        raise ValueError("the built-in trainer needs a recipe and its data")
    from topoimp.rounds.built_in_trainer import built_in_trainer
    from topoimp.training.learning_rates import fine_tuning

    if is_fine_tuning:
        recipe = fine_tuning(recipe, len(images.train_labels))
    return built_in_trainer(recipe, images, from_step=task.rewind_step or 0, on_step=on_step)


def _weights_after(step: int, task: SeedTask) -> Path:
    """Give the weights of a seed after a step of its training, which is made anew to there if it was not kept."""
    files, recipe, images = task.files, task.recipe, task.images
    if step == 0:
        return files.initial
    said = {"topoimp.step": str(step), "topoimp.recipe_sha256": str(task.settings.get("recipe_sha256"))}
    if files.rewind.is_file() and open_checkpoint(files.rewind).metadata.get("topoimp.step") == str(step):
        return files.rewind
    target = files.after_step(step)
    if target.is_file() and said.items() <= open_checkpoint(target).metadata.items():
        return target
    if images is None or recipe is None:
        raise CheckpointError(f"{files.rewind}: holds other weights than those of step {step}; train makes them")
    from topoimp.training.loop import train_until

    with Staging([target], force=True) as staging:
        weights = train_until(recipe, images, seed=files.seed, step=step)
        write_arrays(staging.partial(target), weights, {"format": "pt", **said})
        staging.commit()
    return target


def _begin(rounds: RoundFiles, settings: Mapping[str, object], *, force: bool) -> None:
    """Have pruning.toml say what decides the rounds; refuse to go on with others."""
    try:
        if force and rounds.folder.is_dir():
            old = rounds.folder.with_name(f".{rounds.folder.name}.replaced")  # so that none of it is ever half there
            shutil.rmtree(old, ignore_errors=True)
            rounds.folder.replace(old)
            shutil.rmtree(old, ignore_errors=True)
        rounds.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{rounds.folder}: cannot be made: {error.strerror or error}") from error
    text = to_toml(settings)
    if not rounds.settings.is_file():
        if rounds.n_finished():
            raise OutputError(f"{rounds.folder}: holds rounds, but not what decided them; --force begins anew")
        with Staging([rounds.settings], force=True) as staging:
            staging.partial(rounds.settings).write_text(text, encoding="utf-8")
            staging.commit()
        return
    there, wanted = read_toml(rounds.settings), tomllib.loads(text)
    for key in [*wanted, *there]:
        if there.get(key) != wanted.get(key):
            raise OutputError(
                f"{rounds.folder}: was begun with {key} {there.get(key)!r}, not {wanted.get(key)!r}; "
                "--force begins anew, and loses these rounds"
            )


def _metrics_of(path: Path) -> dict[str, float | None]:
    """Give what metrics.csv says of the trained network; nothing if there is none."""
    if not path.is_file():
        return {}
    last = rows_of_file(path)[-1]
    return {name: float(value) if isinstance(value := last.get(name), int | float) else None for name in METRICS}
