"""One round of pruning: which weights each layer keeps for a target.

Three methods. ``topological`` keeps every layer's maximum spanning forest (with an epsilon, those edges of it that are
stronger than this share of the scale) and fills up with the strongest other weights; ``magnitude`` keeps the strongest
weights; ``random`` keeps those that come first in one fixed permutation per seed and layer. Two scopes: a target for
each ``layer``, or one ``global`` target for all layers together. All are nested: a smaller target keeps a subset
of what a larger one keeps.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, FloatArray, IndexArray
from topoimp.checkpoint.number_format import common_bits
from topoimp.choices import Method
from topoimp.errors import OptionError
from topoimp.kernels.threads import in_parallel
from topoimp.layers.catalogue import LayerInfo
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerSource
from topoimp.pruning.ranking import PermutationRanking, StrengthRanking, ranks_of
from topoimp.pruning.selection import LayerSelection, Ranked, layer_selections, threshold_of
from topoimp.topology.barcode import largest_strength
from topoimp.topology.forest import Forest

NOTHING = np.empty(0, np.int64)
NO_STRENGTHS = np.empty(0)


PartPruner = Callable[[int, CodeArray], BoolArray]
"""Writes a part of a layer's weights, from a flat index on, as codes with what is not kept as +0.0.

It gives which weights of the part are kept; a kept one may be zero. Several threads may call it at once.
"""


class Pruner(Protocol):
    """Whatever decides, weight by weight, what a layer keeps."""

    def on(self, layer: Layer, threads: int) -> PartPruner:
        """Give what writes the parts of a layer, once everything is found out that must be known before."""


@dataclass(frozen=True)
class Rule:
    """What decides which weights are kept.

    Args:
        method: the method.
        seed: chooses the permutations of ``random``; no other method looks at it.
        n_bits: 32, or 64 where float64 layers are compared with others.
        protected_above: ``topological`` keeps the forest's edges that are stronger than this, whatever the target.
    """

    method: Method
    seed: int
    n_bits: int
    protected_above: float = 0.0

    def protected_by(self, forest: Forest) -> tuple[IndexArray, FloatArray]:
        """Give the weights that are kept whatever the target, and their strengths."""
        if self.method is Method.TOPOLOGICAL:
            n_protected = int(np.count_nonzero(forest.strengths > self.protected_above))  # they are descending
            return forest.indices[:n_protected], forest.strengths[:n_protected]
        return NOTHING, NO_STRENGTHS

    def ranked(self, info: LayerInfo, forest: Forest) -> Ranked:
        """Give what ranks a layer's weights in the order in which they are kept."""
        if self.method is Method.RANDOM:
            return PermutationRanking(info.name, info.place, info.n_weights, self.seed)
        indices, strengths = self.protected_by(forest)
        return StrengthRanking(info, n_bits=self.n_bits, protected=indices, protected_strengths=strengths)


def rule_for(infos: Sequence[LayerInfo], method: Method, seed: int) -> Rule:
    """Give the one rule under which all layers compare, whatever their types."""
    return Rule(method, seed, common_bits(info.number_format for info in infos))


def check_epsilon(epsilon: float, method: Method) -> None:
    """Make sure that a tolerance means something.

    Args:
        epsilon: share of the scale, the largest strength of all layers, up to which deaths are not protected.
        method: only ``topological`` protects anything.

    Raises:
        OptionError: if it is not in [0, 1], or the method protects nothing.
    """
    if not 0 <= epsilon <= 1:
        raise OptionError(f"epsilon is {epsilon}; it must be at least 0 (full protection) and at most 1 (none)")
    if epsilon and method is not Method.TOPOLOGICAL:
        raise OptionError(f"epsilon is {epsilon}, but the method {method} protects nothing; topological does")


