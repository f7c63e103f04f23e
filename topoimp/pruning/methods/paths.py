"""Method ``paths``: from some round on, whole paths from an input to an output are kept, the strongest first.

In the rounds before, the strongest weights are kept, as by the method ``magnitude`` under the same options
(``topoimp.pruning.methods.path_switch`` says which round is the first). From there on, all layers share one target, and
the first weights of the order by paths are kept (``topoimp.network.path_masks``, docs/theory.md). A round works on the
weights at hand, in which pruned ones are 0, so masks are nested across the switch too. The barcodes of single layers
are not kept.

Layers of the network that are not pruned lie on paths, but no target counts them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from topoimp.arrays import BoolArray, CodeArray, FloatArray
from topoimp.checkpoint import Checkpoint
from topoimp.choices import Method, PathInputs
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerStream
from topoimp.network.facts import KeptWeights, kept_in, off_path_share
from topoimp.network.graph import NetworkGraph
from topoimp.network.norms import tensor_values
from topoimp.network.path_masks import path_masks
from topoimp.pruning.methods.magnitude import Magnitude
from topoimp.pruning.methods.method import PruningMethod, Rule, RuleInputs
from topoimp.pruning.methods.network_at_hand import network_at_hand, without_graph
from topoimp.pruning.methods.path_inputs import InputsOption, InputStrengths, path_inputs
from topoimp.pruning.methods.path_switch import WITH_TRAINING, WITHOUT_TRAINING, PathSwitch, SwitchOption, path_switch
from topoimp.pruning.rank_ranking import RankRanking
from topoimp.topology.forest import Forest


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
        """Return the ranking of a layer: rank 1 for kept weights, 0 for others."""
        flat = self.kept[info.name].reshape(-1)
        n_kept = int(np.count_nonzero(flat))
        counted = np.ones(min(n_kept, 1), np.uint32), np.full(min(n_kept, 1), n_kept)
        return RankRanking(info, lambda start, stop: flat[start:stop].astype(np.uint32), self.n_bits, counted)


@dataclass(frozen=True)
class Paths:
    """The method ``paths``.

    Args:
        chosen_switch: the rule for the first round that paths decide; None if it is left to ``usual_switch``.
        usual_switch: that rule unless it is chosen.
        chosen_inputs: strength of the inputs: 1, the deviation of each over the training images, or given ones; None if
            it is left to ``usual_inputs``.
        usual_inputs: strength of the inputs unless it is chosen.
        graph: the graph of the network; None until it is known.
        strengths: those of the inputs, if they are not 1.
        has_taken_over: whether paths decided the round before; then they decide this one.
    """

    chosen_switch: PathSwitch | None = None
    usual_switch: PathSwitch = WITHOUT_TRAINING
    chosen_inputs: PathInputs | InputStrengths | None = None
    usual_inputs: PathInputs = PathInputs.ONES
    graph: NetworkGraph | None = None
    strengths: FloatArray | None = field(default=None, compare=False)
    has_taken_over: bool = False
    protects_forest: bool = False
    takes_seed: bool = False
    is_by_strength: bool = False
    only_scope: None = None
    holds_all_layers: bool = True

    def with_options(self, *, paths_below: SwitchOption | None, inputs: InputsOption | None) -> "Paths":
        """Return the method with other options, where they are not None.

        Raises:
            OptionError: if the switch or the inputs cannot be used.
        """
        chosen_inputs = self.chosen_inputs if inputs is None else path_inputs(inputs)
        return replace(self, chosen_switch=path_switch(paths_below), chosen_inputs=chosen_inputs)

    def with_training(self) -> "Paths":
        """Return the method for rounds with training between them."""
        return replace(self, usual_switch=WITH_TRAINING)

    @property
    def switch(self) -> PathSwitch:
        """The rule for the first round that paths decide."""
        return self.chosen_switch or self.usual_switch

    @property
    def name(self) -> str:
        """The word ``paths``, with the options that were given, so that each choice has rounds of its own.

        >>> Paths().with_options(paths_below=0.1, inputs="ones").name
        'paths-below-0.1-ones'
        """
        words = [Method.PATHS.value]
        if self.chosen_switch is not None:
            words.append(self.chosen_switch.word)
        if self.chosen_inputs is not None:
            words.append(self.chosen_inputs.value)
        return "-".join(words)

    @property
    def inputs(self) -> PathInputs | InputStrengths:
        """The strength of the inputs."""
        return self.usual_inputs if self.chosen_inputs is None else self.chosen_inputs

    @property
    def first(self) -> PruningMethod:
        """The method ``magnitude``."""
        return Magnitude()

    @property
    def needs_images(self) -> bool:
        """Whether the deviations of the inputs count."""
        return self.inputs is PathInputs.DATA

    def provenance(self) -> Mapping[str, Any]:  # Any: numbers and words of pruning.toml
        """Return the switch and the strength of the inputs."""
        density = self.switch.density
        return {"paths_below": str(self.switch) if density is None else density, "inputs": self.inputs.value}

    def of_network(self, graph: NetworkGraph | None, inputs: FloatArray | None) -> "Paths":
        """Return the method for a network.

        Raises:
            OptionError: if its graph is unknown, or has another number of inputs than there are given strengths.
        """
        if graph is None:
            raise without_graph(self.name)
        if isinstance(self.inputs, InputStrengths):
            self.inputs.check_fits(graph.places[graph.inputs])
            return replace(self, graph=graph, strengths=self.inputs.strengths)
        return replace(self, graph=graph, strengths=inputs if self.needs_images else None)

    def going_on(self) -> "Paths":
        """Return the method for a round after one that paths decided."""
        return replace(self, has_taken_over=True)

    def takes_over(self, target: int, n_weights: int) -> bool:
        """Return whether a round of so many kept weights has at most the density of the switch, if it has one."""
        density = self.switch.density
        return self.has_taken_over or (density is not None and target <= density * n_weights)

    def replaces(self, kept: Callable[[], Mapping[str, BoolArray]], checkpoint: Checkpoint) -> bool:
        """Return whether the switch is a share of weights on no path, and the masks have more."""
        graph = self.graph
        if graph is None or self.switch.density is not None:
            return False
        masks = kept()

        def kept_weights(name: str) -> KeptWeights:
            if name in masks:
                return kept_in(masks[name].reshape(checkpoint.tensors[name].shape))
            return kept_in(tensor_values(checkpoint, name).reshape(checkpoint.tensors[name].shape))

        return off_path_share(graph, kept_weights, masks) > self.switch.off_path

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
        network = network_at_hand(self.name, self.graph, infos, stream, self.strengths)
        return PathRule(path_masks(network, [target], threads=stream.threads).levels)
