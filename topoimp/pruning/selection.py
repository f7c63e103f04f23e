"""The exact k-th strongest weight of one layer, or of many layers together.

Weights are ranked by unsigned integers of 32 or 64 bits, larger first; rank 0 means "not to be counted": a stored zero,
or a weight that is kept anyway. Equal ranks are ordered by (tensor name, flat index). The ranks are only ever counted,
16 bits at a time, so that a checkpoint of any size is looked at one layer at a time, and nothing is held but how often
each layer has each digit that it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from topoimp.arrays import CodeArray, IndexArray
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerSource

DIGIT_BITS = 16
N_DIGITS = 1 << DIGIT_BITS


@dataclass(frozen=True)
class Digits:
    """How often 16-bit digits are there.

    Args:
        digits: those that are there, ascending.
        how_often: above 0, of the same length.
    """

    digits: IndexArray
    how_often: IndexArray

    def n_of(self, digit: int) -> int:
        """Give how often a digit is there."""
        place = int(np.searchsorted(self.digits, digit))
        is_there = place < len(self.digits) and self.digits[place] == digit
        return int(self.how_often[place]) if is_there else 0

    def n_above(self, digit: int) -> int:
        """Give how often larger digits are there."""
        return int(self.how_often[np.searchsorted(self.digits, digit, "right") :].sum())


class Ranked(Protocol):
    """What ranks the weights of one layer."""

    @property
    def name(self) -> str:
        """The layer's name."""

    @property
    def place(self) -> tuple[str, int]:
        """What orders equal ranks of different layers."""

    @property
    def n_weights(self) -> int:
        """Weights, ranked or not."""

    @property
    def n_bits(self) -> int:
        """Width of a rank, 32 or 64; the same for all layers that are selected from together."""

    def prepare(self, layer: Layer, threads: int) -> None:
        """Find out about the layer, while it is looked at, what would have it looked at again later."""

    def known_digits(self, shift: int, prefix: int | None) -> Digits | None:
        """Give what ``count_digits`` would, if it is known without looking at the layer again."""

    def count_digits(self, layer: Layer, shift: int, prefix: int | None, threads: int) -> Digits:
        """Count the digits at ``shift`` of all ranks but 0, or of those that begin with ``prefix``."""

    def place_of(self, layer: Layer, rank: int, n: int, threads: int) -> int:
        """Give the flat index of the n-th weight, from 1, that has a rank."""

    def write_kept(self, layer: Layer, cut: "Cut", start: int, pruned: CodeArray) -> None:
        """Write a part of a layer's weights, from ``start`` on, as codes: what is not kept becomes +0.0."""


@dataclass(frozen=True)
class Share:
    """What one layer keeps of what all keep together: the ranks above one, and the first weights of that rank.

    Args:
        rank: ranks above it are kept.
        n_equal: how many weights of that rank are kept, in the order of their indices.
        n_of_rank: how many there are.
        n_kept: weights kept in all.
    """

    rank: int
    n_equal: int
    n_of_rank: int
    n_kept: int


@dataclass(frozen=True)
class Cut:
    """Where a layer is cut: ranks above ``rank`` are kept, and those equal to it up to and including index ``last``.

    Args:
        rank: the smallest rank of which any is kept; 0 keeps whatever has a rank.
        last: flat index of the last weight of that rank that is kept; -1 if none is.
    """

    rank: int
    last: int


def cut_of(share: Share, ranked: Ranked, layer: Layer, threads: int) -> Cut:
    """Give where a share cuts its layer; the layer is looked at only if weights of one rank are split."""
    if share.n_equal == 0:
        return Cut(share.rank, -1)
    if share.n_equal == share.n_of_rank:
        return Cut(share.rank, ranked.n_weights - 1)
    return Cut(share.rank, ranked.place_of(layer, share.rank, share.n_equal, threads))


def shares_keeping(layers: Sequence[Ranked], targets: Sequence[int], source: LayerSource) -> list[dict[str, Share]]:
    """Give, for each target, the share of every layer that together keeps so many first weights of all layers.

    Args:
        layers: at least one.
        targets: below 1 nothing is kept; at or above the number of ranked weights all of them are.
        source: of the same layers; each is looked at a few times.

    Returns:
        for each target, the shares by layer name.
    """
    searches = [_Search(target, [0] * len(layers)) for target in targets]
    shift = layers[0].n_bits - DIGIT_BITS
    # Digit by digit, so that no more is known at a time than the counts of one digit under one beginning.
    beginnings: dict[int | None, list[_Search]] = {None: searches}
    while shift >= 0:
        longer: dict[int | None, list[_Search]] = {}
        for beginning, group in beginnings.items():
            level = _Level.of(_counted(layers, source, shift, beginning))
            for search in group:
                if search.go_on(level):
                    longer.setdefault(search.rank, []).append(search)
        beginnings, shift = longer, shift - DIGIT_BITS
    return [search.shares(layers) for search in searches]


