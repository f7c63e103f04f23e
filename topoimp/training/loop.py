"""The built-in trainer: a recipe and a data set in, initial, rewind and trained weights out.

Training repeats bit for bit on one machine at an equal number of threads: the seed decides the initial weights, the
order of the images and their augmentation, and nothing else is random. A network can be trained under a mask: pruned
weights are zero from the first step and get no gradient, so they and their momentum stay zero.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from topoimp.architectures import parse_architecture
from topoimp.arrays import BoolArray
from topoimp.choices import Optimizer, Schedules
from topoimp.data import Images
from topoimp.errors import TrainingError
from topoimp.kernels.threads import OnStep
from topoimp.training.batches import augmented, standardised
from topoimp.training.device import device_of, torch_settings_of
from topoimp.training.models import build_network
from topoimp.training.recipes import Recipe

Weights = dict[str, NDArray[np.generic]]
"""A network's tensors by name."""


@dataclass(frozen=True)
class Watch:
    """Steps after which ``record`` is called with the step and a copy of the weights; step 0 has the initial ones."""

    steps: frozenset[int]
    record: Callable[[int, Weights], None]


@dataclass(frozen=True)
class Epoch:
    """Losses and accuracy after an epoch; epoch 0 is the initial network, which has no training loss."""

    epoch: int
    step: int
    train_loss: float | None
    test_loss: float
    test_accuracy: float


@dataclass(frozen=True)
class Trained:
    """Weights before training, at the rewind step and after training, and the epochs."""

    initial: Weights
    rewind: Weights
    final: Weights
    epochs: list[Epoch]


@dataclass(frozen=True)
class Retrained:
    """Tensors before the first step and after the last one of training under a mask, and the last epoch."""

    started: Weights
    final: Weights
    end: Epoch


def train_network(
    recipe: Recipe,
    images: Images,
    *,
    seed: int,
    start: Mapping[str, torch.Tensor] | None = None,
    masks: Mapping[str, BoolArray] | None = None,
    watch: Watch | None = None,
    on_step: OnStep = lambda _step, _n_steps: None,
) -> Trained:
    """Train a network from its initial weights on cross-entropy.

    The seed is that of the initial weights and of the order of the images. ``start`` has other initial weights, with
    every tensor of the network; ``masks`` flag by tensor name the kept weights, and the others are 0 from the start.
    Watching the weights changes no bit of them.

    Raises:
        OptionError: if the model does not fit the images, the rewind step lies beyond the last one, or the machine
            lacks the device.
        TrainingError: if the loss or a weight stops being finite, batch norm gets a batch that it cannot normalise, or
            weights or masks are not those of the network.
    """
    with torch_settings_of(recipe):
        run = _Run(recipe, images, seed)
        run.start_from(start, masks or {})
        initial = rewind = run.weights()
        epochs = [run.tested(0, None)]

        def look(step: int) -> None:
            if watch is not None and step in watch.steps:
                watch.record(step, run.finite_weights(step))

        def after(step: int, n_steps: int) -> None:
            nonlocal rewind
            if step == recipe.rewind_at:
                rewind = run.weights()
            look(step)
            on_step(step, n_steps)

        look(0)

        epochs += [run.tested(epoch, loss) for epoch, loss in run.epochs(0, after)]
        return Trained(initial, rewind, run.weights(), epochs)


def train_until(recipe: Recipe, images: Images, *, seed: int, step: int) -> Weights:
    """Return the weights that ``train_network`` has after a step of the recipe."""
    with torch_settings_of(recipe):
        run = _Run(recipe, images, seed)
        if step:
            next(done for done, _ in run.steps(0) if done == step)
        return run.weights()


def retrain_network(
    recipe: Recipe,
    images: Images,
    *,
    seed: int,
    start: Mapping[str, torch.Tensor],
    masks: Mapping[str, BoolArray],
    from_step: int = 0,
    on_step: OnStep = lambda _step, _n_steps: None,
) -> Retrained:
    """Train a network under a mask, from given weights.

    The seed decides the order of the images, as in ``train_network``; training begins after step ``from_step``.
    ``start`` has every tensor of the network; ``masks`` flag by tensor name the kept weights, the others stay 0.

    Raises:
        OptionError: as ``train_network``.
        TrainingError: as ``train_network``, and if the tensors are not those of the network.
    """
    with torch_settings_of(recipe):
        run = _Run(recipe, images, seed)
        run.start_from(start, masks)
        started = run.weights()
        losses = [loss for _, loss in run.epochs(from_step, on_step)]
        return Retrained(started, run.weights(), run.tested(recipe.epochs, losses[-1] if losses else None))


