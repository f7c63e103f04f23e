"""The networks themselves, in torch, with initial weights that depend on the seed alone."""

from collections import OrderedDict

import torch
from torch import nn

from topoimp.architectures import Architecture


def build_network(architecture: Architecture, *, seed: int) -> nn.Sequential:
    """Give a network with Glorot-normal weights and zero biases; its tensors are named ``fc1.weight`` and so on.

    Args:
        architecture: the shapes of its weights.
        seed: of the initial weights.

    Source: Glorot & Bengio, AISTATS 2010; as Frankle & Carbin, ICLR 2019, initialise LeNet-300-100.
    """
    layers = _mlp(architecture) if architecture.kind == "mlp" else _lenet_5(architecture)
    network = nn.Sequential(OrderedDict(layers))
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter, generator=generator)
        else:
            nn.init.zeros_(parameter)
    return network


def _mlp(architecture: Architecture) -> list[tuple[str, nn.Module]]:
    layers: list[tuple[str, nn.Module]] = [("flatten", nn.Flatten())]
    for name, (n_out, n_in) in architecture.weights.items():
        layers += [(name, nn.Linear(n_in, n_out)), (f"{name}_relu", nn.ReLU())]
    return layers[:-1]


def _lenet_5(architecture: Architecture) -> list[tuple[str, nn.Module]]:
    (conv1, conv2), (fc1, fc2) = (
        [nn.Conv2d(shape[1], shape[0], shape[2:]) for name, shape in architecture.weights.items() if len(shape) == 4],
        [nn.Linear(shape[1], shape[0]) for name, shape in architecture.weights.items() if len(shape) == 2],
    )
    return [
        ("image", nn.Unflatten(1, (1, 28))),  # (n, 28, 28) to (n, 1, 28, 28)
        ("conv1", conv1),
        ("pool1", nn.MaxPool2d(2)),
        ("conv2", conv2),
        ("pool2", nn.MaxPool2d(2)),
        ("flatten", nn.Flatten()),
        ("fc1", fc1),
        ("fc1_relu", nn.ReLU()),
        ("fc2", fc2),
    ]
