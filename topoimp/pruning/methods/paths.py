"""Method ``paths``: below a density, whole paths from an input to an output are kept, the strongest first.

Above that density the strongest weights are kept, as by the method ``magnitude`` under the same options. Below it, all
layers share one target, and the first weights of the order by paths are kept (``topoimp.network.path_masks``,
docs/theory.md). A round works on the weights at hand, in which pruned ones are 0, so masks are nested across the
switch too. The barcodes of single layers are not kept.

Layers of the network that are not pruned lie on paths, but no target counts them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from topoimp.arrays import CodeArray, FloatArray
from topoimp.choices import Method, PathInputs, chosen
from topoimp.errors import OptionError
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerStream
from topoimp.network.graph import NetworkGraph
from topoimp.network.path_masks import path_masks
from topoimp.pruning.methods.magnitude import Magnitude
from topoimp.pruning.methods.method import PruningMethod, Rule, RuleInputs
from topoimp.pruning.methods.network_at_hand import network_at_hand, without_graph
from topoimp.pruning.ranking import RankRanking
from topoimp.topology.forest import Forest

DEFAULT_BELOW = 0.1
"""Density from which paths decide: in a trial on MNIST they lost accuracy above it, and gained below 5 %."""


@dataclass(frozen=True)
class PathRule:
    """Keeps the weights that the order by paths keeps for one target.

    Args:
        kept: by layer name, 1 for a kept weight and 0 for another, shape (rows, columns).
    """

    kept: Mapping[str, CodeArray]
    n_bits: int = 32
    is_by_strength: bool = False

    def n_protected(self, forest: Forest) -> int:  # noqa: ARG002  # of a protocol
        """Return 0: nothing is protected whatever the target."""
        return 0

    def ranking(self, info: LayerInfo, forest: Forest) -> RankRanking:  # noqa: ARG002  # of a protocol
        """Return the ranking of a layer: rank 2 for kept weights, 1 for others."""
        flat = self.kept[info.name].reshape(-1)
        return RankRanking(info, lambda start, stop: flat[start:stop].astype(np.uint32) + np.uint32(1), self.n_bits)


@dataclass(frozen=True)
class Paths:
    """The method ``paths``.

    Args:
        below: density, in [0, 1], below which paths decide; at the density itself they do.
        inputs: strength of the inputs: 1, or the deviation of each over the training images.
        graph: the graph of the network; None until it is known.
        deviations: those of the inputs, if they count.
    """

    below: float = DEFAULT_BELOW
    inputs: PathInputs = PathInputs.ONES
    graph: NetworkGraph | None = None
    deviations: FloatArray | None = field(default=None, compare=False)
    name: str = Method.PATHS.value
    protects_forest: bool = False
    takes_seed: bool = False
    is_by_strength: bool = False
    only_scope: None = None
    holds_all_layers: bool = True

    def with_options(self, *, paths_below: float | None, inputs: PathInputs | str | None) -> "Paths":
        """Return the method with other options, where they are not None.

        Raises:
            OptionError: if a density lies outside [0, 1], or the inputs are another word.
        """
        below = self.below if paths_below is None else paths_below
        if not 0 <= below <= 1:
            raise OptionError(f"`paths_below` is {below}; it must be a density, at least 0 and at most 1")
        return replace(self, below=float(below), inputs=chosen(PathInputs, inputs or self.inputs))

    @property
    def first(self) -> PruningMethod:
        """The method ``magnitude``."""
        return Magnitude()

    @property
    def needs_images(self) -> bool:
        """Whether the deviations of the inputs count."""
        return self.inputs is PathInputs.DATA

    def provenance(self) -> Mapping[str, Any]:  # Any: numbers and words of pruning.toml
        """Return the density of the switch and the strength of the inputs."""
        return {"paths_below": self.below, "inputs": self.inputs.value}

    def of_network(self, graph: NetworkGraph | None, inputs: FloatArray | None) -> "Paths":
        """Return the method for a network.

        Raises:
            OptionError: if its graph is unknown.
        """
        if graph is None:
            raise without_graph(self.name)
        return replace(self, graph=graph, deviations=inputs if self.needs_images else None)

    def takes_over(self, target: int, n_weights: int) -> bool:
        """Return whether a round of so many kept weights has at most the density of the switch."""
        return target <= self.below * n_weights

    def rule(self, inputs: RuleInputs) -> Rule:  # noqa: ARG002  # of a protocol
        """Raise an OptionError: the method needs a network and a target."""
        raise without_graph(self.name)

    def rule_for(self, infos: Sequence[LayerInfo], stream: LayerStream, target: int) -> PathRule:
        """Return the rule of a round that keeps ``target`` weights of all layers together.

        Raises:
            CheckpointError: if the checkpoint lacks a norm of the network.
            LayerError: if it lacks a layer, or a layer does not fit the graph.
            OptionError: if a pruned layer is none of the network's.
        """
        network = network_at_hand(self.name, self.graph, infos, stream, self.deviations)
        return PathRule(path_masks(network, [target], threads=stream.threads).levels)
