"""How the weights of a layer are ranked: by strength, or by a fixed permutation per seed and layer.

Ranks compare across layers and types: strengths as exact values, the codes of |w| as float32, or as float64 where any
layer is; permutations as 64 random bits. Weights that are kept anyway (``protected``) and stored zeros have rank 0.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, IndexArray
from topoimp.kernels import count_codes, count_digits, count_equal, count_until, mark_kept, place_of_equal
from topoimp.layers import Layer
from topoimp.number_format import NumberFormat
from topoimp.selection import DIGIT_BITS, N_DIGITS, Cut
from topoimp.threads import in_parallel, thread_count

_CHUNK = 1 << 20
"""Weights whose ranks are computed together, where they are not stored as such."""


@dataclass(frozen=True)
class ByStrength:
    """A layer's weights ranked by |w|.

    Args:
        name: of the layer.
        n_weights: of the layer.
        number_format: of its weights.
        read: gives the layer; called once a pass.
        n_bits: width of the ranks, 32 or 64; 64 if any layer compared is float64.
        protected: flat indices of weights that have no rank.
    """

    name: str
    n_weights: int
    number_format: NumberFormat
    read: Callable[[], Layer]
    n_bits: int
    protected: IndexArray

    def count_digits(self, shift: int, prefix: int | None) -> IndexArray:
        """Count the digits at ``shift`` of all ranks but 0, or of those that begin with ``prefix``."""
        if self.number_format.n_bits <= DIGIT_BITS:
            counts = _digits_of_counted(*self._counted_codes, shift, prefix)
        else:
            counts = self._counted_ranks(self.read(), shift, prefix)
        kept_anyway, how_often = np.unique(self._protected_ranks, return_counts=True)
        return counts - _digits_of_counted(kept_anyway, how_often, shift, prefix)

    def place_of(self, rank: int, n: int) -> int:
        """Give the flat index of the n-th weight, from 1, that has a rank and is not protected."""
        layer = self.read()
        code = layer.codes.dtype.type(self.number_format.code_at_most(rank, n_bits=self.n_bits))
        skipped = np.sort(self.protected[self._protected_ranks == rank])
        flat, mask = layer.codes.reshape(-1), layer.codes.dtype.type(self.number_format.magnitude_mask)
        step = -(-self.n_weights // (4 * thread_count(None)))

        def count(start: int, stop: int) -> list[tuple[int, int, int]]:
            edges = [*range(start, stop, step), stop]
            return [
                (a, b, count_equal(flat, a, b, mask, code) - int(np.diff(np.searchsorted(skipped, [a, b]))[0]))
                for a, b in pairwise(edges)
            ]

        for part in in_parallel(count, self.n_weights, thread_count(None), unit=step):
            for start, stop, found in part:
                if n <= found:
                    return int(place_of_equal(flat, start, stop, mask, code, n, skipped))
                n -= found
        raise ValueError(f"layer {self.name!r} has fewer weights of rank {rank}")

    def _counted_ranks(self, layer: Layer, shift: int, prefix: int | None) -> IndexArray:
        flat = layer.codes.reshape(-1)
        is_native = self.number_format.n_bits == self.n_bits
        mask = flat.dtype.type(self.number_format.magnitude_mask)

        def count(start: int, stop: int) -> IndexArray:
            counts = np.zeros(N_DIGITS, np.int64)
            if is_native:
                count_digits(flat, start, stop, mask, shift, prefix or 0, prefix is None, counts)
                return counts
            for at in range(start, stop, _CHUNK):
                ranks = self.number_format.common_codes(flat[at : min(at + _CHUNK, stop)], n_bits=self.n_bits)
                everything = ranks.dtype.type((1 << self.n_bits) - 1)
                count_digits(ranks, 0, ranks.size, everything, shift, prefix or 0, prefix is None, counts)
            return counts

        return _added_up(in_parallel(count, self.n_weights, thread_count(None)))

    @cached_property
    def _counted_codes(self) -> tuple[CodeArray, IndexArray]:
        """The ranks that a narrow format has, and how often each is there: one pass, whatever is asked later."""
        layer = self.read()
        flat, mask = layer.codes.reshape(-1), layer.codes.dtype.type(self.number_format.magnitude_mask)

        def count(start: int, stop: int) -> IndexArray:
            counts = np.zeros(self.number_format.magnitude_mask + 1, np.int64)  # room for every code there can be
            count_codes(flat, start, stop, mask, counts)
            return counts

        counts = _added_up(in_parallel(count, self.n_weights, thread_count(None)))
        codes = np.arange(1, self.number_format.first_special).astype(self.number_format.code_dtype)
        return self.number_format.common_codes(codes, n_bits=self.n_bits), counts[1 : self.number_format.first_special]

    @cached_property
    def _protected_ranks(self) -> CodeArray:
        if len(self.protected) == 0:
            return np.empty(0, f"uint{self.n_bits}")
        codes = self.read().codes.reshape(-1)[self.protected]
        return self.number_format.common_codes(codes, n_bits=self.n_bits)


def kept_by_strength(layer: Layer, cut: Cut, protected: IndexArray, *, n_bits: int) -> BoolArray:
    """Give which weights of a layer a cut keeps, and the protected ones, shape (rows, columns)."""
    flat, kept = layer.codes.reshape(-1), np.empty(layer.n_weights, np.bool_)
    mask, code, last = _in_own_codes(layer, cut, n_bits)

    def mark(start: int, stop: int) -> None:
        mark_kept(flat, start, stop, mask, code, last, kept)

    in_parallel(mark, layer.n_weights, thread_count(None))
    kept[protected] = True
    return kept.reshape(layer.codes.shape)


def count_by_strength(layer: Layer, cut: Cut, *, n_bits: int) -> int:
    """Count the weights of a layer that a cut keeps."""
    flat = layer.codes.reshape(-1)
    mask, code, last = _in_own_codes(layer, cut, n_bits)

    def count(start: int, stop: int) -> int:
        return count_until(flat, start, stop, mask, code, last)

    return sum(in_parallel(count, layer.n_weights, thread_count(None)))


def _in_own_codes(layer: Layer, cut: Cut, n_bits: int) -> tuple[Any, Any, int]:  # Any: scalars of the codes' type
    """Give the layer's mask, and a cut in its own codes: a rank that it does not have lies between two of them."""
    code = layer.number_format.code_at_most(cut.rank, n_bits=n_bits)
    is_exact = layer.number_format.common_code(code, n_bits=n_bits) == cut.rank
    kind = layer.codes.dtype.type
    return kind(layer.number_format.magnitude_mask), kind(code), cut.last if is_exact and cut.rank > 0 else -1


