"""Intervals of Student's t: between which means a sample of a few seeds leaves the true one."""

from collections.abc import Sequence
from functools import lru_cache
from math import cos, pi, sin, sqrt, tan
from statistics import fmean, stdev

CONFIDENCE = 0.95
"""Probability with which an interval holds the true mean."""


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of independent, normal values; None of fewer than two.

    It is mean +- t s / sqrt(n), with the sample deviation s (n - 1 in its denominator) and the two-sided quantile t of
    n - 1 degrees of freedom. Equal values have an interval of length 0. For shares near 0 or 1, which are not normal,
    it can reach beyond these.

    Source: Student, "The probable error of a mean", 1908.

    >>> low, high = mean_interval([1.0, 2.0, 3.0])
    >>> round(low, 4), round(high, 4)
    (-0.4841, 4.4841)
    """
    n_values = len(values)
    if n_values < 2:
        return None
    mean = fmean(values)
    half = t_quantile(n_values - 1) * stdev(values) / sqrt(n_values)
    return mean - half, mean + half


@lru_cache(maxsize=1024)
def t_quantile(n_degrees: int) -> float:
    """Return the number t with P(|T| <= t) = 0.95 for Student's T of some degrees of freedom, at least 1.

    It is found by halving an interval of angles until no number lies inside, so that its relative error is that of the
    probability, below 1e-12.
    """
    low = 0.0
    high = pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _probability_within(middle, n_degrees) < CONFIDENCE:
            low = middle
        else:
            high = middle
    return sqrt(n_degrees) * tan(high)


def _probability_within(angle: float, n_degrees: int) -> float:
    """Return P(|T| <= sqrt(n_degrees) tan(angle)) for an angle from 0 to pi/2, as a finite sum of powers of its cosine.

    Source: Abramowitz & Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4.
    """
    squared = cos(angle) ** 2
    is_odd = n_degrees % 2 == 1
    term = cos(angle) if is_odd else 1.0
    total = 0.0
    for power in range(1 if is_odd else 0, n_degrees - 1, 2):
        total += term
        term *= squared * (power + 1) / (power + 2)
    return 2 / pi * (angle + sin(angle) * total) if is_odd else sin(angle) * total
