"""Fully connected networks: LeNet-300-100, and networks of any widths."""

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
    """Return LeNet-300-100, with an input for each value of an image.

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998; initial weights as Frankle
    & Carbin, ICLR 2019.
    """
    return _dense_network(name, [prod(image or MNIST_IMAGE), 300, 100, n_classes])


WIDTHS = re.compile(r"mlp:[1-9]\d{0,6}(-[1-9]\d{0,6})+")
"""Pattern of a MODEL string that lists widths, input first: ``mlp:784-300-100-10``."""


def mlp(name: str, image: ImageShape | None, n_classes: int | None) -> Architecture:
    """Return a network of the widths that its name (see ``WIDTHS``) lists.

    Raises:
        OptionError: if its inputs do not fit the images, or its outputs the classes.
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
    """Return fully connected layers ``fc1``, ``fc2``, ... of these widths, input first, with ReLU between them."""
    parts: dict[str, Part] = {}
    for number, (n_in, n_out) in enumerate(pairwise(widths), 1):
        parts |= {f"fc{number}": Dense(n_in, n_out), f"fc{number}_relu": Operation.RELU}
    parts.popitem()  # the outputs of the last layer are scores of either sign
    return parts


def _dense_network(name: str, widths: list[int]) -> Architecture:
    parts: dict[str, Part] = {"flatten": Operation.FLATTEN, **dense_parts(widths)}
    return Architecture(name, parts, InitialWeights.GLOROT_NORMAL)
