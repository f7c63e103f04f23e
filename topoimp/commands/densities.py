"""The densities at which layers are bounded: shares of their weights, or multiples of their critical densities."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import nan

from topoimp.errors import OptionError
from topoimp.pruning.schedule import round_half_up

USUAL_DENSITIES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, "critical")
"""Densities of a picture that is about none in particular."""

_CRITICAL = re.compile(r"(?:([0-9]+(?:\.[0-9]+)?)\*)?critical", re.ASCII)


@dataclass(frozen=True)
class Density:
    """A number of weights to keep in a layer of any size.

    Args:
        text: the density as it was given, such as ``0.1`` or ``4*critical``.
        share: of the weights, from 0 to 1; if ``is_critical`` of the floor, at least 0.
        is_critical: whether it is a multiple of the critical density.
    """

    text: str
    share: Fraction
    is_critical: bool = False

    def n_kept(self, n_weights: int, n_edges: int, floor: int) -> int:
        """Return the number of weights to keep, rounded once, half up; stored zeros are never kept."""
        return min(round_half_up(self.share * (floor if self.is_critical else n_weights)), n_edges)


def parse_densities(densities: Sequence[float | str]) -> list[Density]:
    """Return densities that are given as numbers in [0, 1], or as ``critical`` and multiples such as ``4*critical``.

    A number is the decimal fraction that it is written as.

    Raises:
        OptionError: if one is neither, or out of range.

    >>> [density.n_kept(3000, 3000, 129) for density in parse_densities([0.1, "critical", "2.5*critical"])]
    [300, 129, 323]
    """
    return [_density(density) for density in densities]


def _density(given: float | str) -> Density:
    text = str(given).strip()
    critical = _CRITICAL.fullmatch(text)
    if critical:
        return Density(text, Fraction(critical[1] or 1), is_critical=True)

    try:
        number = float(text)
    except ValueError:
        number = nan
    if not 0 <= number <= 1:
        raise OptionError(
            f"a density is {text or 'empty'}; it must be at least 0 and at most 1, critical, or a multiple of it as in "
            "4*critical"
        )
    return Density(repr(number), Fraction(repr(number)))
