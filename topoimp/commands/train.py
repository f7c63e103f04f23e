"""Make small trained networks to study: their initial, rewind and trained weights in a run folder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from topoimp.architectures import parse_architecture
from topoimp.checkpoint import Staging, write_arrays
from topoimp.choices import Data, Recipes, check_seed, chosen
from topoimp.data import Images, load_images
from topoimp.errors import OptionError, OutputError
from topoimp.kernels.threads import OnStep, available_threads
from topoimp.reports.columns import Row
from topoimp.reports.report import Report, rows_of_file
from topoimp.rounds.replicates import run_tasks
from topoimp.rounds.run_folder import RECIPE, RunRecipe, SeedFiles
from topoimp.training.recipes import Recipe, data_of_recipe, recipe_for

if TYPE_CHECKING:
    from topoimp.training.loop import Trained

SMALL = 1_000_000
"""A network of so many parameters gains little from a second thread, its replicates more from cores of their own."""


@dataclass(frozen=True)
class Training:
    """What was trained and written.

    Args:
        report: a row per seed and epoch.
        folder: the run folder.
        seed_folders: the folders in it that hold the weights.
        n_new: how many of these were trained now; the others were there.
    """

    report: Report
    folder: Path
    seed_folders: Sequence[Path]
    n_new: int

    @property
    def seed_folder(self) -> Path:
        """The folder of the first seed."""
        return self.seed_folders[0]


def train_run(
    model: str,
    *,
    data: Data | str | None = None,
    data_folder: Path | None = None,
    recipe: Recipes | str = Recipes.DEFAULT,
    output: Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    rewind_at: int = 0,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    jobs: int | None = None,
    threads: int | None = None,
    device: str = "auto",
    force: bool = False,
    on_step: OnStep = lambda _step, _n_steps: None,
) -> Training:
    """Train a network, once or with several seeds, and write a run folder (see ``topoimp.rounds.run_folder``).

    Args:
        model: ``lenet-300-100``, ``resnet-20``, ... or widths as in ``mlp:64-32-10``; see ``parse_architecture``.
        data: the data set, or an .npz file of arrays; that of the recipe, or digits, if None.
        data_folder: where the files of a published data set lie.
        recipe: the data's default, the network's canonical (published) one, or that in fewer epochs.
        output: the run folder; ``<model>-<data>`` if None. Runs of other seeds with the same recipe share it.
        epochs: passes over the training set; that of the recipe if None.
        batch_size: images a step; the same.
        learning_rate: the same.
        rewind_at: step after which the rewind weights are taken; 0 takes the initial ones.
        seed: of the initial weights and the order of the images; at least 0.
        seeds: several of them, in place of ``seed``; those that are there already are left as they are.
        jobs: how many seeds are trained at the same time; as many as have cores of their own if None.
        threads: of the processor, for each seed; 1 for networks of up to a million parameters and all cores for
            others if None. Another number gives other last bits.
        device: ``cpu``, ``cuda``, or ``auto``: CUDA where there is any.
        force: replace the runs of these seeds, and the recipe.
        on_step: called after each step with its number and the number of steps in all.

    Raises:
        OptionError: if an argument is out of range, or the model does not take such images.
        DataError: if the data set cannot be read.
        OutputError: if the run is there already, or its folder has another recipe (without ``force``).
    """
    wanted = [seed] if seeds is None else list(seeds)
    for each in wanted:
        check_seed(each, n_bits=63)
    if not wanted or len(set(wanted)) < len(wanted):
        raise OptionError(f"the seeds are {list(wanted)}; at least one is needed, and each once")
    kind = chosen(Recipes, recipe)
    parse_architecture(model)  # an unknown model is said before any data are read
    data = str(data or (data_of_recipe(model) if kind is not Recipes.DEFAULT else None) or Data.DIGITS)
    images = load_images(data, None if data_folder is None else Path(data_folder))
    architecture = parse_architecture(model, image=images.image, n_classes=images.n_classes)
    # Imported here, as torch takes longer to start than most reports take in all.
    from topoimp.training.torch_settings import device_of

    base = recipe_for(model, images.name, kind)
    run = replace(
        base,
        epochs=base.epochs if epochs is None else epochs,
        batch_size=base.batch_size if batch_size is None else batch_size,
        learning_rate=base.learning_rate if learning_rate is None else learning_rate,
        rewind_at=rewind_at,
        threads=threads or (1 if architecture.n_parameters() <= SMALL else available_threads()),
        device=device_of(device),
    )
    run.n_steps(len(images.train_labels))  # checked before anything is written
    folder = Path(f"{model.replace(':', '-')}-{images.name}") if output is None else Path(output)
    text = RunRecipe(run, images.name, images.sha256()).to_toml()
    if jobs is not None and jobs < 1:
        raise OptionError(f"the number of jobs is {jobs}; it must be at least 1")
    is_new = _is_new_recipe(folder, wanted, text, force=force)
    there = [] if seeds is None or force else [each for each in wanted if SeedFiles(folder, each).trained.is_file()]
    new = [each for each in wanted if each not in there]
    text_of_one = text if is_new and (folder / RECIPE).exists() else None  # recipe and weights are replaced together
    tasks = [SeedTraining(SeedFiles(folder, each), run, images, text_of_one, force=force) for each in new]
    with _made(folder):
        if is_new and text_of_one is None:
            _write_recipe(folder / RECIPE, text)
        run_tasks(train_seed, tasks, jobs=jobs or max(1, available_threads() // run.threads), on_step=on_step)
    return _trained(folder, wanted, run, images.name, len(tasks))


def _write_recipe(path: Path, text: str) -> None:
    """Write a new recipe, unless another run has written the same meanwhile."""
    try:
        with Staging([path], force=False) as to:
            to.partial(path).write_text(text, encoding="utf-8")
            to.commit()
    except OutputError:
        if not path.is_file() or path.read_bytes() != text.encode():
            raise


@dataclass(frozen=True)
class SeedTraining:
    """The training of one seed.

    Args:
        files: where its results go.
        recipe: how.
        images: on what.
        new_recipe: the text of recipe.toml, if it is to appear together with the weights.
        force: replace what is there.
    """

    files: SeedFiles
    recipe: Recipe
    images: Images
    new_recipe: str | None
    force: bool


def train_seed(task: SeedTraining, on_step: OnStep) -> None:
    """Train a network with one seed, and write its folder."""
    from topoimp.training.loop import train_network

    files, recipe, images, seed = task.files, task.recipe, task.images, task.files.seed
    new_recipe = [files.run / RECIPE] if task.new_recipe else []
    with _made(files.folder), Staging([*new_recipe, *files.in_order], force=task.force) as to:
        said = {"topoimp.version": version("topoimp"), "topoimp.model": recipe.model, "topoimp.data": images.name}
        metadata = {"format": "pt", **said}
        trained = train_network(recipe, images, seed=seed, on_step=on_step)
        if task.new_recipe:
            to.partial(files.run / RECIPE).write_text(task.new_recipe, encoding="utf-8")
        write_arrays(to.partial(files.initial), trained.initial, metadata)
        write_arrays(to.partial(files.rewind), trained.rewind, {**metadata, "topoimp.step": str(recipe.rewind_at)})
        report = _report(_rows(trained, seed), recipe, images.name, [seed])
        to.partial(files.metrics).write_text(report.to_csv(), encoding="utf-8")
        write_arrays(to.partial(files.trained), trained.final, metadata)
        to.commit()


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it again if nothing, or no more than a recipe, came to lie in it."""
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    try:
        yield
    finally:
        with suppress(OSError):  # not empty, as it should be
            if not was_there and [path.name for path in folder.iterdir()] == [RECIPE]:
                (folder / RECIPE).unlink()
            folder.rmdir()


