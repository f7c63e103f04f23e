"""Method ``magnitude``: the strongest weights are kept, equal ones by flat index; nothing is protected.

Source: Han et al., "Learning both weights and connections for efficient neural networks", NeurIPS 2015; in rounds with
rewinding, Frankle & Carbin, "The Lottery Ticket Hypothesis", ICLR 2019 (IMP).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topoimp.checkpoint.number_format import common_bits
from topoimp.choices import Method
from topoimp.layers.records import LayerInfo
from topoimp.pruning.methods.method import RuleInputs
from topoimp.pruning.ranking import StrengthRanking
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class StrengthRule:
    """Keeps the strongest weights, and whatever the target the edges of each forest stronger than a limit.

    Args:
        n_bits: bits of a rank: 32, or 64 where float64 layers are compared with others.
        protected_above: the limit; None protects nothing.
    """

    n_bits: int
    protected_above: float | None = None
    is_by_strength: bool = True

    def n_protected(self, forest: Forest) -> int:
        """Return the number of the forest's first edges that are kept whatever the target."""
        limit = self.protected_above
        return 0 if limit is None else int(np.count_nonzero(forest.strengths > limit))

    def ranking(self, info: LayerInfo, forest: Forest) -> StrengthRanking:
        """Return the ranking of a layer's weights by |w|."""
        n = self.n_protected(forest)
        protected, strengths = forest.indices[:n], forest.strengths[:n]
        return StrengthRanking(info, n_bits=self.n_bits, protected=protected, protected_strengths=strengths)


def strength_rule(infos: Sequence[LayerInfo], protected_above: float | None = None) -> StrengthRule:
    """Return the rule by |w| under which layers of any types compare."""
    return StrengthRule(common_bits(info.number_format for info in infos), protected_above)


@dataclass(frozen=True)
class Magnitude:
    """The method ``magnitude``."""

    name: str = Method.MAGNITUDE.value
    protects_forest: bool = False
    takes_seed: bool = False
    is_by_strength: bool = True
    only_scope: None = None
    holds_all_layers: bool = False

    def provenance(self) -> Mapping[str, str]:
        """Return nothing: the name says all."""
        return {}

    def rule(self, inputs: RuleInputs) -> StrengthRule:
        """Return the rule by |w|, without protection."""
        return strength_rule(inputs.infos)
