"""A MODEL string on one side, an architecture on the other."""

from collections.abc import Callable

from topoimp.architectures.architecture import N_CLASSES, Architecture, ImageShape, size_text
from topoimp.architectures.convolutional import CONV_STAGES, VGG_STAGES, conv_network, lenet_5, vgg_network
from topoimp.architectures.plain import WIDTHS, lenet_300_100, mlp
from topoimp.architectures.residual import RESIDUAL_PLANS, residual_network
from topoimp.errors import OptionError

LARGEST_NETWORK = 100_000_000
"""Most weights that a network may have: the built-in trainer is for small ones."""

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
        model: a key of ``NAMED_NETWORKS``, such as ``lenet-300-100`` or ``vgg-16``, or ``mlp:784-300-100-10``.
        image: channels, height and width of its images, each at least 1; explicit widths must match. None means the
            images of MNIST for the LeNets, and of CIFAR-10 for the other named networks.
        n_classes: number of outputs, at least 1; explicit widths must match. None means 10.

    Raises:
        OptionError: if no model has this name, it does not fit the images or classes, or it is too large.

    >>> parse_architecture("lenet-300-100").n_parameters()
    266610
    >>> parse_architecture("vgg-16", n_classes=100).layer_sides()["fc.weight"]
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
    else:
        known = ", ".join(NAMED_NETWORKS)
        raise OptionError(f"there is no model {model!r}; known are {known} and widths as in mlp:784-300-100-10")
    if architecture.n_weights() > LARGEST_NETWORK:
        raise OptionError(f"{model} has {architecture.n_weights()} weights; at most {LARGEST_NETWORK} are trained here")
    return architecture
