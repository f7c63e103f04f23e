"""The training of one seed, in a process of its own: a recipe in, the files of the seed out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from topoimp.checkpoint import Staging, write_arrays
from topoimp.commands.watching import watched_rows
from topoimp.data import Images
from topoimp.errors import OutputError
from topoimp.kernels.threads import OnStep
from topoimp.reports.columns import Row
from topoimp.reports.report import Report
from topoimp.rounds.run_folder import RunFiles
from topoimp.training.recipes import Recipe


@dataclass(frozen=True)
class SeedTraining:
    """The training of one seed; ``new_recipe`` is the text of recipe.toml if that is replaced with the weights.

    After each of ``steps`` the ``columns`` of every layer are recorded; there is no record without columns.
    """

    run: RunFiles
    seed: int
    recipe: Recipe
    images: Images
    new_recipe: str | None
    columns: Sequence[str]
    steps: frozenset[int]
    force: bool


def train_seed(task: SeedTraining, on_step: OnStep) -> None:
    """Train a network with one seed, and write its folder."""
    from topoimp.training.loop import Watch, Weights, train_network

    files = task.run.seed(task.seed)
    recipe = task.recipe
    images = task.images
    replaced = [task.run.recipe] if task.new_recipe else []
    origin = {"topoimp.version": version("topoimp"), "topoimp.model": recipe.model, "topoimp.data": images.name}
    metadata = {"format": "pt", **origin}
    records = [files.topology] if task.columns else []
    topology: list[Row] = []

    def record(step: int, weights: Weights) -> None:
        epoch = step // recipe.steps_of_epoch(len(images.train_labels))
        found = watched_rows(weights, task.columns, recipe.threads)
        topology.extend({**row, "seed": task.seed, "epoch": epoch, "step": step} for row in found)

    with new_folder(files.folder), Staging([*replaced, *records, *files.in_order], force=task.force) as staging:
        watch = Watch(task.steps, record) if task.columns else None
        trained = train_network(recipe, images, seed=task.seed, watch=watch, on_step=on_step)

        if task.new_recipe:
            staging.partial(task.run.recipe).write_text(task.new_recipe, encoding="utf-8")
        rewind_metadata = {**metadata, "topoimp.step": str(recipe.rewind_at)}
        write_arrays(staging.partial(files.initial), trained.initial, metadata)
        write_arrays(staging.partial(files.rewind), trained.rewind, rewind_metadata)
        rows: list[Row] = [{"level": "network", "seed": task.seed, **asdict(epoch)} for epoch in trained.epochs]
        _write_table(staging.partial(files.metrics), rows)
        write_arrays(staging.partial(files.trained), trained.final, metadata)
        if task.columns:
            _write_table(staging.partial(files.topology), topology)
        else:
            files.topology.unlink(missing_ok=True)  # of the training that this one replaces
        staging.commit()


def _write_table(path: Path, rows: list[Row]) -> None:
    path.write_text(Report("train", {}, {}, rows).to_csv(), encoding="utf-8")


@contextmanager
def new_folder(folder: Path, recipe: Path | None = None) -> Iterator[None]:
    """Make a folder; remove a new one again if nothing but the recipe came to lie in it."""
    existed = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    try:
        yield
    finally:
        with suppress(OSError):  # it is not empty, as it should be
            if not existed and recipe is not None and list(folder.iterdir()) == [recipe]:
                recipe.unlink()
            folder.rmdir()
