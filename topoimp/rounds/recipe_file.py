"""TOML files: the recipe of a run folder, and the settings of a pruning."""

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

import tomli_w

from topoimp.architectures import parse_architecture
from topoimp.errors import CheckpointError, OptionError, TopoimpError
from topoimp.rounds.run_folder import RunFiles
from topoimp.training.recipes import Recipe, recipe_from


@dataclass(frozen=True)
class RunRecipe:
    """The content of a run folder's recipe.toml: settings of training, name and checksum of the data set.

    Checksums of the files of given initial weights and of a mask are None where the seed gives the initial weights, and
    where there is no mask.
    """

    recipe: Recipe
    data: str
    sha256: str
    init_sha256: str | None = None
    mask_sha256: str | None = None

    @property
    def starts_otherwise(self) -> bool:
        """Whether training starts from other weights than the initial ones of the seed."""
        return self.init_sha256 is not None or self.mask_sha256 is not None

    def to_toml(self) -> str:
        """Return the text of recipe.toml."""
        pruning = {name: value for name, value in asdict(self.recipe.pruning).items() if value not in ((), {})}
        data = {"name": self.data, "sha256": self.sha256}
        initial_weights = parse_architecture(self.recipe.model).initial_weights.value
        sums = {name: getattr(self, name) for name in _SUMS if getattr(self, name) is not None}
        table = {**self.recipe.plain(), "initial_weights": initial_weights, **sums, "data": data, "pruning": pruning}
        return tomli_w.dumps(table)


_SUMS = ("init_sha256", "mask_sha256")


def read_recipe(run: Path) -> RunRecipe:
    """Read the recipe of a run folder; raise a CheckpointError if it is missing, or is no recipe."""
    path = RunFiles(run).recipe
    table = read_toml(path)
    try:
        data = table.get("data")
        if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("name", "sha256")):
            raise OptionError("the table [data] with name and sha256 is missing")
        sums = {name: str(table[name]) for name in _SUMS if isinstance(table.get(name), str)}
        return RunRecipe(recipe_from(table), data["name"], data["sha256"], **sums)
    except TopoimpError as error:
        raise CheckpointError(f"{path}: is no recipe: {error}") from error


def read_toml(path: Path) -> dict[str, object]:
    """Read a TOML file; raise a CheckpointError if it cannot be read, or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: is no TOML: {error}") from error


def is_same_toml(path: Path, text: str) -> bool:
    """Return whether a file has the content of a TOML text, however either is formatted; it may raise an OSError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) == tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
