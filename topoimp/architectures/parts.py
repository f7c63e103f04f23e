"""The parts of networks, each with the names and shapes of its parameters in stored order; nothing here needs torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Shapes = dict[str, tuple[int, ...]]
"""Shapes by name, in the order in which they are stored."""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with a bias; its weight is (n_out, n_in)."""

    n_in: int
    n_out: int

    def parameters(self) -> Shapes:
        """Return the shapes of weight and bias."""
        return {"weight": (self.n_out, self.n_in), "bias": (self.n_out,)}


@dataclass(frozen=True)
class Convolution:
    """A convolution with square kernels; its weight is (n_out, n_in, side, side).

    Args:
        n_in: input channels.
        n_out: output channels.
        side: of a kernel, in pixels.
        padding: rows and columns of zeros added at each edge of the image.
        stride: pixels from one position of the kernel to the next.
        has_bias: false where batch norm follows, which has a bias.
    """

    n_in: int
    n_out: int
    side: int = 3
    padding: int = 1
    stride: int = 1
    has_bias: bool = True

    def parameters(self) -> Shapes:
        """Return the shapes of the weight and, with ``has_bias``, the bias."""
        bias: Shapes = {"bias": (self.n_out,)} if self.has_bias else {}
        return {"weight": (self.n_out, self.n_in, self.side, self.side), **bias}


@dataclass(frozen=True)
class Norm:
    """Batch norm over the channels of images: Ioffe & Szegedy, "Batch Normalization", ICML 2015."""

    n_channels: int

    def parameters(self) -> Shapes:
        """Return the shapes of the trained factor, called weight, and bias; running statistics are not trained."""
        return {"weight": (self.n_channels,), "bias": (self.n_channels,)}


class Operation(StrEnum):
    """A part without parameters."""

    FLATTEN = "flatten"
    RELU = "relu"
    POOL = "pool"
    """The largest of each 2 x 2 pixels; an odd last row or column is left out."""
    MEAN = "mean"
    """The mean of each channel over all pixels, whatever the size of the image."""

    def parameters(self) -> Shapes:
        """Return no shapes."""
        return {}


@dataclass(frozen=True)
class Block:
    """Two 3 x 3 convolutions with batch norm, and a shortcut around them, added to their output.

    Args:
        stride: that of the first convolution and of the shortcut.
        projects: whether a shortcut between unequal shapes is a trained 1 x 1 convolution with batch norm (option B);
            otherwise missing channels are filled with zeros (option A). A shortcut between equal shapes has no
            parameters.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 2 and section 4.1.
    """

    n_in: int
    n_out: int
    stride: int
    projects: bool

    @property
    def changes_shape(self) -> bool:
        """Whether input and output have different shapes."""
        return self.stride != 1 or self.n_in != self.n_out

    def body(self) -> dict[str, Convolution | Norm]:
        """Return the parts that the shortcut bypasses; a ReLU precedes the second convolution."""
        return {
            "conv1": Convolution(self.n_in, self.n_out, stride=self.stride, has_bias=False),
            "norm1": Norm(self.n_out),
            "conv2": Convolution(self.n_out, self.n_out, has_bias=False),
            "norm2": Norm(self.n_out),
        }

    def shortcut(self) -> dict[str, Convolution | Norm]:
        """Return the trained parts of the shortcut; none where it has no parameters."""
        if not (self.projects and self.changes_shape):
            return {}
        convolution = Convolution(self.n_in, self.n_out, side=1, padding=0, stride=self.stride, has_bias=False)
        return {"conv": convolution, "norm": Norm(self.n_out)}

    def parameters(self) -> Shapes:
        """Return the shapes of all parameters, such as ``conv1.weight`` or ``shortcut.conv.weight``."""
        shortcut = {f"shortcut.{name}": part for name, part in self.shortcut().items()}
        return named_parameters({**self.body(), **shortcut})


Part = Dense | Convolution | Norm | Block | Operation


def named_parameters(parts: Mapping[str, Part]) -> Shapes:
    """Return the shapes of the parameters of named parts, by ``<part>.<parameter>``."""
    return {f"{name}.{key}": shape for name, part in parts.items() for key, shape in part.parameters().items()}