def _is_new_recipe(folder: Path, seeds: Sequence[int], text: str, *, force: bool) -> bool:
    """Whether recipe.toml is to be written; a recipe that other seeds were made with is never replaced."""
    recipe = folder / RECIPE
    try:
        if not recipe.exists():
            return True
        if recipe.read_bytes() == text.encode():
            return False
        own = {SeedFiles(folder, seed).folder for seed in seeds}
        others = sorted(path.name for path in folder.glob("seed-*") if path not in own)
    except OSError as error:
        raise OutputError(f"{recipe}: cannot be read: {error.strerror}") from error
    if others:
        raise OutputError(f"{recipe}: is another recipe, with which {others[0]} was made; -o names a new folder")
    if not force:
        raise OutputError(f"{recipe}: is another recipe; -o names another folder, --force replaces it")
    if len(seeds) > 1:
        raise OutputError(f"{recipe}: is another recipe than that of these seeds; -o names a new folder")
    return True


def _trained(folder: Path, seeds: Sequence[int], recipe: Recipe, data: str, n_new: int) -> Training:
    """Give what was trained, read back from the run folder."""
    files = [SeedFiles(folder, seed) for seed in seeds]
    rows = [row for each in files for row in rows_of_file(each.metrics)]
    return Training(_report(rows, recipe, data, seeds), folder, [each.folder for each in files], n_new)


def _rows(trained: "Trained", seed: int) -> list[Row]:
    return [{"level": "network", "seed": seed, **epoch.columns()} for epoch in trained.epochs]


def _report(rows: list[Row], recipe: Recipe, data: str, seeds: Sequence[int]) -> Report:
    settings = {
        name: list(map(str, value)) if isinstance(value, list) else value for name, value in recipe.plain().items()
    }
    return Report("train", {}, {**settings, "data": data, "seeds": [str(seed) for seed in seeds]}, rows)
