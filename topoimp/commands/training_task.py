"""The training of one seed, in a process of its own: a recipe in, the files of the seed out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from topoimp.checkpoint import Staging, open_checkpoint, write_arrays
from topoimp.commands.watching import watched_rows
from topoimp.data import Images
from topoimp.errors import OutputError
from topoimp.kernels.threads import OnStep
from topoimp.layers.records import LayerPatterns, Layers
from topoimp.layers.tensors import classify_tensors
from topoimp.pruning.masks import Masks, read_masks
from topoimp.reports.cells import Row
from topoimp.reports.report import Report
from topoimp.rounds.checks import check_held
from topoimp.rounds.run_folder import RunFiles, SeedFiles
from topoimp.training.recipes import Recipe


@dataclass(frozen=True)
class SeedTraining:
    """The training of one seed; ``new_recipe`` is the text of recipe.toml if that is replaced with the weights.

    The ``inputs`` may be the files ``init``, of the initial weights, and ``mask``, of the weights to keep. After each
    of ``steps`` the ``columns`` of every layer are recorded; there is no record without columns.
    """

    run: RunFiles
    seed: int
    recipe: Recipe
    images: Images
    new_recipe: str | None
    inputs: Mapping[str, Path]
    columns: Sequence[str]
    steps: frozenset[int]
    force: bool


def train_seed(task: SeedTraining, on_step: OnStep) -> None:
    """Train a network with one seed, and write its folder.

    Weights that are there already stay, unless they are to be replaced: this task may have been begun before, on a
    machine that failed once they were written, or another run trained the same seed meanwhile.
    """
    files = task.run.seed(task.seed)
    if task.force or not files.trained.is_file():
        try:
            _train(task, files, on_step)
        except OutputError:
            if task.force or not files.trained.is_file():
                raise


def _train(task: SeedTraining, files: SeedFiles, on_step: OnStep) -> None:
    from topoimp.training.loop import Watch, Weights, train_network
    from topoimp.training.start import read_weights

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
        start = read_weights(task.inputs["init"]) if "init" in task.inputs else None
        masks = read_masks(task.inputs["mask"]) if "mask" in task.inputs else {}
        kept = {name: mask.kept() for name, mask in masks.items()}
        trained = train_network(recipe, images, seed=task.seed, start=start, masks=kept, watch=watch, on_step=on_step)

        if task.new_recipe:
            staging.partial(task.run.recipe).write_text(task.new_recipe, encoding="utf-8")
        rewind_metadata = {**metadata, "topoimp.step": str(recipe.rewind_at)}
        write_arrays(staging.partial(files.initial), trained.initial, metadata)
        write_arrays(staging.partial(files.rewind), trained.rewind, rewind_metadata)
        rows: list[Row] = [{"level": "network", "seed": task.seed, **asdict(epoch)} for epoch in trained.epochs]
        _write_table(staging.partial(files.metrics), rows)
        write_arrays(staging.partial(files.trained), trained.final, metadata)
        for path in (files.initial, files.trained):
            _check_held(staging.partial(path), masks)
        if task.columns:
            _write_table(staging.partial(files.topology), topology)
        else:
            files.topology.unlink(missing_ok=True)  # of the training that this one replaces
        staging.commit()


def _check_held(weights: Path, masks: Masks) -> None:
    """Raise a VerificationError if a weight in a file is not zero, though its mask prunes it."""
    checkpoint = open_checkpoint(weights)
    infos, _ = classify_tensors(checkpoint, LayerPatterns())
    check_held(Layers(checkpoint, tuple(info for info in infos if info.tensor in masks), ()), masks)


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
