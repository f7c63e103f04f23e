"""The recipe of a training: a built-in one or that of a file, the caller's changes, and the images that it is for."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from topoimp.architectures import parse_architecture
from topoimp.checkpoint import AnyPath
from topoimp.choices import Data, Recipes
from topoimp.data import Images
from topoimp.errors import CheckpointError, DataError, OptionError
from topoimp.kernels.threads import available_threads
from topoimp.rounds.recipe_file import read_toml
from topoimp.training.recipes import PruningDefaults, Recipe, data_of_recipe, recipe_for, recipe_from

TOML = ".toml"

SMALL = 1_000_000
"""Parameters up to which a second thread saves little; replicates with cores of their own save more."""

_OF_TRAINING = tuple(each.name for each in fields(Recipe) if each.name != "pruning")
_OF_PRUNING = tuple(each.name for each in fields(PruningDefaults))
_INPUTS = {"init_sha256": "init", "mask_sha256": "mask"}
"""By the name of a checksum in a recipe file, the argument that names the file."""

_IN_A_FILE = {
    "": (*_OF_TRAINING, "initial_weights", *_INPUTS, "data", "pruning"),
    "data": ("name", "sha256"),
    "pruning": _OF_PRUNING,
}
"""The names that a recipe file may have, by table."""

SETTABLE = (*_OF_TRAINING, "data.name", *(f"pruning.{name}" for name in _OF_PRUNING))
"""The names that ``sets`` may have."""


@dataclass(frozen=True)
class RecipeSource:
    """A built-in recipe, or the table of a file, which may leave names out: those are of the default recipe."""

    built_in: Recipes = Recipes.DEFAULT
    path: Path | None = None
    table: Mapping[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> Mapping[str, str]:
        """Name and checksum of the data set in the file, as far as it has them."""
        return dict(self.table.get("data", {}))


def recipe_source(recipe: Recipes | AnyPath) -> RecipeSource:
    """Return the recipe that a word names, or that is in a file, such as recipe.toml of a run folder.

    Raises:
        OptionError: if a word names no recipe.
        CheckpointError: if a file cannot be read, or has an unknown name.
    """
    if not str(recipe).endswith(TOML):
        if str(recipe) not in list(Recipes):
            known = ", ".join(Recipes)
            raise OptionError(f"there is no recipe {str(recipe)!r}; known are {known}, and files that end in {TOML}")
        return RecipeSource(Recipes(str(recipe)))

    path = Path(recipe)
    table: dict[str, Any] = read_toml(path)
    for of_table, known_names in _IN_A_FILE.items():
        part = table.get(of_table, {}) if of_table else table
        if not isinstance(part, Mapping):
            raise CheckpointError(f"{path}: is no recipe: {of_table} is {part!r}; it must be a table")
        unknown = [name for name in part if name not in known_names]
        if unknown:
            where = f" in the table {of_table}" if of_table else ""
            raise CheckpointError(
                f"{path}: is no recipe: {unknown[0]!r}{where} is unknown; known are {', '.join(known_names)}"
            )
    texts = {**{name: table.get(name, "") for name in ("model", *_INPUTS)}, **table.get("data", {})}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise CheckpointError(f"{path}: is no recipe: {name} is {value!r}; it must be a text")
    return RecipeSource(path=path, table=table)


def check_sets(sets: Mapping[str, object], options: Mapping[str, object]) -> None:
    """Raise an OptionError if a change has an unknown name, or that of an argument that is given too."""
    for name in sets:
        if name not in SETTABLE:
            raise OptionError(f"`sets` names {name!r}, which no recipe has; known are {', '.join(SETTABLE)}")
        if options.get(name.removesuffix(".name")) is not None:
            raise OptionError(f"{name} is given both by an argument of its own and by `sets`; give it once")


def model_of(model: str | None, source: RecipeSource, sets: Mapping[str, object]) -> str:
    """Return the MODEL that is given, or that of the recipe; raise an OptionError if neither has one."""
    found = model or sets.get("model") or source.table.get("model")
    if not found:
        raise OptionError(f"there is no MODEL; give one, or in `recipe` a file that has one and ends in {TOML}")
    return str(found)


def data_of(data: Data | AnyPath | None, source: RecipeSource, sets: Mapping[str, object], model: str) -> str:
    """Return the data set that is given, or that of the recipe, or digits.

    Raises:
        OptionError: if a recipe file names arrays, whose file it does not name.
    """
    found = data or sets.get("data.name") or source.data.get("name")
    if not found:
        published = None if source.built_in is Recipes.DEFAULT else data_of_recipe(model)
        return str(published or Data.DIGITS)
    if not data and str(found) not in list(Data) and not str(found).endswith(".npz"):
        where = "" if source.path is None else f"{source.path}: "
        raise OptionError(f"{where}the data set {found!r} is a file of arrays; `data` names the file")
    return str(found)


def check_inputs(source: RecipeSource, given: Mapping[str, object]) -> None:
    """Raise an OptionError if a recipe file needs initial weights or a mask, and none is given."""
    for name, argument in _INPUTS.items():
        if source.table.get(name) and given.get(argument) is None:
            raise OptionError(f"{source.path}: has {name}, so training needs that file; `{argument}` names it")


def resolved_recipe(
    source: RecipeSource, model: str, images: Images, options: Mapping[str, Any], sets: Mapping[str, Any]
) -> Recipe:
    """Return the recipe with the changes of the caller, checked against the images, and with a device of this machine.

    A changed optimizer or schedule takes momentum or drops with it, which are those of another one.

    Args:
        source: the recipe before changes.
        model: the network.
        images: the data set.
        options: by field of ``Recipe`` the argument of that name; None leaves the field as it is.
        sets: by name, as in ``SETTABLE``, the new value.

    Raises:
        OptionError: if a changed value has a wrong form or is out of range, or the model does not take such images.
        CheckpointError: if a value of the file is, or it was made for other initial weights.
        DataError: if the images are not those of the file.
    """
    architecture = parse_architecture(model, image=images.image, n_classes=images.n_classes)
    # Imported here, as torch takes longer to start than most reports take in all.
    from topoimp.training.device import device_of

    table = _table_of(recipe_for(model, images.name, source.built_in))
    table["threads"] = 1 if architecture.n_parameters() <= SMALL else available_threads()
    table["device"] = "auto"
    if source.path is not None:
        _check_images(source, images)
        table = _changed(table, source.table)
        try:
            recipe_from(table)
            _check_initial_weights(source.table, model)
        except OptionError as error:
            raise CheckpointError(f"{source.path}: is no recipe: {error}") from error

    changes: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for name, given in sets.items():
        value = list(given) if isinstance(given, tuple) else given
        if name.startswith("pruning."):
            of_pruning = changes.setdefault("pruning", dict(table["pruning"]))
            of_pruning[name.removeprefix("pruning.")] = value
        elif name != "data.name":
            changes[name] = value
    table = _changed(table, {**changes, "model": model})
    recipe = recipe_from({**table, "device": device_of(str(table["device"]))})
    recipe.n_steps(len(images.train_labels))
    return recipe


def _table_of(recipe: Recipe) -> dict[str, Any]:
    pruning = asdict(recipe.pruning)
    return {**recipe.plain(), "pruning": {**pruning, "exclude": list(recipe.pruning.exclude)}}


def _changed(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with changes; another optimizer has no momentum, and another schedule no drops, but its own."""
    changed = {**table, **changes}
    if changed["optimizer"] != table["optimizer"] and "momentum" not in changes:
        changed["momentum"] = 0.0
    if changed["schedule"] != table["schedule"] and "drops" not in changes:
        changed["drops"] = []
    return changed


def _check_images(source: RecipeSource, images: Images) -> None:
    expected, found = source.data.get("sha256"), images.sha256()
    if expected is not None and source.data.get("name") == images.name and found != expected:
        raise DataError(
            f"{source.path}: its data set {images.name} has the sha256 {expected}, and the one that was read {found}"
        )


def _check_initial_weights(table: Mapping[str, Any], model: str) -> None:
    """Raise an OptionError if the network of a file has other initial weights than topoimp gives it."""
    own = parse_architecture(model).initial_weights.value
    if table.get("model") == model and table.get("initial_weights", own) != own:
        raise OptionError(f"its initial weights are {table['initial_weights']!r}, and those of {model} are {own!r}")
