"""A MODEL string, images and classes in, an architecture out: networks that have names, and those of any widths.

``image`` is None for the images that a network was designed for.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from topoimp.architectures.architecture import (
    CIFAR_IMAGE,
    MNIST_IMAGE,
    N_CLASSES,
    Architecture,
    ImageShape,
    InitialWeights,
    require_size,
    size_text,
)
from topoimp.architectures.parts import Block, Convolution, Dense, Norm, Operation, Part
from topoimp.architectures.stacks import Stages, dense_parts, stage_parts
from topoimp.errors import OptionError

LARGEST_NETWORK = 100_000_000
"""Most weights that a network may have: the built-in trainer is for small ones."""

_WIDTHS = r":([1-9]\d{0,6}(?:-[1-9]\d{0,6})+)"

WIDTHS = re.compile(f"mlp{_WIDTHS}")
"""Pattern of a MODEL string that lists widths, input first: ``mlp:784-300-100-10``."""

CONV_STAGES: dict[str, Stages] = {
    "conv-2": ((64, 64),),
    "conv-4": ((64, 64), (128, 128)),
    "conv-6": ((64, 64), (128, 128), (256, 256)),
}

VGG_STAGES: dict[str, Stages] = {
    "vgg-11": ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    "vgg-16": ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
}


HEADED = re.compile(f"({'|'.join(VGG_STAGES)}){_WIDTHS}")
"""Pattern of a MODEL string that lists the widths of a VGG's dense layers: ``vgg-11:2048-1024-1024-200``."""


@dataclass(frozen=True)
class ResidualPlan:
    """Channels of each stage, blocks in each, and whether shortcuts between stages are trained (``Block.projects``)."""

    channels: tuple[int, ...]
    n_blocks: int
    projects: bool


RESIDUAL_PLANS = {
    "resnet-20": ResidualPlan((16, 32, 64), n_blocks=3, projects=False),
    "resnet-18": ResidualPlan((64, 128, 256, 512), n_blocks=2, projects=True),
}


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


def lenet_300_100(name: str, image: ImageShape | None, n_classes: int) -> Architecture:
    """Return LeNet-300-100, with an input for each value of an image.

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998; initial weights as Frankle
    & Carbin, ICLR 2019.
    """
    return _dense_network(name, [prod(image or MNIST_IMAGE), 300, 100, n_classes])


def _dense_network(name: str, widths: list[int]) -> Architecture:
    return Architecture(name, {"flatten": Operation.FLATTEN, **dense_parts(widths)}, InitialWeights.GLOROT_NORMAL)


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
    return Architecture(name, parts, InitialWeights.GLOROT_NORMAL, MNIST_IMAGE)


