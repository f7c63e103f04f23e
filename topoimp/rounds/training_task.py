"""What a trainer is asked to do in one round, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Metrics = Mapping[str, float | None]
"""What a trainer says of the weights that it arrived at: ``train_loss``, ``test_loss``, ``test_accuracy``."""

METRICS = ("train_loss", "test_loss", "test_accuracy")
"""What metrics there may be."""


@dataclass(frozen=True)
class Assignment:
    """Training in one round, files in and files out.

    Args:
        number: of the round, from 1.
        seed: of the replicate.
        init: the weights to start from, pruned already: a safetensors file, or a folder if the input was one.
        mask: which weights may be trained, packed; the others are zero and must stay so.
        out: where the trained weights go, as a checkpoint of the same kind with the same tensors.
        started: where a trainer may write the weights that it started from, before its first step; then it is checked
            that they are those of ``init``.
        metrics: where a trainer may write its metrics, as a JSON object.
        log: where what the trainer says goes.
    """

    number: int
    seed: int
    init: Path
    mask: Path
    out: Path
    started: Path
    metrics: Path
    log: Path


Retrain = Callable[[Assignment], Metrics]
"""Trains a network as assigned, and gives its metrics, as far as it knows them."""
