"""One round of pruning: which weights each layer keeps for a target.

Three methods. ``topological`` keeps every layer's maximum spanning forest and fills up with the strongest other
weights; ``magnitude`` keeps the strongest weights; ``random`` keeps those that come first in one fixed permutation per
seed and layer. Two scopes: a target for each ``layer``, or one ``global`` target for all layers together. All of them
are nested: a smaller target keeps a subset of what a larger one keeps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from topoimp.arrays import BoolArray, IndexArray
from topoimp.choices import Method
from topoimp.forest import Forest
from topoimp.layers import Layer, Layers
from topoimp.number_format import NumberFormat, common_bits
from topoimp.ranking import ByPermutation, ByStrength, kept_by_strength
from topoimp.selection import Cut, Ranked, cuts_keeping

NOTHING = np.empty(0, np.int64)


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

    def protected_by(self, forest: Forest) -> IndexArray:
        """Give the weights that are kept whatever the target."""
        return forest.indices if self.method is Method.TOPOLOGICAL else NOTHING

    def ranked(
        self, name: str, n_weights: int, number_format: NumberFormat, read: Callable[[], Layer], protected: IndexArray
    ) -> Ranked:
        """Give a layer's weights in the order in which they are kept."""
        if self.method is Method.RANDOM:
            return ByPermutation(name, n_weights, read, self.seed)
        return ByStrength(name, n_weights, number_format, read, self.n_bits, protected)


def rule_for(layers: Layers, method: Method, seed: int) -> Rule:
    """Give the one rule under which all layers compare, whatever their types."""
    return Rule(method, seed, common_bits(info.number_format for info in layers.infos))


@dataclass(frozen=True)
class Keep:
    """What a layer keeps: the protected weights, and those up to a cut in the order of the rule."""

    rule: Rule
    cut: Cut
    protected: IndexArray

    def mask(self, layer: Layer) -> BoolArray:
        """Give which weights of the layer are kept, shape (rows, columns)."""
        if self.rule.method is Method.RANDOM:
            return ByPermutation(layer.name, layer.n_weights, lambda: layer, self.rule.seed).kept(layer, self.cut)
        return kept_by_strength(layer, self.cut, self.protected, n_bits=self.rule.n_bits)


def keep_by_layer(layer: Layer, forest: Forest, targets: Sequence[int], rule: Rule) -> list[Keep]:
    """Give what one layer keeps for each of its own targets.

    Args:
        layer: its weights.
        forest: its maximum spanning forest.
        targets: how many weights to keep; ``topological`` keeps the forest even if a target is below it.
        rule: what decides.
    """
    protected = rule.protected_by(forest)
    ranked = rule.ranked(layer.name, layer.n_weights, layer.number_format, lambda: layer, protected)
    cuts = cuts_keeping([ranked], [target - len(protected) for target in targets])
    return [Keep(rule, by_name[layer.name], protected) for by_name in cuts]


def keep_globally(
    layers: Layers, forests: Mapping[str, Forest], targets: Sequence[int], rule: Rule
) -> list[dict[str, Keep]]:
    """Give what each layer keeps, for each target of all layers together, forests first.

    Args:
        layers: read one at a time, a few times each.
        forests: by layer name, the maximum spanning forests.
        targets: how many weights to keep in all; ``topological`` keeps the forests even if a target is below them.
        rule: what decides.
    """
    protected = {info.name: rule.protected_by(forests[info.name]) for info in layers.infos}
    ranked = [
        rule.ranked(info.name, info.n_weights, info.number_format, partial(layers.read, info), protected[info.name])
        for info in layers.infos
    ]
    n_protected = sum(map(len, protected.values()))
    cuts = cuts_keeping(ranked, [target - n_protected for target in targets])
    return [{name: Keep(rule, cut, protected[name]) for name, cut in by_name.items()} for by_name in cuts]
