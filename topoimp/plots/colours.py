"""The colours of lines and areas: one meaning, one colour, in all figures.

The colours are those of Okabe & Ito (2008), which the colour-blind tell apart; each line has a style of its own too, so
that a grey print keeps the difference.
"""

from types import MappingProxyType
from typing import Any, NamedTuple


class Pen(NamedTuple):
    """Colour and style of a line."""

    color: str
    linestyle: str | tuple[int, tuple[int, ...]]

    def line(self) -> dict[str, Any]:
        """Return both under the names that matplotlib has for them."""
        return self._asdict()


BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#999999"

OBSERVED = Pen(BLUE, "-")
IID = Pen(VERMILION, "--")
RANDOM = Pen(GREY, ":")
GUARANTEED = Pen(GREEN, "-.")
NULL = Pen(ORANGE, (0, (5, 1)))
NULLS = (NULL, Pen(PURPLE, (0, (3, 1, 1, 1))), Pen(SKY, (0, (1, 1))), Pen(YELLOW, (0, (2, 2))))
"""Null models beside each other, in their order."""
MARK = Pen(BLACK, ":")
"""A level or density that is marked."""

METHODS = MappingProxyType({"topological": OBSERVED, "magnitude": IID, "random": RANDOM})
"""Lines of pruning methods."""