def conv_network(name: str, image: ImageShape | None, n_classes: int) -> Architecture:
    """Return Conv-2, Conv-4 or Conv-6: pairs of 3 x 3 convolutions, and two hidden layers of 256.

    The table in the source gives 4.3M, 2.4M and 1.7M weights. The first two are met; its Conv-6 as described has
    2.26M on images of 32 x 32 pixels, of which 1.1M are convolutions, as the table says too.

    Raises:
        OptionError: if the images are too small.

    Source: Frankle & Carbin, "The Lottery Ticket Hypothesis", ICLR 2019, figure 2.
    """
    n_channels, height, width = image or CIFAR_IMAGE
    stages = CONV_STAGES[name]
    require_size(name, (height, width), len(stages))
    n_values = stages[-1][-1] * prod(size // 2 ** len(stages) for size in (height, width))
    parts: dict[str, Part] = {
        **stage_parts(n_channels, stages, normed=False),
        "flatten": Operation.FLATTEN,
        **dense_parts([n_values, 256, 256, n_classes]),
    }
    return Architecture(name, parts, InitialWeights.GLOROT_NORMAL, image or CIFAR_IMAGE)


def vgg_network(name: str, image: ImageShape | None, n_classes: int) -> Architecture:
    """Return VGG-11 or VGG-16 for small images: batch norm after each convolution, and a single fully connected layer.

    The last pooling leaves one pixel of 32 x 32; a mean over the pixels follows for larger images.

    Raises:
        OptionError: if the images are too small.

    Source: Simonyan & Zisserman, "Very Deep Convolutional Networks", ICLR 2015, table 1, columns A and D; batch norm
    and the single fully connected layer as in the public implementations for CIFAR-10, kuangliu/pytorch-cifar and
    facebookresearch/open_lth; initial weights as in the latter.
    """
    image = image or CIFAR_IMAGE
    stages = VGG_STAGES[name]
    require_size(name, image[1:], len(stages))
    parts = stage_parts(image[0], stages, normed=True)
    parts |= {"mean": Operation.MEAN, "flatten": Operation.FLATTEN, "fc": Dense(stages[-1][-1], n_classes)}
    return Architecture(name, parts, InitialWeights.HE_NORMAL, image)


def headed_vgg(name: str, image: ImageShape | None, n_classes: int | None) -> Architecture:
    """Return a VGG (see ``vgg_network``) with the dense layers ``fc1``, ``fc2``, ... of the widths that its name lists.

    The first width decides what they read: all values of the last pooling, or the mean of each channel, as in the VGG
    without widths.

    Raises:
        OptionError: if the images are too small, or the widths fit neither of the two, or not the classes.
    """
    network, _, text = name.partition(":")
    widths = [int(width) for width in text.split("-")]
    image = image or CIFAR_IMAGE
    stages = VGG_STAGES[network]
    require_size(name, image[1:], len(stages))

    n_channels = stages[-1][-1]
    n_values = n_channels * prod(size // 2 ** len(stages) for size in image[1:])
    if widths[0] not in (n_channels, n_values):
        raise OptionError(
            f"the dense layers of {name} take {widths[0]} values; its convolutions give {n_values} on images of "
            f"{size_text(image)}, and {n_channels} means of channels"
        )
    if n_classes is not None and widths[-1] != n_classes:
        raise OptionError(f"{name} has {widths[-1]} outputs, but the data have {n_classes} classes")

    mean: dict[str, Part] = {} if widths[0] == n_values else {"mean": Operation.MEAN}
    parts = stage_parts(image[0], stages, normed=True) | mean | {"flatten": Operation.FLATTEN} | dense_parts(widths)
    return Architecture(name, parts, InitialWeights.HE_NORMAL, image)


def residual_network(name: str, image: ImageShape | None, n_classes: int) -> Architecture:
    """Return ResNet-20 or ResNet-18: a 3 x 3 convolution, blocks, the mean over all pixels, a fully connected layer.

    resnet-20 is He et al.'s network for CIFAR-10, with shortcuts that have no parameters. Frankle & Carbin, ICLR 2019,
    call "Resnet-18" the same network with trained shortcuts (274K in their figure 2). resnet-18 is He et al.'s
    network for ImageNet with a 3 x 3 convolution in place of the first 7 x 7 one and its pooling.

    Raises:
        OptionError: if the images are too small.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2 and table 1; the form of
    resnet-18 as in the public implementation for CIFAR-10, kuangliu/pytorch-cifar.
    """
    image = image or CIFAR_IMAGE
    plan = RESIDUAL_PLANS[name]
    require_size(name, image[1:], len(plan.channels) - 1)
    n_first, n_last = plan.channels[0], plan.channels[-1]
    parts: dict[str, Part] = {
        "conv1": Convolution(image[0], n_first, has_bias=False),
        "norm1": Norm(n_first),
        "conv1_relu": Operation.RELU,
        **_blocks(plan),
        "mean": Operation.MEAN,
        "flatten": Operation.FLATTEN,
        "fc": Dense(n_last, n_classes),
    }
    return Architecture(name, parts, InitialWeights.HE_NORMAL, image)


def _blocks(plan: ResidualPlan) -> dict[str, Part]:
    blocks: dict[str, Part] = {}
    n_in = plan.channels[0]
    for stage, n_out in enumerate(plan.channels):
        for number in range(plan.n_blocks):
            stride = 2 if stage > 0 and number == 0 else 1
            blocks[f"block{len(blocks) + 1}"] = Block(n_in, n_out, stride, plan.projects)
            n_in = n_out
    return blocks


NAMED_NETWORKS: dict[str, Callable[[str, ImageShape | None, int], Architecture]] = {
    "lenet-300-100": lenet_300_100,
    "lenet-5": lenet_5,
    **dict.fromkeys(CONV_STAGES, conv_network),
    **dict.fromkeys(VGG_STAGES, vgg_network),
    **dict.fromkeys(RESIDUAL_PLANS, residual_network),
}


def parse_architecture(model: str, *, image: ImageShape | None = None, n_classes: int | None = None) -> Architecture:
    """Return the architecture that a MODEL string names.

    Args:
        model: a key of ``NAMED_NETWORKS``, such as ``lenet-300-100`` or ``vgg-16``; ``mlp:784-300-100-10``; or a VGG
            with other dense layers, as in ``vgg-11:512-256-10``.
        image: channels, height and width of its images, each at least 1; explicit widths must match. None means the
            images of MNIST for the LeNets, and of CIFAR-10 for the other named networks.
        n_classes: number of outputs, at least 1; explicit widths must match. None means 10.

    Raises:
        OptionError: if no model has this name, it does not fit the images or classes, or it is too large.

    >>> parse_architecture("lenet-300-100").n_parameters()
    266610
    >>> parse_architecture("vgg-16", n_classes=100).weights["fc.weight"]
    (100, 512)
    """
    if image is not None and min(image) < 1:
        raise OptionError(f"images are {size_text(image)}; channels, height and width must be at least 1")
    if n_classes is not None and n_classes < 1:
        raise OptionError(f"n_classes is {n_classes}; it must be at least 1")

    if model in NAMED_NETWORKS:
        architecture = NAMED_NETWORKS[model](model, image, n_classes or N_CLASSES)
    elif WIDTHS.fullmatch(model):
        architecture = mlp(model, image, n_classes)
    elif HEADED.fullmatch(model):
        architecture = headed_vgg(model, image, n_classes)
    else:
        known = ", ".join(NAMED_NETWORKS)
        widths = "widths as in mlp:784-300-100-10 or vgg-11:512-256-10"
        raise OptionError(f"there is no model {model!r}; known are {known} and {widths}")
    if architecture.n_weights() > LARGEST_NETWORK:
        raise OptionError(f"{model} has {architecture.n_weights()} weights; at most {LARGEST_NETWORK} are trained here")
    return architecture
