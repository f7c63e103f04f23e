"""Wanda's scores and masks, from the norms of the inputs of each layer.

The score of a weight is its magnitude times the norm of its input over the calibration tokens; within each row the
weights of the smallest scores go. Source: Sun et al., "A Simple and Effective Pruning Approach for Large Language
Models", ICLR 2024, equation 1 and section 3.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from topoimp import write_masks


def wanda_scores(weight: NDArray[np.float32], norms: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the score of each weight, shape (rows, columns), of the norm of each column's input."""
    return (np.abs(weight) * norms).astype(np.float32)


def wanda_mask(scores: NDArray[np.float32], sparsity: float) -> NDArray[np.bool_]:
    """Return which weights each row keeps; of equal scores the one of the higher index goes first."""
    n_kept = round((1 - sparsity) * scores.shape[1])
    order = np.argsort(-scores, axis=1, kind="stable")
    kept = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(kept, order[:, :n_kept], True, axis=1)
    return kept


def scores_of(
    model: Path, norms: Mapping[str, NDArray[np.float64]], layers: Iterable[str]
) -> dict[str, NDArray[np.float32]]:
    """Return the scores of the layers of a safetensors file, by name."""
    weights = load_file(model)
    return {name: wanda_scores(weights[name], norms[name]) for name in layers}


def write_wanda_mask(path: Path, scores: Mapping[str, NDArray[np.float32]], sparsity: float) -> None:
    """Write the masks of all layers as a mask file of topoimp."""
    write_masks(path, {name: wanda_mask(of_layer, sparsity) for name, of_layer in scores.items()}, force=True)


def write_scores(path: Path, scores: Mapping[str, NDArray[np.float32]]) -> None:
    """Write the scores as a safetensors file, each under the name of its layer's weight and in its shape."""
    save_file(dict(scores), path)
