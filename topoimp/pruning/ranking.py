"""Rankings of a layer's weights by strength |w|.

Ranks compare across layers and types. The rank of a strength is its exact value as the bits of a float32, or of a
float64 if any layer is float64; a permutation gives 64 random bits. Stored zeros and protected weights have rank 0.
"""

from collections.abc import Callable, Iterable

import numpy as np

from topoimp.arrays import Code, CodeArray, FloatArray, IndexArray
from topoimp.kernels.counting import count_codes, count_equal, count_until, place_of_equal
from topoimp.kernels.digits import AT_A_TIME, TABLE, count_first_digits, count_next_digits, place_prefixes
from topoimp.kernels.pruning import write_kept
from topoimp.kernels.threads import in_parallel, pieces
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.squared_norms import SquaredNorms
from topoimp.pruning.selection import DIGIT_BITS, N_DIGITS, Digits, LayerSelection, Prefixes, Threshold

_FEW = 1 << 14
"""A layer of a wide format with fewer weights is sorted, as it has fewer weights than there are counters."""

_ALL_BITS = np.uint64((1 << 64) - 1)
_NO_INDICES = np.zeros(0, np.int64)
_NO_STRENGTHS = np.zeros(0)


class StrengthRanking:
    """Ranks the weights of a layer by |w|; the protected weights are given by flat index, with their |w|."""

    def __init__(
        self,
        info: LayerInfo,
        *,
        n_bits: int,
        protected: IndexArray = _NO_INDICES,
        protected_strengths: FloatArray = _NO_STRENGTHS,
    ) -> None:
        self.info = info
        self.n_bits = n_bits
        self._format = info.number_format
        order = np.argsort(protected)
        self._protected = protected[order]
        self._protected_ranks = ranks_of(protected_strengths[order], n_bits)
        self._protected_counts = np.unique(self._protected_ranks, return_counts=True)
        self._counted: tuple[CodeArray, IndexArray] | None = None

    def prepare(self, layer: Layer, threads: int) -> None:
        """Cache the counts of a narrow format's codes, from which all digits follow."""
        if self._counted is not None or self._format.n_bits > DIGIT_BITS:
            return
        flat = layer.weights
        mask = flat.dtype.type(self._format.magnitude_mask)

        def count(start: int, stop: int) -> IndexArray:
            counts = np.zeros(self._format.magnitude_mask + 1, np.int64)  # a counter for every code
            count_codes(flat, start, stop, mask, counts)
            return counts

        all_counts = added_up(count, layer.n_weights, threads)
        codes = np.flatnonzero(all_counts[1:] != 0) + 1
        ranks = self._format.common_codes(codes.astype(self._format.code_dtype), n_bits=self.n_bits)

        counts = all_counts[codes]
        protected, n_protected = self._protected_counts
        counts[np.searchsorted(ranks, protected)] -= n_protected
        self._counted = ranks[counts > 0], counts[counts > 0]

    def known_digits(self, shift: int, prefix: int | None) -> Digits | None:
        """Return the counts of a narrow format's digits after ``prepare``."""
        return None if self._counted is None else digits_of_counted(*self._counted, shift, prefix)

    def count_digits(self, layer: Layer, shift: int, prefixes: Prefixes, threads: int) -> list[Digits]:
        """Count the digits of the ranks for each prefix."""
        self.prepare(layer, threads)
        if self._counted is not None:
            return [digits_of_counted(*self._counted, shift, prefix) for prefix in prefixes]
        return self._counted_ranks(layer, shift, prefixes, threads)

    def known_norms(self, selection: LayerSelection) -> SquaredNorms | None:
        """Return the squared norms of the weights that a selection keeps; None without the counts of ``prepare``."""
        if self._counted is None:
            return None
        ranks, counts = self._counted
        squares = ranks.view(f"float{self.n_bits}").astype(np.float64) ** 2
        protected = self._protected_ranks.view(f"float{self.n_bits}").astype(np.float64) ** 2

        n_kept = np.where(ranks > ranks.dtype.type(selection.rank), counts, 0)
        n_kept[ranks == ranks.dtype.type(selection.rank)] = selection.n_equal
        kept = float(np.sum(squares * n_kept) + np.sum(protected))
        return SquaredNorms(kept, kept + float(np.sum(squares * (counts - n_kept))))

    def protected_digits(self, shift: int, prefix: int | None) -> Digits:
        """Count the digits of the protected weights."""
        return digits_of_counted(*self._protected_counts, shift, prefix)

    def place_of(self, layer: Layer, rank: int, n: int, threads: int) -> int:
        """Return the flat index of the n-th unprotected weight of a rank."""
        code = layer.codes.dtype.type(self._format.code_at_most(rank, n_bits=self.n_bits))
        skipped = self._protected[self._protected_ranks == rank]
        flat = layer.weights
        mask = flat.dtype.type(self._format.magnitude_mask)

        # Count the rank's weights in each of several parts.
        n_parts = 4 * threads
        edges = [k * layer.n_weights // n_parts for k in range(n_parts + 1)]

        def count(first: int, end: int) -> list[int]:
            return [count_equal(flat, edges[k], edges[k + 1], mask, code) for k in range(first, end)]

        n_skipped = np.searchsorted(skipped, edges)
        counts = np.concatenate(in_parallel(count, n_parts, threads)) - np.diff(n_skipped)

        # Look for the place within the part that holds it.
        until = np.cumsum(counts)
        part = int(np.searchsorted(until, n))
        n -= int(until[part] - counts[part])
        return int(place_of_equal(flat, edges[part], edges[part + 1], mask, code, n, skipped[n_skipped[part] :]))

    def write_kept(self, layer: Layer, threshold: Threshold, start: int, pruned: CodeArray) -> None:
        """Write a part of a layer, with 0 for weights that neither the threshold nor protection keeps."""
        stop = start + len(pruned)
        mask, code, last = _in_own_codes(layer, threshold, self.n_bits)
        write_kept(layer.weights, start, stop, mask, code, last, pruned)
        write_protected(layer, self._protected, start, pruned)

    def ranks_in(self, layer: Layer, start: int, stop: int) -> CodeArray:
        """Return the magnitude codes of a part of the layer; they order as the ranks do."""
        codes = layer.number_format.magnitudes(layer.weights[start:stop])
        codes[_between(self._protected, start, stop) - start] = 0
        return codes

    def ranks_in_columns(self, layer: Layer, start: int, stop: int) -> CodeArray:
        """Return the magnitude codes of some columns, shape (rows, columns)."""
        codes = layer.number_format.magnitudes(layer.codes[:, start:stop])
        rows, columns = np.divmod(self._protected, layer.n_columns)
        is_here = (columns >= start) & (columns < stop)
        codes[rows[is_here], columns[is_here] - start] = 0
        return codes

    def _counted_ranks(self, layer: Layer, shift: int, prefixes: Prefixes, threads: int) -> list[Digits]:
        """Count the digits of a wide format's ranks; float32 codes become float64 ranks where layers are float64."""
        flat = layer.weights
        if layer.n_weights < _FEW:
            ranks = self._format.common_codes(flat, n_bits=self.n_bits)
            ranks[self._protected] = 0
            distinct = np.unique(ranks[ranks != 0], return_counts=True)
            return [digits_of_counted(*distinct, shift, prefix) for prefix in prefixes]

        mask = flat.dtype.type(self._format.magnitude_mask)

        def count(start: int, stop: int) -> IndexArray:
            if self._format.n_bits == self.n_bits:  # the codes are ranks but for the sign
                return digit_counts([flat[start:stop]], mask, shift, prefixes)
            parts = (self._format.common_codes(flat[a:b], n_bits=self.n_bits) for a, b in pieces(start, stop))
            return digit_counts(parts, _ALL_BITS, shift, prefixes)

        counts = added_up(count, layer.n_weights, threads)
        for prefix, of_prefix in zip(prefixes, counts, strict=True):
            protected = self.protected_digits(shift, prefix)
            of_prefix[protected.digits] -= protected.counts
        return nonzero_digits(counts)


def write_protected(layer: Layer, protected: IndexArray, start: int, pruned: CodeArray) -> None:
    """Write the codes of the protected weights, ascending flat indices, into a part of a layer from ``start`` on."""
    here = _between(protected, start, start + len(pruned))
    pruned[here - start] = layer.weights[here]


def _between(indices: IndexArray, start: int, stop: int) -> IndexArray:
    return indices[slice(*np.searchsorted(indices, [start, stop]))]


def ranks_of(strengths: FloatArray, n_bits: int) -> CodeArray:
    """Return the ranks of exact strengths."""
    return np.asarray(strengths.astype(f"float{n_bits}").view(f"uint{n_bits}"))


def count_by_strength(layer: Layer, threshold: Threshold, *, n_bits: int, threads: int) -> int:
    """Count the weights of a layer that a threshold by strength keeps."""
    mask, code, last = _in_own_codes(layer, threshold, n_bits)

    def count(start: int, stop: int) -> int:
        return count_until(layer.weights, start, stop, mask, code, last)

    return sum(in_parallel(count, layer.n_weights, threads))


def _in_own_codes(layer: Layer, threshold: Threshold, n_bits: int) -> tuple[Code, Code, int]:
    """Return a layer's magnitude mask, and a threshold in its own codes; a rank may lie between two codes."""
    code = layer.number_format.code_at_most(threshold.rank, n_bits=n_bits)
    is_exact = layer.number_format.common_code(code, n_bits=n_bits) == threshold.rank
    scalar = layer.codes.dtype.type
    last = threshold.last if is_exact and threshold.rank > 0 else -1
    return scalar(layer.number_format.magnitude_mask), scalar(code), last


def added_up(count: Callable[[int, int], IndexArray], n_weights: int, threads: int) -> IndexArray:
    """Return the sum of the counts of all parts of a layer."""
    return np.asarray(np.sum(in_parallel(count, n_weights, threads), axis=0, dtype=np.int64))


def digit_counts(parts: Iterable[CodeArray], mask: Code, shift: int, prefixes: Prefixes) -> IndexArray:
    """Return the counts of all 65,536 digits of ranks, which are codes without the bits outside ``mask``, by prefix."""
    counts = np.zeros((len(prefixes), N_DIGITS), np.int64)
    kind = type(mask)
    given = np.array([prefix for prefix in prefixes if prefix is not None], kind)
    if not len(given):
        for codes in parts:
            count_first_digits(codes, mask, shift, counts[0])
        return counts

    table, found = np.zeros(TABLE, np.uint8), np.empty(AT_A_TIME, kind)
    place_prefixes(given, table)
    for codes in parts:
        count_next_digits(codes, mask, shift, given, table, counts, found)
    return counts


def nonzero_digits(counts: IndexArray) -> list[Digits]:
    """Return the digits that occur for each prefix, from the counts of all digits."""
    digits = [np.flatnonzero(of_prefix != 0) for of_prefix in counts]
    return [Digits(each, of_prefix[each]) for each, of_prefix in zip(digits, counts, strict=True)]


def digits_of_counted(ranks: CodeArray, counts: IndexArray, shift: int, prefix: int | None) -> Digits:
    """Count the digits of distinct ascending ranks above 0 with given counts, as ``count_digits``."""
    scalar = ranks.dtype.type
    if prefix is not None:
        above = shift + DIGIT_BITS
        first = np.searchsorted(ranks, scalar(prefix << above), "left")
        last = np.searchsorted(ranks, scalar((prefix << above) | ((1 << above) - 1)), "right")
        ranks, counts = ranks[first:last], counts[first:last]
    digits = ((ranks >> scalar(shift)) & scalar(N_DIGITS - 1)).astype(np.int64)
    begins = np.flatnonzero(np.diff(digits, prepend=-1))
    return Digits(digits[begins], np.add.reduceat(counts, begins) if len(begins) else counts)
