"""Method ``topological``: every layer keeps its maximum spanning forest, and fills up with the strongest other weights.

With an epsilon only the forest's edges that are stronger than this share of the scale are protected.

Source: Balwani & Krzyston, PMLR 196, 2022, section 3.4 (T-IMP).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from topoimp.choices import Method
from topoimp.pruning.methods.magnitude import StrengthRule, strength_rule
from topoimp.pruning.methods.method import RuleInputs


@dataclass(frozen=True)
class Topological:
    """The method ``topological``."""

    name: str = Method.TOPOLOGICAL.value
    protects_forest: bool = True
    takes_seed: bool = False
    is_by_strength: bool = True
    only_scope: None = None
    holds_all_layers: bool = False

    def provenance(self) -> Mapping[str, str]:
        """Return nothing: the name says all."""
        return {}

    def rule(self, inputs: RuleInputs) -> StrengthRule:
        """Return the rule by |w| that protects the forests' edges above a strength."""
        return strength_rule(inputs.infos, inputs.protected_above)
