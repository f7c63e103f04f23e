"""The training of one round: files in, files and metrics out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

METRICS = ("train_loss", "test_loss", "test_accuracy")
"""The metrics that a trainer may report."""

Metrics = Mapping[str, float | None]
"""Metrics of trained weights, as far as the trainer reports them."""


@dataclass(frozen=True)
class TrainingTask:
    """The files of one training.

    Args:
        number: number of the round, from 1.
        seed: seed of the replicate.
        init: the pruned weights to start from: a safetensors file, or a folder if the input was one.
        mask: the packed mask; weights that it does not keep are zero and must stay zero.
        out: place of the trained weights, a checkpoint of the same form with the same tensors.
        started: place where a trainer may write the weights of its first step, which are then compared with ``init``.
        metrics: place where a trainer may write its metrics, as a JSON object.
        log: place of the trainer's output.
    """

    number: int
    seed: int
    init: Path
    mask: Path
    out: Path
    started: Path
    metrics: Path
    log: Path


Retrain = Callable[[TrainingTask], Metrics]
"""Trains a network from its files, and returns its metrics."""
