"""One round of pruning: which weights each layer keeps for a target, under the rule of a method.

The method protects some weights and orders the others (``topoimp.pruning.methods``). A target is for one layer, or for
all layers together. All masks are nested: a smaller target keeps a subset of the weights of a larger one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from topoimp.arrays import BoolArray, CodeArray
from topoimp.kernels.threads import in_parallel, pieces
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.squared_norms import SquaredNorms
from topoimp.layers.streaming import LayerSource
from topoimp.pruning.methods.method import Rule
from topoimp.pruning.ranking import StrengthRanking, ranks_of
from topoimp.pruning.selection import LayerSelection, Ranking, layer_selections, threshold_of
from topoimp.topology.forest import Forest

PartPruner = Callable[[int, CodeArray], BoolArray]
"""Writes a part of a layer's weights, from a flat index on, as codes with pruned weights as +0.0.

It returns a flag for each weight of the part, true for kept; a kept weight may be zero. Several threads may call it.
"""


class Pruner(Protocol):
    """Decides which weights of a layer are kept."""

    def on(self, layer: Layer, threads: int) -> PartPruner:
        """Return the function that writes parts of a layer; only this call may read other parts of it."""


@dataclass(frozen=True)
class Keep:
    """The weights that a layer keeps: the protected ones, and a selection of the others in the order of the rule.

    ``unprotected`` is the selection of all weights for the same target if none were protected, where it was asked for.
    """

    rule: Rule
    ranking: Ranking
    selection: LayerSelection
    n_protected: int
    unprotected: LayerSelection | None = None

    @property
    def n_kept(self) -> int:
        """Weights kept."""
        return self.n_protected + self.selection.n_kept

    @property
    def known_norms(self) -> SquaredNorms | None:
        """The squared norms of the layer and of its kept weights where counts of equal weights tell them, else None."""
        return self.ranking.known_norms(self.selection) if isinstance(self.ranking, StrengthRanking) else None

    def on(self, layer: Layer, threads: int) -> PartPruner:
        """Return the function that writes parts of the layer, once it is known where equal weights are split."""
        threshold = threshold_of(self.selection, self.ranking, layer, threads)

        def write(start: int, pruned: CodeArray) -> BoolArray:
            self.ranking.write_kept(layer, threshold, start, pruned)
            return np.not_equal(pruned, 0)

        return write

    def n_kept_of(self, forest: Forest, layer: Layer, threads: int) -> int:
        """Count the edges of the layer's maximum spanning forest that a method by strength keeps."""
        others = slice(self.n_protected, None)
        return self.n_protected + self._n_selected(self.selection, self.ranking, forest, others, layer, threads)

    def n_only_protected(self, forest: Forest, layer: Layer, threads: int) -> int:
        """Count the edges of the forest that are kept as they are protected: without that, the same target drops them.

        These are all weights that the layer keeps and would not keep unprotected. The method is by strength, and the
        selection without protection is known.
        """
        if self.unprotected is None:
            raise ValueError("the selection without protection was not asked for")
        protected = slice(0, self.n_protected)
        ranking = StrengthRanking(self.ranking.info, n_bits=self.rule.n_bits)
        return self.n_protected - self._n_selected(self.unprotected, ranking, forest, protected, layer, threads)

    def _n_selected(
        self, selection: LayerSelection, ranking: Ranking, forest: Forest, part: slice, layer: Layer, threads: int
    ) -> int:
        """Count the edges in a part of the forest that a selection by strength keeps."""
        ranks = ranks_of(forest.strengths[part], self.rule.n_bits)
        n_kept = int(np.count_nonzero(ranks > selection.rank))
        equal = forest.indices[part][ranks == selection.rank]

        # The threshold's place may take a pass over the layer.
        if len(equal) and selection.n_equal:
            n_kept += int(np.count_nonzero(equal <= threshold_of(selection, ranking, layer, threads).last))
        return n_kept


def pruned_layer(pruner: Pruner, layer: Layer, threads: int) -> Layer:
    """Return a copy of a layer in which pruned weights are +0.0."""
    return replace(layer, codes=pruned_codes(pruner, layer, threads).reshape(layer.codes.shape))


def pruned_codes(pruner: Pruner, layer: Layer, threads: int) -> CodeArray:
    """Return a copy of the codes of a layer, flat, in which pruned weights are +0.0."""
    pruned = np.empty(layer.n_weights, layer.codes.dtype)
    write = pruner.on(layer, threads)

    def prune(start: int, stop: int) -> None:
        for first, end in pieces(start, stop):  # so that what a pruner makes of a part stays small
            write(first, pruned[first:end])

    in_parallel(prune, layer.n_weights, threads)
    return pruned


def kept_of(pruner: Pruner, layer: Layer, threads: int) -> BoolArray:
    """Return a flag for each weight of a layer, by flat index, true for kept."""
    kept = np.empty(layer.n_weights, np.bool_)
    write = pruner.on(layer, threads)

    def look(start: int, stop: int) -> None:
        for first, end in pieces(start, stop):
            kept[first:end] = write(first, np.empty(end - first, layer.codes.dtype))

    in_parallel(look, layer.n_weights, threads)
    return kept


def keep_each(
    infos: Sequence[LayerInfo],
    forests: Mapping[str, Forest],
    targets: Sequence[int],
    rule: Rule,
    source: LayerSource,
    rankings: Sequence[Ranking] | None = None,
    *,
    beside_unprotected: bool = False,
) -> list[dict[str, Keep]]:
    """Return, for each target of all layers together, the weights that each layer keeps, by its name.

    Protected weights are kept even if a target is below them. ``rankings`` may be prepared already. With
    ``beside_unprotected`` the selections without protection are found too.
    """
    rankings = rankings or [rule.ranking(info, forests[info.name]) for info in infos]
    n_protected = {info.name: rule.n_protected(forests[info.name]) for info in infos}
    by_name = {ranking.info.name: ranking for ranking in rankings}
    others = [target - sum(n_protected.values()) for target in targets]
    found = layer_selections(rankings, others, source, targets if beside_unprotected else ())
    unprotected = found[len(targets) :] or [{}] * len(targets)
    return [
        {
            name: Keep(rule, ranking, selections[name], n_protected[name], of_all.get(name))
            for name, ranking in by_name.items()
        }
        for selections, of_all in zip(found[: len(targets)], unprotected, strict=True)
    ]
