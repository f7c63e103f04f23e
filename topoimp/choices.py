"""The words that users choose by; nothing heavy is imported here, so that help and completion start at once."""

import re
from enum import StrEnum
from typing import TypeVar

from topoimp.errors import OptionError

Choice = TypeVar("Choice", bound=StrEnum)


def chosen(kind: type[Choice], word: Choice | str) -> Choice:
    """Give the member of a choice that a word names; members name themselves.

    Raises:
        OptionError: if there is no such member.

    >>> chosen(Method, "random")
    <Method.RANDOM: 'random'>
    """
    try:
        return kind(word)
    except ValueError as error:
        name = re.sub("(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()  # two words of two
        raise OptionError(f"there is no {name} {str(word)!r}; known are {', '.join(kind)}") from error


def check_seed(seed: int, *, n_bits: int | None = None) -> None:
    """Check that a seed is at least 0, and that it has no more than ``n_bits`` bits if these are limited.

    Raises:
        OptionError: if it is negative or too large.
    """
    if seed < 0 or (n_bits is not None and seed >= 2**n_bits):
        limit = "" if n_bits is None else f" and below 2^{n_bits}"
        raise OptionError(f"the seed is {seed}; it must be at least 0{limit}")


class Method(StrEnum):
    """What decides which weights pruning keeps."""

    TOPOLOGICAL = "topological"
    MAGNITUDE = "magnitude"
    RANDOM = "random"


class Scope(StrEnum):
    """Whether each layer has a target of its own or all share one."""

    LAYER = "layer"
    GLOBAL = "global"


class View(StrEnum):
    """How a tensor with more than two axes is read: as the matrix product that it is, or channel by channel."""

    MATRIX = "matrix"
    CHANNEL = "channel"


class NeuralPersistence(StrEnum):
    """The three conventions of normalised neural persistence; they differ by up to half, so outputs name theirs."""

    RIECK = "rieck"
    RIECK_FINITE = "rieck-finite"
    BALWANI = "balwani"


class Scale(StrEnum):
    """What strengths are divided by: the largest of all layers looked at, the layer's own largest, or nothing."""

    NETWORK = "network"
    LAYER = "layer"
    NONE = "none"


class BarConvention(StrEnum):
    """How bars are written: from the level of birth down to that of death, or with signs turned, as GUDHI has them."""

    SUPERLEVEL = "superlevel"
    GUDHI = "gudhi"


class Optimizer(StrEnum):
    """What training steps with."""

    ADAM = "adam"
    SGD = "sgd"


class Schedules(StrEnum):
    """How the learning rate goes on: as it is, down to a tenth at some steps, or down to 0 along a cosine."""

    CONSTANT = "constant"
    STEPS = "steps"
    COSINE = "cosine"


class Recipes(StrEnum):
    """Which recipe a network is trained by: that of the data, the published one, or that in fewer epochs."""

    DEFAULT = "default"
    CANONICAL = "canonical"
    QUICK = "quick"


class Essential(StrEnum):
    """What an essential bar counts as in a distance: one that dies at strength 0, or one that never dies."""

    DIES_AT_ZERO = "dies-at-zero"
    NEVER_DIES = "never-dies"


class Data(StrEnum):
    """The data sets that are known by name."""

    DIGITS = "digits"
    MNIST = "mnist"
    FASHION_MNIST = "fashion-mnist"
    CIFAR10 = "cifar10"


class Shuffle(StrEnum):
    """What is shuffled: strengths over a layer's edges, with zeros over its live block, or over each row's edges."""

    EDGES = "edges"
    BLOCK = "block"
    ROWS = "rows"
