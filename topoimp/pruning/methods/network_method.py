"""A method that orders the weights of a whole network, with one target for all layers, from some density down."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from topoimp.arrays import BoolArray, FloatArray
from topoimp.checkpoint import Checkpoint
from topoimp.errors import OptionError
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerStream
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.methods.method import PruningMethod, Rule
from topoimp.pruning.methods.path_inputs import InputsOption
from topoimp.pruning.methods.path_switch import SwitchOption


@runtime_checkable
class NetworkMethod(Protocol):
    """A method that prunes as another one until its own order takes over."""

    @property
    def first(self) -> PruningMethod:
        """The method that prunes until then."""

    @property
    def needs_images(self) -> bool:
        """Whether its order depends on the images that the network was trained on."""

    def of_network(self, graph: NetworkGraph | None, inputs: FloatArray | None) -> PruningMethod:
        """Return the method for a network: its graph, and the deviation of each input over the training images."""

    def going_on(self) -> PruningMethod:
        """Return the method for a round after one that its own order decided: it decides this one too."""

    def replaces(self, kept: Callable[[], Mapping[str, BoolArray]], checkpoint: Checkpoint) -> bool:
        """Return whether the method's own order decides a round for which the first method has found masks.

        ``kept`` returns them, by layer name, a flag for each weight by flat index. The checkpoint has all weights.
        """

    def takes_over(self, target: int, n_weights: int) -> bool:
        """Return whether the method's own order decides a round that keeps so many of the weights of all layers."""

    def rule_for(self, infos: Sequence[LayerInfo], stream: LayerStream, target: int) -> Rule:
        """Return the rule of a round that keeps so many weights, from the weights at hand."""


@runtime_checkable
class MethodOfPaths(Protocol):
    """A method that has options about paths."""

    def with_options(self, *, paths_below: SwitchOption | None, inputs: InputsOption | None) -> PruningMethod:
        """Return the method with other options, where they are not None."""

    def with_training(self) -> PruningMethod:
        """Return the method for rounds with training between them."""


def trained_method(method: PruningMethod) -> PruningMethod:
    """Return a method for rounds with training between them; the same if that makes no difference to it."""
    return method.with_training() if isinstance(method, MethodOfPaths) else method


def method_for(method: PruningMethod, graph: NetworkGraph | None, inputs: FloatArray | None = None) -> PruningMethod:
    """Return a method for a network: one of whole networks knows its graph and inputs then, others are the same.

    Args:
        method: any method.
        graph: the graph of the network, if it is known.
        inputs: the deviation of each input over the training images, if there are images.

    Raises:
        OptionError: if the method needs the graph or the images, and there are none.
    """
    if not isinstance(method, NetworkMethod):
        return method
    if method.needs_images and inputs is None and graph is not None:
        raise OptionError(
            "`inputs` is data, which needs the images that the network was trained on, and they are known only where "
            "topoimp trains; ones, or a file with the strength of each input, is needed"
        )
    return method.of_network(graph, inputs)
