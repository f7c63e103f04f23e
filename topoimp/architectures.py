"""The networks that ``train`` can make, as names and shapes; nothing here needs torch.

A MODEL is ``lenet-300-100``, ``lenet-5``, or ``mlp:`` and its widths, input first: ``mlp:784-300-100-10``.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from topoimp.errors import OptionError

LENET_5_IMAGE = (28, 28)
"""Height and width of the images that lenet-5 takes."""

N_CLASSES = 10
"""Outputs of the named networks: all data sets known here have ten classes."""

_MNIST_PIXELS = 784


@dataclass(frozen=True)
class Architecture:
    """A network, described by the shapes of its weights.

    Args:
        name: as the user gave it.
        kind: ``mlp`` or ``lenet-5``.
        weights: by layer (``fc1``), the shape of its weight: (out, in) or (out, in, height, width).
    """

    name: str
    kind: str
    weights: dict[str, tuple[int, ...]]

    def layer_sides(self) -> dict[str, tuple[int, int]]:
        """Give rows and columns of each layer, by the name of its tensor."""
        return {f"{layer}.weight": (shape[0], prod(shape[1:])) for layer, shape in self.weights.items()}

    def n_parameters(self) -> int:
        """Give the number of weights and biases."""
        return sum(prod(shape) + shape[0] for shape in self.weights.values())


def parse_architecture(model: str, *, image: tuple[int, int] | None = None) -> Architecture:
    """Give the architecture that a MODEL string names.

    Args:
        model: ``lenet-300-100``, ``lenet-5`` or ``mlp:784-300-100-10``.
        image: height and width of the images it is to take; explicit widths must match. MNIST's where None.

    Raises:
        OptionError: if there is no such model, or it does not take such images.

    >>> parse_architecture("lenet-300-100").n_parameters()
    266610
    """
    n_pixels = prod(image) if image else _MNIST_PIXELS
    if model == "lenet-300-100":
        return Architecture(model, "mlp", _dense_weights([n_pixels, 300, 100, N_CLASSES]))
    if model == "lenet-5":
        return _lenet_5(image or LENET_5_IMAGE)
    widths = _mlp_widths(model)
    if image and widths[0] != n_pixels:
        raise OptionError(
            f"{model} takes {widths[0]} inputs, but the images have {image[0]} x {image[1]} = {n_pixels} pixels"
        )
    if image and widths[-1] != N_CLASSES:
        raise OptionError(f"{model} has {widths[-1]} outputs, but the data have {N_CLASSES} classes")
    return Architecture(model, "mlp", _dense_weights(widths))


LARGEST_NETWORK = 100_000_000
"""Parameters: the built-in trainer is for small networks."""


def _mlp_widths(model: str) -> list[int]:
    if not re.fullmatch(r"mlp:[1-9]\d{0,6}(-[1-9]\d{0,6})+", model):
        raise OptionError(
            f"there is no model {model!r}; known are lenet-300-100, lenet-5 and widths as in mlp:784-300-100-10"
        )
    widths = [int(width) for width in model.removeprefix("mlp:").split("-")]
    n_weights = sum(a * b for a, b in pairwise(widths))
    if n_weights > LARGEST_NETWORK:
        raise OptionError(f"{model} has {n_weights} weights; at most {LARGEST_NETWORK} are trained here")
    return widths


def _dense_weights(widths: list[int]) -> dict[str, tuple[int, ...]]:
    return {f"fc{k + 1}": (widths[k + 1], widths[k]) for k in range(len(widths) - 1)}


def _lenet_5(image: tuple[int, int]) -> Architecture:
    """LeNet-5 as the pruning literature uses it, which is Caffe's: 431,080 parameters.

    Source: Han et al., "Learning both weights and connections", NeurIPS 2015, table 1: 431K.
    """
    if image != LENET_5_IMAGE:
        raise OptionError(f"lenet-5 takes images of 28 x 28 pixels; these have {image[0]} x {image[1]}")
    weights = {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (N_CLASSES, 500)}
    return Architecture("lenet-5", "lenet-5", weights)
