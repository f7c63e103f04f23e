"""The weights that a network keeps for targets, whole paths from an input to an output first.

The order of all weights: for each output its strongest path, outputs by its strength and then by index; then the
weights by the strength of the strongest path through each, equal ones by layer and flat index. Each weight brings those
of its strongest path that are not there yet, from the output back. Weights on no path come last: later layers before
earlier ones, then by strength, then by flat index. A stored zero is never kept. For any target the first weights of
this one order are kept, so masks are nested (docs/theory.md has the proofs).

Every weight of the strongest path through a weight has a strongest path at least as strong. So all weights above a
threshold hold their paths whole, and only the weights at the threshold itself are followed one by one. No list of all
weights is made or sorted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, IndexArray
from topoimp.errors import OptionError
from topoimp.kernels.path_strengths import LEAST, OFF_PATH, count_keys, take_paths, write_levels
from topoimp.kernels.threads import in_parallel, pieces
from topoimp.layers.layer import Layer
from topoimp.network.guessed_interval import guessed_interval, write_levels_outside
from topoimp.network.logarithms import row_pieces
from topoimp.network.path_strengths import PathStrengths, path_strengths
from topoimp.network.weighted_graph import Edges, WeightedGraph, rows_together

_N_BINS, _BIN_BITS = 1 << 16, 28
"""Bins of the first count of keys, each a 1,024th of an octave wide: 64 octaves below the strongest path."""

_LOWEST = OFF_PATH - (1 << 49)
"""Below the key of every weight that is not zero."""


@dataclass(frozen=True)
class PathMasks:
    """The weights that are kept for some targets.

    Args:
        targets: the numbers of weights to keep, as they were asked for.
        levels: by layer name, for how many of the targets each weight is kept; shape (rows, columns).
    """

    targets: tuple[int, ...]
    levels: dict[str, CodeArray]

    def kept(self, target: int) -> dict[str, BoolArray]:
        """Return by layer name which weights one of the targets keeps, shape (rows, columns)."""
        n_smaller = sum(each < target for each in self.targets)
        return {name: levels >= len(self.targets) - n_smaller for name, levels in self.levels.items()}


def path_masks(network: WeightedGraph, targets: Sequence[int], *, threads: int = 1) -> PathMasks:
    """Return the weights of a network that are kept for each target.

    Args:
        network: the weights, pruned ones as zeros.
        targets: numbers of weights to keep, of all layers together, in any order; at least 0. A target of more than
            the weights that are not zero keeps these.
        threads: the masks do not depend on them.

    Raises:
        OptionError: if a target is negative, or if there are 65,535 or more.

    >>> from topoimp.layers.layer import as_layer
    >>> from topoimp.network.graph import chain_graph
    >>> from topoimp.network.weighted_graph import WeightedGraph
    >>> layers = {"fc1": as_layer([[4.0, 1.0], [0.0, 2.0]]), "fc2": as_layer([[0.25, 8.0]])}
    >>> network = WeightedGraph(chain_graph({"fc1": (2, 2), "fc2": (1, 2)}), layers)
    >>> path_masks(network, [2]).kept(2)["fc1"].tolist()
    [[False, False], [False, True]]
    """
    if min(targets, default=0) < 0:
        raise OptionError(f"a target is {min(targets)}; it must be at least 0")
    if len(targets) >= np.iinfo(np.uint16).max:
        raise OptionError(f"there are {len(targets)} targets; at most {np.iinfo(np.uint16).max - 1} are possible")

    selection = _Selection(path_strengths(network, threads=threads), np.sort(np.asarray(targets, np.int64)), threads)
    levels = selection.levels()
    by_name: dict[str | None, list[CodeArray]] = {}
    for each, layer in network.pruned_edges:
        part = levels[each.first_weight :][: layer.n_weights].reshape(layer.codes.shape)
        by_name.setdefault(each.connection.layer, []).append(part)
    joined = {name: rows_together(by_name[name]) for name in network.graph.layers if name in by_name}
    return PathMasks(tuple(targets), joined)


@dataclass(frozen=True)
class _Interval:
    """Keys from ``low`` to ``high`` - 1, the number of keys above them, and the targets whose last key they hold."""

    low: int
    high: int
    n_above: int
    targets: IndexArray


_Undecided: TypeAlias = tuple[list[_Interval], IndexArray, IndexArray]
"""Intervals, the weights whose keys may lie in them, ascending, without those of the outputs' paths, and their keys."""


