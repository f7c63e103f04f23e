"""TOML files: the recipe of a run folder, and the settings of a pruning."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from topoimp.architectures import parse_architecture
from topoimp.errors import CheckpointError, OptionError, TopoimpError
from topoimp.rounds.run_folder import RunFiles
from topoimp.training.recipes import Recipe, recipe_from


@dataclass(frozen=True)
class RunRecipe:
    """The content of a run folder's recipe.toml.

    Args:
        recipe: the settings of training.
        data: name of the data set.
        sha256: checksum of its images and labels.
    """

    recipe: Recipe
    data: str
    sha256: str

    def to_toml(self) -> str:
        """Return the text of recipe.toml."""
        pruning = {name: value for name, value in asdict(self.recipe.pruning).items() if value not in ((), {})}
        data = {"name": self.data, "sha256": self.sha256}
        initial_weights = parse_architecture(self.recipe.model).initial_weights.value
        return to_toml({**self.recipe.plain(), "initial_weights": initial_weights, "data": data, "pruning": pruning})


def read_recipe(run: Path) -> RunRecipe:
    """Read the recipe of a run folder.

    Raises:
        CheckpointError: if it is missing, or is no recipe.
    """
    path = RunFiles(run).recipe
    table = read_toml(path)
    try:
        data = table.get("data")
        if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("name", "sha256")):
            raise OptionError("the table [data] with name and sha256 is missing")
        return RunRecipe(recipe_from(table), data["name"], data["sha256"])
    except TopoimpError as error:
        raise CheckpointError(f"{path}: is no recipe: {error}") from error


def read_toml(path: Path) -> dict[str, object]:
    """Read a TOML file.

    Raises:
        CheckpointError: if it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: is no TOML: {error}") from error


def is_same_toml(path: Path, text: str) -> bool:
    """Whether a file has the content of a TOML text, however either is formatted.

    Raises:
        OSError: if the file cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) == tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def to_toml(table: Mapping[str, object], name: str = "") -> str:
    """Return the TOML text of a table of plain values and of such tables."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines = [f"[{name}]"] if name else []
    lines += [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    parts = ["\n".join(lines) + "\n"] if lines else []
    parts += [to_toml(value, f"{name}.{_key(key)}" if name else _key(key)) for key, value in tables.items()]
    return "\n".join(parts)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return (
            '"' + "".join(sign if sign >= " " and sign != "\x7f" else f"\\u{ord(sign):04x}" for sign in escaped) + '"'
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, int | float):
        return repr(value)
    raise TypeError(f"{value!r} has no place in TOML")
