"""One round of pruning: which weights each layer keeps for a target.

Three methods. ``topological`` keeps every layer's maximum spanning forest and fills up with the strongest other
weights; ``magnitude`` keeps the strongest weights; ``random`` keeps those that come first in one fixed permutation per
seed and layer. Two scopes: a target for each ``layer``, or one ``global`` target for all layers together. All of them
are nested: a smaller target keeps a subset of what a larger one keeps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, FloatArray, IndexArray
from topoimp.catalogue import LayerInfo
from topoimp.choices import Method
from topoimp.forest import Forest
from topoimp.layers import Layer
from topoimp.number_format import common_bits
from topoimp.ranking import ByPermutation, ByStrength, ranks_of, write_kept_by_strength
from topoimp.selection import Cut, Ranked, Share, shares_keeping
from topoimp.streaming import LayerSource
from topoimp.threads import in_parallel

NOTHING = np.empty(0, np.int64)
NO_STRENGTHS = np.empty(0)


class Pruner(Protocol):
    """Whatever decides, weight by weight, what a layer keeps."""

    def write_kept(self, layer: Layer, start: int, pruned: CodeArray) -> BoolArray:
        """Write a part of a layer's weights, from ``start`` on, as codes: what is not kept becomes +0.0.

        Returns:
            which weights of the part are kept; a kept one may be zero.
        """


@dataclass(frozen=True)
class Rule:
    """What decides which weights are kept.

    Args:
        method: the method.
        seed: chooses the permutations of ``random``; no other method looks at it.
        n_bits: 32, or 64 where float64 layers are compared with others.
    """

    method: Method
    seed: int
    n_bits: int

    def protected_by(self, forest: Forest) -> tuple[IndexArray, FloatArray]:
        """Give the weights that are kept whatever the target, and their strengths."""
        if self.method is Method.TOPOLOGICAL:
            return forest.indices, forest.strengths
        return NOTHING, NO_STRENGTHS

    def ranked(self, info: LayerInfo, forest: Forest) -> Ranked:
        """Give what ranks a layer's weights in the order in which they are kept."""
        if self.method is Method.RANDOM:
            return ByPermutation(info.name, info.place, info.n_weights, self.seed)
        indices, strengths = self.protected_by(forest)
        return ByStrength(info, n_bits=self.n_bits, protected=indices, protected_strengths=strengths)


def rule_for(infos: Sequence[LayerInfo], method: Method, seed: int) -> Rule:
    """Give the one rule under which all layers compare, whatever their types."""
    return Rule(method, seed, common_bits(info.number_format for info in infos))


@dataclass(frozen=True)
class Keep:
    """What a layer keeps: the protected weights, and those up to a cut in the order of the rule.

    Args:
        info: the layer.
        rule: what decides.
        share: the cut, and how many weights it keeps.
        protected: flat indices of the weights that are kept anyway, ascending.
    """

    info: LayerInfo
    rule: Rule
    share: Share
    protected: IndexArray

    @property
    def n_kept(self) -> int:
        """Weights kept."""
        return len(self.protected) + self.share.n_kept

    def write_kept(self, layer: Layer, start: int, pruned: CodeArray) -> BoolArray:
        """Write a part of a layer's weights, from ``start`` on, with what is not kept as +0.0; give which are kept."""
        cut, rule = self.share.cut, self.rule
        if rule.method is Method.RANDOM:
            permutation = ByPermutation(self.info.name, self.info.place, self.info.n_weights, rule.seed)
            permutation.write_kept(layer, cut, start, pruned)
        else:
            write_kept_by_strength(layer, cut, self.protected, n_bits=rule.n_bits, start=start, pruned=pruned)
        return np.not_equal(pruned, 0)

    def n_kept_of(self, forest: Forest) -> int:
        """Give how many edges of the layer's maximum spanning forest are kept by a method that goes by strength."""
        if self.rule.method is Method.TOPOLOGICAL:
            return len(forest.indices)
        cut: Cut = self.share.cut
        ranks = ranks_of(forest.strengths, self.rule.n_bits)
        return int(np.count_nonzero((ranks > cut.rank) | ((ranks == cut.rank) & (forest.indices <= cut.last))))


def pruned_layer(pruner: Pruner, layer: Layer, threads: int) -> Layer:
    """Give a copy of a layer in which what is not kept is +0.0."""
    pruned = np.empty(layer.n_weights, layer.codes.dtype)
    in_parallel(lambda start, stop: pruner.write_kept(layer, start, pruned[start:stop]), layer.n_weights, threads)
    return replace(layer, codes=pruned.reshape(layer.codes.shape))


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
        source: gives the layers, in the order of ``infos``.
        ranked: what ranks the layers, if something is known of them already.
    """
    ranked = ranked or [rule.ranked(info, forests[info.name]) for info in infos]
    protected = {info.name: np.sort(rule.protected_by(forests[info.name])[0]) for info in infos}
    n_protected = sum(map(len, protected.values()))
    shares = shares_keeping(ranked, [target - n_protected for target in targets], source)
    return [
        {info.name: Keep(info, rule, by_name[info.name], protected[info.name]) for info in infos} for by_name in shares
    ]