@dataclass(frozen=True)
class ByPermutation:
    """A layer's weights ranked by random numbers that depend on a text and on their indices alone.

    Args:
        name: of the layer.
        n_weights: of the layer.
        read: gives the layer; called once a pass.
        seed: chooses the permutation, together with the name.
    """

    name: str
    n_weights: int
    read: Callable[[], Layer]
    seed: int
    n_bits: int = 64

    def count_digits(self, shift: int, prefix: int | None) -> IndexArray:
        """Count the digits at ``shift`` of all ranks but 0, or of those that begin with ``prefix``."""
        counts = np.zeros(N_DIGITS, np.int64)
        for _, ranks in self._ranks(self.read()):
            everything = np.uint64((1 << 64) - 1)
            count_digits(ranks, 0, ranks.size, everything, shift, prefix or 0, prefix is None, counts)
        return counts

    def place_of(self, rank: int, n: int) -> int:
        """Give the flat index of the n-th weight, from 1, that has a rank."""
        for start, ranks in self._ranks(self.read()):
            places = np.flatnonzero(ranks == rank)
            if n <= len(places):
                return start + int(places[n - 1])
            n -= len(places)
        raise ValueError(f"layer {self.name!r} has fewer weights of rank {rank}")

    def kept(self, layer: Layer, cut: Cut) -> BoolArray:
        """Give which weights of the layer a cut keeps, shape (rows, columns)."""
        kept = np.empty(layer.n_weights, np.bool_)
        for start, ranks in self._ranks(layer):
            part = ranks > cut.rank
            if cut.rank > 0 and cut.last >= start:
                equal = ranks[: cut.last + 1 - start] == cut.rank
                part[: len(equal)] |= equal
            kept[start : start + len(ranks)] = part
        return kept.reshape(layer.codes.shape)

    def _ranks(self, layer: Layer) -> Iterator[tuple[int, CodeArray]]:
        flat = layer.codes.reshape(-1)
        for start in range(0, layer.n_weights, _CHUNK):
            part = flat[start : start + _CHUNK]
            keys = permutation_keys(start, len(part), f"{self.seed}:{layer.name}")
            yield start, np.where(layer.number_format.magnitudes(part) != 0, keys, np.uint64(0))


def permutation_keys(start: int, n: int, text: str) -> CodeArray:
    """Give 64 random bits above 0 for each of n indices from ``start`` on: they depend on the text and the index alone.

    Source: the finaliser of splitmix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA
    2014) over a counter: a bijection, so that the order of the keys is a permutation.
    """
    offset = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    key = np.arange(start + 1, start + n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(offset)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    key ^= key >> np.uint64(31)
    return np.asarray(np.maximum(key, np.uint64(1)))


def _added_up(parts: list[IndexArray]) -> IndexArray:
    return np.asarray(np.sum(parts, axis=0, dtype=np.int64))


def _digits_of_counted(ranks: CodeArray, how_often: IndexArray, shift: int, prefix: int | None) -> IndexArray:
    """Count digits as ``count_digits`` does, of distinct ranks that are there several times."""
    kind = ranks.dtype.type
    chosen = ranks != 0
    if prefix is not None:
        chosen &= (ranks >> kind(shift)) >> kind(DIGIT_BITS) == kind(prefix)
    digits = ((ranks[chosen] >> kind(shift)) & kind(N_DIGITS - 1)).astype(np.int64)
    counts = np.zeros(N_DIGITS, np.int64)
    np.add.at(counts, digits, how_often[chosen])
    return counts
