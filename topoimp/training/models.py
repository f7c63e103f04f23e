"""The networks themselves, in torch, with initial weights that depend on the seed alone."""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.functional import pad, relu

from topoimp.architectures import Architecture, InitialWeights
from topoimp.architectures.parts import Block, Convolution, Dense, Norm, Operation, Part


def build_network(architecture: Architecture, *, seed: int) -> nn.Sequential:
    """Give a network whose tensors are named as the architecture says: ``fc1.weight`` and so on.

    It takes batches of shape (n, channels, height, width) and gives a score per class, shape (n, n_classes). Batch norm
    adds its running statistics to the state, which the architecture does not list: they are not trained.

    Args:
        architecture: its parts, and how its initial weights are drawn; biases are 0, the factors of batch norm 1.
        seed: of the initial weights. torch's own generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):  # modules draw weights as they are made; those are drawn anew below
        network = _sequence(architecture.parts)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            _draw_weight(module.weight, architecture.initial_weights, generator)
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
        """Give images of as many channels as the block's n_out, shape (n, n_out, height, width)."""
        inner = relu(self.norm1(self.conv1(images)))
        return relu(self.norm2(self.conv2(inner)) + self.shortcut(images))


class PaddedShortcut(nn.Module):
    """Every stride-th pixel, with channels of zeros behind those that come in."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.stride, self.n_added = block.stride, block.n_out - block.n_in

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Give images of as many channels as the block's n_out, shape (n, n_out, height, width)."""
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


def _draw_weight(weight: torch.Tensor, initial_weights: InitialWeights, generator: torch.Generator) -> None:
    match initial_weights:
        case InitialWeights.GLOROT_NORMAL:
            nn.init.xavier_normal_(weight, generator=generator)
        case InitialWeights.HE_NORMAL:
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
