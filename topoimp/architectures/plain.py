"""Fully connected networks: widths as the user gives them, and LeNet-300-100."""

import re
from itertools import pairwise
from math import prod

from topoimp.architectures.architecture import (
    MNIST_IMAGE,
    N_CLASSES,
    Architecture,
    ImageShape,
    InitialWeights,
    size_text,
)
from topoimp.architectures.parts import Dense, Operation, Part
from topoimp.errors import OptionError


def lenet_300_100(name: str, image: ImageShape | None, n_classes: int) -> Architecture:
    """Give LeNet-300-100, as wide at its input as the images have values.

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998; initial weights as Frankle
    & Carbin, ICLR 2019.
    """
    return _dense_network(name, [prod(image or MNIST_IMAGE), 300, 100, n_classes])


WIDTHS = re.compile(r"mlp:[1-9]\d{0,6}(-[1-9]\d{0,6})+")
"""How a network is named by its widths, input first: ``mlp:784-300-100-10``."""


def mlp(name: str, image: ImageShape | None, n_classes: int | None) -> Architecture:
    """Give a network of the widths that its name (see ``WIDTHS``) lists.

    Raises:
        OptionError: if it does not take such images, or does not have as many outputs as there are classes.
    """
    widths = [int(width) for width in name.removeprefix("mlp:").split("-")]
    if image and widths[0] != prod(image):
        raise OptionError(
            f"{name} takes {widths[0]} inputs, but the images have {size_text(image)} = {prod(image)} values"
        )
    if (image or n_classes) and widths[-1] != (n_classes or N_CLASSES):
        raise OptionError(f"{name} has {widths[-1]} outputs, but the data have {n_classes or N_CLASSES} classes")
    return _dense_network(name, widths)


def dense_parts(widths: list[int]) -> dict[str, Part]:
    """Give fully connected layers ``fc1``, ``fc2``, ... of these widths, input first, and ReLU between them."""
    parts: dict[str, Part] = {}
    for number, (n_in, n_out) in enumerate(pairwise(widths), 1):
        parts |= {f"fc{number}": Dense(n_in, n_out), f"fc{number}_relu": Operation.RELU}
    parts.popitem()  # what the last layer gives are scores, of either sign
    return parts


def _dense_network(name: str, widths: list[int]) -> Architecture:
    parts: dict[str, Part] = {"flatten": Operation.FLATTEN, **dense_parts(widths)}
    return Architecture(name, parts, InitialWeights.GLOROT_NORMAL)
