"""What the rounds of a seed start from, and the plan that those of all seeds follow."""

from dataclasses import dataclass
from pathlib import Path

from topoimp.checkpoint import Checkpoint
from topoimp.layers.streaming import LayerStream
from topoimp.layers.tensors import select_layers
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.options import Scheme
from topoimp.rounds.trainer import Metrics


@dataclass(frozen=True)
class Plan:
    """The scheme that all rounds of all seeds follow; ``strict`` stops where a target is below a floor.

    ``graph`` is that of the network, for the facts of each round; None if it is unknown.
    """

    scheme: Scheme
    threads: int
    strict: bool = False
    graph: NetworkGraph | None = None

    def stream(self, checkpoint: Checkpoint) -> LayerStream:
        """Return the pruned layers of a checkpoint."""
        return LayerStream(select_layers(checkpoint, self.scheme.patterns), self.threads)


@dataclass(frozen=True)
class Start:
    """The trained, unpruned network from which the rounds of one seed start, and its metrics.

    Each round's training starts from the checkpoint ``rewind``, or from the weights of the round before if None.
    """

    seed: int
    trained: Path
    rewind: Checkpoint | None
    metrics: Metrics