def _counted(layers: Sequence[Ranked], source: LayerSource, shift: int, prefix: int | None) -> list[Digits]:
    """Count each layer's digits, without looking at the layers where that is not needed."""
    known = [ranked.known_digits(shift, prefix) for ranked in layers]
    if not any(digits is None for digits in known):
        return [digits for digits in known if digits is not None]
    by_name = {ranked.name: ranked for ranked in layers}
    counted = source.each(lambda layer, threads: by_name[layer.name].count_digits(layer, shift, prefix, threads))
    return [counted[name] for name in by_name]


@dataclass(frozen=True)
class _Level:
    """The counts of one digit.

    Args:
        by_layer: each layer's.
        digits: the digits that any has, the largest first.
        from_the_top: how many ranks of all layers have such a digit or a larger one.
    """

    by_layer: Sequence[Digits]
    digits: IndexArray
    from_the_top: IndexArray

    @staticmethod
    def of(by_layer: Sequence[Digits]) -> "_Level":
        """Add up the counts of all layers."""
        if len(by_layer) == 1:
            digits, how_often = by_layer[0].digits, by_layer[0].how_often
        else:
            together = np.zeros(N_DIGITS, np.int64)
            for of_layer in by_layer:
                together[of_layer.digits] += of_layer.how_often
            digits = np.flatnonzero(together != 0)  # of truth values: several times faster
            how_often = together[digits]
        return _Level(by_layer, digits[::-1], np.cumsum(how_often[::-1]))

    @property
    def n_ranked(self) -> int:
        """Ranks counted, of all layers."""
        return int(self.from_the_top[-1]) if len(self.from_the_top) else 0


class _Search:
    """The search for one target's rank, digit by digit.

    Args:
        target: how many weights are to be kept.
        n_above: by layer, how many ranks are known to be kept; all 0 at first.
    """

    def __init__(self, target: int, n_above: list[int]) -> None:
        self.rank: int | None = None
        self._target = self._wanted = target
        self._n_above = n_above
        self._n_of_rank: list[int] | None = None

    def go_on(self, level: _Level) -> bool:
        """Find the next digit; give whether there is anything to be found."""
        if self.rank is None and self._target >= level.n_ranked:
            self._n_above = [int(of_layer.how_often.sum()) for of_layer in level.by_layer]
            return False
        if self._target < 1:
            return False
        place = int(np.searchsorted(level.from_the_top, self._wanted))
        digit = int(level.digits[place])
        self._wanted -= int(level.from_the_top[place - 1]) if place else 0
        self.rank = (self.rank or 0) << DIGIT_BITS | digit
        self._n_above = [n + of.n_above(digit) for n, of in zip(self._n_above, level.by_layer, strict=True)]
        self._n_of_rank = [of_layer.n_of(digit) for of_layer in level.by_layer]
        return True

    def shares(self, layers: Sequence[Ranked]) -> dict[str, Share]:
        """Give what each layer keeps, once the last digit is found."""
        if self._n_of_rank is not None:
            return _share_out(layers, self.rank or 0, self._n_above, self._n_of_rank, self._wanted)
        # Everything is kept, or nothing.
        rank = (1 << layers[0].n_bits) - 1 if self._target < 1 else 0
        return {ranked.name: Share(rank, 0, 0, n) for ranked, n in zip(layers, self._n_above, strict=True)}


def _share_out(
    layers: Sequence[Ranked], rank: int, n_above: list[int], n_of_rank: list[int], wanted: int
) -> dict[str, Share]:
    """Give the first of the weights of one rank to the layers in the order of their places."""
    shares = {}
    for ranked, above, n in sorted(zip(layers, n_above, n_of_rank, strict=True), key=lambda each: each[0].place):
        taken = min(wanted, n)
        shares[ranked.name] = Share(rank, taken, n, above + taken)
        wanted -= taken
    return shares
