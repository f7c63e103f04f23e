"""Make a small trained network to study: its initial, rewind and trained weights in a run folder."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from topoimp.architectures import parse_architecture
from topoimp.checkpoint import Staging, write_arrays
from topoimp.choices import Data, chosen
from topoimp.data import load_images
from topoimp.errors import OptionError, OutputError
from topoimp.report import Report, Row

if TYPE_CHECKING:
    from topoimp.training import Recipe, Trained


@dataclass(frozen=True)
class Defaults:
    """What a recipe has where the user says nothing."""

    epochs: int
    batch_size: int
    learning_rate: float


_DEFAULTS = {
    Data.DIGITS: Defaults(epochs=40, batch_size=32, learning_rate=2e-3),
    Data.MNIST: Defaults(epochs=6, batch_size=60, learning_rate=1.2e-3),
    Data.FASHION_MNIST: Defaults(epochs=12, batch_size=60, learning_rate=1.2e-3),
}
"""Batch and learning rate on MNIST as Frankle & Carbin, ICLR 2019, train LeNet-300-100."""


@dataclass(frozen=True)
class Training:
    """What was trained and written.

    Args:
        report: a row per epoch.
        folder: the run folder.
        seed_folder: the folder in it that holds the weights.
    """

    report: Report
    folder: Path
    seed_folder: Path


def train_run(
    model: str,
    *,
    data: Data | str = Data.DIGITS,
    data_folder: Path | None = None,
    output: Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    rewind_at: int = 0,
    seed: int = 0,
    threads: int | None = None,
    force: bool = False,
    on_step: Callable[[int, int], None] = lambda _step, _n_steps: None,
) -> Training:
    """Train a network and write a run folder.

    It holds recipe.toml and, for each seed, seed-<s>/{init,rewind,model}.safetensors and seed-<s>/metrics.csv.

    Args:
        model: ``lenet-300-100``, ``lenet-5`` or widths as in ``mlp:64-32-10``; see ``parse_architecture``.
        data: the data set.
        data_folder: where the files of ``mnist`` or ``fashion-mnist`` lie.
        output: the run folder; ``<model>-<data>`` if None. Runs of other seeds with the same recipe share it.
        epochs: passes over the training set; by default 40 on digits, 6 on MNIST, 12 on Fashion-MNIST.
        batch_size: images a step; by default 32 on digits, 60 on the others.
        learning_rate: of Adam; by default 2e-3 on digits, 1.2e-3 on the others.
        rewind_at: step after which the rewind weights are taken; 0 takes the initial ones.
        seed: of the initial weights and the order of the images; at least 0.
        threads: of the processor; all cores if None. Another number gives other last bits.
        force: replace the run of that seed, and the recipe.
        on_step: called after each step with its number and the number of steps in all.

    Raises:
        OptionError: if an argument is out of range, or the model does not take such images.
        DataError: if the data set cannot be read.
        OutputError: if the run is there already, or its folder has another recipe (without ``force``).
    """
    if not 0 <= seed < 2**63:
        raise OptionError(f"the seed is {seed}; it must be at least 0 and below 2^63")
    data = chosen(Data, data)
    parse_architecture(model)  # an unknown model is said before any data are read
    images = load_images(data, data_folder)
    # Imported here, as torch takes longer to start than most reports take in all.
    from topoimp.training import Recipe, train_network

    defaults = _DEFAULTS[data]
    recipe = Recipe(
        model=model,
        epochs=defaults.epochs if epochs is None else epochs,
        batch_size=defaults.batch_size if batch_size is None else batch_size,
        learning_rate=defaults.learning_rate if learning_rate is None else learning_rate,
        rewind_at=rewind_at,
        threads=(os.cpu_count() or 1) if threads is None else threads,
    )
    parse_architecture(model, image=images.image)
    recipe.n_steps(len(images.train_labels))  # both are checked before anything is written
    folder = Path(f"{model.replace(':', '-')}-{data}") if output is None else Path(output)
    text = _recipe_text(recipe, data, images.sha256())
    files = RunFiles(folder, seed)
    is_new_recipe = _is_new_recipe(files, text, force=force)
    metadata = {"format": "pt", "topoimp.version": version("topoimp"), "topoimp.model": model, "topoimp.data": data}
    targets = [files.recipe, *files.in_order] if is_new_recipe else files.in_order
    with _made(files.seed_folder), Staging(targets, force=force) as to:
        trained = train_network(recipe, images, seed=seed, on_step=on_step)
        report = _report(trained, recipe, data, seed)
        if is_new_recipe:
            to.partial(files.recipe).write_text(text, encoding="utf-8")
        write_arrays(to.partial(files.initial), trained.initial, metadata)
        write_arrays(to.partial(files.rewind), trained.rewind, metadata)
        to.partial(files.metrics).write_text(report.to_csv(), encoding="utf-8")
        write_arrays(to.partial(files.final), trained.final, metadata)
        to.commit()
    return Training(report, folder, files.seed_folder)


@dataclass(frozen=True)
class RunFiles:
    """Where a run of one seed lies in its run folder."""

    folder: Path
    seed: int

    @property
    def recipe(self) -> Path:
        """What all seeds of the folder share."""
        return self.folder / "recipe.toml"

    @property
    def seed_folder(self) -> Path:
        """The folder of this seed."""
        return self.folder / f"seed-{self.seed}"

    @property
    def initial(self) -> Path:
        """The weights before the first step."""
        return self.seed_folder / "init.safetensors"

    @property
    def rewind(self) -> Path:
        """The weights to rewind to."""
        return self.seed_folder / "rewind.safetensors"

    @property
    def metrics(self) -> Path:
        """A row per epoch."""
        return self.seed_folder / "metrics.csv"

    @property
    def final(self) -> Path:
        """The trained weights."""
        return self.seed_folder / "model.safetensors"

    @property
    def in_order(self) -> list[Path]:
        """The files of the seed, the trained weights last: they are there only if the others are."""
        return [self.initial, self.rewind, self.metrics, self.final]


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it again (and its parent) if nothing came to lie in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    try:
        yield
    finally:
        for place in (folder, folder.parent):
            with suppress(OSError):  # not empty, as it should be
                place.rmdir()


def _is_new_recipe(files: RunFiles, text: str, *, force: bool) -> bool:
    """Whether recipe.toml is to be written; a recipe that other seeds were made with is never replaced."""
    try:
        if not files.recipe.exists():
            return True
        if files.recipe.read_bytes() == text.encode():
            return False
        others = [path.name for path in files.folder.glob("seed-*") if path != files.seed_folder]
    except OSError as error:
        raise OutputError(f"{files.recipe}: cannot be read: {error.strerror}") from error
    if others:
        raise OutputError(f"{files.recipe}: is another recipe, with which {others[0]} was made; -o names a new folder")
    if not force:
        raise OutputError(f"{files.recipe}: is another recipe; -o names another folder, --force replaces it")
    return True


def _recipe_text(recipe: "Recipe", data: Data, sha256: str) -> str:
    """Give recipe.toml: what decides the result, the data by name and checksum, no paths."""
    fields: Mapping[str, str | int | float] = {
        **asdict(recipe),
        "optimizer": "adam",
        "initial_weights": "glorot-normal",
    }
    lines = [f"{name} = {_toml(value)}" for name, value in fields.items()]
    return "\n".join([*lines, "", "[data]", f"name = {_toml(data.value)}", f"sha256 = {_toml(sha256)}", ""])


def _toml(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _report(trained: "Trained", recipe: "Recipe", data: Data, seed: int) -> Report:
    rows: list[Row] = [{"level": "network", **epoch.columns()} for epoch in trained.epochs]
    return Report("train", {}, {**asdict(recipe), "data": data.value, "seed": seed}, rows)
