"""The parts of a run folder that rounds of pruning start from: trained networks, images and the recipe."""

from collections.abc import Sequence
from pathlib import Path

from topoimp.choices import Data
from topoimp.data import Images, load_images
from topoimp.errors import CheckpointError, DataError
from topoimp.rounds.recipe_file import RunRecipe, read_toml
from topoimp.rounds.run_folder import RunFiles


def seeds_requested(run: Path, seeds: Sequence[int] | None) -> list[int]:
    """Return the requested seeds of a run folder, which must be trained; all that it has, one or more, if None."""
    existing = RunFiles(run).trained_seeds()
    requested = existing if seeds is None else list(seeds)
    missing = [seed for seed in requested if seed not in existing]
    if missing or not requested:
        raise CheckpointError(f"{run}: has no trained network of seed {missing[0] if missing else 0}; train makes it")
    return requested


def images_of(run: Path, recorded: RunRecipe, folder: Path | None) -> Images:
    """Load the data of a recipe, and check that it was trained on them."""
    recipe = RunFiles(run).recipe
    is_file = folder is not None and Path(folder).suffix == ".npz"
    if not is_file and recorded.data not in set(Data):
        raise DataError(f"{recipe}: was trained on arrays called {recorded.data}; `data_dir` must name their .npz")
    images = load_images(str(folder)) if is_file else load_images(recorded.data, folder)
    if images.sha256() != recorded.sha256:
        raise DataError(
            f"{recipe}: was trained on {recorded.data} of sha256 {recorded.sha256[:12]}..., and these are others "
            f"({images.sha256()[:12]}...); `data_dir` must name the recipe's"
        )
    return images


def recipe_texts(run: Path) -> dict[str, str]:
    """Return the entries of a run folder's recipe as texts by name, as in ``data.sha256``."""
    texts: dict[str, str] = {}
    for name, value in read_toml(RunFiles(run).recipe).items():
        entries = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
        texts |= {key: str(each) for key, each in entries.items()}
    return texts