@dataclass(frozen=True)
class _Selection:
    """The search for the last key of each target, the smallest target first."""

    strengths: PathStrengths
    targets: IndexArray
    threads: int

    def levels(self) -> CodeArray:
        """Return for how many targets each weight is kept, in the order of the numbers of weights."""
        first = _weights_of_outputs(self.strengths)
        levels = np.zeros(self.strengths.network.n_weights, np.min_scalar_type(len(self.targets) + 1))

        # Within an interval the keys are few, and known one by one.
        intervals, undecided, keys = self._guessed(first, levels) or self._counted(first, levels)
        levels[first] = len(self.targets) - np.searchsorted(self.targets, np.arange(len(first)), side="right")
        for interval in intervals:
            is_inside = (keys >= interval.low) & (keys < interval.high)
            self._decide(interval, undecided[is_inside], keys[is_inside], len(first), levels)
        return levels

    def _guessed(self, first: IndexArray, levels: CodeArray) -> _Undecided | None:
        """Write the levels outside a guessed interval; None, and any levels, if there is no guess or a wrong one."""
        targets = np.flatnonzero(self.targets > len(first))
        if len(targets) != 1:
            return None
        n_wanted = int(self.targets[targets[0]]) - len(first)
        guess = guessed_interval(self.strengths, n_wanted)
        if guess is None:
            return None

        level_above = len(self.targets) - int(targets[0])
        for edges, layer in self.strengths.network.pruned_edges:
            out = levels[edges.first_weight :][: layer.n_weights].reshape(layer.codes.shape)
            write_levels_outside(self.strengths, edges, layer, guess, level_above, _marker(levels), out, self.threads)
        levels[first] = 0
        undecided = _indices_of(_marker(levels), levels)
        keys = self.strengths.keys_of_numbers(undecided)
        levels[undecided] = np.where(keys >= guess.high, level_above, 0)

        n_above = sum(int(np.count_nonzero(levels[i:j] == level_above)) for i, j in pieces(0, len(levels)))
        n_inside = np.count_nonzero((keys >= guess.low) & (keys < guess.high))
        if not n_above < n_wanted <= n_above + n_inside:
            return None
        return [_Interval(guess.low, guess.high, n_above, targets)], undecided, keys

    def _counted(self, first: IndexArray, levels: CodeArray) -> _Undecided:
        """Write the levels outside intervals that counts of all keys give."""
        levels[:] = 0
        intervals = self._intervals(self.strengths.keys_of_numbers(np.sort(first)), len(first))
        if intervals:
            self._write_levels(intervals, levels)
        levels[first] = 0
        undecided = _indices_of(_marker(levels), levels)
        levels[undecided] = 0
        return intervals, undecided, self.strengths.keys_of_numbers(undecided)

    def _intervals(self, first_keys: IndexArray, n_first: int) -> list[_Interval]:
        """Return disjoint intervals with few keys, the largest first, that hold the last key of each target.

        Targets that the strongest paths to the outputs fill have no last key. The weights of these paths do not count.
        """
        k = np.flatnonzero(self.targets > n_first)
        whole = _Interval(_LOWEST, self.strengths.largest + 1, 0, k)
        waiting = [whole] if len(k) else []
        most = max(_N_BINS, self.strengths.network.n_weights // (32 * max(len(k), 1)))

        found: list[_Interval] = []
        while waiting:
            interval = waiting.pop()
            n_bits = (interval.high - interval.low - 1).bit_length()
            shift = _BIN_BITS if interval is whole else max(n_bits - 16, 0)
            counts = self._counts(interval.low, interval.high, shift, first_keys)
            for part, n_inside in _parts(interval, shift, counts, self.targets - n_first):
                is_narrow = n_inside <= most or part.high - part.low == 1
                (found if is_narrow else waiting).append(part)
        return sorted(found, key=lambda each: -each.low)

    def _counts(self, low: int, high: int, shift: int, first_keys: IndexArray) -> IndexArray:
        """Count the keys of an interval in bins, but for those of the weights that come first."""
        counts = np.zeros(_N_BINS, np.int64)
        for edges, layer in self.strengths.network.pruned_edges:

            def count(start: int, stop: int, edges: Edges = edges, layer: Layer = layer) -> IndexArray:
                part = np.zeros(_N_BINS, np.int64)
                for first, end in row_pieces(layer, start, stop):
                    count_keys(self.strengths.keys(edges, first, end).reshape(-1), low, high, shift, part)
                return part

            counts += sum(in_parallel(count, layer.n_rows, self.threads))
        not_counted = np.zeros(_N_BINS, np.int64)
        count_keys(first_keys, low, high, shift, not_counted)
        return counts - not_counted

    def _write_levels(self, intervals: Sequence[_Interval], levels: CodeArray) -> None:
        """Write the levels of the weights outside the intervals, and mark those inside as undecided."""
        lows, highs = (np.array([getattr(each, end) for each in intervals]) for end in ("low", "high"))
        levels_above = np.array([len(self.targets) - each.targets[0] for each in intervals], levels.dtype)
        for edges, layer in self.strengths.network.pruned_edges:
            out = levels[edges.first_weight :][: layer.n_weights].reshape(layer.codes.shape)

            def write(start: int, stop: int, edges: Edges = edges, layer: Layer = layer, out: CodeArray = out) -> None:
                for first, end in row_pieces(layer, start, stop):
                    keys = self.strengths.keys(edges, first, end).reshape(-1)
                    write_levels(keys, lows, highs, levels_above, _marker(levels), out[first:end].reshape(-1))

            in_parallel(write, layer.n_rows, self.threads)

    def _decide(
        self, interval: _Interval, weights: IndexArray, keys: IndexArray, n_first: int, levels: CodeArray
    ) -> None:
        """Write the levels of the weights whose keys lie in an interval, given in the order of their numbers."""
        k = interval.targets
        descending = np.sort(keys)[::-1]
        n_inside = np.minimum(self.targets[k] - n_first - interval.n_above, len(descending))
        last_keys = descending[n_inside - 1]
        n_not_below = np.searchsorted(-last_keys, -keys, side="right")  # of the targets, those that end above or at it
        levels[weights] = len(self.targets) - (k[0] + n_not_below)

        # At the last key of a target, or of several, paths are followed.
        for last_key in np.unique(last_keys):
            band = weights[keys == last_key]
            here = last_keys == last_key
            n_missing = n_inside[here] - np.count_nonzero(descending > last_key)
            new_levels = (len(self.targets) - k[here]).astype(levels.dtype)
            if last_key < LEAST:
                n_taken = np.searchsorted(n_missing, np.arange(n_missing[-1]), side="right")
                levels[band[: n_missing[-1]]] = new_levels[n_taken]
            else:
                self._take_paths(band, n_missing, new_levels, levels)

    def _take_paths(self, band: IndexArray, n_missing: IndexArray, new_levels: CodeArray, levels: CodeArray) -> None:
        sources, targets = np.empty(len(band), np.int64), np.empty(len(band), np.int64)
        for edges, layer in self.strengths.network.pruned_edges:
            start, stop = np.searchsorted(band, [edges.first_weight, edges.first_weight + layer.n_weights])
            row, column = np.divmod(band[start:stop] - edges.first_weight, layer.n_columns)
            sources[start:stop] = edges.sources.start + column // edges.connection.columns_per_vertex
            targets[start:stop] = edges.targets.start + row
        strengths = self.strengths
        path = np.empty(strengths.network.depth, np.int64)
        steps = (strengths.weight_in, strengths.vertex_in, strengths.weight_out, strengths.vertex_out)
        take_paths(band, sources, targets, *steps, n_missing, new_levels, levels, path)


def _parts(interval: _Interval, shift: int, counts: IndexArray, n_wanted: IndexArray) -> list[tuple[_Interval, int]]:
    """Return the bins of an interval that hold the last key of a target, and the number of keys in each.

    ``n_wanted`` are the keys of each target. If there are fewer keys, the last bin with one holds the last.
    """
    n_until = interval.n_above + np.cumsum(counts)
    wanted = np.minimum(n_wanted[interval.targets], n_until[-1])
    bins = np.searchsorted(n_until, wanted)
    parts = []
    for bin_ in np.unique(bins).tolist():
        if counts[bin_] == 0:  # there are no keys at all
            continue
        high = interval.high - (bin_ << shift)
        low = interval.low if bin_ == _N_BINS - 1 else max(high - (1 << shift), interval.low)
        part = _Interval(low, high, int(n_until[bin_] - counts[bin_]), interval.targets[bins == bin_])
        parts.append((part, int(counts[bin_])))
    return parts


def _weights_of_outputs(strengths: PathStrengths) -> IndexArray:
    """Return the weights of the strongest path to each output, in the order in which they are kept."""
    graph = strengths.network.graph
    first_output = graph.first_vertices[graph.outputs]
    before = strengths.before[first_output:]
    order = np.argsort(-before, kind="stable")

    weights: dict[int, None] = {}
    for vertex in (first_output + order[before[order] >= LEAST]).tolist():
        while vertex >= 0:
            weight = int(strengths.weight_in[vertex])
            if weight >= 0:
                weights.setdefault(weight)
            vertex = int(strengths.vertex_in[vertex])
    return np.fromiter(weights, np.int64, len(weights))


def _marker(levels: CodeArray) -> int:
    """Return the level that stands for none."""
    return int(np.iinfo(levels.dtype).max)


def _indices_of(level: int, levels: CodeArray) -> IndexArray:
    """Return the numbers of the weights that have a level."""
    found = [start + np.flatnonzero(levels[start:stop] == level) for start, stop in pieces(0, len(levels))]
    return np.concatenate([np.empty(0, np.int64), *found])
