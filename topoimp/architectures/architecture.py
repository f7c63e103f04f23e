"""A network, described without torch: its parts in order, and what follows from their shapes."""

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
"""Outputs of the named networks where the data do not say how many they need."""


class InitialWeights(StrEnum):
    """How initial weights are drawn; biases are 0, the factors of batch norm 1."""

    GLOROT_NORMAL = "glorot-normal"
    """Variance 2 / (n_in + n_out): Glorot & Bengio, AISTATS 2010."""
    HE_NORMAL = "he-normal"
    """Variance 2 / n_in: He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 10."""


@dataclass(frozen=True)
class Architecture:
    """A network, described by its parts; it takes batches of shape (n, channels, height, width).

    Args:
        name: as the user gave it.
        parts: by name, in order.
        initial_weights: how they are drawn.
    """

    name: str
    parts: dict[str, Part]
    initial_weights: InitialWeights

    def parameters(self) -> Shapes:
        """Give the shapes of all that is trained, by tensor name, in the order in which it is stored."""
        return named_parameters(self.parts)

    @property
    def weights(self) -> Shapes:
        """Shapes of the weights, by tensor name: (out, in) or (out, in, height, width)."""
        return {name: shape for name, shape in self.parameters().items() if len(shape) > 1}

    @property
    def output_layer(self) -> str:
        """The tensor name of the last layer's weight, such as ``fc3.weight``."""
        return list(self.weights)[-1]

    def layer_sides(self) -> dict[str, tuple[int, int]]:
        """Give rows and columns of each layer, by tensor name; a convolution is the matrix product that it computes."""
        return {name: (shape[0], prod(shape[1:])) for name, shape in self.weights.items()}

    def n_weights(self) -> int:
        """Give the number of weights."""
        return sum(map(prod, self.weights.values()))

    def n_parameters(self) -> int:
        """Give the number of weights, biases, and factors of batch norm."""
        return sum(map(prod, self.parameters().values()))


def size_text(image: ImageShape) -> str:
    """Give an image's channels, height and width as messages write them: ``1 x 28 x 28``."""
    return " x ".join(map(str, image))


def require_size(name: str, image: ImageShape, n_halvings: int) -> None:
    """Check that a network which halves its images so often can take them.

    Raises:
        OptionError: if nothing would be left of them.
    """
    _, height, width = image
    least = 2**n_halvings
    if min(height, width) < least:
        raise OptionError(
            f"{name} halves its images {n_halvings} times and takes {least} x {least} pixels or more; "
            f"these have {height} x {width}"
        )
