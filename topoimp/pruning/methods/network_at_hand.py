"""The weights of a round and the graph of its network, joined for a method of whole networks."""

from collections.abc import Sequence
from dataclasses import replace

from topoimp.arrays import FloatArray
from topoimp.errors import OptionError
from topoimp.layers.layer import Layer, as_layer
from topoimp.layers.records import LayerInfo
from topoimp.layers.streaming import LayerStream
from topoimp.network.graph import NetworkGraph
from topoimp.network.norms import norm_factors, tensor_values
from topoimp.network.weighted_graph import WeightedGraph


def network_at_hand(
    method: str,
    graph: NetworkGraph | None,
    infos: Sequence[LayerInfo],
    stream: LayerStream,
    inputs: FloatArray | None = None,
) -> WeightedGraph:
    """Return the network of a checkpoint, with all its layers in memory; pruned weights are 0.

    Layers of the graph that are not among ``infos`` are never pruned. ``method`` is named in messages.

    Raises:
        CheckpointError: if the checkpoint lacks a norm of the network.
        LayerError: if it lacks a layer, or a layer does not fit the graph.
        OptionError: if the graph is unknown, or a pruned layer is none of the network's.
    """
    if graph is None:
        raise without_graph(method)
    unknown = [info.name for info in infos if info.name not in graph.layers]
    if unknown:
        raise OptionError(f"the method {method} prunes layers of the network alone; {unknown[0]!r} is none of them")

    layers: dict[str, Layer] = {}

    def hold(layer: Layer, threads: int) -> None:  # noqa: ARG001  # of a protocol
        layers[layer.name] = replace(layer, codes=layer.codes.copy())  # its memory is given back

    stream.each(hold)
    checkpoint = stream.layers.checkpoint
    unpruned = frozenset(graph.layers) - layers.keys()
    for name in unpruned & checkpoint.tensors.keys():
        layers[name] = as_layer(tensor_values(checkpoint, name).reshape(checkpoint.tensors[name].shape), name=name)
    return WeightedGraph(graph, layers, inputs, norm_factors(graph, checkpoint), unpruned)


def without_graph(method: str) -> OptionError:
    """Return the error of a method that does not know the graph of the network."""
    return OptionError(
        f"the method {method} needs the graph of the network: `chain` gives that of a checkpoint; a torch "
        "module, and a run folder of a built-in network, have theirs"
    )
