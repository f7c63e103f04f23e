"""Rankings of a layer's weights by given integers, such as a permutation or scores."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from topoimp.arrays import CodeArray, IndexArray
from topoimp.kernels.pruning import write_kept_ranks
from topoimp.kernels.threads import pieces
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.pruning.ranking import added_up, digit_counts, digits_of_counted, nonzero_digits
from topoimp.pruning.selection import Digits, Prefixes, Threshold


@dataclass(frozen=True)
class RankRanking:
    """Ranks the weights of a layer by given integers, the larger first; stored zeros and ranks of 0 are never kept.

    Args:
        ranks: returns the ranks of the weights from one flat index to another, in an unsigned type of ``n_bits``:
            computed, or a part of an array. Several threads may call it.
        n_bits: 32 or 64; the same for all layers that share a target.
        counted: the ranks above 0, each once and ascending, and the number of weights that have each, if they are
            known; then they are not counted.
    """

    info: LayerInfo
    ranks: Callable[[int, int], CodeArray]
    n_bits: int = 64
    counted: tuple[CodeArray, IndexArray] | None = None

    def prepare(self, layer: Layer, threads: int) -> None:
        """Do nothing: there is no cache."""

    def known_digits(self, shift: int, prefix: int | None) -> Digits | None:
        """Return the counts of the digits if those of the ranks are known."""
        return None if self.counted is None else digits_of_counted(*self.counted, shift, prefix)

    def count_digits(self, layer: Layer, shift: int, prefixes: Prefixes, threads: int) -> list[Digits]:
        """Count the digits of the ranks for each prefix."""
        mask = np.dtype(f"uint{self.n_bits}").type((1 << self.n_bits) - 1)

        def count(start: int, stop: int) -> IndexArray:
            return digit_counts((ranks for _, ranks in self._ranks(layer, start, stop)), mask, shift, prefixes)

        return nonzero_digits(added_up(count, layer.n_weights, threads))

    def protected_digits(self, shift: int, prefix: int | None) -> Digits:  # noqa: ARG002  # of a protocol
        """Return no digits: no weight is protected."""
        return Digits(np.zeros(0, np.int64), np.zeros(0, np.int64))

    def place_of(self, layer: Layer, rank: int, n: int, threads: int) -> int:  # noqa: ARG002  # of a protocol
        """Return the flat index of the n-th weight of a rank."""
        for start, ranks in self._ranks(layer, 0, layer.n_weights):
            places = np.flatnonzero(ranks == rank)
            if n <= len(places):
                return start + int(places[n - 1])
            n -= len(places)
        raise ValueError(f"layer {self.info.name!r} has fewer weights of rank {rank}")

    def write_kept(self, layer: Layer, threshold: Threshold, start: int, pruned: CodeArray) -> None:
        """Write a part of a layer, with 0 for weights that the threshold does not keep."""
        mask = layer.codes.dtype.type(layer.number_format.magnitude_mask)
        last = threshold.last if threshold.rank > 0 else -1
        for first, end in pieces(start, start + len(pruned)):
            ranks = self.ranks(first, end)
            n_until = min(max(last + 1 - first, 0), end - first)
            rank = ranks.dtype.type(threshold.rank)
            write_kept_ranks(layer.weights[first:end], ranks, mask, rank, n_until, pruned[first - start : end - start])

    def ranks_in(self, layer: Layer, start: int, stop: int) -> CodeArray:
        """Return the ranks of a part of the layer."""
        ranks = self.ranks(start, stop)
        is_edge = layer.number_format.magnitudes(layer.weights[start:stop]) != 0
        return np.where(is_edge, ranks, ranks.dtype.type(0))

    def ranks_in_columns(self, layer: Layer, start: int, stop: int) -> CodeArray:
        """Return the ranks of some columns, shape (rows, columns)."""
        firsts = range(start, layer.n_weights, layer.n_columns)
        return np.stack([self.ranks_in(layer, first, first + stop - start) for first in firsts])

    def _ranks(self, layer: Layer, start: int, stop: int) -> Iterator[tuple[int, CodeArray]]:
        for first, end in pieces(start, stop):
            yield first, self.ranks_in(layer, first, end)


@dataclass(frozen=True)
class RanksInArray:
    """The ranks of a layer's weights, flat, from one index to another."""

    ranks: CodeArray

    def __call__(self, start: int, stop: int) -> CodeArray:
        """Return the ranks of a part."""
        return self.ranks[start:stop]


@dataclass(frozen=True)
class Permutation:
    """The random ranks that a text determines, from one index to another."""

    text: str

    def __call__(self, start: int, stop: int) -> CodeArray:
        """Return the ranks of a part."""
        return permutation_keys(start, stop - start, self.text)


def permutation_keys(start: int, n: int, text: str) -> CodeArray:
    """Return 64 random bits above 0 for each of n indices from ``start`` on; they depend on text and index alone.

    Source: the finaliser of splitmix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA
    2014) over a counter: a bijection, so that the order of the keys is a permutation.
    """
    offset = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    key = np.arange(start + 1, start + n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(offset)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    key ^= key >> np.uint64(31)
    return np.asarray(np.maximum(key, np.uint64(1)))
