"""Recipes: everything that decides the result of training but the data and the seed; nothing here needs torch.

Named networks have a *canonical* recipe, from the literature of lottery tickets, and a *quick* one, the same in fewer
epochs. Every network has a *default* one, which depends on the data. A recipe also holds defaults for pruning.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from types import UnionType
from typing import Any, TypeVar

from topoimp.architectures import parse_architecture
from topoimp.choices import Data, Optimizer, Recipes, Schedules, Scope, chosen
from topoimp.errors import OptionError

Item = TypeVar("Item", int, str)

_MOST = 1_000_000_000


@dataclass(frozen=True)
class PruningDefaults:
    """Defaults for pruning the networks of a recipe; the fields are those of ``PruningOptions``."""

    rate: float = 0.2
    scope: Scope = Scope.LAYER
    layer_rates: Mapping[str, float] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result of training but the data and the seed.

    Args:
        model: a MODEL string, as in ``parse_architecture``.
        epochs: passes over the training set, at least 0.
        batch_size: images a step, at least 1.
        learning_rate: above 0.
        optimizer: Adam, or SGD with momentum.
        momentum: momentum of SGD, from 0 to below 1; 0 for Adam.
        weight_decay: L2 penalty, at least 0.
        schedule: schedule of the learning rate.
        drops: steps after which the schedule ``steps`` lowers the learning rate to a tenth.
        warmup: steps over which the learning rate rises from 0.
        standardise: shift and scale each channel of the images to mean 0 and deviation 1.
        augment: shift training images by up to 4 pixels and mirror them, at random.
        rewind_at: step whose weights are the rewind weights, from 0 (the initial ones) to the last step.
        threads: number of threads, at least 1; at most all cores are used.
        device: ``cpu`` or ``cuda``.
        pruning: defaults for pruning its networks.
    """

    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: Optimizer = Optimizer.ADAM
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Schedules = Schedules.CONSTANT
    drops: tuple[int, ...] = ()
    warmup: int = 0
    standardise: bool = False
    augment: bool = False
    rewind_at: int = 0
    threads: int = 1
    device: str = "cpu"
    pruning: PruningDefaults = PruningDefaults()

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_size", 1), ("rewind_at", 0), ("threads", 1), ("warmup", 0)):
            if not least <= getattr(self, name) <= _MOST:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be at least {least} and at most {_MOST}")
        if not 0 < self.learning_rate < float("inf"):
            raise OptionError(f"learning_rate is {self.learning_rate}; it must be above 0")
        if not 0 <= self.momentum < 1:
            raise OptionError(f"momentum is {self.momentum}; it must be at least 0 and below 1")
        if self.momentum and self.optimizer is Optimizer.ADAM:
            raise OptionError("momentum is of SGD; the optimizer is adam")
        if not (self.weight_decay >= 0 and isfinite(self.weight_decay)):
            raise OptionError(f"weight_decay is {self.weight_decay}; it must be at least 0")
        if bool(self.drops) != (self.schedule is Schedules.STEPS) or any(drop < 1 for drop in self.drops):
            raise OptionError("drops are the steps, from 1, after which the schedule 'steps' lowers the learning rate")

    def n_steps(self, n_images: int) -> int:
        """Return the number of steps on a training set of ``n_images``.

        Raises:
            OptionError: if the rewind step lies beyond the last one.
        """
        n_steps = self.epochs * self.steps_of_epoch(n_images)
        if self.rewind_at > n_steps:
            raise OptionError(f"rewind_at is {self.rewind_at}, but training has {n_steps} steps")
        return n_steps

    def steps_of_epoch(self, n_images: int) -> int:
        """Return the number of steps of one epoch."""
        return -(-n_images // self.batch_size)

    def plain(self) -> dict[str, str | int | float | bool | list[int]]:
        """Return every field but ``pruning`` as plain values, as a file holds them."""
        plain = {name: value for name, value in asdict(self).items() if name != "pruning"}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


def recipe_from(texts: Mapping[str, object]) -> Recipe:
    """Return the recipe in a file's fields; unknown fields are ignored.

    Args:
        texts: the fields of ``Recipe.plain``, and a table ``pruning``.

    Raises:
        OptionError: if a field is missing, or has a wrong type or value.
    """
    known = {each.name for each in fields(Recipe)}
    values = {name: value for name, value in texts.items() if name in known}
    missing = [name for name in ("model", "epochs", "batch_size", "learning_rate") if name not in values]
    if missing:
        raise OptionError(f"{missing[0]} is missing")
    try:
        _check_kinds(values, _KINDS)
        values["optimizer"] = chosen(Optimizer, str(values.get("optimizer", Optimizer.ADAM)))
        values["schedule"] = chosen(Schedules, str(values.get("schedule", Schedules.CONSTANT)))
        values["drops"] = _list_of(int, values, "drops")
        values["pruning"] = _pruning_from(values.get("pruning", {}))
        return Recipe(**values)  # type: ignore[arg-type]  # checked above
    except (TypeError, ValueError, AttributeError) as error:
        raise OptionError(f"a field has a wrong value: {error}") from error


def _pruning_from(table: object) -> PruningDefaults:
    values = _table("pruning", table)
    rates = _table("layer_rates", values.get("layer_rates", {}))
    _check_kinds(values, {"rate": _NUMBER, "scope": str})
    _check_kinds(rates, dict.fromkeys(rates, _NUMBER))
    return PruningDefaults(
        rate=float(values.get("rate", 0.2)),
        scope=chosen(Scope, values.get("scope", Scope.LAYER)),
        layer_rates={str(pattern): float(rate) for pattern, rate in rates.items()},
        exclude=_list_of(str, values, "exclude"),
    )


_NUMBER = int | float

_KINDS: dict[str, type | UnionType] = {
    "model": str,
    **dict.fromkeys(("epochs", "batch_size", "warmup", "rewind_at", "threads"), int),
    **dict.fromkeys(("learning_rate", "momentum", "weight_decay"), _NUMBER),
    **dict.fromkeys(("standardise", "augment"), bool),
    "device": str,
}
"""Type of each field in a file."""


def _check_kinds(values: Mapping[str, object], kinds: Mapping[str, type | UnionType]) -> None:
    for name, kind in kinds.items():
        if name in values and not _is(values[name], kind):
            raise TypeError(f"{name} is {values[name]!r}; it must be {_WORDS[kind]}")


def _list_of(kind: type[Item], values: Mapping[str, object], name: str) -> tuple[Item, ...]:
    found = values.get(name, [])
    if not isinstance(found, list | tuple) or not all(_is(item, kind) for item in found):
        raise TypeError(f"{name} is {found!r}; it must be a list, and each of it {_WORDS[kind]}")
    return tuple(found)


def _table(name: str, found: object) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise TypeError(f"{name} is {found!r}; it must be a table")
    return found


def _is(value: object, kind: type | UnionType) -> bool:
    """Whether a value has a type; true and false are no numbers."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


_WORDS: dict[type | UnionType, str] = {int: "a whole number", _NUMBER: "a number", str: "a text", bool: "true or false"}


def recipe_for(model: str, data: str, kind: Recipes) -> Recipe:
    """Return the default, canonical or quick recipe of a network on a data set.

    Raises:
        OptionError: if the network has no such recipe.
    """
    if kind is Recipes.DEFAULT:
        epochs, batch_size, learning_rate = _BY_DATA.get(data, _BY_DATA[Data.FASHION_MNIST.value])
        pruning = _CANONICAL[model].recipe.pruning if model in _CANONICAL else PruningDefaults()
        return Recipe(model, epochs, batch_size, learning_rate, pruning=pruning)
    if model not in _CANONICAL:
        known = ", ".join(_CANONICAL)
        raise OptionError(f"{model} has no {kind} recipe; those that have one are {known}")
    canonical = _CANONICAL[model]
    if kind is Recipes.CANONICAL:
        return canonical.recipe
    return replace(canonical.recipe, epochs=canonical.quick_epochs, drops=canonical.quick_drops)


def data_of_recipe(model: str) -> Data | None:
    """Return the data set of a network's canonical recipe; None if it has none."""
    return _CANONICAL[model].data if model in _CANONICAL else None


_BY_DATA: dict[str, tuple[int, int, float]] = {
    Data.DIGITS.value: (40, 32, 2e-3),
    Data.MNIST.value: (6, 60, 1.2e-3),
    Data.FASHION_MNIST.value: (12, 60, 1.2e-3),
    Data.CIFAR10.value: (12, 60, 3e-4),
}
"""Epochs, batch size and learning rate of Adam in the default recipe."""


@dataclass(frozen=True)
class _Canonical:
    recipe: Recipe
    data: Data
    quick_epochs: int
    quick_drops: tuple[int, ...] = ()


def _adam(model: str, epochs: int, learning_rate: float, conv_rate: float | None = None) -> Recipe:
    rates = {} if conv_rate is None else {"conv*": conv_rate}
    pruning = PruningDefaults(layer_rates={**rates, parse_architecture(model).output_layer: 0.1})
    return Recipe(model, epochs, batch_size=60, learning_rate=learning_rate, pruning=pruning)


def _sgd(model: str, batch_size: int, epochs: int, drops: tuple[int, ...]) -> Recipe:
    return Recipe(
        model,
        epochs,
        batch_size,
        learning_rate=0.1,
        optimizer=Optimizer.SGD,
        momentum=0.9,
        weight_decay=1e-4,
        schedule=Schedules.STEPS,
        drops=drops,
        standardise=True,
        augment=True,
        pruning=PruningDefaults(scope=Scope.GLOBAL, exclude=(parse_architecture(model).output_layer,)),
    )


_CANONICAL = {
    # 50,000 steps of 60 images: 50 epochs of MNIST.
    "lenet-300-100": _Canonical(_adam("lenet-300-100", 50, 1.2e-3), Data.MNIST, 1),
    "lenet-5": _Canonical(_adam("lenet-5", 50, 1.2e-3), Data.MNIST, 1),
    # 20,000, 25,000 and 30,000 steps of 60 images: 24, 30 and 36 epochs of CIFAR-10.
    "conv-2": _Canonical(_adam("conv-2", 24, 2e-4, 0.1), Data.CIFAR10, 2),
    "conv-4": _Canonical(_adam("conv-4", 30, 3e-4, 0.1), Data.CIFAR10, 2),
    "conv-6": _Canonical(_adam("conv-6", 36, 3e-4, 0.15), Data.CIFAR10, 2),
    # 30,000 steps of 128 images: 77 epochs; 112,000 of 64: 143.
    "resnet-20": _Canonical(_sgd("resnet-20", 128, 77, (20_000, 25_000)), Data.CIFAR10, 10, (2_500, 3_300)),
    "resnet-18": _Canonical(_sgd("resnet-18", 128, 77, (20_000, 25_000)), Data.CIFAR10, 10, (2_500, 3_300)),
    "vgg-11": _Canonical(_sgd("vgg-11", 64, 143, (56_000, 84_000)), Data.CIFAR10, 10, (5_000, 6_600)),
    "vgg-16": _Canonical(_sgd("vgg-16", 64, 143, (56_000, 84_000)), Data.CIFAR10, 10, (5_000, 6_600)),
}
"""Frankle & Carbin, "The Lottery Ticket Hypothesis", ICLR 2019, figure 2 and appendices G to I.

Optimizers, learning rates, batch sizes, steps and pruning rates are theirs: 20 % a round, the output layer at half of
that; convolutions of conv-2 and conv-4 at 10 %, of conv-6 at 15 %; residual networks and VGG by one global order
without the output layer. LeNet-5 is trained as LeNet-300-100, vgg-11 and vgg-16 as their VGG-19, resnet-18 as their
ResNet of 20 layers. Their training sets are smaller by 5,000 images, kept for validation.
"""
