"""Numbers of forest edges that are kept under a null model, simulated or exact, and what an observed number says.

A number is compared with the distribution in three ways: the *excess* over the mean, the *z-score*, which is the excess
in standard deviations, and a two-sided *p-value*. The p-value is twice the smaller of the probabilities of at most and
of at least the observed number, but 1 at most. The *central 95 %* are the numbers whose p-value is above 0.05.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np

from topoimp.arrays import FloatArray
from topoimp.errors import OptionError

TAILS = 40
"""One in so many lies below the central 95 %, and one above."""


@dataclass(frozen=True)
class NullDistribution:
    """Numbers of forest edges that ``n_kept`` weights keep by chance: a count for each simulation, at least one."""

    n_kept: int
    counts: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean of the counts."""
        return sum(self.counts) / len(self.counts)

    @property
    def standard_deviation(self) -> float | None:
        """Standard deviation of one simulation (n - 1 in the denominator); None of a single simulation."""
        return float(np.std(self.counts, ddof=1)) if len(self.counts) > 1 else None

    @property
    def central(self) -> tuple[int, int] | None:
        """Smallest and largest number of the central 95 %; None of fewer than 39 simulations.

        With r = (n + 1) / 40, rounded down, they are the r-th smallest and the r-th largest count.
        """
        rank = (len(self.counts) + 1) // TAILS
        ordered = sorted(self.counts)
        return (ordered[rank - 1], ordered[-rank]) if rank else None

    def excess(self, observed: int) -> float:
        """Return an observed number less the mean."""
        return observed - self.mean

    def z_score(self, observed: int) -> float | None:
        """Return the excess in standard deviations; None of a single simulation.

        If all simulations agree, it is 0 for the same number, and infinite with the sign of the excess for any other.
        """
        return _z_score(self.excess(observed), self.standard_deviation)

    def p_value(self, observed: int) -> float:
        """Return the two-sided p-value, the observed number being counted as one more simulation; at least 2/(n+1).

        >>> NullDistribution(9, (4, 5, 5, 6, 6, 6, 7, 7, 8)).p_value(4)
        0.4
        """
        n_low = sum(count <= observed for count in self.counts)
        n_high = sum(count >= observed for count in self.counts)
        return min(1.0, 2 * (1 + min(n_low, n_high)) / (1 + len(self.counts)))


@dataclass(frozen=True, eq=False)
class ExactDistribution:
    """The exact distribution of a number of forest edges: ``probabilities`` of the numbers from ``least`` on."""

    n_kept: int
    least: int
    probabilities: FloatArray
    mean: float
    variance: float

    @property
    def standard_deviation(self) -> float:
        """Standard deviation, from the formula."""
        return float(np.sqrt(self.variance))

    @property
    def central(self) -> tuple[int, int]:
        """Smallest and largest number of the central 95 %: either tail, the number included, is above 1/40."""
        at_most = np.cumsum(self.probabilities)
        at_least = np.cumsum(self.probabilities[::-1])[::-1]
        inside = np.flatnonzero((at_most > 1 / TAILS) & (at_least > 1 / TAILS))
        return self.least + int(inside[0]), self.least + int(inside[-1])

    def excess(self, observed: int) -> float:
        """Return an observed number less the mean."""
        return observed - self.mean

    def z_score(self, observed: int) -> float:
        """Return the excess in standard deviations; without deviation 0, or infinite with the sign of the excess."""
        z_score = _z_score(self.excess(observed), self.standard_deviation)
        return 0.0 if z_score is None else z_score

    def p_value(self, observed: int) -> float:
        """Return the two-sided p-value; 0 for a number that cannot be."""
        place = min(max(observed - self.least, -1), len(self.probabilities))
        tails = self.probabilities[: place + 1].sum(), self.probabilities[max(place, 0) :].sum()
        return float(min(1.0, 2 * min(tails)))


Distribution: TypeAlias = NullDistribution | ExactDistribution


def hypergeometric(n_edges: int, floor: int, n_kept: int) -> ExactDistribution:
    """Return how many of the forest's ``floor`` edges a random mask of ``n_kept`` of a layer's edges keeps.

    >>> hypergeometric(4, 2, 2).probabilities.round(3).tolist()
    [0.167, 0.667, 0.167]
    """
    if not 0 <= floor <= n_edges:
        raise OptionError(f"the forest has {floor} edges; it must have from 0 to the layer's {n_edges}")
    if not 0 <= n_kept <= n_edges:
        raise OptionError(f"{n_kept} edges are kept; it must be from 0 to the layer's {n_edges}")

    # Logarithms of the ratios of probabilities that follow each other.
    least = max(0, n_kept + floor - n_edges)
    number = np.arange(least, min(n_kept, floor), dtype=np.float64)
    up = np.log(floor - number) + np.log(n_kept - number)
    down = np.log(number + 1) + np.log(n_edges - floor - n_kept + number + 1)
    logarithms = np.concatenate([[0.0], np.cumsum(up - down)])
    probabilities = np.exp(logarithms - logarithms.max())

    share = floor / n_edges if n_edges else 0.0
    left = (n_edges - n_kept) / (n_edges - 1) if n_edges > 1 else 0.0
    variance = n_kept * share * (1 - share) * left
    return ExactDistribution(n_kept, least, probabilities / probabilities.sum(), n_kept * share, variance)


def added_up(distributions: Sequence[Distribution]) -> Distribution:
    """Return the distribution of the sum over several layers, at least one, all simulated or all exact.

    Layers are independent. Simulations are added up one by one.
    """
    n_kept = sum(distribution.n_kept for distribution in distributions)
    simulated = [each.counts for each in distributions if isinstance(each, NullDistribution)]
    if simulated:
        return NullDistribution(n_kept, tuple(map(sum, zip(*simulated, strict=True))))

    exact = [each for each in distributions if isinstance(each, ExactDistribution)]
    probabilities = np.ones(1)
    for each in exact:
        probabilities = np.convolve(probabilities, each.probabilities)
    return ExactDistribution(
        n_kept,
        sum(each.least for each in exact),
        probabilities,
        sum(each.mean for each in exact),
        sum(each.variance for each in exact),
    )


def _z_score(excess: float, deviation: float | None) -> float | None:
    if deviation is None:
        return None
    if deviation == 0:
        return 0.0 if excess == 0 else inf if excess > 0 else -inf
    return excess / deviation
