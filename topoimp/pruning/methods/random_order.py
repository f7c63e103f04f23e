"""Method ``random``, the control: one fixed permutation of the weights per seed and layer, so that masks are nested."""

from collections.abc import Mapping
from dataclasses import dataclass

from topoimp.choices import Method
from topoimp.layers.records import LayerInfo
from topoimp.pruning.methods.method import RuleInputs
from topoimp.pruning.rank_ranking import Permutation, RankRanking
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class PermutationRule:
    """Keeps the weights that come first in the permutations of a seed."""

    seed: int
    n_bits: int = 64
    is_by_strength: bool = False

    def n_protected(self, forest: Forest) -> int:  # noqa: ARG002  # of a protocol
        """Return 0: nothing is protected."""
        return 0

    def ranking(self, info: LayerInfo, forest: Forest) -> RankRanking:  # noqa: ARG002  # of a protocol
        """Return the ranking of a layer's weights, which depends on the seed, the layer's name and the index alone."""
        return RankRanking(info, Permutation(f"{self.seed}:{info.name}"), self.n_bits)


@dataclass(frozen=True)
class Random:
    """The method ``random``."""

    name: str = Method.RANDOM.value
    protects_forest: bool = False
    takes_seed: bool = True
    is_by_strength: bool = False
    only_scope: None = None
    holds_all_layers: bool = False

    def provenance(self) -> Mapping[str, str]:
        """Return nothing: the name says all, as the seed is a setting of every pruning."""
        return {}

    def rule(self, inputs: RuleInputs) -> PermutationRule:
        """Return the rule of the permutations of a seed."""
        return PermutationRule(inputs.seed)
