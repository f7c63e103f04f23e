"""The exact k-th strongest weight of one layer, or of many layers together.

Weights are ranked by unsigned integers of 32 or 64 bits, larger first; rank 0 means "not to be counted": a stored zero,
or a weight that is kept anyway. Equal ranks are ordered by (tensor name, flat index). The ranks are only ever counted,
16 bits at a time, so that a checkpoint of any size is looked at one layer at a time and nothing but 65,536 counters a
layer is held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from topoimp.arrays import CodeArray, IndexArray
from topoimp.layers import Layer
from topoimp.streaming import LayerSource

DIGIT_BITS = 16
N_DIGITS = 1 << DIGIT_BITS


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

    def known_digits(self, shift: int, prefix: int | None) -> IndexArray | None:
        """Give what ``count_digits`` would, if it is known without looking at the layer again."""

    def count_digits(self, layer: Layer, shift: int, prefix: int | None, threads: int) -> IndexArray:
        """Count the digits at ``shift`` of all ranks but 0, or of those that begin with ``prefix``: 65,536 counts."""

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
        source: gives the same layers, in the same order; each is looked at a few times.

    Returns:
        for each target, the shares by layer name.
    """
    counts = _Counts(layers, source)
    return [_shares(layers, counts, target) for target in targets]


@dataclass(frozen=True)
class _Level:
    """The counts of one digit.

    Args:
        by_layer: each layer's counts by digit.
        digits: the digits that are there, the largest first.
        from_the_top: how many ranks of all layers have such a digit or a larger one.
    """

    by_layer: Sequence[IndexArray]
    digits: IndexArray
    from_the_top: IndexArray

    @property
    def n_ranked(self) -> int:
        """Ranks counted, of all layers."""
        return int(self.from_the_top[-1]) if len(self.from_the_top) else 0


class _Counts:
    """The counts of digits, each level counted when it is first asked for."""

    def __init__(self, layers: Sequence[Ranked], source: LayerSource) -> None:
        self._layers = {layer.name: layer for layer in layers}
        self._source = source
        self._known: dict[tuple[int | None, int], _Level] = {}

    def under(self, prefix: int | None, shift: int) -> _Level:
        """Give the counts of the digits at ``shift`` under a prefix; targets that lie close share them."""
        if (prefix, shift) not in self._known:
            by_layer = self._count(prefix, shift)
            together = by_layer[0] if len(by_layer) == 1 else np.sum(by_layer, axis=0)
            digits = np.flatnonzero(together != 0)[::-1]  # of truth values: several times faster
            self._known[prefix, shift] = _Level(by_layer, digits, np.cumsum(together[digits]))
        return self._known[prefix, shift]

    def _count(self, prefix: int | None, shift: int) -> list[IndexArray]:
        known = [ranked.known_digits(shift, prefix) for ranked in self._layers.values()]
        if not any(counts is None for counts in known):
            return [counts for counts in known if counts is not None]
        return self._source.each(
            lambda layer, threads: self._layers[layer.name].count_digits(layer, shift, prefix, threads)
        )


def _shares(layers: Sequence[Ranked], counts: _Counts, target: int) -> dict[str, Share]:
    shift = layers[0].n_bits - DIGIT_BITS
    level = counts.under(None, shift)
    if target >= level.n_ranked:
        n_ranked = [int(of_layer.sum()) for of_layer in level.by_layer]
        return {layer.name: Share(0, 0, 0, n) for layer, n in zip(layers, n_ranked, strict=True)}
    if target < 1:
        return {layer.name: Share((1 << layers[0].n_bits) - 1, 0, 0, 0) for layer in layers}
    rank, wanted, n_above = 0, target, [0] * len(layers)
    while True:
        digit, wanted = _digit_of(level, wanted)
        rank = rank << DIGIT_BITS | digit
        n_above = [n + int(of_layer[digit + 1 :].sum()) for n, of_layer in zip(n_above, level.by_layer, strict=True)]
        if shift == 0:
            break
        shift -= DIGIT_BITS
        level = counts.under(rank, shift)
    n_equal = [int(of_layer[digit]) for of_layer in level.by_layer]
    return _share_out(layers, rank, n_above, n_equal, wanted)


def _digit_of(level: _Level, wanted: int) -> tuple[int, int]:
    """Give the digit of the wanted-th largest, and which of those with that digit it is."""
    place = int(np.searchsorted(level.from_the_top, wanted))
    above = int(level.from_the_top[place - 1]) if place else 0
    return int(level.digits[place]), wanted - above


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
