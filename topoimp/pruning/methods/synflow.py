"""Method ``synflow-l2``: the weights on the most and strongest paths, by sums over all paths through each.

The score of a weight is the sum, over the paths from an input to an output that it lies on, of the product of the
squares of their weights (``topoimp.network.path_sums``), at the weights at hand. One target for all layers, each round
in one shot; equal scores are ordered by (tensor name, flat index). Scores change with every pruned weight, so
rounds without training are not one shot.

Source: Gebhart, Saxena & Schrater, arXiv 2101.10552, 2021, who score initial weights; here those of the round.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from topoimp.arrays import BoolArray, FloatArray
from topoimp.checkpoint import Checkpoint
from topoimp.choices import Method, Scope
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerStream
from topoimp.network.graph import NetworkGraph
from topoimp.network.path_sums import path_sums
from topoimp.pruning.methods.method import PruningMethod, Rule, RuleInputs
from topoimp.pruning.methods.network_at_hand import network_at_hand, without_graph
from topoimp.pruning.methods.scores import RankRule, ranks_of_scores


@dataclass(frozen=True)
class SynFlowL2:
    """The method ``synflow-l2``; ``graph`` is None until the network is known."""

    graph: NetworkGraph | None = None
    name: str = Method.SYNFLOW_L2.value
    protects_forest: bool = False
    takes_seed: bool = False
    is_by_strength: bool = False
    only_scope: Scope = Scope.GLOBAL
    holds_all_layers: bool = True
    needs_images: bool = False

    @property
    def first(self) -> PruningMethod:
        """The method itself: no other one comes before it."""
        return self

    def provenance(self) -> Mapping[str, str]:
        """Return nothing: the name says all."""
        return {}

    def of_network(self, graph: NetworkGraph | None, inputs: FloatArray | None) -> "SynFlowL2":  # noqa: ARG002
        """Return the method for a network; an OptionError says that its graph is unknown."""
        if graph is None:
            raise without_graph(self.name)
        return replace(self, graph=graph)

    def going_on(self) -> "SynFlowL2":
        """Return the method itself."""
        return self

    def replaces(self, kept: Callable[[], Mapping[str, BoolArray]], checkpoint: Checkpoint) -> bool:  # noqa: ARG002
        """Return True: the scores decide every round."""
        return True

    def takes_over(self, target: int, n_weights: int) -> bool:  # noqa: ARG002  # of a protocol
        """Return True: the scores decide every round."""
        return True

    def rule(self, inputs: RuleInputs) -> Rule:  # noqa: ARG002  # of a protocol
        """Raise an OptionError: the method needs a network."""
        raise without_graph(self.name)

    def rule_for(self, infos: Sequence[LayerInfo], stream: LayerStream, target: int) -> RankRule:  # noqa: ARG002
        """Return the rule of the scores of the weights at hand; the target does not matter."""
        sums = path_sums(network_at_hand(self.name, self.graph, infos, stream))
        return RankRule({info.name: ranks_of_scores(sums[info.name]) for info in infos})
