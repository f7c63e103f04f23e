"""The quality of a pruned model at its own task, with the spread over the sentences, voices or clips.

Every measure is computed on the whole sample and on resamples of its units with replacement, the same ones for all
prunings of a model. So the difference of two prunings has an interval of its own, which is narrower than the
intervals of the two suggest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Outputs = Mapping[str, NDArray]

N_RESAMPLES = 2000
SEED = 0
COVERED = (2.5, 97.5)
"""Percentiles between which the interval lies."""


@dataclass(frozen=True)
class Sampled:
    """A measure on a sample, and on each of its resamples.

    Args:
        value: the measure on the whole sample.
        resampled: the measure on each resample.
        n: number of units in the sample.
    """

    value: float
    resampled: FloatArray
    n: int

    def __sub__(self, other: "Sampled") -> "Sampled":
        """Return the difference, resample by resample."""
        return Sampled(self.value - other.value, self.resampled - other.resampled, self.n)

    def interval(self) -> tuple[float, float]:
        """Return the central 95 % of the resamples."""
        low, high = np.percentile(self.resampled, COVERED)
        return float(low), float(high)


def draws(n: int) -> NDArray[np.int64]:
    """Return how often each of n units is in each resample, shape (resamples, units)."""
    return np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES)


def mean(values: NDArray) -> Sampled:
    """Return the mean of one value for each unit."""
    values = values.astype(np.float64)
    return Sampled(float(values.mean()), draws(len(values)) @ values / len(values), len(values))


def neighbours(embeddings: NDArray) -> NDArray[np.int64]:
    """Return, for each sentence, the index of the other sentence of the largest cosine."""
    cosines = embeddings @ embeddings.T
    np.fill_diagonal(cosines, -2)
    return cosines.argmax(axis=1)


def sentence_measures(original: Outputs, pruned: Outputs) -> dict[str, Sampled]:
    """Return the mean cosine between both embeddings of a sentence, and how many keep their nearest sentence."""
    before, after = original["embeddings"].astype(np.float64), pruned["embeddings"].astype(np.float64)
    return {
        "cosine": mean((before * after).sum(axis=1)),
        "neighbour": mean(neighbours(before) == neighbours(after)),
    }


def other_sentences(original: Outputs) -> Sampled:
    """Return the mean cosine between each sentence and all others, in the original model."""
    embeddings = original["embeddings"].astype(np.float64)
    cosines = embeddings @ embeddings.T
    return mean((cosines.sum(axis=1) - np.diag(cosines)) / (len(cosines) - 1))


def equal_error_rate(is_target: NDArray[np.bool_], weights: FloatArray) -> float:
    """Return the rate at which as many targets are refused as others are accepted.

    Args:
        is_target: whether each trial is of one voice; trials in the order of their scores, largest first.
        weights: how often each trial counts.
    """
    targets = np.cumsum(np.where(is_target, weights, 0))
    others = np.cumsum(np.where(is_target, 0, weights))
    refused = (targets[-1] - targets) / targets[-1]
    accepted = others / others[-1]
    crossing = int(np.argmax(accepted >= refused))
    return float((accepted[crossing] + refused[crossing]) / 2)


def verification_error(outputs: Outputs) -> Sampled:
    """Return the equal error rate of all pairs of utterances, resampled over voices.

    A pair of two voices counts as often as both are drawn together; a voice drawn twice is no pair of two voices.
    """
    embeddings, voices = outputs["embeddings"].astype(np.float64), outputs["voices"]
    first, second = np.triu_indices(len(voices), 1)
    scores = (embeddings[first] * embeddings[second]).sum(axis=1)
    order = np.argsort(-scores, kind="stable")
    one, two = voices[first[order]], voices[second[order]]
    is_target = one == two

    resampled = []
    for times in draws(voices.max() + 1):
        weights = times[one] * np.where(is_target, 1, times[two])
        resampled.append(equal_error_rate(is_target, weights.astype(np.float64)))
    return Sampled(equal_error_rate(is_target, np.ones(len(order))), np.array(resampled), int(voices.max()) + 1)


def n_trials(outputs: Outputs) -> tuple[int, int]:
    """Return how many pairs of utterances are of one voice, and how many of two."""
    _, n_of_voice = np.unique(outputs["voices"], return_counts=True)
    n_all = len(outputs["voices"])
    n_targets = int((n_of_voice * (n_of_voice - 1) // 2).sum())
    return n_targets, n_all * (n_all - 1) // 2 - n_targets


def detection_measures(original: Outputs, pruned: Outputs) -> dict[str, Sampled]:
    """Return the share of frames of equal decision, and the mean absolute difference of probabilities, by clip."""
    probabilities = (outputs["probabilities"].astype(np.float64) for outputs in (original, pruned))
    before, after = probabilities
    return {
        "agreement": mean((original["detected"] == pruned["detected"]).mean(axis=1)),
        "difference": mean(np.abs(before - after).mean(axis=1)),
    }


def measures(model: str, original: Outputs, pruned: Outputs) -> dict[str, Sampled]:
    """Return the measures of a pruned model, by name."""
    if model == "MiniLM":
        return sentence_measures(original, pruned)
    if model == "Resemblyzer":
        return {"error": verification_error(pruned)}
    return detection_measures(original, pruned)


def yardsticks(model: str, original: Outputs) -> dict[str, Sampled]:
    """Return the numbers of the original model beside which those of the pruned ones are read."""
    if model == "MiniLM":
        return {"cosine of others": other_sentences(original)}
    if model == "Resemblyzer":
        return {"error": verification_error(original)}
    return {
        "speech": mean(original["detected"].mean(axis=1)),
        "truth": mean((original["detected"] == original["spoken"]).mean(axis=1)),
    }
