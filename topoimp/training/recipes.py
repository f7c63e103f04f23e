"""Recipes: everything that decides the result of training but the data and the seed; nothing here needs torch.

Named networks have a *canonical* recipe, from the literature of lottery tickets, and a *quick* one, the same in fewer
epochs. Every network has a *default* one, which depends on the data.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import cos, isfinite, pi
from typing import Any

from topoimp.architectures import parse_architecture
from topoimp.choices import Data, Optimizer, Recipes, Schedules, Scope, chosen
from topoimp.errors import OptionError

_MOST = 1_000_000_000


@dataclass(frozen=True)
class PruningDefaults:
    """Defaults for pruning the networks of a recipe, as in ``PruningOptions``."""

    rate: float = 0.2
    scope: Scope = Scope.LAYER
    layer_rates: Mapping[str, float] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for rate in (self.rate, *self.layer_rates.values()):
            if not 0 < rate < 1:
                raise OptionError(f"a rate of pruning is {rate}; it must be above 0 and below 1")


@dataclass(frozen=True)
class Recipe:
    """The settings of training.

    Args:
        model: a MODEL string, as in ``parse_architecture``.
        epochs: passes over the training set, at least 0.
        batch_size: images a step, at least 1.
        learning_rate: that of the first step after the warm-up, above 0.
        optimizer: Adam, or SGD with momentum.
        momentum: that of SGD, from 0 to below 1; 0 for Adam.
        weight_decay: L2 penalty, at least 0.
        schedule: course of the learning rate.
        drops: steps after which the schedule ``steps`` lowers the learning rate to a tenth.
        warmup: steps over which the learning rate rises from 0.
        standardise: shift and scale each channel of the images to mean 0 and deviation 1.
        augment: shift training images by up to 4 pixels and mirror them, at random.
        rewind_at: step whose weights are the rewind weights, from 0 (the initial ones) to the last step.
        threads: number of threads, at least 1; at most all cores are used.
        device: ``cpu`` or ``cuda``.
        pruning: defaults for pruning its networks.

    Raises:
        OptionError: if a value is out of range.
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
        for name, least in {"epochs": 0, "batch_size": 1, "rewind_at": 0, "threads": 1, "warmup": 0}.items():
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
        """Return the number of steps on ``n_images``; raise an OptionError if the rewind step lies beyond them."""
        n_steps = self.epochs * self.steps_of_epoch(n_images)
        if self.rewind_at > n_steps:
            raise OptionError(f"rewind_at is {self.rewind_at}, but training has {n_steps} steps")
        return n_steps

    def steps_of_epoch(self, n_images: int) -> int:
        """Return the number of steps of one epoch."""
        return -(-n_images // self.batch_size)

    def steps_to_watch(self, n_images: int, every: int | None = None) -> frozenset[int]:
        """Return step 0, each epoch's last step or every ``every``-th one, and the last step of training."""
        n_steps = self.n_steps(n_images)
        return frozenset({*range(0, n_steps + 1, every or self.steps_of_epoch(n_images)), n_steps})

    def learning_rate_at(self, step: int, n_steps: int) -> float:
        """Return the learning rate of a step, counted from 0, of ``n_steps`` in all."""
        rate = self.learning_rate
        if step < self.warmup:
            return rate * (step + 1) / self.warmup
        if self.schedule is Schedules.STEPS:
            return float(rate * 0.1 ** sum(step >= drop for drop in self.drops))
        if self.schedule is Schedules.COSINE:
            done = (step - self.warmup) / max(n_steps - self.warmup, 1)
            return rate * (1 + cos(pi * done)) / 2
        return rate

    def fine_tuning(self, n_images: int) -> "Recipe":
        """Return the recipe that trains on from trained weights: all steps, at the last learning rate.

        A cosine schedule ends at 0; its recipe trains on at a tenth of the first learning rate.

        Source: Renda, Frankle & Carbin, "Comparing Rewinding and Fine-tuning in Neural Network Pruning", ICLR 2020.
        """
        n_steps = self.n_steps(n_images)
        is_cosine = self.schedule is Schedules.COSINE
        rate = self.learning_rate / 10 if is_cosine else self.learning_rate_at(n_steps, n_steps)
        return replace(self, schedule=Schedules.CONSTANT, drops=(), warmup=0, learning_rate=rate, rewind_at=0)

    def plain(self) -> dict[str, str | int | float | bool | list[int]]:
        """Return every field but ``pruning`` as plain values, as a file holds them."""
        return {name: value for name, value in {**asdict(self), "drops": list(self.drops)}.items() if name != "pruning"}


def recipe_from(table: Mapping[str, object]) -> Recipe:
    """Return the recipe in a file: the fields of ``Recipe.plain``, and a table ``pruning``; others are ignored.

    Raises:
        OptionError: if a field is missing, or has a wrong type or value.
    """
    known = {each.name for each in fields(Recipe)}
    values = _checked({name: value for name, value in table.items() if name in known}, _FORMS)
    missing = [name for name in ("model", "epochs", "batch_size", "learning_rate") if name not in values]
    if missing:
        raise OptionError(f"{missing[0]} is missing")

    pruning = _checked(values.get("pruning", {}), _PRUNING_FORMS)
    rates = pruning.get("layer_rates", {})
    values["pruning"] = PruningDefaults(
        rate=float(pruning.get("rate", 0.2)),
        scope=chosen(Scope, pruning.get("scope", Scope.LAYER)),
        layer_rates={name: float(rate) for name, rate in _checked(rates, dict.fromkeys(rates, _NUMBER)).items()},
        exclude=tuple(pruning.get("exclude", ())),
    )
    values["optimizer"] = chosen(Optimizer, str(values.get("optimizer", Optimizer.ADAM)))
    values["schedule"] = chosen(Schedules, str(values.get("schedule", Schedules.CONSTANT)))
    values["drops"] = tuple(values.get("drops", ()))
    values |= {name: float(values[name]) for name in _NUMBERS if name in values}
    return Recipe(**values)


_TEXT, _INTEGER, _NUMBER, _FLAG, _TABLE = "a text", "a whole number", "a number", "true or false", "a table"
_TEXTS, _INTEGERS = (f"a list, and each of it {form}" for form in (_TEXT, _INTEGER))

_NUMBERS = ("learning_rate", "momentum", "weight_decay")

_FORMS = {
    **dict.fromkeys(("model", "device"), _TEXT),
    **dict.fromkeys(("epochs", "batch_size", "warmup", "rewind_at", "threads"), _INTEGER),
    **dict.fromkeys(_NUMBERS, _NUMBER),
    **dict.fromkeys(("standardise", "augment"), _FLAG),
    "drops": _INTEGERS,
    "pruning": _TABLE,
}
"""Form of each field in a file, as messages say it."""

_PRUNING_FORMS = {"rate": _NUMBER, "scope": _TEXT, "layer_rates": _TABLE, "exclude": _TEXTS}


def _checked(table: Mapping[str, Any], forms: Mapping[str, str]) -> dict[str, Any]:
    """Return a table, each of whose values has its form."""
    for name, form in forms.items():
        if name in table and not _has_form(table[name], form):
            raise OptionError(f"a field has a wrong value: {name} is {table[name]!r}; it must be {form}")
    return dict(table)


def _has_form(value: object, form: str) -> bool:
    if form in (_TEXTS, _INTEGERS):
        item = _TEXT if form == _TEXTS else _INTEGER
        return isinstance(value, list) and all(_has_form(each, item) for each in value)
    types = {_TEXT: str, _INTEGER: int, _NUMBER: int | float, _FLAG: bool, _TABLE: Mapping}
    return isinstance(value, types[form]) and (form == _FLAG or not isinstance(value, bool))


def recipe_for(model: str, data: str, kind: Recipes) -> Recipe:
    """Return the default, canonical or quick recipe of a network on a data set.

    Raises:
        OptionError: if the network has no such recipe.
    """
    if kind is Recipes.DEFAULT:
        epochs, batch_size, learning_rate = _BY_DATA.get(data, _BY_DATA[Data.FASHION_MNIST])
        pruning = _CANONICAL[model].recipe.pruning if model in _CANONICAL else PruningDefaults()
        return Recipe(model, epochs, batch_size, learning_rate, pruning=pruning)
    if model not in _CANONICAL:
        raise OptionError(f"{model} has no {kind} recipe; those that have one are {', '.join(_CANONICAL)}")

    canonical = _CANONICAL[model]
    if kind is Recipes.CANONICAL:
        return canonical.recipe
    return replace(canonical.recipe, epochs=canonical.quick_epochs, drops=canonical.quick_drops)


def data_of_recipe(model: str) -> Data | None:
    """Return the data set of a network's canonical recipe, if it has one."""
    return _CANONICAL[model].data if model in _CANONICAL else None


_BY_DATA: dict[str, tuple[int, int, float]] = {
    Data.DIGITS: (40, 32, 2e-3),
    Data.MNIST: (6, 60, 1.2e-3),
    Data.FASHION_MNIST: (12, 60, 1.2e-3),
    Data.CIFAR10: (12, 60, 3e-4),
}
"""Epochs, batch size and learning rate of Adam in the default recipe."""


@dataclass(frozen=True)
class _Canonical:
    """A published recipe, and the epochs and drops of the quick one."""

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
