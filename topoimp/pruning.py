"""One round of pruning: which weights each layer keeps for a target.

Three methods. ``topological`` keeps every layer's maximum spanning forest and fills up with the strongest other
weights; ``magnitude`` keeps the strongest weights; ``random`` keeps those that come first in one fixed permutation per
seed and layer. Two scopes: a target for each ``layer``, or one ``global`` target for all layers together. All of them
are nested: a smaller target keeps a subset of what a larger one keeps.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, IndexArray
from topoimp.choices import Method
from topoimp.forest import Forest
from topoimp.layers import Layer, LayerInfo, Layers
from topoimp.number_format import F64
from topoimp.selection import Cut, cuts_keeping


@dataclass(frozen=True)
class Ranking:
    """How the weights of a layer are ordered for a method.

    Args:
        method: what decides.
        seed: chooses the permutations of ``random``; no other method looks at it.
        n_bits: 32, or 64 where float64 layers are compared with others.
    """

    method: Method
    seed: int
    n_bits: int

    def of(self, layer: Layer, *, protected: IndexArray) -> CodeArray:
        """Give the layer's ranks, shape (rows, columns): larger is kept first, 0 are stored zeros and the protected."""
        if self.method is Method.RANDOM:
            keys = permutation_keys(layer.n_weights, f"{self.seed}:{layer.name}")
            ranks = np.where(layer.edges(), keys.reshape(layer.codes.shape), np.uint64(0))
        else:
            ranks = layer.number_format.common_codes(layer.codes, n_bits=self.n_bits)
        if len(protected):
            ranks = ranks.copy()
            ranks.reshape(-1)[protected] = 0
        return ranks


def ranking_for(layers: Layers, method: Method, seed: int) -> Ranking:
    """Give the one ranking under which all layers compare, whatever their types."""
    is_wide = any(info.number_format is F64 for info in layers.infos)
    return Ranking(method, seed, 64 if is_wide else 32)


@dataclass(frozen=True)
class Keep:
    """What a layer keeps: the protected weights, and those up to a cut in the ranking."""

    ranking: Ranking
    cut: Cut
    protected: IndexArray

    def mask(self, layer: Layer) -> BoolArray:
        """Give which weights of the layer are kept, shape (rows, columns)."""
        kept = self.cut.kept(self.ranking.of(layer, protected=self.protected))
        kept.reshape(-1)[self.protected] = True
        return kept


NOTHING = np.empty(0, np.int64)


def keep_by_layer(layer: Layer, forest: Forest, target: int, ranking: Ranking) -> Keep:
    """Give what one layer keeps for its own target.

    Args:
        layer: its weights.
        forest: its maximum spanning forest.
        target: how many weights to keep; ``topological`` keeps the forest even if the target is below it.
        ranking: the order of the weights.
    """
    protected = forest.indices if ranking.method is Method.TOPOLOGICAL else NOTHING
    ranks = ranking.of(layer, protected=protected)
    cuts = cuts_keeping({layer.name: lambda: ranks}, target - len(protected))
    return Keep(ranking, cuts[layer.name], protected)


def keep_globally(layers: Layers, forests: Mapping[str, Forest], target: int, ranking: Ranking) -> dict[str, Keep]:
    """Give what each layer keeps for one target for all of them, forests first.

    Args:
        layers: read one at a time, a few times each.
        forests: by layer name, the maximum spanning forests.
        target: how many weights to keep in all; ``topological`` keeps the forests even if the target is below them.
        ranking: the order of the weights across layers.
    """
    is_topological = ranking.method is Method.TOPOLOGICAL
    protected = {info.name: forests[info.name].indices if is_topological else NOTHING for info in layers.infos}

    def ranks_of(info: LayerInfo) -> CodeArray:
        return ranking.of(layers.read(info), protected=protected[info.name])

    ranks = {info.name: partial(ranks_of, info) for info in layers.infos}
    cuts = cuts_keeping(ranks, target - sum(map(len, protected.values())))
    return {name: Keep(ranking, cuts[name], protected[name]) for name in cuts}


def permutation_keys(n: int, text: str) -> CodeArray:
    """Give n random 64-bit numbers above 0 that depend on ``text`` and their index alone, shape (n,).

    Source: the finaliser of splitmix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA
    2014) over a counter: a bijection, so that the order of the keys is a permutation.
    """
    start = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    key = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    key ^= key >> np.uint64(31)
    return np.asarray(np.maximum(key, np.uint64(1)))