def with_epsilon(rule: Rule, epsilon: float, forests: Iterable[Forest]) -> Rule:
    """Give the rule that protects only edges of a forest whose death, strength / scale, is above epsilon.

    Args:
        rule: what else decides.
        epsilon: in [0, 1].
        forests: of all layers; the scale is the largest strength of any.
    """
    return replace(rule, protected_above=epsilon * (largest_strength(forests) or 0.0))


@dataclass(frozen=True)
class Keep:
    """What a layer keeps: the protected weights, and a selection of the others in the order of the rule.

    Args:
        rule: what decides.
        ranked: the layer's weights, ranked.
        selection: kept weights that are not protected.
        n_protected: how many more are kept anyway.
    """

    rule: Rule
    ranked: Ranked
    selection: LayerSelection
    n_protected: int

    @property
    def n_kept(self) -> int:
        """Weights kept."""
        return self.n_protected + self.selection.n_kept

    def on(self, layer: Layer, threads: int) -> PartPruner:
        """Give what writes the parts of a layer, once it is known where equal weights are split."""
        threshold = threshold_of(self.selection, self.ranked, layer, threads)

        def write(start: int, pruned: CodeArray) -> BoolArray:
            self.ranked.write_kept(layer, threshold, start, pruned)
            return np.not_equal(pruned, 0)

        return write

    def n_kept_of(self, forest: Forest, layer: Layer, threads: int) -> int:
        """Give how many edges of the layer's maximum spanning forest are kept by a method that goes by strength."""
        indices, strengths = forest.indices[self.n_protected :], forest.strengths[self.n_protected :]
        ranks, rank = ranks_of(strengths, self.rule.n_bits), self.selection.rank
        n_kept, equal = self.n_protected + int(np.count_nonzero(ranks > rank)), indices[ranks == rank]
        if len(equal) == 0 or self.selection.n_equal == 0:
            return n_kept
        return n_kept + int(np.count_nonzero(equal <= threshold_of(self.selection, self.ranked, layer, threads).last))


def pruned_layer(pruner: Pruner, layer: Layer, threads: int) -> Layer:
    """Give a copy of a layer in which what is not kept is +0.0."""
    pruned, write = np.empty(layer.n_weights, layer.codes.dtype), pruner.on(layer, threads)
    in_parallel(lambda start, stop: write(start, pruned[start:stop]), layer.n_weights, threads)
    return replace(layer, codes=pruned.reshape(layer.codes.shape))


def kept_of(pruner: Pruner, layer: Layer, threads: int) -> BoolArray:
    """Give which weights of a layer are kept, by flat index."""
    kept, write = np.empty(layer.n_weights, np.bool_), pruner.on(layer, threads)

    def look(start: int, stop: int) -> None:
        kept[start:stop] = write(start, np.empty(stop - start, layer.codes.dtype))

    in_parallel(look, layer.n_weights, threads)
    return kept


def keep_each(
    infos: Sequence[LayerInfo],
    forests: Mapping[str, Forest],
    targets: Sequence[int],
    rule: Rule,
    source: LayerSource,
    ranked: Sequence[Ranked] | None = None,
) -> list[dict[str, Keep]]:
    """Give what each layer keeps, for each target of all layers together, forests first.

    Args:
        infos: the layers; a single one has its targets for itself.
        forests: by layer name, the maximum spanning forests.
        targets: how many weights to keep in all; ``topological`` keeps the forests even if a target is below them.
        rule: what decides.
        source: of the layers.
        ranked: what ranks the layers, if something is known of them already.
    """
    ranked = ranked or [rule.ranked(info, forests[info.name]) for info in infos]
    n_protected = {info.name: len(rule.protected_by(forests[info.name])[0]) for info in infos}
    others = [target - sum(n_protected.values()) for target in targets]
    return [
        {of_layer.name: Keep(rule, of_layer, by_name[of_layer.name], n_protected[of_layer.name]) for of_layer in ranked}
        for by_name in layer_selections(ranked, others, source)
    ]
