"""The exact k-th strongest weight of one layer, or of many layers together.

Weights are ranked by unsigned integers of 32 or 64 bits, larger first; rank 0 means "not to be counted": a stored zero,
or a weight that is kept anyway. Equal ranks are ordered by (tensor name, flat index). The ranks are only ever counted,
16 bits at a time, so that a checkpoint of any size is looked at one layer at a time and nothing but 65,536 counters is
held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from topoimp.arrays import IndexArray

DIGIT_BITS = 16
N_DIGITS = 1 << DIGIT_BITS


class Ranked(Protocol):
    """The weights of one layer, ranked."""

    @property
    def name(self) -> str:
        """The layer's name, which orders equal ranks of different layers."""

    @property
    def n_weights(self) -> int:
        """Weights, ranked or not."""

    @property
    def n_bits(self) -> int:
        """Width of a rank, 32 or 64; the same for all layers that are selected from together."""

    def count_digits(self, shift: int, prefix: int | None) -> IndexArray:
        """Count the digits at ``shift`` of all ranks but 0, or of those that begin with ``prefix``: 65,536 counts."""

    def place_of(self, rank: int, n: int) -> int:
        """Give the flat index of the n-th weight, from 1, that has a rank."""


@dataclass(frozen=True)
class Cut:
    """Where a layer is cut: ranks above ``rank`` are kept, and those equal to it up to and including index ``last``.

    Args:
        rank: the smallest rank of which any is kept; 0 keeps whatever has a rank.
        last: flat index of the last weight of that rank that is kept; -1 if none is.
    """

    rank: int
    last: int


KEEP_ALL = Cut(rank=0, last=-1)


def cuts_keeping(layers: Sequence[Ranked], targets: Sequence[int]) -> list[dict[str, Cut]]:
    """Give, for each target, the cut of every layer that keeps so many first weights of all layers together.

    Args:
        layers: at least one; each is read a few times.
        targets: below 1 nothing is kept; at or above the number of ranked weights all of them are.

    Returns:
        for each target, the cuts by layer name.
    """
    counts = _Counts(layers)
    return [_cuts(layers, counts, target) for target in targets]


class _Counts:
    """The counts of digits, layer by layer, each counted when it is first asked for."""

    def __init__(self, layers: Sequence[Ranked]) -> None:
        self._layers = layers
        self._known: dict[tuple[int | None, int], list[IndexArray]] = {}

    def under(self, prefix: int | None, shift: int) -> list[IndexArray]:
        """Give each layer's counts of the digits at ``shift`` under a prefix; targets that lie close share them."""
        if (prefix, shift) not in self._known:
            self._known[prefix, shift] = [layer.count_digits(shift, prefix) for layer in self._layers]
        return self._known[prefix, shift]


def _cuts(layers: Sequence[Ranked], counts: _Counts, target: int) -> dict[str, Cut]:
    shift = layers[0].n_bits - DIGIT_BITS
    by_layer = counts.under(None, shift)
    if target >= sum(int(of_layer.sum()) for of_layer in by_layer):
        return dict.fromkeys((layer.name for layer in layers), KEEP_ALL)
    if target < 1:
        return dict.fromkeys((layer.name for layer in layers), Cut(rank=(1 << layers[0].n_bits) - 1, last=-1))
    digit, wanted = _digit_of(by_layer, target)
    rank = digit
    while shift > 0:
        shift -= DIGIT_BITS
        by_layer = counts.under(rank, shift)
        digit, wanted = _digit_of(by_layer, wanted)
        rank = rank << DIGIT_BITS | digit
    return _share_out(layers, rank, [int(of_layer[digit]) for of_layer in by_layer], wanted)


def _digit_of(by_layer: list[IndexArray], wanted: int) -> tuple[int, int]:
    """Give the digit of the wanted-th largest, and which of those with that digit it is."""
    from_the_top = np.cumsum(np.sum(by_layer, axis=0)[::-1])
    place = int(np.searchsorted(from_the_top, wanted))
    above = int(from_the_top[place - 1]) if place else 0
    return N_DIGITS - 1 - place, wanted - above


def _share_out(layers: Sequence[Ranked], rank: int, n_equal: list[int], wanted: int) -> dict[str, Cut]:
    """Give the first of the weights of one rank to the layers in the order of their names."""
    cuts = {}
    for layer, n in sorted(zip(layers, n_equal, strict=True), key=lambda pair: pair[0].name):
        taken = min(wanted, n)
        last = -1 if taken == 0 else layer.n_weights - 1 if taken == n else layer.place_of(rank, taken)
        cuts[layer.name] = Cut(rank, last)
        wanted -= taken
    return cuts
