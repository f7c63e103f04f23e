"""The words that users choose from, such as methods and scopes; imports nothing heavy, so that help starts at once."""

import re
from enum import StrEnum
from typing import TypeVar

from topoimp.errors import OptionError

Choice = TypeVar("Choice", bound=StrEnum)


def chosen(choice: type[Choice], word: Choice | str) -> Choice:
    """Return the member of a choice that a word names; a member names itself, another word is an OptionError.

    >>> chosen(Method, "random")
    <Method.RANDOM: 'random'>
    """
    try:
        return choice(word)
    except ValueError as error:
        name = re.sub("(?<=[a-z])(?=[A-Z])", " ", choice.__name__).lower()  # two words of two
        raise OptionError(f"there is no {name} {str(word)!r}; known are {', '.join(choice)}") from error


def check_seed(seed: int, *, n_bits: int | None = None) -> None:
    """Raise an OptionError if a seed is negative, or has more than ``n_bits`` bits where these are limited."""
    if seed < 0 or (n_bits is not None and seed >= 2**n_bits):
        limit = "" if n_bits is None else f" and below 2^{n_bits}"
        raise OptionError(f"the seed is {seed}; it must be at least 0{limit}")


class Method(StrEnum):
    """Rule that decides which weights pruning keeps."""

    TOPOLOGICAL = "topological"
    MAGNITUDE = "magnitude"
    RANDOM = "random"
    LAMP = "lamp"
    PATHS = "paths"
    SYNFLOW_L2 = "synflow-l2"


class PathInputs(StrEnum):
    """Strength of an input of the network at the start of its paths: 1, or its deviation over the training images."""

    ONES = "ones"
    DATA = "data"


class RoundReference(StrEnum):
    """Reference of a round of pruning: its own unpruned network, or the round before."""

    ROUND_0 = "round-0"
    PREVIOUS = "previous"


class Scope(StrEnum):
    """Reach of a pruning target: each output of a layer, a layer, all layers, or all of them, whose shapes split it."""

    ROW = "row"
    LAYER = "layer"
    GLOBAL = "global"
    ERK = "erk"


class PruningSchedule(StrEnum):
    """Course of pruning: each round removes a share of the remaining weights, or the same number of weights."""

    GEOMETRIC = "geometric"
    LINEAR = "linear"


class Preset(StrEnum):
    """Published procedure of iterative pruning: of Balwani & Krzyston (2022), or of Frankle & Carbin (2019)."""

    PAPER = "paper"
    FRANKLE_CARBIN = "frankle-carbin"


class View(StrEnum):
    """Reading of a tensor with more than two axes: as a matrix product, by channels, or unrolled over an image."""

    MATRIX = "matrix"
    CHANNEL = "channel"
    SPATIAL = "spatial"


class SpatialConvention(StrEnum):
    """Reading of the strided convolutions and the shortcuts of a built-in network in the view ``spatial``.

    ``balwani``, as table 1 of Balwani & Krzyston: a strided convolution counts with stride 1 at the size of its output,
    and shortcuts do not count. ``exact``: every convolution with its stride.
    """

    BALWANI = "balwani"
    EXACT = "exact"


class NeuralPersistence(StrEnum):
    """The three conventions of normalised neural persistence; they differ by up to half, so outputs name theirs."""

    RIECK = "rieck"
    RIECK_FINITE = "rieck-finite"
    BALWANI = "balwani"


class Scale(StrEnum):
    """Divisor of strengths: the largest strength of the selected layers, that of the layer, or none."""

    NETWORK = "network"
    LAYER = "layer"
    NONE = "none"


class BarConvention(StrEnum):
    """Form of a bar: from its birth down to its death, or with both signs reversed, as in GUDHI."""

    SUPERLEVEL = "superlevel"
    GUDHI = "gudhi"


class PictureSize(StrEnum):
    """Width of a picture: one column of a paper, 3.25 inches, or its page, 6.75 inches."""

    COLUMN = "column"
    PAGE = "page"


class Optimizer(StrEnum):
    """Optimizer of training."""

    ADAM = "adam"
    SGD = "sgd"


class Schedules(StrEnum):
    """Course of the learning rate: constant, down to a tenth at some steps, or down to 0 along a cosine."""

    CONSTANT = "constant"
    STEPS = "steps"
    COSINE = "cosine"


class Recipes(StrEnum):
    """Training recipe of a network: that of the data, the published one, or the published one in fewer epochs."""

    DEFAULT = "default"
    CANONICAL = "canonical"
    QUICK = "quick"


class Essential(StrEnum):
    """End of an essential bar in a distance: it dies at strength 0, or it never dies."""

    DIES_AT_ZERO = "dies-at-zero"
    NEVER_DIES = "never-dies"


class Data(StrEnum):
    """The data sets that have names."""

    DIGITS = "digits"
    MNIST = "mnist"
    FASHION_MNIST = "fashion-mnist"
    CIFAR10 = "cifar10"


class Shuffle(StrEnum):
    """Shuffle of strengths: over a layer's edges, with zeros over its live block, within rows, or within columns."""

    EDGES = "edges"
    BLOCK = "block"
    ROWS = "rows"
    COLUMNS = "columns"


class MaskShuffle(StrEnum):
    """Shuffle of a mask: over a layer's edges, within rows, within columns, or with the numbers of both."""

    EDGES = "edges"
    ROWS = "rows"
    COLUMNS = "columns"
    DEGREES = "degrees"


class NullModel(StrEnum):
    """Null model: a shuffle, graphs of the same degrees, independent strengths, a random mask, or initial weights."""

    EDGES = "edges"
    BLOCK = "block"
    ROWS = "rows"
    COLUMNS = "columns"
    SCALES = "scales"
    DEGREES = "degrees"
    IID = "iid"
    RANDOM = "random"
    INITIAL = "initial"
