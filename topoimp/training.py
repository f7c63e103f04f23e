"""The built-in trainer: a recipe and a data set in, initial, rewind and trained weights out.

Training is repeatable bit for bit on one machine at an equal number of threads: the seed decides the initial weights
and the order of the images, and nothing else is random.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from topoimp.architectures import parse_architecture
from topoimp.data import Images
from topoimp.errors import OptionError, TrainingError
from topoimp.models import build_network
from topoimp.threads import available_threads

Weights = dict[str, NDArray[np.float32]]
"""A network's tensors by name."""


_MOST = 1_000_000_000


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what training gives, the data and the seed aside.

    Args:
        model: as ``parse_architecture`` takes it.
        epochs: passes over the training set, at least 0.
        batch_size: images a step, at least 1.
        learning_rate: of Adam, above 0.
        rewind_at: step after which the rewind weights are taken, from 0 (the initial ones) to the last step.
        threads: of the processor, at least 1; more than there are cores count as all cores.
    """

    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    rewind_at: int
    threads: int

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_size", 1), ("rewind_at", 0), ("threads", 1)):
            if not least <= getattr(self, name) <= _MOST:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be at least {least} and at most {_MOST}")
        if not 0 < self.learning_rate < float("inf"):
            raise OptionError(f"learning_rate is {self.learning_rate}; it must be above 0")

    def n_steps(self, n_images: int) -> int:
        """Give the number of steps on a training set of that size.

        Raises:
            OptionError: if the rewind step lies beyond the last one.
        """
        n_steps = self.epochs * -(-n_images // self.batch_size)
        if self.rewind_at > n_steps:
            raise OptionError(f"rewind_at is {self.rewind_at}, but training has {n_steps} steps")
        return n_steps


@dataclass(frozen=True)
class Epoch:
    """How training stands: ``epoch`` 0 is the initial network, which has no training loss."""

    epoch: int
    step: int
    train_loss: float | None
    test_loss: float
    test_accuracy: float

    def columns(self) -> dict[str, int | float | None]:
        """Give the columns of a report."""
        return asdict(self)


@dataclass(frozen=True)
class Trained:
    """What training gave."""

    initial: Weights
    rewind: Weights
    final: Weights
    epochs: list[Epoch]


def train_network(
    recipe: Recipe,
    images: Images,
    *,
    seed: int,
    on_step: Callable[[int, int], None] = lambda _step, _n_steps: None,
) -> Trained:
    """Train a network with Adam on cross-entropy.

    Args:
        recipe: how.
        images: on what.
        seed: of the initial weights and of the order of the images.
        on_step: called after each step with its number and the number of steps in all.

    Raises:
        OptionError: if the model does not take such images, or the rewind step lies beyond the last one.
        TrainingError: if the loss or a weight stops being finite.
    """
    torch.set_num_threads(min(recipe.threads, available_threads()))
    network = build_network(parse_architecture(recipe.model, image=images.image), seed=seed)
    n_steps = recipe.n_steps(len(images.train_labels))
    # Fused Adam gives the same bits run after run, and halves the time of a step of a small network.
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=True)
    initial = rewind = _weights(network)
    epochs = [_tested(network, images, epoch=0, step=0, train_loss=None)]
    step = 0
    for epoch in range(1, recipe.epochs + 1):
        losses = []
        for batch, labels in _batches(images, recipe.batch_size, seed, epoch):
            optimizer.zero_grad(set_to_none=True)
            loss = cross_entropy(network(batch), labels)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
            optimizer.step()
            losses.append(loss.detach())
            step += 1
            if step == recipe.rewind_at:
                rewind = _weights(network)
            on_step(step, n_steps)
        train_loss = float(torch.stack(losses).mean())
        epochs.append(_tested(network, images, epoch=epoch, step=step, train_loss=train_loss))
        if not isfinite(train_loss) or not all(np.isfinite(weight).all() for weight in _weights(network).values()):
            raise TrainingError(
                f"training diverged in epoch {epoch}; a learning rate below {recipe.learning_rate} is needed"
            )
    return Trained(initial, rewind, _weights(network), epochs)


def _batches(images: Images, size: int, seed: int, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    order = np.random.default_rng([seed, epoch]).permutation(len(images.train_labels))
    pixels, labels = torch.from_numpy(images.train_images), torch.from_numpy(images.train_labels)
    for chosen in torch.from_numpy(order).split(size):  # type: ignore[no-untyped-call]  # torch leaves it without types
        yield pixels[chosen], labels[chosen]


@torch.no_grad()
def _tested(network: nn.Module, images: Images, *, epoch: int, step: int, train_loss: float | None) -> Epoch:
    labels = torch.from_numpy(images.test_labels)
    parts = torch.from_numpy(images.test_images).split(1000)  # type: ignore[no-untyped-call]  # the same
    scores = torch.cat([network(part) for part in parts])
    accuracy = int((scores.argmax(dim=1) == labels).sum()) / len(labels)
    return Epoch(epoch, step, train_loss, float(cross_entropy(scores, labels)), accuracy)


def _weights(network: nn.Module) -> Weights:
    return {name: tensor.detach().numpy().copy() for name, tensor in network.state_dict().items()}
