"""Null models by name: the text of the argument ``null``, such as ``columns:200``.

A null model keeps some structure of a layer and leaves the rest to chance. It says how many forest edges the k
strongest weights would keep in a layer that has this structure and no other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self

from topoimp.choices import NullModel, Shuffle, chosen
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer

FEWEST_SIMULATIONS = 2
"""A single simulation has no standard deviation."""

NULLS_OF_EDGES = frozenset({NullModel.EDGES, NullModel.BLOCK, NullModel.ROWS})
"""Models of the view ``channel`` too, in which an edge is a pair of channels."""


class InitialLayers(Protocol):
    """The weights that layers had before training."""

    def read(self, name: str) -> Layer:
        """Return the layer that a layer of this name was."""

    def only(self, name: str) -> "InitialLayers":
        """Return those of one layer."""


@dataclass(frozen=True)
class Null:
    """The null hypothesis of a comparison.

    Args:
        n_simulations: at least 2; 0 of ``random``, which is exact, and 1 of ``initial``, which is a single network.
        model: the null model.
        path: of ``initial``, the checkpoint of the initial weights; None for those of the run folder.
        initial: of ``initial``, the initial weights of the layers, by their names; None until the checkpoint is open.
    """

    n_simulations: int
    model: NullModel = NullModel.EDGES
    path: Path | None = None
    initial: InitialLayers | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        if self.model is NullModel.RANDOM:
            return "random"
        if self.model is NullModel.INITIAL:
            return "initial" if self.path is None else f"initial:{self.path}"
        if self.model in [*Shuffle]:
            return f"shuffle:{self.n_simulations}:{self.model}"
        return f"{self.model}:{self.n_simulations}"

    def only(self, name: str) -> Self:
        """Return the null hypothesis of one layer, by its name."""
        return self if self.initial is None else replace(self, initial=self.initial.only(name))

    @property
    def is_of_strongest(self) -> bool:
        """Whether it is a hypothesis about the k strongest weights; ``random`` is one about any mask."""
        return self.model is not NullModel.RANDOM

    @property
    def has_deviation(self) -> bool:
        """Whether an observed number can be tested: not against the initial weights, which are one network."""
        return self.model is not NullModel.INITIAL


def parse_null(text: str) -> Null:
    """Return the null that a text ``MODEL:N`` names; any other text is an ``OptionError``.

    ``shuffle:N:WHAT`` is another form of ``WHAT:N``, and ``shuffle:N`` of ``edges:N``. ``random`` has no number, as it
    is exact. ``initial`` has none either, but may name the checkpoint of the initial weights: ``initial:FILE``.

    >>> parse_null("rows:20") == parse_null("shuffle:20:rows")
    True
    """
    if text == NullModel.RANDOM:
        return Null(0, NullModel.RANDOM)
    if text == NullModel.INITIAL:
        return Null(1, NullModel.INITIAL)
    initial = re.fullmatch(r"initial:(.+)", text, re.DOTALL)
    if initial is not None:
        return Null(1, NullModel.INITIAL, Path(initial[1]))

    shuffle = re.fullmatch(r"shuffle:([0-9]{1,9})(?::(.+))?", text, re.ASCII)
    named = re.fullmatch(r"(?!shuffle:)([^:]+):([0-9]{1,9})", text, re.ASCII)
    if shuffle is not None:
        null = Null(int(shuffle[1]), NullModel(chosen(Shuffle, shuffle[2] or Shuffle.EDGES)))
    elif named is not None:
        null = Null(int(named[2]), chosen(NullModel, named[1]))
    else:
        forms = "MODEL:N, as in 'columns:200', shuffle:N[:WHAT], random, or initial[:FILE]"
        raise OptionError(f"the null is {text!r}; it must be {forms}")

    if null.model is NullModel.RANDOM:
        raise OptionError(f"the null is {text!r}; random is exact, and has no number of simulations")
    if null.n_simulations < FEWEST_SIMULATIONS:
        raise OptionError(f"the null is {text!r}; it needs {FEWEST_SIMULATIONS} simulations or more")
    return null


def parse_nulls(null: Null | str | Sequence[Null | str] | None) -> tuple[Null, ...]:
    """Return one null or several as a tuple, none if None; one given twice is an ``OptionError``."""
    given = [] if null is None else [null] if isinstance(null, Null | str) else null
    nulls = [parse_null(each) if isinstance(each, str) else each for each in given]
    twice = next((each for each in nulls if nulls.count(each) > 1), None)
    if twice is not None:
        raise OptionError(f"the null {twice} is given twice")
    return tuple(nulls)
