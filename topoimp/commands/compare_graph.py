"""The facts of the networks that are compared, each as one graph."""

from topoimp.checkpoint import open_checkpoint
from topoimp.comparison.others import MaskedReference, Other, OtherCheckpoint
from topoimp.network.facts import PathFacts
from topoimp.network.graph import NetworkGraph
from topoimp.pruning.kept_weights import facts_of_checkpoint, facts_of_pruners
from topoimp.pruning.masks import read_masks
from topoimp.rounds.finished import ComparedFiles
from topoimp.rounds.run_graph import graph_of_run


def facts_of_round(file: ComparedFiles) -> PathFacts | None:
    """Return the facts of the weights of a round that its mask keeps; None if the graph of the network is unknown."""
    checkpoint = open_checkpoint(file.path)
    masks = None if file.mask is None else read_masks(file.mask)
    return facts_of_checkpoint(graph_of_run(checkpoint), checkpoint, masks)


def facts_of_other(graph: NetworkGraph | None, other: Other, threads: int) -> PathFacts | None:
    """Return the facts of a checkpoint, or of the reference under a mask; None without the graph of the reference."""
    if isinstance(other, MaskedReference):
        return facts_of_pruners(graph, other.pruners, other.reference, threads)
    if isinstance(other, OtherCheckpoint):
        return facts_of_checkpoint(graph, other.layers.checkpoint, other.masks)
    return None
