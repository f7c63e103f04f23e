"""A run folder: what ``train`` writes, and ``prune`` adds rounds to; where each file lies, and the recipe's text.

RUN/recipe.toml                            what decides the result: data by name and checksum, no paths
RUN/seed-<s>/{init,rewind,model}.safetensors, metrics.csv
RUN/seed-<s>/<method>[-eps-<e>][-global]/pruning.toml, round-<NN>/{model,mask}.safetensors, metrics.json
RUN/rounds.csv, RUN/summary.csv
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from topoimp.architectures import parse_architecture
from topoimp.choices import Method, Scope
from topoimp.errors import CheckpointError, OptionError, TopoimpError
from topoimp.training.recipes import Recipe, recipe_from

RECIPE = "recipe.toml"


@dataclass(frozen=True)
class SeedFiles:
    """Where a run of one seed lies in its run folder."""

    run: Path
    seed: int

    @property
    def folder(self) -> Path:
        """The folder of this seed."""
        return self.run / f"seed-{self.seed}"

    @property
    def initial(self) -> Path:
        """The weights before the first step."""
        return self.folder / "init.safetensors"

    @property
    def rewind(self) -> Path:
        """The weights to rewind to."""
        return self.folder / "rewind.safetensors"

    @property
    def metrics(self) -> Path:
        """A row per epoch."""
        return self.folder / "metrics.csv"

    @property
    def trained(self) -> Path:
        """The trained weights."""
        return self.folder / "model.safetensors"

    @property
    def in_order(self) -> list[Path]:
        """The files of the seed, the trained weights last: they are there only if the others are."""
        return [self.initial, self.rewind, self.metrics, self.trained]

    def after_step(self, step: int) -> Path:
        """The weights after another step than that of the recipe, made when they were first asked for."""
        return self.folder / f"step-{step}.safetensors"


@dataclass(frozen=True)
class RoundFiles:
    """Where the rounds of one pruning of one seed lie.

    Args:
        folder: of the pruning, in the folder of its seed.
        suffix: what checkpoints are called behind their names: ``.safetensors``, or nothing if they are folders.
    """

    folder: Path
    suffix: str = ".safetensors"

    @property
    def settings(self) -> Path:
        """What decides the rounds."""
        return self.folder / "pruning.toml"

    @property
    def lock(self) -> Path:
        """What the run that is at work on these rounds holds; beside the folder, which may be begun anew."""
        return self.folder.with_name(f".{self.folder.name}.lock")

    def round(self, number: int) -> Path:
        """The folder of a round; it is there only if the round is finished."""
        return self.folder / f"round-{number:02}"

    def model(self, number: int) -> Path:
        """The weights that a round arrived at."""
        return self.round(number) / f"model{self.suffix}"

    def mask(self, number: int) -> Path:
        """The mask of a round."""
        return self.round(number) / "mask.safetensors"

    def metrics(self, number: int) -> Path:
        """What a round is reported to be."""
        return self.round(number) / "metrics.json"

    def log(self, number: int) -> Path:
        """What the trainer of a round said."""
        return self.folder / f"round-{number:02}.log"

    def n_finished(self) -> int:
        """Give how many rounds are finished, round 0 included, without a gap."""
        number = 0
        while self.metrics(number).is_file():
            number += 1
        return number


def pruning_name(method: Method, epsilon: float, scope: Scope) -> str:
    """Give the name of the folder of a pruning: method, and epsilon and scope where they are not the usual ones.

    >>> pruning_name(Method.TOPOLOGICAL, 0.1, Scope.GLOBAL)
    'topological-eps-0.1-global'
    """
    with_epsilon = f"-eps-{epsilon!r}".removesuffix(".0") if epsilon else ""
    return f"{method}{with_epsilon}{'-global' if scope is Scope.GLOBAL else ''}"


def is_run_folder(path: Path) -> bool:
    """Whether a path is a run folder."""
    try:
        return (path / RECIPE).is_file()
    except OSError:  # it cannot be looked into; whoever opens it says so
        return False


def seeds_in(run: Path) -> list[int]:
    """Give the seeds that were trained in a run folder."""
    names = (path.parent.name for path in run.glob("seed-*/model.safetensors"))
    return sorted(int(name.removeprefix("seed-")) for name in names if re.fullmatch(r"seed-(0|[1-9]\d*)", name))


@dataclass(frozen=True)
class RunRecipe:
    """What a run folder's recipe.toml says.

    Args:
        recipe: how to train.
        data: name of the data set.
        sha256: of its images and labels.
    """

    recipe: Recipe
    data: str
    sha256: str

    def to_toml(self) -> str:
        """Give the text of recipe.toml."""
        pruning = {name: value for name, value in asdict(self.recipe.pruning).items() if value not in ((), {})}
        data = {"name": self.data, "sha256": self.sha256}
        drawn = parse_architecture(self.recipe.model).initial_weights.value
        return to_toml({**self.recipe.plain(), "initial_weights": drawn, "data": data, "pruning": pruning})


def read_recipe(run: Path) -> RunRecipe:
    """Read the recipe of a run folder.

    Raises:
        CheckpointError: if it is missing, or is no recipe.
    """
    table = read_toml(run / RECIPE)
    try:
        data = table.get("data")
        if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("name", "sha256")):
            raise OptionError("the table [data] with name and sha256 is missing")
        return RunRecipe(recipe_from(table), data["name"], data["sha256"])
    except TopoimpError as error:
        raise CheckpointError(f"{run / RECIPE}: is no recipe: {error}") from error


def read_toml(path: Path) -> dict[str, object]:
    """Read a TOML file.

    Raises:
        CheckpointError: if it cannot be read, or is none.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: is no TOML: {error}") from error


def to_toml(table: Mapping[str, object], name: str = "") -> str:
    """Give a table of plain values, and of such tables, as TOML."""
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
