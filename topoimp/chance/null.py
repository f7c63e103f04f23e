"""Null models by name: the text of the argument ``null``, such as ``columns:200``.

A null model keeps some structure of a layer and leaves the rest to chance. It says how many forest edges the k
strongest weights would keep in a layer that has this structure and no other.
"""

import re
from dataclasses import dataclass

from topoimp.choices import NullModel, Shuffle, chosen
from topoimp.errors import OptionError

FEWEST_SIMULATIONS = 2
"""A single simulation has no standard deviation."""


@dataclass(frozen=True)
class Null:
    """The null hypothesis of a comparison: a model, and the number of its simulations, at least 2."""

    n_simulations: int
    model: NullModel = NullModel.EDGES

    def __str__(self) -> str:
        if self.model in [*Shuffle]:
            return f"shuffle:{self.n_simulations}:{self.model}"
        return f"{self.model}:{self.n_simulations}"


def parse_null(text: str) -> Null:
    """Return the null that a text ``MODEL:N`` names; any other text is an ``OptionError``.

    ``shuffle:N:WHAT`` is another form of ``WHAT:N``, and ``shuffle:N`` of ``edges:N``.

    >>> parse_null("rows:20") == parse_null("shuffle:20:rows")
    True
    """
    shuffle = re.fullmatch(r"shuffle:([0-9]{1,9})(?::(.+))?", text, re.ASCII)
    named = re.fullmatch(r"(?!shuffle:)([^:]+):([0-9]{1,9})", text, re.ASCII)
    if shuffle is not None:
        null = Null(int(shuffle[1]), NullModel(chosen(Shuffle, shuffle[2] or Shuffle.EDGES)))
    elif named is not None:
        null = Null(int(named[2]), chosen(NullModel, named[1]))
    else:
        raise OptionError(f"the null is {text!r}; it must be MODEL:N, as in 'columns:200', or shuffle:N[:WHAT]")

    if null.n_simulations < FEWEST_SIMULATIONS:
        raise OptionError(f"the null is {text!r}; it needs {FEWEST_SIMULATIONS} simulations or more")
    return null
