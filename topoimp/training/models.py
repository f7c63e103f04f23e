"""An architecture and a seed in, a network in torch out."""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

import torch
from torch import nn
from torch.nn.functional import pad, relu

from topoimp.architectures import Architecture, InitialWeights
from topoimp.architectures.parts import Block, Convolution, Dense, Norm, Operation, Part


def build_network(architecture: Architecture, *, seed: int) -> nn.Sequential:
    """Return a network with initial weights, whose tensors have the names of the architecture, such as ``fc1.weight``.

    It maps batches of shape (n, channels, height, width) to scores of shape (n, n_classes). Its state also holds the
    running statistics of batch norm, which are not trained. torch's global generator is not used.
    """
    with torch.random.fork_rng(devices=[]):  # torch draws weights here; the loop below replaces them
        network = _sequence(architecture.parts)

    is_glorot = architecture.initial_weights is InitialWeights.GLOROT_NORMAL
    draw = nn.init.xavier_normal_ if is_glorot else partial(nn.init.kaiming_normal_, nonlinearity="relu")
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            draw(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut around them."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.conv1, self.norm1, self.conv2, self.norm2 = map(_module, block.body().values())
        self.shortcut: nn.Module = nn.Identity()
        if projection := block.shortcut():
            self.shortcut = _sequence(projection)
        elif block.changes_shape:
            self.shortcut = PaddedShortcut(block)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return images of shape (n, n_out, height, width)."""
        inner = relu(self.norm1(self.conv1(images)))
        return relu(self.norm2(self.conv2(inner)) + self.shortcut(images))


class PaddedShortcut(nn.Module):
    """Shortcut without parameters: every stride-th pixel, and channels of zeros behind the input's channels."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.stride = block.stride
        self.n_added = block.n_out - block.n_in

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return images of shape (n, n_out, height, width)."""
        return pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.n_added))


def _sequence(parts: Mapping[str, Part]) -> nn.Sequential:
    return nn.Sequential(OrderedDict((name, _module(part)) for name, part in parts.items()))


def _module(part: Part) -> nn.Module:
    match part:
        case Dense():
            return nn.Linear(part.n_in, part.n_out)
        case Convolution():
            return nn.Conv2d(part.n_in, part.n_out, part.side, part.stride, part.padding, bias=part.has_bias)
        case Norm():
            return nn.BatchNorm2d(part.n_channels)
        case Block():
            return ResidualBlock(part)
        case Operation.FLATTEN:
            return nn.Flatten()
        case Operation.RELU:
            return nn.ReLU()
        case Operation.POOL:
            return nn.MaxPool2d(2)
        case Operation.MEAN:
            return nn.AdaptiveAvgPool2d(1)
