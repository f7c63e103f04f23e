"""What a method of pruning is: a name, an order of the weights, the weights that it protects, and what it promises.

A method orders the weights of a layer, or of all layers together, by integer ranks: the larger rank is kept first, and
equal ranks are ordered by (tensor name, flat index). Targets, counts, nested masks, reports and verification follow
from the order alone, so they are the same for every method. A stored zero has no rank and is never kept.

A method that looks at one layer at a time gives a ranking when the layer is in memory, and memory stays flat. A method
that looks at the whole network reads all layers in ``rule`` and keeps an array of ranks for each
(``topoimp.pruning.rank_ranking.RankRanking``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from topoimp.choices import Scope
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerSource
from topoimp.pruning.selection import Ranking
from topoimp.topology.forest import Forest


@dataclass(frozen=True)
class RuleInputs:
    """The inputs of a rule.

    Args:
        infos: the layers that share the rule, in the order of their weights in the file.
        source: reads them, pruned weights as zeros; a method of single layers leaves it alone.
        seed: chooses the order of a method that takes a seed.
        protected_above: of the forests, the edges stronger than this are protected, if the method protects them.
    """

    infos: Sequence[LayerInfo]
    source: LayerSource
    seed: int = 0
    protected_above: float = 0.0


class Rule(Protocol):
    """The order of the weights of some layers under a method, and the weights that are kept whatever the target."""

    @property
    def n_bits(self) -> int:
        """Bits of a rank: 32, or 64; the same for all layers that share a target."""

    @property
    def is_by_strength(self) -> bool:
        """Whether the unprotected weights of a layer are kept by |w|, equal ones by flat index.

        Then the topology that is kept follows from the layer's forest. Otherwise a second forest is found.
        """

    def n_protected(self, forest: Forest) -> int:
        """Return the number of the forest's first edges that are kept whatever the target."""

    def ranking(self, info: LayerInfo, forest: Forest) -> Ranking:
        """Return the ranking of a layer's weights, in the order in which they are kept; protected ones have rank 0."""


@runtime_checkable
class PruningMethod(Protocol):
    """A method of pruning."""

    @property
    def name(self) -> str:
        """The word for the method in options, reports and the names of folders."""

    @property
    def protects_forest(self) -> bool:
        """Whether the forest of each layer is kept whatever the target; then there is an epsilon."""

    @property
    def takes_seed(self) -> bool:
        """Whether the order depends on the seed."""

    @property
    def is_by_strength(self) -> bool:
        """Whether its rules are by strength (``Rule.is_by_strength``)."""

    @property
    def only_scope(self) -> Scope | None:
        """The one scope that the method has; None if it has both."""

    @property
    def holds_all_layers(self) -> bool:
        """Whether arrays as large as all layers together are in memory at once."""

    def provenance(self) -> Mapping[str, str]:
        """Return the settings, besides the name, that decide the masks; the same in a run that continues."""

    def rule(self, inputs: RuleInputs) -> Rule:
        """Return the rule under which the layers compare, whatever their types."""
