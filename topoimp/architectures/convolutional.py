"""Convolutional networks without shortcuts: LeNet-5, Conv-2 to Conv-6, and VGG for small images."""

from math import prod

from topoimp.architectures.architecture import (
    CIFAR_IMAGE,
    MNIST_IMAGE,
    Architecture,
    ImageShape,
    InitialWeights,
    require_size,
    size_text,
)
from topoimp.architectures.parts import Convolution, Dense, Norm, Operation, Part
from topoimp.architectures.plain import dense_parts
from topoimp.errors import OptionError

Stages = tuple[tuple[int, ...], ...]
"""Output channels of each convolution, by stage; the image is halved after each stage."""

CONV_STAGES: dict[str, Stages] = {
    "conv-2": ((64, 64),),
    "conv-4": ((64, 64), (128, 128)),
    "conv-6": ((64, 64), (128, 128), (256, 256)),
}

VGG_STAGES: dict[str, Stages] = {
    "vgg-11": ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    "vgg-16": ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
}


def lenet_5(name: str, image: ImageShape | None, n_classes: int) -> Architecture:
    """Return LeNet-5 as the pruning literature uses it, which is Caffe's: 431,080 parameters.

    Raises:
        OptionError: if the images are not grey ones of 28 x 28 pixels.

    Source: Han et al., "Learning both weights and connections", NeurIPS 2015, table 1: 431K.
    """
    if image and image != MNIST_IMAGE:
        raise OptionError(
            f"{name} takes images of {size_text(MNIST_IMAGE)} (channels, height, width); these have {size_text(image)}"
        )
    parts: dict[str, Part] = {
        "conv1": Convolution(1, 20, side=5, padding=0),
        "pool1": Operation.POOL,
        "conv2": Convolution(20, 50, side=5, padding=0),
        "pool2": Operation.POOL,
        "flatten": Operation.FLATTEN,
        **dense_parts([800, 500, n_classes]),
    }
    return Architecture(name, parts, InitialWeights.GLOROT_NORMAL)


def conv_network(name: str, image: ImageShape | None, n_classes: int) -> Architecture:
    """Return Conv-2, Conv-4 or Conv-6: pairs of 3 x 3 convolutions, and two hidden layers of 256.

    The table in the source gives 4.3M, 2.4M and 1.7M weights. The first two are met; its Conv-6 as described has
    2.26M on images of 32 x 32 pixels, of which 1.1M are convolutions, as the table says too.

    Raises:
        OptionError: if the images are too small.

    Source: Frankle & Carbin, "The Lottery Ticket Hypothesis", ICLR 2019, figure 2.
    """
    image, stages = image or CIFAR_IMAGE, CONV_STAGES[name]
    require_size(name, image, len(stages))
    n_channels, height, width = image
    sides = (size // 2 ** len(stages) for size in (height, width))
    parts: dict[str, Part] = {
        **_stage_parts(n_channels, stages, normed=False),
        "flatten": Operation.FLATTEN,
        **dense_parts([stages[-1][-1] * prod(sides), 256, 256, n_classes]),
    }
    return Architecture(name, parts, InitialWeights.GLOROT_NORMAL)


def vgg_network(name: str, image: ImageShape | None, n_classes: int) -> Architecture:
    """Return VGG-11 or VGG-16 for small images: batch norm after each convolution, and a single fully connected layer.

    The last pooling leaves one pixel of 32 x 32; a mean over the pixels follows for larger images.

    Raises:
        OptionError: if the images are too small.

    Source: Simonyan & Zisserman, "Very Deep Convolutional Networks", ICLR 2015, table 1, columns A and D; batch norm
    and the single fully connected layer as in the public implementations for CIFAR-10, kuangliu/pytorch-cifar and
    facebookresearch/open_lth; initial weights as in the latter.
    """
    image, stages = image or CIFAR_IMAGE, VGG_STAGES[name]
    require_size(name, image, len(stages))
    parts: dict[str, Part] = {
        **_stage_parts(image[0], stages, normed=True),
        "mean": Operation.MEAN,
        "flatten": Operation.FLATTEN,
        "fc": Dense(stages[-1][-1], n_classes),
    }
    return Architecture(name, parts, InitialWeights.HE_NORMAL)


def _stage_parts(n_in: int, stages: Stages, *, normed: bool) -> dict[str, Part]:
    """Return 3 x 3 convolutions numbered from 1, with ReLU after each and pooling after each stage."""
    parts: dict[str, Part] = {}
    number = 0
    for stage, channels in enumerate(stages, 1):
        for n_out in channels:
            number += 1
            parts[f"conv{number}"] = Convolution(n_in, n_out)
            if normed:
                parts[f"norm{number}"] = Norm(n_out)
            parts[f"conv{number}_relu"] = Operation.RELU
            n_in = n_out
        parts[f"pool{stage}"] = Operation.POOL
    return parts