class _Run:
    """A network in training, from the initial weights of its seed."""

    def __init__(self, recipe: Recipe, images: Images, seed: int) -> None:
        self._recipe, self._images, self._seed = recipe, images, seed
        architecture = parse_architecture(recipe.model, image=images.image, n_classes=images.n_classes)
        self._device = torch.device(device_of(recipe.device))
        self._network = build_network(architecture, seed=seed).to(self._device)
        self._optimizer = _optimizer(recipe, self._network)
        self._held: list[tuple[nn.Parameter, torch.Tensor]] = []

        pixels = standardised(images) if recipe.standardise else (images.train_images, images.test_images)
        self._pixels = torch.from_numpy(pixels[0]).to(self._device)
        self._labels = torch.from_numpy(images.train_labels).to(self._device)
        self._test_pixels = torch.from_numpy(pixels[1])
        self._n_steps = recipe.n_steps(len(images.train_labels))
        self._per_epoch = recipe.steps_of_epoch(len(images.train_labels))

    def start_from(self, start: Mapping[str, torch.Tensor] | None, masks: Mapping[str, BoolArray]) -> None:
        """Replace the network's weights if there are others, and hold a mask from now on."""
        try:
            if start is not None:
                self._network.load_state_dict(start)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise TrainingError(f"the weights to start from are not those of {self._recipe.model}: {reason}") from error

        parameters = dict(self._network.named_parameters())
        with torch.no_grad():
            for name, kept in masks.items():
                shape = list(parameters[name].shape) if name in parameters else None
                if shape != list(kept.shape):
                    found = f"the mask of {name!r} has the shape {list(kept.shape)}"
                    needed = "no such tensor" if shape is None else f"{shape}"
                    raise TrainingError(f"{found}; {self._recipe.model} has {needed}")
                mask = torch.from_numpy(np.array(kept)).to(self._device, parameters[name].dtype)
                parameters[name].mul_(mask)
                self._held.append((parameters[name], mask))

    def epochs(self, from_step: int, on_step: OnStep) -> Iterator[tuple[int, float]]:
        """Train, and yield each epoch with its mean training loss."""
        losses = []
        for step, loss in self.steps(from_step):
            losses.append(loss)
            on_step(step, self._n_steps)
            if step % self._per_epoch == 0:
                epoch = step // self._per_epoch
                mean = float(torch.stack(losses).mean())
                losses.clear()
                self._check_finite(epoch, mean)
                yield epoch, mean

    def steps(self, from_step: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Train, and yield each step with its loss, from the one after ``from_step`` to the recipe's last."""
        recipe, optimizer, network = self._recipe, self._optimizer, self._network
        network.train()
        step = from_step
        while step < self._n_steps:
            epoch = step // self._per_epoch + 1
            for chosen in self._batches(epoch, skip=step % self._per_epoch):
                batch = self._pixels[chosen]
                if recipe.augment:
                    batch = augmented(batch, np.random.default_rng([self._seed, epoch, step]))
                if recipe.schedule is not Schedules.CONSTANT or recipe.warmup:
                    optimizer.param_groups[0]["lr"] = recipe.learning_rate_at(step, self._n_steps)

                optimizer.zero_grad(set_to_none=True)
                loss = cross_entropy(self._scores(batch), self._labels[chosen])
                loss.backward()
                for parameter, mask in self._held:
                    if parameter.grad is not None:
                        parameter.grad.mul_(mask)
                optimizer.step()
                step += 1
                yield step, loss.detach()

    def _scores(self, batch: torch.Tensor) -> torch.Tensor:
        try:
            return self._network(batch)  # type: ignore[no-any-return]  # torch has no types here
        except ValueError as error:
            if len(batch) > 1:
                raise
            left = f"at a batch size of {self._recipe.batch_size}, {len(self._labels)} images leave one for a step"
            needed = "batch norm over single values, which needs two images a step or more"
            raise TrainingError(f"{self._recipe.model} has {needed}; {left}") from error

    def weights(self) -> Weights:
        """Return a copy of the network's tensors."""
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in self._network.state_dict().items()}

    def finite_weights(self, step: int) -> Weights:
        """Return a copy of the network's tensors after a step; raise a TrainingError if training diverged."""
        self._check_finite(epoch=-(-step // self._per_epoch), train_loss=0.0)
        return self.weights()

    @torch.no_grad()
    def tested(self, epoch: int, train_loss: float | None) -> Epoch:
        """Return loss and accuracy on the test set."""
        self._network.eval()
        labels = torch.from_numpy(self._images.test_labels)
        parts = self._test_pixels.split(1000)
        scores = torch.cat([self._network(part.to(self._device)).cpu() for part in parts])
        self._network.train()
        accuracy = int((scores.argmax(dim=1) == labels).sum()) / len(labels)
        loss = float(cross_entropy(scores, labels))
        if not isfinite(loss):  # finite weights can have infinite scores
            raise self._diverged(epoch)
        return Epoch(epoch, epoch * self._per_epoch, train_loss, loss, accuracy)

    def _batches(self, epoch: int, *, skip: int) -> Iterator[torch.Tensor]:
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._labels))
        batches = torch.from_numpy(order).to(self._device).split(self._recipe.batch_size)
        yield from batches[skip:]

    def _check_finite(self, epoch: int, train_loss: float) -> None:
        tensors = self._network.state_dict().values()
        if not isfinite(train_loss) or not all(bool(torch.isfinite(tensor).all()) for tensor in tensors):
            raise self._diverged(epoch)

    def _diverged(self, epoch: int) -> TrainingError:
        rate = self._recipe.learning_rate
        return TrainingError(f"training diverged in epoch {epoch}; a learning rate below {rate} is needed")


def _optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    # Fused steps give the same bits run after run, and halve the time of a step of a small network.
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer is Optimizer.SGD:
        return torch.optim.SGD(network.parameters(), rate, recipe.momentum, weight_decay=decay, fused=True)
    return torch.optim.Adam(network.parameters(), rate, weight_decay=decay, fused=True)
