"""A network, described without torch: its parts in order, and the shapes and counts that follow from them."""

from dataclasses import dataclass
from enum import StrEnum
from math import prod

from topoimp.architectures.parts import Part, Shapes, named_parameters
from topoimp.errors import OptionError

ImageShape = tuple[int, int, int]
"""Channels, height and width of an image."""

MNIST_IMAGE: ImageShape = (1, 28, 28)
CIFAR_IMAGE: ImageShape = (3, 32, 32)

N_CLASSES = 10
"""Outputs of a named network unless the data have another number of classes."""


class InitialWeights(StrEnum):
    """Distribution of the initial weights; biases are 0, the factors of batch norm 1."""

    GLOROT_NORMAL = "glorot-normal"
    """Variance 2 / (n_in + n_out): Glorot & Bengio, AISTATS 2010."""
    HE_NORMAL = "he-normal"
    """Variance 2 / n_in: He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 10."""


@dataclass(frozen=True)
class Architecture:
    """A network on batches of shape (n, channels, height, width): its MODEL string, and its parts by name, in order.

    ``image`` is the shape of its images; None for a network that takes any images with as many values as its input.
    """

    name: str
    parts: dict[str, Part]
    initial_weights: InitialWeights
    image: ImageShape | None = None

    def parameters(self) -> Shapes:
        """Return the shapes of all trained tensors by name, in the order in which they are stored."""
        return named_parameters(self.parts)

    @property
    def weights(self) -> Shapes:
        """Shapes of the weights, by tensor name: (out, in) or (out, in, height, width)."""
        return {name: shape for name, shape in self.parameters().items() if len(shape) > 1}

    @property
    def output_layer(self) -> str:
        """The tensor name of the last layer's weight, such as ``fc3.weight``."""
        return list(self.weights)[-1]

    def n_weights(self) -> int:
        """Return the number of weights."""
        return sum(map(prod, self.weights.values()))

    def n_parameters(self) -> int:
        """Return the number of weights, biases, and factors of batch norm."""
        return sum(map(prod, self.parameters().values()))


def size_text(image: ImageShape) -> str:
    """Return channels, height and width as messages write them: ``1 x 28 x 28``."""
    return " x ".join(map(str, image))


def require_size(name: str, size: tuple[int, int], n_halvings: int) -> None:
    """Check that images of a height and width are large enough to be halved ``n_halvings`` times.

    Raises:
        OptionError: if they are too small.
    """
    least = 2**n_halvings
    if min(size) < least:
        height, width = size
        raise OptionError(
            f"{name} halves its images {n_halvings} times and takes {least} x {least} pixels or more; "
            f"these have {height} x {width}"
        )
